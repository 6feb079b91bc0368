/** What a container of a sealed function is told of it. */
export interface SealedSettings {
  /** The file of the bundle. */
  readonly bundle: string
  /** That a key is remembered, and a worker waits for the next request with it; 0: not at all. */
  readonly cacheMilliseconds: number
  /** The directory for what the function leaves behind, sealed. */
  readonly directory: string
}
