/** HTTP/1.0 and 1.1 (RFC 9112) without sockets and without a clock. */
export { H1Client, type H1ClientEvent, type OutgoingRequest } from './client.ts'
export { H1Error } from './error.ts'
export type { H1Event } from './event.ts'
export { DEFAULT_LIMITS, type H1Limits } from './limits.ts'
export { httpDate, type ResponseHead } from './response-head.ts'
export { H1Server } from './server.ts'
export {
  type CarriedRequest,
  carried,
  carriedHead,
  carriedRequest,
  type H1Response,
  type H1State,
  type H1Upload,
  h1Response,
  h1State,
  h1Upload,
  INBOUND_CEILING,
  requestFields,
} from './state.ts'
