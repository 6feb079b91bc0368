import type { Clock } from '../time/clock.ts'
import { ConnectError, type Connected, type ConnectOptions, shown, type Target } from './connector.ts'

/** Milliseconds for a connection, unless the options say another number. */
const PATIENCE = 10_000

/**
 * Bounds the making of a connection. @param work told by its signal to give up, and to close what it has
 * @throws ConnectError `timeout`, `aborted`, or what `work` throws
 */
export async function attempt(
  target: Target,
  { signal, timeoutMs = PATIENCE }: ConnectOptions,
  clock: Clock,
  work: (signal: AbortSignal) => Promise<Connected>,
): Promise<Connected> {
  if (signal?.aborted) throw aborted(target, signal)
  const control = new AbortController()
  const late = clock.after(timeoutMs, () =>
    control.abort(new ConnectError('timeout', `no connection to ${shown(target)} in ${timeoutMs} ms`)),
  )
  const release = onAbort(signal, () => control.abort(aborted(target, signal)))
  try {
    return await orTooLate(work(control.signal), control.signal, late => late.transport.destroy())
  } finally {
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
  if (signal.aborted) queueMicrotask(listener)
  else signal.addEventListener('abort', listener, { once: true })
  return () => {
    over = true
    signal.removeEventListener('abort', listener)
  }
}
