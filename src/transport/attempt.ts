import type { Clock } from '../time/clock.ts'
import { ConnectError, type Connected, type ConnectOptions, shown, type Target } from './connector.ts'

/** Milliseconds for a connection, unless the options say another number. */
const PATIENCE = 10_000

/** What bounds the making of a connection. */
export interface Bounds {
  /** It is too late: what is open so far is closed, and the reason thrown. */
  readonly signal: AbortSignal
  /**
   * A handshake of TLS begins: from here on its own time counts, if it has one, until what it returns is
   * called.
   */
  readonly handshake: () => () => void
}

/**
 * Bounds the making of a connection. @param work told by its signal to give up, and to close what it has
 * @throws ConnectError `timeout`, `aborted`, or what `work` throws
 */
export async function attempt(
  target: Target,
  { signal, timeoutMs = PATIENCE, handshakeMs }: ConnectOptions,
  clock: Clock,
  work: (bounds: Bounds) => Promise<Connected>,
): Promise<Connected> {
  if (signal?.aborted) throw aborted(target, signal)
  const control = new AbortController()
  const where = shown(target)
  const late = clock.timer(() =>
    control.abort(new ConnectError('timeout', `no connection to ${where} in ${timeoutMs} ms`)),
  )
  let left = timeoutMs
  let since = clock.steady()
  late.after(left)
  const handshake = (): (() => void) => {
    if (handshakeMs === undefined) return () => {}
    const what = `no handshake with ${where} in ${handshakeMs} ms`
    const slow = clock.after(handshakeMs, () =>
      control.abort(new ConnectError('timeout', what, undefined, 'handshake')),
    )
    late.stop()
    left -= clock.steady() - since
    return () => {
      slow.stop()
      since = clock.steady()
      if (!over) late.after(Math.max(1, left))
    }
  }
  let over = false
  const release = onAbort(signal, () => control.abort(aborted(target, signal)))
  try {
    const working = work({ signal: control.signal, handshake })
    return await orTooLate(working, control.signal, late => late.transport.destroy())
  } finally {
    over = true
    late.stop()
    release()
  }
}

/**
 * What comes of some work, or the reason of the signal, whether the work has heard of that or not.
 * @param undo closes what comes after it was given up
 */
export function orTooLate<T>(work: Promise<T>, signal: AbortSignal, undo: (late: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const release = onAbort(signal, reject)
    const fail = (error: unknown): void => {
      release()
      reject(error)
    }
    work.then(done => {
      release()
      if (signal.aborted) undo(done)
      else resolve(done)
    }, fail)
  })
}

function aborted(target: Target, signal: AbortSignal | undefined): ConnectError {
  return new ConnectError('aborted', `the connection to ${shown(target)} was given up`, signal?.reason)
}

/** Calls `giveUp` when the signal says so, and never from within, until what it returns is called. */
export function onAbort(signal: AbortSignal | undefined, giveUp: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  let over = false
  const listener = (): void => {
    if (!over) giveUp(signal.reason)
  }
  const release = signal.aborted ? queueMicrotask(listener) : listen(signal, listener)
  return () => {
    over = true
    release?.()
  }
}

/** What waits for a signal: one listener of ours for all, because Node takes many for a leak. */
class Waiting {
  readonly #signal: AbortSignal
  readonly #all = new Set<() => void>()
  readonly #told = (): void => {
    for (const one of [...this.#all]) one()
  }

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  add(one: () => void): void {
    if (this.#all.size === 0) this.#signal.addEventListener('abort', this.#told, { once: true })
    this.#all.add(one)
  }

  delete(one: () => void): void {
    if (this.#all.delete(one) && this.#all.size === 0) this.#signal.removeEventListener('abort', this.#told)
  }
}

const WAITING = new WeakMap<AbortSignal, Waiting>()

/** @param listener called when the signal is aborted @returns takes it back */
function listen(signal: AbortSignal, listener: () => void): () => void {
  const waiting = WAITING.get(signal) ?? new Waiting(signal)
  WAITING.set(signal, waiting)
  waiting.add(listener)
  return () => waiting.delete(listener)
}
