/** What the containers of a function have done so far, at one look. */
export interface Work {
  /** Changes with everything that they are given, and with which ones they are. */
  readonly done: string
  /** What is underway, or cannot leave its process. */
  readonly busy: number
}

/**
 * When a function has been without work for long enough. It has no clock: time is an argument, in
 * milliseconds that do not go back.
 */
export class Idleness {
  /** Since when nothing has happened, and what had been done by then. */
  readonly #since = new Map<string, { readonly done: string; readonly at: number }>()

  /**
   * What its containers say now. @param limit milliseconds without work after which it is to sleep
   * @returns whether it is to sleep
   */
  look(functionName: string, { done, busy }: Work, now: number, limit: number): boolean {
    const since = this.#since.get(functionName)
    if (since === undefined || since.done !== done || busy > 0) {
      this.#since.set(functionName, { done, at: now })
      return false
    }
    return now - since.at >= limit
  }

  /** It has no container, or they do not answer: what was seen of them counts no more. */
  forget(functionName: string): void {
    this.#since.delete(functionName)
  }
}
