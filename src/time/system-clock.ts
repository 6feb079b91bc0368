import { AsyncResource } from 'node:async_hooks'
import type { Clock } from './clock.ts'
import { TimerWheel } from './timer-wheel.ts'

/**
 * What all processes of the machine have in common: milliseconds of CLOCK_MONOTONIC when this process's own
 * clock began.
 */
const BEGINNING = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** The shortest and the longest that Node waits, in milliseconds. From Node 24 on it warns of less than 0. */
const SHORTEST = 1
const LONGEST = 2 ** 31 - 1

/**
 * What is rung belongs to no request: without this, everything would run in the context (`AsyncLocalStorage`)
 * of the one that has woken the wheel.
 */
const NONE = new AsyncResource('TimerWheel')

/**
 * Milliseconds that a wake-up may be late. After more than that the process was away or busy, and what it has
 * not read has perhaps come in time: Node would ring first.
 */
const AWAY = 100

/** The one timer of Node's in this process, and when it rings. */
let timer: NodeJS.Timeout | undefined
let held = false

const now = (): number => BEGINNING + performance.now()

const wheel = new TimerWheel({
  now,
  wake: at => {
    clearTimeout(timer)
    NONE.runInAsyncScope(() => {
      timer = setTimeout(() => turn(at), Math.min(LONGEST, Math.max(SHORTEST, Math.ceil(at - now()))))
    })
    if (!held) timer?.unref()
  },
  hold: needed => {
    held = needed
    if (held) timer?.ref()
    else timer?.unref()
  },
})

/** Node reads what has come between its timers and its immediates. */
function turn(at: number): void {
  if (now() - at > AWAY) setImmediate(() => wheel.turn())
  else wheel.turn()
}

/** The clock of the machine; each entry point of a process hands it down. */
export const SYSTEM_CLOCK: Clock = {
  steady: () => Math.floor(now()),
  exact: now,
  wall: () => Date.now(),
  timer: bell => wheel.timer(bell),
  after: (milliseconds, ring) => wheel.after(milliseconds, ring),
  every: (milliseconds, ring) => wheel.every(milliseconds, ring),
}
