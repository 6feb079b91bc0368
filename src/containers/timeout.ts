import type { Problem } from '../http/problem.ts'
import { type TimerName, type TimerSettings, timerProblem } from '../http/timers.ts'

/** By timer: its key in the configuration. */
export const TIMER_KEYS: Readonly<Record<TimerName, string>> = {
  headers: 'headers',
  'request-body': 'requestBody',
  'keep-alive': 'keepAlive',
  handler: 'handler',
  container: 'container',
}

/** What can be answered to. */
export type Timeout = Exclude<TimerName, 'keep-alive'>

/**
 * The answer that says which timer ran out, after how long, and how it is set: 408, 503 with Retry-After, or 504.
 * @param functionName with `container`: what the request is for
 */
export function timeoutProblem(timer: Timeout, settings: TimerSettings, functionName?: string): Problem {
  const what = timerProblem(timer, settings[timer])
  if (what === undefined) throw new TypeError(`nobody waits for an answer when ${timer} runs out`)
  const setting = `connection.timers.${TIMER_KEYS[timer]}`
  const waited = `${settings[timer] / 1000} s`
  const detail =
    functionName === undefined
      ? what.detail!
      : `no container of the function ${functionName} was ready within ${waited}; the connection is intact`
  return { ...what, detail, extensions: { ...what.extensions, setting } }
}
