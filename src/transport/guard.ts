/**
 * The door of one connection for all who call it: streams, timers, promises of functions, channels. What is
 * thrown behind it is a fault of ours that this connection has brought to light: it ends this connection, and
 * neither the caller nor any other one.
 */
export class Guard {
  readonly #failed: (error: unknown) => void

  /** @param failed ends the connection, and says so; it may be called again while it does */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Does it now. @returns what it gives; undefined if it throws */
  run<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  /** The same as a function that other code calls later. */
  entrance<A extends readonly [unknown?, unknown?], T>(
    work: (...given: A) => T,
  ): (...given: A) => T | undefined {
    // Two arguments are the most that there are, and a list of them is made at every call.
    const call = work as unknown as (first: unknown, second: unknown) => T
    const entrance = (first: unknown, second: unknown): T | undefined => {
      try {
        return call(first, second)
      } catch (error) {
        this.fail(error)
        return undefined
      }
    }
    return entrance as unknown as (...given: A) => T | undefined
  }

  /** Ends the connection over something that was thrown already. Never throws. */
  fail(error: unknown): void {
    try {
      this.#failed(error)
    } catch {
      // There is nothing left that could be done for this connection.
    }
  }
}
