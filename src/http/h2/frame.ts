import { H2Error } from './error.ts'

/** The frame types of RFC 9113 §6, and of RFC 7838, RFC 8336 and RFC 9218. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
  ALTSVC: 0xa,
  ORIGIN: 0xc,
  PRIORITY_UPDATE: 0x10,
} as const

/** Flags; what a bit means depends on the type. */
export const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const

/** Bytes before every payload (RFC 9113 §4.1). */
export const FRAME_HEADER_LENGTH = 9

/** What a client sends first (RFC 9113 §3.4); its SETTINGS follow. */
export const CLIENT_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** The largest stream identifier. */
export const MAX_STREAM_ID = 2 ** 31 - 1

/** A frame's header (RFC 9113 §4.1). */
export interface FrameHeader {
  /** Bytes of payload. */
  length: number
  type: number
  flags: number
  streamId: number
}

/** Reads the nine bytes at `at` into `header`: no memory of its own for every frame. */
export function readFrameHeader(bytes: Uint8Array, at: number, header: FrameHeader): void {
  header.length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
  header.type = bytes[at + 3]!
  header.flags = bytes[at + 4]!
  header.streamId = readUint31(bytes, at + 5)
}

/** 31 bits, network byte order; the reserved bit before them is ignored. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** 32 bits, network byte order. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint31(bytes, at) + (bytes[at]! >> 7) * 2 ** 31
}

/** What a frame's header must be like before the payload is looked at. */
interface FrameRule {
  /** Where the frame belongs: on a stream, on the connection (stream 0), or on either. */
  readonly on: 'stream' | 'connection' | 'either'
  /** Whether the payload can be that long. */
  readonly fits: (length: number, flags: number) => boolean
  /** What a wrong length ends. */
  readonly scope: 'stream' | 'connection'
}

const any = (): boolean => true

/** RFC 9113 §6.1 to §6.10, and RFC 9218 §7.1. */
export const FRAME_RULES: Readonly<Record<number, FrameRule>> = {
  [FrameType.DATA]: { on: 'stream', fits: any, scope: 'connection' },
  [FrameType.HEADERS]: { on: 'stream', fits: any, scope: 'connection' },
  [FrameType.PRIORITY]: { on: 'stream', fits: length => length === 5, scope: 'stream' },
  [FrameType.RST_STREAM]: { on: 'stream', fits: length => length === 4, scope: 'connection' },
  [FrameType.SETTINGS]: {
    on: 'connection',
    fits: (length, flags) => (flags & Flag.ACK ? length === 0 : length % 6 === 0),
    scope: 'connection',
  },
  [FrameType.PUSH_PROMISE]: { on: 'stream', fits: any, scope: 'connection' },
  [FrameType.PING]: { on: 'connection', fits: length => length === 8, scope: 'connection' },
  [FrameType.GOAWAY]: { on: 'connection', fits: length => length >= 8, scope: 'connection' },
  [FrameType.WINDOW_UPDATE]: { on: 'either', fits: length => length === 4, scope: 'connection' },
  [FrameType.CONTINUATION]: { on: 'stream', fits: any, scope: 'connection' },
  [FrameType.PRIORITY_UPDATE]: { on: 'connection', fits: length => length >= 4, scope: 'connection' },
}

/**
 * @throws H2Error for a frame on the wrong kind of stream or of an impossible length. Types that we do not
 * know pass.
 */
export function checkFrameHeader({ length, type, flags, streamId }: FrameHeader): void {
  const rule = FRAME_RULES[type]
  if (rule === undefined) return
  if (rule.on === 'stream' ? streamId === 0 : rule.on === 'connection' && streamId !== 0) {
    throw new H2Error('PROTOCOL_ERROR', `a frame of type ${type} on stream ${streamId}`)
  }
  if (!rule.fits(length, flags)) {
    const ends = rule.scope === 'stream' ? streamId : 0
    throw new H2Error('FRAME_SIZE_ERROR', `a frame of type ${type} with ${length} bytes`, ends)
  }
}

/** One whole frame in memory of its own: for tests and tools. */
export function encodeFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_LENGTH + payload.length)
  writeFrameHeader(bytes, 0, payload.length, type, flags, streamId)
  bytes.set(payload, FRAME_HEADER_LENGTH)
  return bytes
}

/** Writes the nine bytes at `at`. */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = length >>> 16
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length
  bytes[at + 3] = type
  bytes[at + 4] = flags
  writeUint32(bytes, at + 5, streamId)
}

/** Writes 32 bits, network byte order. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
