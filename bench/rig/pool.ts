import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { SYSTEM_CLOCK } from '../../src/platform/clock.ts'
import { parseConfig } from '../../src/supervisor/config.ts'
import { plan } from '../../src/supervisor/plan.ts'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { Supervisor } from '../../src/supervisor/supervisor.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { chooseChannel } from '../../src/transfer/channel.ts'
import { type Preparation, prepare } from '../tamper/prepare.ts'
import type { Destination } from './keep-alive.ts'

/** The one function of a {@link Pool}, and its first container. */
export const FUNCTION = 'potato'
export const FIRST = `${FUNCTION}-1`

/** Milliseconds for a pool to be as it should be, and between two looks. */
const PATIENCE = 30_000
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

/**
 * A whole hotpotato with one function, started for a bench: real processes, free ports, certificates and log
 * in a directory of its own.
 */
export class Pool {
  readonly destination: Destination
  readonly #directory: string
  readonly #supervisor: Supervisor

  private constructor(directory: string, supervisor: Supervisor, port: number) {
    this.#directory = directory
    this.#supervisor = supervisor
    const authority = readFileSync(join(directory, 'ca.crt'), 'utf8')
    this.destination = { port, serverName: `${FUNCTION}.local`, authority }
  }

  /** @throws Error what kept it from starting, with the end of its log */
  static async start({ handler, replicas = 1, settings = {}, preparation = {} }: PoolOptions): Promise<Pool> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
    const said: string[] = []
    try {
      await makeCertificates({ directory, certificates: [{ name: FUNCTION }], now: Date.now() })
      const configuration = {
        runDirectory: directory,
        certificates: directory,
        gateway: { http: 0, https: 0, limits: { connections: 20_000 } },
        connection: { requests: 1_000_000_000, idleSeconds: 3600 },
        functions: { [FUNCTION]: { handler, replicas } },
        ...settings,
      }
      const { config } = parseConfig(JSON.stringify(configuration), directory)
      const channel = chooseChannel().kind
      const provider = probeEvp().available ? 'evp' : 'node'
      const planned = plan(config, { channel, provider, logLevel: 'warn' })
      prepare([planned.gateway, ...planned.containers], preparation)
      const supervisor = new Supervisor({
        ...planned,
        // No process is to be killed for being slow here.
        liveness: { period: 3_600_000, failure: 36_000_000, busy: 60_000, start: 36_000_000 },
        channel,
        output: { sink: line => said.push(line), bytesPerSecond: 1e9 },
        clock: SYSTEM_CLOCK,
        log: pino({ level: 'silent' }),
      })
      const { https } = await supervisor.start().catch(async (error: unknown) => {
        await supervisor.stop()
        throw error
      })
      return new Pool(directory, supervisor, https)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw new Error(`the platform did not start: ${(error as Error).message}\n${said.slice(-3).join('')}`, {
        cause: error,
      })
    }
  }

  /** @returns why there can be no pool with such settings, undefined if there can */
  static refuses(settings: Readonly<Record<string, unknown>>): string | undefined {
    try {
      const { warnings } = parseConfig(JSON.stringify({ ...settings, functions: { [FUNCTION]: {} } }), '/')
      return warnings[0]
    } catch (error) {
      return (error as Error).message
    }
  }

  /** Its containers. */
  async containers(): Promise<MemberStatus[]> {
    return (await this.#supervisor.status()).filter(({ role }) => role === 'container')
  }

  /** Waits until its containers are so. @throws Error they do not become it */
  async until(what: string, done: (containers: readonly MemberStatus[]) => boolean): Promise<void> {
    for (const end = performance.now() + PATIENCE; !done(await this.containers()); ) {
      if (performance.now() > end) throw new Error(`in ${PATIENCE} ms: not ${what}`)
      await setTimeout(LOOK)
    }
  }

  /** Starts a further container, which is ready when it has rehearsed. @returns its name */
  async extend(): Promise<string> {
    const { length } = await this.containers()
    const { started = [] } = await this.#supervisor.scale(FUNCTION, length + 1)
    return started[0]!
  }

  /** Moves all connections of a container to others and ends it for good. @returns how many have moved */
  async drain(name: string): Promise<number> {
    return (await this.#supervisor.drain(name)).moved
  }

  /** The processes: gateway and containers. */
  async pids(): Promise<number[]> {
    return (await this.#supervisor.status()).flatMap(({ pid }) => pid ?? [])
  }

  /** Moves them to one CPU, with all threads that they have. */
  async pin(cpu: number): Promise<void> {
    for (const pid of await this.pids())
      execFileSync('taskset', ['-a', '-cp', String(cpu), String(pid)], { stdio: 'ignore' })
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
