/** An HTTP client: `fetch`, over any transport. */
export { Descriptor } from '../transfer/stream.ts'
export { Client, type FetchOptions, type RestoredResponse } from './client.ts'
export type { Released } from './connection.ts'
export { ClientError, type ClientErrorKind, type TimeoutName } from './error.ts'
export type { ClientOptions, PoolLimits, Timeouts } from './options.ts'
export { ClientConnectionState } from './state.ts'
