/*
 * What containers tell of the calls of their functions among the counters of their status, and how the
 * supervisor reads it.
 */

/** Upper bounds of the buckets for durations of calls, in seconds; one more bucket is for the rest. */
export const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** Of one status are counted: each bucket, what is beyond the last one, and milliseconds in all. */
export const BEYOND = BUCKETS.length
export const MILLISECONDS = BUCKETS.length + 1

const PREFIX = 'calls '

/** The name of a counter. @param place an index of {@link BUCKETS}, {@link BEYOND} or {@link MILLISECONDS} */
export function callCounter(status: number, place: number): string {
  return `${PREFIX}${status} ${place}`
}

/** Whether a counter is one of those, which are too many to be shown one by one. */
export function isCallCounter(name: string): boolean {
  return name.startsWith(PREFIX)
}

/** What such a name says. */
export function readCallCounter(name: string): { readonly status: number; readonly place: number } {
  const [, status, place] = name.split(' ')
  return { status: Number(status), place: Number(place) }
}

/**
 * A count as it goes into a message, whose counters have 32 bits: who wants all of it adds up differences.
 */
export function wrapped(count: number): number {
  return count % 2 ** 32
}

/** The same for what goes up and down, which stays at the most there is place for. */
export function bounded(amount: number): number {
  return Math.min(amount, 2 ** 32 - 1)
}
