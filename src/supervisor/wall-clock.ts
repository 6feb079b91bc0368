import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'

/** Milliseconds between two looks, and of a difference that is no drift any more. */
const PERIOD = 1000
const JUMP = 1000

/** Notices when the wall clock is set, by a clock that cannot be. Time is an argument. */
export class WallClock {
  #ahead: number

  /** @param wall milliseconds since 1970 @param steady milliseconds of a clock that only goes forward */
  constructor(wall: number, steady: number) {
    this.#ahead = wall - steady
  }

  /**
   * @returns milliseconds by which it was set forward since the last look, negative ones if back; undefined
   * if it was not
   */
  look(wall: number, steady: number): number | undefined {
    const jump = wall - steady - this.#ahead
    this.#ahead += jump
    return Math.abs(jump) < JUMP ? undefined : jump
  }
}

/** Says in the log when the wall clock is set: what depends on it changes from then on. */
export function watchWallClock(clock: Clock, log: Log): void {
  const watched = new WallClock(clock.wall(), clock.steady())
  const look = (): void => {
    const jump = watched.look(clock.wall(), clock.steady())
    if (jump === undefined) return
    const seconds = Math.round(jump / 1000)
    log.warn({ seconds }, `the wall clock was set ${seconds > 0 ? 'forward' : 'back'}: ${CONCERNED}`)
  }
  clock.every(PERIOD, look).unref()
}

const CONCERNED = 'tickets and certificates are judged by the new time; timers and keys go on as before'
