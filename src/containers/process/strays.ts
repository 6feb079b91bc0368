import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../time/clock.ts'
import { pendingCalls } from '../protocol/pending.ts'

/** Milliseconds between two lines of log: a timer that throws each time must not fill the disk. */
const PAUSE = 1000

/**
 * From here on, what is thrown outside of everything ends nothing. All that belongs to a connection is behind
 * its guard, so it comes from a function: out of a timer or an event of its own, or out of a promise that it
 * has left alone. The call that it belongs to, as far as that is known, is answered with 500. The others who
 * are served there have nothing to do with it: the container goes on until the supervisor, which asks for the
 * count, has put another one in its place.
 * @returns how many there were so far
 */
export function surviveStrays(clock: Clock, log: Pick<Log, 'error'>): { readonly uncaught: number } {
  const counters = { uncaught: 0 }
  let said = -Infinity
  const note = (error: unknown, what: string): void => {
    counters.uncaught++
    pendingCalls.culprit?.blame(error)
    pendingCalls.follow()
    const now = clock.steady()
    if (now - said < PAUSE) return
    said = now
    log.error({ err: error, uncaught: counters.uncaught }, what)
  }
  process.on('uncaughtException', error => note(error, 'the function threw outside of a request'))
  process.on('unhandledRejection', error => note(error, 'the function left a rejected promise unhandled'))
  return counters
}
