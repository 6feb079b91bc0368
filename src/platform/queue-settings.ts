/** How often and how soon one function's asynchronous calls are tried again. Milliseconds. */
export interface AsyncSettings {
  readonly retries: number
  readonly first: number
  readonly most: number
  /** That a call of it may take. */
  readonly timeout: number
  /** Its calls that are underway at once. */
  readonly concurrency: number
  /** Each request has to bring a key, which is kept nowhere: it is not called asynchronously. */
  readonly sealed?: boolean
}

/** What the container is told that keeps asynchronous calls. */
export interface QueueSettings {
  /** Where they lie. */
  readonly directory: string
  /** Hosts that may be called back. */
  readonly callbacks: readonly string[]
  /** Bytes of one call, and of an answer that is kept for a callback. */
  readonly callBytes: number
  readonly answerBytes: number
  /** Calls that wait, and their bytes. */
  readonly calls: number
  readonly bytes: number
  /** Calls that are underway at once. */
  readonly concurrency: number
  /** Calls that were given up and are kept, in at most `bytes`. */
  readonly deadLetters: number
  /** By function. */
  readonly functions: Readonly<Record<string, AsyncSettings>>
}

/** The name by which paths lead to it: `/async-function/NAME`. */
export const QUEUE_FUNCTION = 'async-function'
