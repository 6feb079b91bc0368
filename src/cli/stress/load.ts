import { setTimeout } from 'node:timers/promises'
import { type Client, kindOf, sentenceOf } from './client.ts'
import type { Tally } from './tally.ts'

/** How many requests, and when. */
export interface Load {
  /** At most so many. */
  readonly requests: number
  /** None begins later than this many milliseconds after the first. */
  readonly milliseconds: number
  /** A second, evenly spread; undefined: as fast as answers come. */
  readonly rate: number | undefined
}

/**
 * Makes requests over all clients at once. Without a rate, the next request on a connection follows its
 * answer. With one, every request is due at a moment of its own, whatever else is waiting, and one that finds
 * all connections busy is timed from when it was due: otherwise a stall would hide behind the client that
 * waits for it.
 * @param stop ends it early; what is underway is waited for @returns seconds that it took
 */
export async function makeLoad(
  clients: readonly Client[],
  { requests, milliseconds, rate }: Load,
  tally: Tally,
  stop: AbortSignal,
): Promise<number> {
  const began = performance.now()
  let next = 0
  const work = async (client: Client): Promise<void> => {
    while (next < requests && !stop.aborted) {
      const index = next++
      const due = rate === undefined ? performance.now() : began + (index * 1000) / rate
      if (Math.max(due, performance.now()) - began > milliseconds) return
      const early = due - performance.now()
      if (early > 0 && !(await slept(early, stop))) return
      // Timers are late by up to a millisecond: that is our own fault and not the server's.
      await request(client, early > 0 ? performance.now() : due, tally)
    }
  }
  await Promise.all(clients.map(work))
  return (performance.now() - began) / 1000
}

async function request(client: Client, from: number, tally: Tally): Promise<void> {
  try {
    const { status, bytes, problem } = await client.request()
    tally.answered(status, bytes, performance.now() - from, problem)
  } catch (error) {
    tally.failed(kindOf(error), sentenceOf(error))
    // A server that refuses at once must not be asked a million times a second.
    await setTimeout(1)
  }
}

async function slept(milliseconds: number, stop: AbortSignal): Promise<boolean> {
  try {
    await setTimeout(milliseconds, undefined, { signal: stop })
    return true
  } catch {
    return false // the user wants us to end
  }
}
