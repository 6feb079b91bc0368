import { enumeration, type Struct, struct, uint8, uint32, uint64 } from '../../wire/index.ts'

/** Where a message's content is: what of it comes next. */
export interface H1BodyState {
  /** Bytes of content still to come in this message or chunk; 0 where the end of the connection tells. */
  readonly remaining: number
  readonly next: 'end' | 'size' | 'data-end' | 'trailers' | 'never'
  /** Bytes of content that were promised by chunks so far. */
  readonly content: number
  readonly extensionBytes: number
}

/** {@link H1BodyState} on the wire: 21 bytes. */
export const h1BodyState: Struct<H1BodyState> = struct('H1BodyState', {
  remaining: uint64,
  next: enumeration('H1BodyNext', uint8, { end: 0, size: 1, 'data-end': 2, trailers: 3, never: 4 }),
  content: uint64,
  extensionBytes: uint32,
})
