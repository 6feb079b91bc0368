import { type Field, header } from '../../http/message.ts'
import { parseDuration } from '../../platform/durations.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'

/**
 * Milliseconds that a caller gives the function by the field X-Timeout, a duration of Go's as `30s`: it may
 * shorten what there is, and never make it longer.
 * To keep an asynchronous call is not what it is about: the call that follows has the field, too.
 * @param most what there is; 0: any time
 * @returns undefined if there is no such field, or it says nothing that shortens
 */
export function callersTime(
  headers: readonly Field[],
  functionName: string,
  most: number,
): number | undefined {
  const given = header(headers, 'x-timeout')
  if (given === undefined || given.length > LONGEST || functionName === QUEUE_FUNCTION) return undefined
  const milliseconds = Math.ceil((parseDuration(given) ?? 0) * 1000)
  return milliseconds > 0 && (most === 0 || milliseconds < most) ? milliseconds : undefined
}

/** Of a duration that a caller can mean. */
const LONGEST = 32
