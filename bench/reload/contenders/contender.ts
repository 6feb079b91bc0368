/** What serves streams, and is deployed or reloaded meanwhile. */
export interface Contender {
  /** Where it speaks TLS. */
  readonly port: number
  /** All of its processes. */
  pids(): readonly number[]
  /** Those that a deploy replaces. */
  replaced(): readonly number[]
  /** Settled when the new ones work. */
  deploy(): Promise<void>
  /** Ends all processes of the application, in the way in which it is done in good order. */
  sleep(): Promise<void>
  /** Has it back for clients that come. */
  wake(): Promise<void>
  stop(): Promise<void>
}
