import { parseDuration } from '../../platform/durations.ts'
import { UsageError } from '../line/usage-error.ts'

/** A date, or a time, as RFC 3339 writes it; the offset may be left out. */
const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)([Zz]|[+-]\d\d:\d\d)?)?$/

/**
 * The moment that `--since` means: a duration before now, or a time, which is of this machine's zone where it
 * names none. @param now milliseconds since 1970
 * @returns milliseconds since 1970 @throws UsageError it is neither
 */
export function sinceOf(text: string, now: number): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined) return now - seconds * 1000
  const time = timeOf(text)
  if (Number.isNaN(time))
    throw new UsageError(
      `--since must be a duration, as 5m or 1h30m, or a time, as 2026-01-31T12:00:00Z, not ${text}`,
    )
  return time
}

/** @returns NaN if there is no such time */
function timeOf(text: string): number {
  const [, year, month, day, clock = '00:00', offset = ''] = TIME.exec(text) ?? []
  // Date takes the 30th of February for a day of March.
  if (new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day))
    return Number.NaN
  return Date.parse(`${year}-${month}-${day}T${clock}${offset.toUpperCase()}`)
}
