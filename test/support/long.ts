/*
 * `npm test` has some minutes, and a sample of what is one of very many; `npm run test:long` has all of it.
 */

/** Whether everything is tried: `npm run test:long` sets `HOTPOTATO_LONG=1`. */
export const LONG: boolean = process.env.HOTPOTATO_LONG === '1'

/** For the name of what a short run has a sample of; empty if all is tried. */
export const SAMPLE: string = LONG ? '' : ' (a sample; npm run test:long: all)'

/** For the name of what a short run leaves out. */
export const LONG_ALONE: string = LONG ? '' : ' (SKIPPED: npm run test:long)'

/**
 * All of a long run; a short one has so many, spread evenly from the first to the last, and always the same.
 * @param count at least 2, or 1 for the first alone
 */
export function sample<T>(all: readonly T[], count: number): readonly T[] {
  if (LONG || count >= all.length) return all
  const step = count === 1 ? 0 : (all.length - 1) / (count - 1)
  return Array.from({ length: count }, (_, index) => all[Math.round(index * step)]!)
}
