import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { BenchError } from '../harness/run.ts'
import { Child } from '../rig/child.ts'
import { Platform } from '../rig/platform.ts'
import { Pool } from '../rig/pool.ts'
import { type Moment, type Order, type Report, ROADS, type Road, type RoadName, type Role } from './rows.ts'

const CLIENT = fileURLToPath(new URL('./peer.js', import.meta.url))
const HANDLER = fileURLToPath(new URL('../rig/functions/crashing-raw.js', import.meta.url))
/** Containers that die leave their keys behind for a while; this bench makes many of them. */
const TICKETS = { lifetimeSeconds: 60, rotationSeconds: 30 }

/** Milliseconds after which a connection that has been answered is idle. */
const SETTLED = 100

/** A platform, and a client whose connections are all with one container, which is killed again and again. */
export class Scene {
  readonly road: Road
  readonly #pool: Pool
  readonly #client: Child<Order, Report>

  private constructor(road: Road, pool: Pool, client: Child<Order, Report>) {
    this.road = road
    this.#pool = pool
    this.#client = client
  }

  /** @returns why this platform cannot do that, undefined if it can */
  static refuses(road: RoadName): string | undefined {
    return Platform.refuses(ROADS[road].settings)
  }

  /**
   * @param rehearsals moves that a container rehearses before it counts as ready; undefined: as many as it
   * does by default
   */
  static async open(name: RoadName, handler = HANDLER, rehearsals?: number): Promise<Scene> {
    const road: Road = ROADS[name]
    const settings = {
      ...road.settings,
      tls: { tickets: TICKETS },
      ...(rehearsals === undefined ? {} : { rehearsals }),
    }
    const pool = await Pool.start({ handler, settings })
    const role: Role = { destination: pool.destination }
    const client = new Child<Order, Report>(CLIENT, role)
    try {
      await client.listening()
      return new Scene(road, pool, client)
    } catch (error) {
      client.stop()
      await pool.stop()
      throw error
    }
  }

  /**
   * Kills the container that has so many connections, while another one is there that has rehearsed and has
   * none.
   * @returns ms from the kill to the first byte of the answer on each connection
   * @throws BenchError a connection was lost that should go on, or an answer was wrong
   */
  async crash(moment: Moment, connections: number): Promise<readonly number[]> {
    // As long as there is only one container, it gets all of them.
    const { pids } = await this.#ask('opened', { do: 'open', count: connections })
    const [pid] = pids
    if (pid === undefined || pids.length > 1)
      throw new BenchError(`${this.road.title}: the connections are with ${pids.length} containers`)
    if (this.road.alone === true) return this.#crashAlone(moment, connections, pid)
    await this.#pool.extend()
    await this.#pool.until('two containers that know the same keys', all => {
      const rings = all.map(({ ready, counters }) => (ready ? counters.keyRing : undefined))
      return all.length === 2 && rings[0] !== undefined && rings[0] >= 2 && rings[0] === rings[1]
    })
    const { name } = (await this.#pool.containers()).find(one => one.pid === pid)!
    const times = await this.#kill(moment, connections, pid)
    // Or it would be started again without a rehearsal.
    await this.#pool.until('noticed that a container died', all => all.every(one => one.pid !== pid))
    await this.#pool.drain(name)
    return times
  }

  /** The same for the only container; the next kill waits until the one in its place is ready. */
  async #crashAlone(moment: Moment, connections: number, pid: number): Promise<readonly number[]> {
    // It has just answered: with a duplicate, its checkpoint follows the answer.
    await setTimeout(SETTLED)
    const times = await this.#kill(moment, connections, pid)
    await this.#pool.until('a container in the place of the dead one', all =>
      all.some(one => one.ready && one.pid !== pid),
    )
    return times
  }

  /** @throws BenchError more or fewer connections were lost than should be */
  async #kill(moment: Moment, connections: number, pid: number): Promise<readonly number[]> {
    const { times, lost } = await this.#ask('crashed', { do: 'crash', pid, moment })
    if (lost !== (this.road.survives ? 0 : connections))
      throw new BenchError(
        `${this.road.title}, ${moment}: ` +
          `${lost} of ${connections} connections were lost when their container died`,
      )
    return times
  }

  async stop(): Promise<void> {
    this.#client.stop()
    await this.#pool.stop()
  }

  async #ask<S extends Report['say']>(say: S, order: Order): Promise<Extract<Report, { say: S }>> {
    const said = await this.#client.ask(order).catch((error: Error) => {
      throw new BenchError(`${this.road.title}: ${error.message}`)
    })
    if (said.say !== say) throw new Error(`the client said ${said.say}`)
    return said as Extract<Report, { say: S }>
  }
}
