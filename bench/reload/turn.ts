import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child } from '../rig/child.ts'
import type { Identity } from '../rig/identity.ts'
import { CpuMeter, isAlive, memoryOf } from '../rig/processes.ts'
import type { Contender } from './contenders/contender.ts'
import { HOST, type Order, type Report, type Role, type Seen } from './orders.ts'
import { KINDS, type Kind, PERIOD } from './pieces.ts'

const CROWD = fileURLToPath(new URL('./crowd.js', import.meta.url))
/** Milliseconds that an old process has after a deploy. */
const GONE = 1000

/** How much is done in one turn of a contender. */
export interface Effort {
  readonly clients: number
  readonly deploys: number
  /** Milliseconds between the beginnings of two deploys. */
  readonly every: number
}

/** What a turn has shown. */
export interface Outcome extends Seen {
  /** Processes that were to be replaced, a second after a deploy, at most; and bytes of their memory then. */
  readonly left: number
  readonly leftBytes: number
  /** Seconds of CPU time of all its processes. */
  readonly cpu: number
  /** Milliseconds of each deploy. */
  readonly deploys: readonly number[]
}

/** Deploys again and again while clients of all kinds have their streams. */
export async function deployed(contender: Contender, identity: Identity, effort: Effort): Promise<Outcome> {
  const crowd = await open(contender, identity, effort.clients, KINDS)
  try {
    const meter = new CpuMeter(() => contender.pids())
    const old = new Set<number>()
    const deploys: number[] = []
    let [left, leftBytes] = [0, 0]
    for (let n = 0; n < effort.deploys; n++) {
      const begun = performance.now()
      for (const pid of contender.replaced()) old.add(pid)
      await contender.deploy()
      deploys.push(performance.now() - begun)
      await setTimeout(GONE)
      const alive = [...old].filter(isAlive)
      left = Math.max(left, alive.length)
      leftBytes = Math.max(
        leftBytes,
        alive.reduce((sum, pid) => sum + memoryOf(pid), 0),
      )
      await setTimeout(Math.max(0, effort.every - (performance.now() - begun)))
    }
    return { ...(await collect(crowd)), left, leftBytes, cpu: meter.stop(), deploys }
  } finally {
    crowd.stop()
  }
}

/** Ends the application while clients have WebSockets that say nothing, and has it back when they speak. */
export async function slept(contender: Contender, identity: Identity, clients: number): Promise<Seen> {
  const crowd = await open(contender, identity, clients, ['socket'])
  try {
    await crowd.ask({ do: 'hush' })
    await collect(crowd)
    await contender.sleep()
    await contender.wake()
    await crowd.ask({ do: 'speak' })
    return await collect(crowd)
  } finally {
    crowd.stop()
  }
}

type Crowd = Child<Order, Report>

async function open(
  { port }: Contender,
  { authority }: Identity,
  count: number,
  kinds: readonly Kind[],
): Promise<Crowd> {
  const role: Role = { port, authority }
  const crowd: Crowd = new Child(CROWD, role)
  try {
    await crowd.listening()
    await crowd.ask({ do: 'open', count, kinds })
    // Their first pieces came with handshakes of others between.
    await setTimeout(4 * PERIOD)
    await collect(crowd)
    return crowd
  } catch (error) {
    crowd.stop()
    throw error
  }
}

async function collect(crowd: Crowd): Promise<Seen> {
  const report = await crowd.ask({ do: 'collect' })
  if (report.say !== 'seen' || !('pauses' in report))
    throw new Error(`the clients of ${HOST} said ${report.say}`)
  return report
}
