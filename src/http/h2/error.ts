/** The error codes of RFC 9113 §7. */
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

/**
 * A rule of HTTP/2 that was broken, or a limit that was exceeded. It ends one stream or the connection (RFC
 * 9113 §5.4).
 */
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

/**
 * What a peer may overdo, and the error that it is: each is counted, see {@link Exceeded}. The first three
 * are budgets (`limits.ts`). `headerBlock`: HEADERS with CONTINUATION, in bytes or in frames; `headerList`:
 * what they unpack to, which a request is answered with 431 for; `streams`: more at once than we have said;
 * `settings`: ours are not acknowledged in time; `stall`: a window that never opens.
 */
export const LIMIT_ERRORS = {
  resets: 'ENHANCE_YOUR_CALM',
  control: 'ENHANCE_YOUR_CALM',
  empty: 'ENHANCE_YOUR_CALM',
  headerBlock: 'ENHANCE_YOUR_CALM',
  headerList: 'ENHANCE_YOUR_CALM',
  streams: 'REFUSED_STREAM',
  settings: 'SETTINGS_TIMEOUT',
  stall: 'ENHANCE_YOUR_CALM',
} as const satisfies Readonly<Record<string, ErrorName>>

export type LimitName = keyof typeof LIMIT_ERRORS

/** More than a limit allows. */
export class LimitError extends H2Error {
  readonly limit: LimitName

  /** @param streamId what it ends; 0 for the connection */
  constructor(limit: LimitName, reason: string, streamId = 0) {
    super(LIMIT_ERRORS[limit], reason, streamId)
    this.limit = limit
  }
}

/**
 * How often each limit was exceeded, and how many connections ended in an error of any kind. Many connections
 * may share one.
 */
export type Exceeded = Record<LimitName | 'failed', number>

/** Nothing so far. */
export function noneExceeded(): Exceeded {
  return {
    resets: 0,
    control: 0,
    empty: 0,
    headerBlock: 0,
    headerList: 0,
    streams: 0,
    settings: 0,
    stall: 0,
    failed: 0,
  }
}
