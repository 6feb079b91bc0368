import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { Time } from './load.ts'

/** Milliseconds before a moment from which on it is waited for by turning the event loop. */
const NEAR = 2
/** By which part of its delay a timer may be late, and by how many milliseconds at most. */
const SLACK = { part: 1 / 16, most: 16 }

/**
 * Time to the microsecond. A timer of Node's may be late by a millisecond and more, which is as long as many
 * answers take: so the last two milliseconds are spent turning the event loop, which costs CPU.
 */
export const MOMENTS: Time = {
  now: () => performance.now(),
  at(moment, then) {
    const look = (): void => {
      const left = moment - performance.now()
      const delay = Math.floor(left - NEAR - Math.min(left * SLACK.part, SLACK.most))
      if (left <= 0) then()
      else if (delay < 1) setImmediate(look)
      else SYSTEM_CLOCK.after(delay, look)
    }
    setImmediate(look)
  },
}
