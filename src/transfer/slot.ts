import { crc32 } from 'node:zlib'
import {
  DecodeError,
  decode,
  enumeration,
  fixed,
  rest,
  struct,
  type TypeOf,
  text,
  uint8,
  uint32,
  uint64,
  viewOf,
} from '../wire/index.ts'
import { SESSION_ID_LENGTH } from './envelope.ts'

/** Bytes for the header of a slot, and for each of its two checkpoints. */
export const HEADER_LENGTH = 64
export const AREA_LENGTH = 8192

/** `offered`: it is on its way to `target`. `done`: it is over, and the slot is free. */
export const SlotState = enumeration('SlotState', uint8, { live: 1, done: 2, offered: 3 })

/**
 * What a container says of a connection that it has or had, in its own file: only it and the gateway can read
 * or write that. So a container can speak of what it has been given, and of nothing else.
 */
export const SlotHeader = struct('SlotHeader', {
  state: SlotState,
  sessionId: fixed(SESSION_ID_LENGTH),
  /** At which the container has it; while it is offered, that of the offer. */
  generation: uint32,
  /** The id of the process that it is, or was last, offered to; otherwise 0. */
  target: uint32,
})
export type SlotHeader = TypeOf<typeof SlotHeader>

/**
 * What a connection's owner leaves for a successor; what is sealed only containers of the function can read.
 */
export const SlotCheckpoint = struct('SlotCheckpoint', {
  sessionId: fixed(SESSION_ID_LENGTH),
  functionName: text(1, 63),
  generation: uint32,
  /** Bytes read from the socket and written to it, since the connection began. */
  received: uint64,
  sent: uint64,
  /** A `Checkpoint`, sealed. */
  sealed: rest,
})
export type SlotCheckpoint = TypeOf<typeof SlotCheckpoint>

/** What a gateway says of its file when it gives it to a container. */
export const SlotFileOffer = struct('SlotFileOffer', { slots: uint32 })

/**
 * Bytes in front of what a slot holds: a checksum of all that follows, its length, and a number that grows.
 */
const FRAME_LENGTH = 12

/**
 * Where the state and the session of a slot stand in its header, to look at without more ado; see {@link
 * seemsDone}.
 */
const STATE_OFFSET = FRAME_LENGTH
const SESSION_OFFSET = STATE_OFFSET + 1
const DONE = 2

/**
 * Puts something into a frame that shows whether all of it is there: a container that is killed while writing
 * leaves half of it.
 * @param into at least as long as the frame
 * @returns how many bytes that are; undefined if there is no room
 */
export function frame(sequence: number, content: Uint8Array, into: Uint8Array): number | undefined {
  const end = FRAME_LENGTH + content.length
  if (end > into.length) return undefined
  putUint32(into, 4, content.length)
  putUint32(into, 8, sequence)
  into.set(content, FRAME_LENGTH)
  putUint32(into, 0, crc32(viewOf(into, 4, end)))
  return end
}

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** @returns undefined for what is not whole */
export function unframe(
  bytes: Uint8Array,
): { readonly sequence: number; readonly content: Uint8Array } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = FRAME_LENGTH + view.getUint32(4)
  if (end > bytes.length || view.getUint32(0) !== crc32(bytes.subarray(4, end))) return undefined
  return { sequence: view.getUint32(8), content: bytes.subarray(FRAME_LENGTH, end) }
}

/** @returns undefined for what is not whole, or nonsense */
export function decodeHeader(bytes: Uint8Array): SlotHeader | undefined {
  return decoded(SlotHeader, bytes)?.value
}

/** @returns undefined for what is not whole, or nonsense */
export function decodeArea(
  bytes: Uint8Array,
): { readonly sequence: number; readonly checkpoint: SlotCheckpoint } | undefined {
  const found = decoded(SlotCheckpoint, bytes)
  return found && { sequence: found.sequence, checkpoint: found.value }
}

function decoded<T>(
  codec: Parameters<typeof decode<T>>[0],
  bytes: Uint8Array,
): { sequence: number; value: T } | undefined {
  const whole = unframe(bytes)
  if (whole === undefined) return undefined
  try {
    return { sequence: whole.sequence, value: decode(codec, whole.content) }
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

/**
 * A quick look at many headers.
 * @param at where one begins in `bytes` @returns the session that is over, as that one seems to say;
 * undefined if none is
 */
export function seemsDone(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (bytes[at + STATE_OFFSET] !== DONE) return undefined
  return bytes.subarray(at + SESSION_OFFSET, at + SESSION_OFFSET + SESSION_ID_LENGTH)
}
