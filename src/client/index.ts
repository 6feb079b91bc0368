/** An HTTP client: `fetch`, over any transport. */
export { Client, type FetchOptions } from './client.ts'
export { ClientError, type ClientErrorKind, type TimeoutName } from './error.ts'
export type { ClientOptions, PoolLimits, Timeouts } from './options.ts'
