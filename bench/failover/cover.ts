import { fileURLToPath } from 'node:url'
import { BenchError } from '../harness/run.ts'
import { Series } from '../harness/stats.ts'
import { Child } from '../rig/child.ts'
import { cpuTime } from '../rig/cpu.ts'
import { Pool } from '../rig/pool.ts'
import type { Preparation } from '../tamper/prepare.ts'
import { type AskerOrder, type AskerReport, ROADS, type RoadName, type Role } from './rows.ts'

const ASKER = fileURLToPath(new URL('./asker.js', import.meta.url))
const HANDLER = fileURLToPath(new URL('../rig/functions/twice-raw.js', import.meta.url))

/** How a connection can be covered against the death of its container, or not. */
export const COVERS = {
  relay: { title: 'relay, with checkpoints', road: 'relay', preparation: {} },
  uncovered: { title: 'relay, without checkpoints', road: 'relay', preparation: { uncovered: true } },
  duplicate: { title: 'fd with a duplicate', road: 'duplicate', preparation: {} },
  fd: { title: 'fd', road: 'reconnect', preparation: {} },
} as const satisfies Readonly<Record<string, { title: string; road: RoadName; preparation: Preparation }>>
export type CoverName = keyof typeof COVERS

/** A platform whose connections are covered in one way, and a client: all on one CPU. */
export class Cover {
  readonly name: CoverName
  /** µs of a request; round by round. */
  readonly times = new Series()
  /** µs of CPU time of gateway and container for a request, one figure for each round. */
  readonly cpu: number[] = []
  readonly #pool: Pool
  readonly #asker: Child<AskerOrder, AskerReport>
  readonly #pids: readonly number[]

  private constructor(
    name: CoverName,
    pool: Pool,
    asker: Child<AskerOrder, AskerReport>,
    pids: readonly number[],
  ) {
    this.name = name
    this.#pool = pool
    this.#asker = asker
    this.#pids = pids
  }

  static async open(name: CoverName, cpu: number | undefined): Promise<Cover> {
    const { road, preparation } = COVERS[name]
    const pool = await Pool.start({
      handler: HANDLER,
      // What is rehearsed in idle time would be measured, too.
      settings: { ...ROADS[road].settings, rehearsals: 0 },
      preparation,
    })
    const role: Role = { destination: pool.destination }
    const asker = new Child<AskerOrder, AskerReport>(ASKER, role, cpu)
    try {
      if (cpu !== undefined) await pool.pin(cpu)
      await asker.listening()
      return new Cover(name, pool, asker, await pool.pids())
    } catch (error) {
      asker.stop()
      await pool.stop()
      throw error
    }
  }

  /** @throws BenchError an answer was wrong */
  async round(count: number, counts: boolean): Promise<void> {
    const before = cpuTime(...this.#pids)
    const said = await this.#asker.ask({ do: 'ask', count }).catch((error: Error) => {
      throw new BenchError(`${COVERS[this.name].title}: ${error.message}`)
    })
    const after = cpuTime(...this.#pids)
    if (said.say !== 'asked' || !('times' in said)) throw new Error('the client did something unexpected')
    if (!counts) return
    this.times.add(said.times)
    if (before !== undefined && after !== undefined) this.cpu.push((after - before) / count)
  }

  async stop(): Promise<void> {
    this.#asker.stop()
    await this.#pool.stop()
  }
}
