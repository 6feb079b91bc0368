/** Steps before the first look at the clock: most work is over by then. */
const STEPS = 8
/** Milliseconds that one connection works at a stretch, while others wait. */
const SLICE = 2

/** The event loop, as far as turns concern it. */
export interface Loop {
  /** Milliseconds since some moment, never going back. */
  now(): number
  /** Calls back when everything else that waits has had its turn. @returns takes that back */
  later(callback: () => void): () => void
}

/** Node's, or that of a browser, which has no setImmediate: a message to oneself comes as soon. */
export const LOOP: Loop = {
  now: () => performance.now(),
  later: typeof setImmediate === 'function' ? immediately : byMessage,
}

function immediately(callback: () => void): () => void {
  const immediate = setImmediate(callback)
  return () => clearImmediate(immediate)
}

function byMessage(callback: () => void): () => void {
  const { port1, port2 } = new MessageChannel()
  const close = (): void => port1.close()
  const own = port1 as { onmessage?: () => void }
  own.onmessage = () => {
    close()
    callback()
  }
  port2.postMessage(undefined)
  return close
}

/** Without turns: work goes on as long as there is any. */
export const ENDLESS: Loop = { now: () => 0, later: () => () => {} }

/**
 * One connection's turn of the event loop. A peer can send work for seconds in a single read, in pieces as
 * small as it likes; its reader asks {@link goesOn} before each piece, and stops when the turn is
 * over. What is left stays where it is until the next turn.
 */
export class Turn {
  readonly #loop: Loop
  readonly #resume: () => void
  #steps = 0
  /** When it began; undefined while nothing says that the event loop has not turned since. */
  #began: number | undefined
  #over = false
  #cancel: (() => void) | undefined

  /** @param resume called when a turn that was over begins anew */
  constructor(resume: () => void, loop: Loop = LOOP) {
    this.#resume = resume
    this.#loop = loop
  }

  /** It is over: nothing more is to be done before `resume` is called. */
  get over(): boolean {
    return this.#over
  }

  /**
   * The event loop brings new work. Steps are counted anew: the loop has turned, or this is one of the few
   * reads of a turn.
   */
  begin(): void {
    this.#steps = 0
  }

  /** Whether another piece may be worked off now. */
  goesOn(): boolean {
    if (this.#over) return false
    if (this.#began !== undefined) {
      this.#over = this.#loop.now() - this.#began >= SLICE
      return !this.#over
    }
    if (++this.#steps < STEPS) return true
    this.#steps = 0
    this.#began = this.#loop.now()
    this.#cancel = this.#loop.later(() => this.#next())
    return true
  }

  /** Forgets that a turn is underway: the next one is not waited for. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#began = undefined
    this.#over = false
  }

  #next(): void {
    const resumes = this.#over
    this.stop()
    if (resumes) this.#resume()
  }
}
