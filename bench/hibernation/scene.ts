import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { BenchError } from '../harness/run.ts'
import { Child } from '../rig/child.ts'
import { cpuTime } from '../rig/cpu.ts'
import { Platform } from '../rig/platform.ts'
import { descendants } from '../rig/processes.ts'
import { FUNCTION, HOST, type Order, type Report, type Role } from './orders.ts'

const CLIENT = fileURLToPath(new URL('./peer.js', import.meta.url))
const HANDLER = fileURLToPath(new URL('./chat.js', import.meta.url))
/** Milliseconds in which a gateway lets go of what it does not need any more, and a pool is filled. */
const REST = 1500
/** Milliseconds between two looks whether all processes rest, in all, and of CPU time that is rest. */
const LOOK = 250
const RESTLESS = 20_000
const STILL = 5

/** Bytes, see {@link Scene.memory}. */
export interface Memory {
  readonly gateway: number
  readonly anonymous: number
  readonly resident: number
  readonly sealed: number
}

/** A platform with one function, and a crowd of clients with WebSockets to it. */
export class Scene {
  readonly #platform: Platform
  readonly #client: Child<Order, Report>

  private constructor(platform: Platform, client: Child<Order, Report>) {
    this.#platform = platform
    this.#client = client
  }

  /** @param warmPool processes that wait for a function */
  static async open(warmPool: number): Promise<Scene> {
    const platform = await Platform.start({
      certificate: [HOST],
      functions: { [FUNCTION]: { handler: HANDLER, idle: '1h', hosts: [HOST] } },
      settings: { warmPool, rehearsals: 0 },
    })
    const role: Role = { port: platform.ports.https, authority: platform.authority }
    const client = new Child<Order, Report>(CLIENT, role)
    try {
      await client.listening()
      return new Scene(platform, client)
    } catch (error) {
      client.stop()
      await platform.stop()
      throw error
    }
  }

  /** So many WebSockets. @throws BenchError one is refused */
  async crowd(count: number): Promise<void> {
    await this.#ask({ do: 'open', count })
  }

  /** @returns milliseconds until each of these was answered, one after the other @throws BenchError */
  async ask(sockets: readonly number[]): Promise<readonly number[]> {
    const said = await this.#ask({ do: 'ask', sockets })
    if (said.say !== 'answered') throw new Error(`the client said ${said.say}`)
    return said.times
  }

  /** Puts the function to sleep. @throws BenchError not all of its connections hibernate */
  async sleep(connections: number): Promise<void> {
    await this.#platform.supervisor.rollOuts.scale(FUNCTION, 0)
    const found = (await this.#gateway()).counters.hibernating
    if (found !== connections) throw new BenchError(`${found} of ${connections} connections hibernate`)
    await setTimeout(REST)
    await this.#rest()
  }

  /** Waits until what waits in the pool has warmed up, which takes as long as the machine is slow. */
  async #rest(): Promise<void> {
    const { pid } = this.#client
    const used = (): number =>
      cpuTime(...descendants([process.pid]).filter(one => one !== process.pid && one !== pid)) ?? 0
    for (let left = RESTLESS / LOOK; left > 0; left--) {
      const before = used()
      await setTimeout(LOOK)
      if ((used() - before) / 1000 < STILL) return
    }
  }

  /**
   * Bytes of memory that are the gateway's alone and those of all processes, and of what the gateway keeps
   * sealed. The supervisor is left out: here it is the process that measures.
   */
  async memory(): Promise<Memory> {
    const members = (await this.#platform.status()).filter(({ pid }) => pid !== undefined)
    const gateway = members.find(({ role }) => role === 'gateway')
    const sum = (key: string): number => members.reduce((all, { pid }) => all + bytesOf(pid!, key), 0)
    return {
      gateway: bytesOf(gateway!.pid!, 'Pss_Anon'),
      anonymous: sum('Pss_Anon'),
      resident: sum('Rss'),
      sealed: (gateway!.counters.hibernatingKiB ?? 0) * 1024,
    }
  }

  /** Processes of the function. */
  async processes(): Promise<number> {
    const members = await this.#platform.status()
    return members.filter(({ functionName, pid }) => functionName === FUNCTION && pid !== undefined).length
  }

  async stop(): Promise<void> {
    this.#client.stop()
    await this.#platform.stop()
  }

  async #gateway() {
    const found = (await this.#platform.status()).find(({ role }) => role === 'gateway')
    if (found === undefined) throw new Error('there is no gateway')
    return found
  }

  async #ask(order: Order): Promise<Report> {
    return (await this.#client.ask(order).catch((error: Error) => {
      throw new BenchError(error.message)
    })) as Report
  }
}

/** What the kernel says of the memory of a process. */
function bytesOf(pid: number, key: string): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0) * 1024
}

/** Milliseconds that a Node with nothing to do takes, from its start to its end. */
export async function emptyNode(): Promise<number> {
  const begun = performance.now()
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
  return performance.now() - begun
}
