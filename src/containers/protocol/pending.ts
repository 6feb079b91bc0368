import { AsyncLocalStorage } from 'node:async_hooks'

/** A call that a function has begun. */
export interface Pending {
  /** The function has thrown beside it: its client gets 500, or sees its response break off. */
  blame(error: unknown): void
}

/**
 * The calls of this process that wait for their functions, and to which of them belongs what a function
 * throws outside of all of them. That is known once calls are followed, which costs each promise something;
 * so they are followed only in a process whose function has thrown like that before.
 */
class PendingCalls {
  readonly #calls = new Set<Pending>()
  #followed: AsyncLocalStorage<Pending> | undefined

  /** From now on every call is followed. */
  follow(): void {
    this.#followed ??= new AsyncLocalStorage()
  }

  /** Runs what begins a call. */
  run(call: Pending, begin: () => void): void {
    if (this.#followed === undefined) begin()
    else this.#followed.run(call, begin)
  }

  /** Waits for what the function gives, which has not answered at once. */
  wait<T>(
    call: Pending,
    response: Promise<T>,
    then: (given: T) => void,
    fail: (error: unknown) => void,
  ): void {
    this.#calls.add(call)
    response
      .then(given => {
        this.#calls.delete(call)
        then(given)
      })
      .catch(error => {
        this.#calls.delete(call)
        fail(error)
      })
  }

  /** Its response has begun, and more of it is waited for. */
  add(call: Pending): void {
    this.#calls.add(call)
  }

  /** Nothing of its response is waited for any more. */
  remove(call: Pending): void {
    this.#calls.delete(call)
  }

  /** The call that an error belongs to that is being reported; as long as none is followed, the only one. */
  get culprit(): Pending | undefined {
    if (this.#followed !== undefined) return this.#followed.getStore()
    const [only, ...others] = this.#calls
    return others.length === 0 ? only : undefined
  }
}

/** Those of this process: what is thrown outside of everything is the process's, too. */
export const pendingCalls = new PendingCalls()
