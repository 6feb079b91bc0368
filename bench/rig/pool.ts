import { setTimeout } from 'node:timers/promises'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { BenchError } from '../harness/run.ts'
import type { Preparation } from '../tamper/prepare.ts'
import type { Destination } from './keep-alive.ts'
import { Platform } from './platform.ts'

/** The one function of a {@link Pool}, and its first container. */
export const FUNCTION = 'potato'
export const FIRST = `${FUNCTION}-1`

/** Milliseconds for a pool to be as it should be, on a busy machine, too; and between two looks. */
const PATIENCE = 120_000
const LOOK = 5

export interface PoolOptions {
  /** The name of a shipped function, or the path of a module. */
  readonly handler: string
  readonly replicas?: number
  /** Further keys of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** What is to be otherwise in its processes. */
  readonly preparation?: Preparation
}

/** A platform with one function, whose containers come and go. */
export class Pool {
  readonly destination: Destination
  readonly #platform: Platform

  private constructor(platform: Platform) {
    this.#platform = platform
    const { authority, ports } = platform
    this.destination = { port: ports.https, serverName: `${FUNCTION}.local`, authority }
  }

  /** @throws Error what kept it from starting, with the end of its log */
  static async start({ handler, replicas = 1, settings = {}, preparation = {} }: PoolOptions): Promise<Pool> {
    const platform = await Platform.start({
      certificate: [`${FUNCTION}.local`],
      functions: { [FUNCTION]: { handler, replicas } },
      settings,
      preparation: () => preparation,
    })
    return new Pool(platform)
  }

  /** Its containers. */
  async containers(): Promise<MemberStatus[]> {
    return (await this.#platform.status()).filter(({ role }) => role === 'container')
  }

  /** Waits until its containers are so. @throws Error they do not become it */
  async until(what: string, done: (containers: readonly MemberStatus[]) => boolean): Promise<void> {
    for (const end = performance.now() + PATIENCE; !done(await this.containers()); ) {
      if (performance.now() > end) throw new BenchError(`in ${PATIENCE / 1000} s: not ${what}`)
      await setTimeout(LOOK)
    }
  }

  /** Starts a further container, which is ready when it has rehearsed. @returns its name */
  async extend(): Promise<string> {
    const { length } = await this.containers()
    const { started = [] } = await this.#platform.supervisor.rollOuts.scale(FUNCTION, length + 1)
    return started[0]!
  }

  /** Moves all connections of a container to others and ends it for good. @returns how many have moved */
  async drain(name: string): Promise<number> {
    return (await this.#platform.supervisor.rollOuts.drain([name])).moved
  }

  /** The processes: gateway and containers. */
  pids(): Promise<number[]> {
    return this.#platform.pids()
  }

  /** Moves them to one CPU, with all threads that they have. */
  pin(cpu: number): Promise<void> {
    return this.#platform.pin(cpu)
  }

  stop(): Promise<void> {
    return this.#platform.stop()
  }
}
