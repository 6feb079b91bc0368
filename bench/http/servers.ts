import { fileURLToPath } from 'node:url'
import { Child } from '../rig/child.ts'
import { cpuTime } from '../rig/cpu.ts'
import type { Identity } from '../rig/identity.ts'
import { Platform } from '../rig/platform.ts'
import { check } from './check.ts'
import { type FunctionKind, functionOf, GROUP, isSecure, type Role, type Row, SERVER_NAME } from './rows.ts'

const SCRIPT = fileURLToPath(new URL('./peer.js', import.meta.url))

/** A server that is there to be loaded. */
export interface Server {
  readonly row: Row
  readonly port: number
  /** µs of CPU time of all its processes so far; undefined where the kernel does not tell. */
  cpu(): number | undefined
}

/** A platform that runs. */
interface Started extends Pick<Platform, 'ports'> {
  readonly pids: readonly number[]
}

export interface ServerOptions {
  /** All servers show this certificate. */
  readonly identity: Identity
  /** All servers run on this CPU. */
  readonly cpu: number
  /** The module of a raw function, to be measured instead of the bench's own. */
  readonly handler: string | undefined
}

/**
 * All servers, up at the same time: one process for each of Node's and of the engine's, and a platform (with
 * gateway and container) for each kind of function.
 */
export class Servers {
  readonly #options: ServerOptions
  #servers: readonly Server[] = []
  readonly #platforms = new Map<FunctionKind, Promise<Started>>()
  readonly #stops: (() => Promise<void> | void)[] = []

  private constructor(options: ServerOptions) {
    this.#options = options
  }

  /** @throws BenchError a server gives a wrong answer @throws Error one does not start */
  static async start(rows: readonly Row[], options: ServerOptions): Promise<Servers> {
    const servers = new Servers(options)
    try {
      const opened = await Promise.allSettled(rows.map(row => servers.#open(row)))
      servers.#servers = opened.map(one => {
        if (one.status === 'rejected') throw one.reason
        return one.value
      })
      for (const { row, port } of servers.all) await check(row, port, options.identity.authority)
      return servers
    } catch (error) {
      await servers.stop()
      throw error
    }
  }

  get all(): readonly Server[] {
    return this.#servers
  }

  async stop(): Promise<void> {
    await Promise.all(this.#stops.map(stop => stop()))
  }

  async #open(row: Row): Promise<Server> {
    const kind = functionOf(row)
    if (kind === undefined) return this.#startChild(row)
    const { ports, pids } = await this.#platformOf(kind)
    return { row, port: isSecure(row.protocol) ? ports.https : ports.http, cpu: () => cpuTime(...pids) }
  }

  async #startChild(row: Row): Promise<Server> {
    const { identity, cpu } = this.#options
    const role: Role = { ...row, certificate: identity.certificate, key: identity.key }
    const child = new Child<never, never>(SCRIPT, role, cpu)
    this.#stops.push(() => child.stop())
    return { row, port: await child.listening(), cpu: () => cpuTime(child.pid) }
  }

  #platformOf(kind: FunctionKind): Promise<Started> {
    const started = this.#platforms.get(kind) ?? this.#startPlatform(kind)
    this.#platforms.set(kind, started)
    return started
  }

  async #startPlatform(kind: FunctionKind): Promise<Started> {
    const { identity, cpu, handler } = this.#options
    const own = fileURLToPath(new URL(`./functions/${kind.toLowerCase()}.js`, import.meta.url))
    const module = kind === 'raw' ? (handler ?? own) : own
    const platform = await Platform.start({
      certificate: identity,
      functions: { [kind.toLowerCase()]: { handler: module, hosts: [SERVER_NAME] } },
      // What is rehearsed in idle time would be measured, too.
      settings: { rehearsals: 0, tls: { groups: [GROUP] } },
    })
    this.#stops.push(() => platform.stop())
    await platform.pin(cpu)
    return { ports: platform.ports, pids: await platform.pids() }
  }
}
