import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'

/** Milliseconds of the timers: nothing rings while it is measured. */
const DELAY = 60_000
/** Timers that wait meanwhile, as of many idle connections. */
const OTHERS = 10_000

/** What does it cost to arm and stop a timer, as each request does with several? */
async function main(): Promise<void> {
  const ignore = (): void => {}
  const others = Array.from({ length: OTHERS }, (_, i) => SYSTEM_CLOCK.after(DELAY + i, ignore))
  const timer = SYSTEM_CLOCK.timer(ignore).unref()
  const check = async (): Promise<void> => {
    const begun = performance.now()
    await new Promise<void>(resolve => SYSTEM_CLOCK.after(3, resolve))
    insist(performance.now() - begun >= 3, 'a timer rings too early')
  }
  const ofNode = setTimeout(ignore, DELAY)
  const cases: readonly MicroCase[] = [
    { name: 'one that is kept: arm, stop', check, run: () => timer.after(DELAY).stop() },
    { name: 'one that is kept: put off', check, run: () => timer.after(DELAY) },
    { name: 'one that is made: arm, stop', check, run: () => SYSTEM_CLOCK.after(DELAY, ignore).stop() },
    { name: 'of Node: setTimeout, clearTimeout', check, run: () => clearTimeout(setTimeout(ignore, DELAY)) },
    { name: 'of Node: refresh', check, run: () => ofNode.refresh() },
    { name: 'the time, which each of them asks for', check, run: () => SYSTEM_CLOCK.steady() },
  ]
  await micro('timer', cases)
  clearTimeout(ofNode)
  timer.stop()
  for (const one of others) one.stop()
}

await main()
