/** The error codes of RFC 9113, Section 7. */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const

export type ErrorName = keyof typeof ErrorCode

/** A rule of HTTP/2 that was broken, or a limit that was exceeded. It ends one stream or the connection (RFC 9113, Section 5.4). */
export class H2Error extends Error {
  override readonly name = 'H2Error'
  readonly code: number
  /** What the error ends: a stream, or with 0 the connection. */
  readonly streamId: number
  /** Whose fault it is. */
  readonly origin: 'peer' | 'local'

  constructor(code: ErrorName, reason: string, streamId = 0, origin: 'peer' | 'local' = 'peer') {
    super(reason)
    this.code = ErrorCode[code]
    this.streamId = streamId
    this.origin = origin
  }

  /** What the error ends. */
  get scope(): 'connection' | 'stream' {
    return this.streamId === 0 ? 'connection' : 'stream'
  }
}
