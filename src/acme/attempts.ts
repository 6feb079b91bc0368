import type { WantedCertificate } from '../platform/acme-settings.ts'
import { DAY } from './renewal.ts'

/*
 * What became of each wish for the files of a certificate. Several stack files may use one directory of
 * certificates and want other hosts, or another authority, for files of one name: what one of them meets
 * must not hold up another one, and they must not order in turns without end.
 */

/** One wish, and what became of it. Moments are milliseconds since 1970. */
export interface Attempt {
  /** URL of the directory. */
  readonly directory: string
  readonly names: readonly string[]
  /** When certificates came for it lately, the newest last. */
  readonly granted: readonly number[]
  /** Failures in a row, the last of them, and when it is tried again. */
  readonly failures: number
  readonly error: { readonly at: number; readonly message: string } | undefined
  readonly tryAt: number | undefined
}

type Wish = Pick<WantedCertificate, 'names'> & { readonly directory: string }

/** So many of one wish in such a time: authorities grant about five a week for the same hosts. */
const LIMITS: readonly (readonly [number, number])[] = [
  [2, DAY],
  [4, 7 * DAY],
]
const MOST_GRANTED = 4
/** Wishes that are remembered for the files of one name. */
const MOST = 8

/** Whether two wishes are for the same hosts from the same authority. */
export function sameWish(one: Wish, other: Wish): boolean {
  const key = ({ directory, names }: Wish): string => JSON.stringify([directory, [...names].sort()])
  return key(one) === key(other)
}

export function attemptOf(all: readonly Attempt[] | undefined, wish: Wish): Attempt | undefined {
  return all?.find(one => sameWish(one, wish))
}

/** The wish has failed. @returns all that is remembered from now on */
export function withFailure(
  all: readonly Attempt[],
  wish: Wish,
  error: NonNullable<Attempt['error']>,
  tryAt: number,
): readonly Attempt[] {
  const before = attemptOf(all, wish)
  const failures = (before?.failures ?? 0) + 1
  return remembered(all, { ...wishOf(wish), granted: before?.granted ?? [], failures, error, tryAt })
}

/** A certificate has come for it. */
export function withGrant(all: readonly Attempt[], wish: Wish, now: number): readonly Attempt[] {
  const granted = [...(attemptOf(all, wish)?.granted ?? []), now].slice(-MOST_GRANTED)
  return remembered(all, { ...wishOf(wish), granted, failures: 0, error: undefined, tryAt: undefined })
}

/** The last of what went wrong, if nothing has come since. */
export function failing(all: readonly Attempt[]): Attempt | undefined {
  const last = all.at(-1)
  return last?.error === undefined ? undefined : last
}

/** The moment from which one more certificate may be asked for. A moment in the future does not count. */
export function nextOrder(granted: readonly number[], now: number): number {
  const past = granted.filter(at => at <= now)
  return Math.max(now, ...LIMITS.map(([count, time]) => (past.at(-count) ?? now - time) + time))
}

function wishOf({ directory, names }: Wish): Wish {
  return { directory, names }
}

function remembered(all: readonly Attempt[], one: Attempt): readonly Attempt[] {
  return [...all.filter(other => !sameWish(one, other)), one].slice(-MOST)
}
