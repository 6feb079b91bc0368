import type { Clock } from './clock.ts'
import { TimerWheel } from './timer-wheel.ts'

/** The longest that browsers wait, in milliseconds. */
const LONGEST = 2 ** 31 - 1

let timer: ReturnType<typeof setTimeout> | undefined

const wheel = new TimerWheel({
  now: () => performance.now(),
  wake: at => {
    clearTimeout(timer)
    timer = setTimeout(() => wheel.turn(), Math.min(LONGEST, Math.ceil(at - performance.now())))
  },
})

/** The clock of a browser's page or worker: it begins with that, and nothing of Node is in it. */
export const WEB_CLOCK: Clock = {
  steady: () => Math.floor(performance.now()),
  exact: () => performance.now(),
  wall: () => Date.now(),
  timer: bell => wheel.timer(bell),
  after: (milliseconds, ring) => wheel.after(milliseconds, ring),
  every: (milliseconds, ring) => wheel.every(milliseconds, ring),
}
