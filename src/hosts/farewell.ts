import type { Clock } from '../time/clock.ts'
import type { Span } from './span.ts'

/** Milliseconds for connections to end in order. */
const FAREWELL = 1000
/** The same for the last word to etcd. */
const LAST_WORD = 1000
/** Between two looks whether they have. */
const LOOK = 20

/**
 * Lets connections that other hosts serve end there in order, as a gateway does with those that it relays.
 * @param absent the spans of those @param left how many spans there are
 * @returns when all spans have ended, or their time is over
 */
export async function farewell(clock: Clock, absent: Iterable<Span>, left: () => number): Promise<void> {
  for (const span of [...absent]) span.drain()
  const until = clock.steady() + FAREWELL
  while (left() > 0 && clock.steady() < until) await new Promise<void>(resolve => clock.after(LOOK, resolve))
}

/** Ends this process when that is done, or its time is over. */
export function exitBehind(done: Promise<unknown>, clock: Clock): void {
  const exit = (): void => process.exit(0)
  void done.finally(exit)
  clock.after(LAST_WORD, exit)
}
