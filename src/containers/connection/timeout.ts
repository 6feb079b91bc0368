import type { Problem } from '../../http/problem.ts'
import { type Expiry, expiryProblem, type TimerName } from '../../http/timers.ts'
import type { ConnectionLimits } from './connection-host.ts'

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

/** What an answer may have to tell besides the timer. */
export interface Overdue {
  /** With `container`: what the request is for. */
  readonly functionName?: string | undefined
  /** With `handler`: milliseconds that the caller gave the function, in the field X-Timeout. */
  readonly within?: number | undefined
}

/**
 * The answer that says which timer ran out, after how long, and how it is set: 408, 503 with Retry-After, or
 * 504.
 */
export function timeoutProblem(
  timer: Timeout,
  { timers, handlerKey }: Pick<ConnectionLimits, 'timers' | 'handlerKey'>,
  { functionName, within }: Overdue = {},
): Problem {
  const what = expiryProblem(timer, timers, within)
  if (what === undefined) throw new TypeError(`no answer is sent when ${timer} runs out`)
  const key = timer === 'handler' ? handlerKey : undefined
  const setting = within === undefined ? (key ?? `connection.${TIMER_KEYS[timer]}`) : 'X-Timeout'
  const detail =
    functionName === undefined
      ? what.detail!
      : `no container of the function ${functionName} was ready within ${timers.container / 1000} s; ` +
        'the connection is intact'
  return { ...what, detail, extensions: { ...what.extensions, setting } }
}
