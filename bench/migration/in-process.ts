import { H1Client } from '../../src/http/h1/index.ts'
import { equal } from '../../src/wire/index.ts'
import type { Mover } from '../rig/mover.ts'
import { bodyOf } from './answer.ts'
import type { SceneFacts } from './rows.ts'

/** µs of the parts of a move, each alone; every array has one entry per move. */
export interface PartTimes {
  /** Session and HTTP state out of their objects, and encoded. */
  readonly export: number[]
  readonly seal: number[]
  readonly open: number[]
  /** Decoded, and back in objects that are ready to work. */
  readonly import: number[]
}

/** Moves a session `count` times within this process. @throws Error what came out is not what went in */
export function measureParts(mover: Mover, count: number): PartTimes {
  const times: PartTimes = { export: [], seal: [], open: [], import: [] }
  const timed = <T>(name: keyof PartTimes, work: () => T): T => {
    const began = performance.now()
    const result = work()
    times[name].push((performance.now() - began) * 1000)
    return result
  }
  for (let i = 0; i < count; i++) {
    const encoded = timed('export', () => mover.export())
    const sealed = timed('seal', () => mover.seal(encoded))
    const opened = timed('open', () => mover.open(sealed))
    if (!equal(opened, encoded)) throw new Error('what was opened differs from what was sealed')
    timed('import', () => mover.import(opened))
  }
  mover.talk()
  return times
}

/** The sizes of a session's envelope. */
export function measureSizes(mover: Mover): SceneFacts['state'] {
  const request = new H1Client().request(
    { method: 'POST', target: '/raw-b', headers: [['host', mover.serverName]] },
    bodyOf(1),
  )
  const idle = mover.sample().encoded
  const full = mover.sample(request).encoded
  const [idleSealed, requestSealed] = [idle, full].map(bytes => mover.seal(bytes).length)
  return { idle: idle.length, idleSealed: idleSealed!, request: full.length, requestSealed: requestSealed! }
}
