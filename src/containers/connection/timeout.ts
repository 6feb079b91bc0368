import type { Problem } from '../../http/problem.ts'
import { type Expiry, expiryProblem, type TimerName, type TimerSettings } from '../../http/timers.ts'

/** By what runs out: its key in the configuration, below `connection`. */
export const TIMER_KEYS: Readonly<Record<Expiry, string>> = {
  headers: 'timers.headers',
  'request-body': 'timers.requestBody',
  'keep-alive': 'timers.keepAlive',
  handler: 'timers.handler',
  container: 'timers.container',
  'request-rate': 'minimumRate.bytesPerSecond',
}

/** What is waited for and can be answered to. */
export type AwaitedTimer = Exclude<TimerName, 'keep-alive'>

/** What can be answered to. */
export type Timeout = Exclude<Expiry, 'keep-alive'>

/**
 * The answer that says which timer ran out, after how long, and how it is set: 408, 503 with Retry-After, or
 * 504.
 * @param functionName with `container`: what the request is for
 */
export function timeoutProblem(timer: Timeout, settings: TimerSettings, functionName?: string): Problem {
  const what = expiryProblem(timer, settings)
  if (what === undefined) throw new TypeError(`no answer is sent when ${timer} runs out`)
  const setting = `connection.${TIMER_KEYS[timer]}`
  const detail =
    functionName === undefined
      ? what.detail!
      : `no container of the function ${functionName} was ready within ${settings.container / 1000} s; ` +
        'the connection is intact'
  return { ...what, detail, extensions: { ...what.extensions, setting } }
}
