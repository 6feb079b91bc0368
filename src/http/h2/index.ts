/** HTTP/2 (RFC 9113) and HPACK (RFC 7541) without sockets and without a clock. */
export { H2Client, type H2RequestHead } from './client.ts'
export {
  ErrorCode,
  type ErrorName,
  type Exceeded,
  H2Error,
  LIMIT_ERRORS,
  type LimitName,
  noneExceeded,
} from './error.ts'
export type { H2Event, H2Request } from './event.ts'
export { CLIENT_PREFACE } from './frame.ts'
export { HpackDecoder } from './hpack/decoder.ts'
export { HpackEncoder } from './hpack/encoder.ts'
export { DEFAULT_H2_LIMITS, type H2Limits, limitsFor } from './limits.ts'
export { type H2ResponseHead, H2Server } from './server.ts'
export { type H2State, h2State } from './state.ts'
