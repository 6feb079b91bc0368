import { enumeration, select, struct, type TypeOf, uint8, uint32 } from '../../wire/index.ts'

/** The version that is written, and the only one that is understood. */
export const VERSION = 2

const FrameKind = enumeration('FrameKind', uint8, { fragment: 1, credit: 2 })

/** A piece of a message; its bytes are the rest of the frame. Descriptors come with the piece at offset 0. */
const Fragment = struct('Fragment', {
  number: uint32,
  offset: uint32,
  total: uint32,
  descriptors: uint8,
})

/** So many bytes of frames have been taken; 0 asks whether the peer is still there. */
const Credit = struct('Credit', { bytes: uint32 })

/**
 * What stands at the beginning of everything that is sent from process to process. It does not say who has
 * sent it: that follows from which pair it came through.
 */
export const Header = struct('Header', {
  version: uint8,
  content: select('Content', 'kind', FrameKind, { fragment: Fragment, credit: Credit }),
})

export type Header = TypeOf<typeof Header>
export type Fragment = TypeOf<typeof Fragment>

/** Bytes of the header of a fragment: version, kind, and the fields of {@link Fragment}. */
export const HEADER = 1 + 1 + 13
/** Bytes of the largest frame. */
export const FRAME = 65_536
/** Bytes of a message in one frame. */
export const BODY = FRAME - HEADER
