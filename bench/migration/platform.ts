import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import { SYSTEM_CLOCK } from '../../src/platform/clock.ts'
import { parseConfig } from '../../src/supervisor/config.ts'
import { plan } from '../../src/supervisor/plan.ts'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { type Ports, Supervisor } from '../../src/supervisor/supervisor.ts'
import { prepare } from '../tamper/prepare.ts'
import type { SceneOptions } from './rows.ts'
import { tourOf } from './wanderer.ts'

/** No process is to be killed for being slow here. */
const LIVENESS = { period: 3_600_000, failure: 36_000_000, busy: 60_000, start: 36_000_000 }

/** The kinds of handler; a container for each function, as `raw-a-1`. */
export const KINDS = ['raw', 'fetch'] as const
export type Kind = (typeof KINDS)[number]

export type PlatformOptions = Pick<
  SceneOptions,
  | 'provider'
  | 'channel'
  | 'carrier'
  | 'seal'
  | 'containers'
  | 'marks'
  | 'rehearsals'
  | 'rawFunction'
  | 'profiles'
>

/**
 * A whole hotpotato, started for the bench: real processes, free ports, certificates and logs in a directory
 * of its own.
 */
export class Platform {
  readonly ports: Ports
  readonly directory: string
  readonly #supervisor: Supervisor

  private constructor(directory: string, supervisor: Supervisor, ports: Ports) {
    this.directory = directory
    this.#supervisor = supervisor
    this.ports = ports
  }

  /** @throws Error what kept it from starting, with the end of its log */
  static async start(options: PlatformOptions): Promise<Platform> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
    const hosts = functionsOf(options.containers).map(name => `${name}.local`)
    await makeCertificates({ directory, certificates: [{ name: 'bench', hosts }], now: Date.now() })
    const said: string[] = []
    try {
      const { config, warnings } = parseConfig(configuration(directory, options), directory)
      const [warning] = warnings
      if (warning !== undefined) throw new Error(warning)
      const { channel, provider } = options
      const planned = plan(config, { channel, provider, logLevel: 'warn' })
      prepare([planned.gateway, ...planned.containers], {
        unsealed: options.seal === 'off',
        ...(options.profiles === undefined ? {} : { profiles: options.profiles }),
        ...(options.marks ? { marks: directory } : {}),
      })
      const silent = pino({ level: 'silent' })
      const supervisor = new Supervisor({
        ...planned,
        liveness: LIVENESS,
        channel,
        output: { sink: line => said.push(line), bytesPerSecond: 1e9 },
        clock: SYSTEM_CLOCK,
        log: silent,
      })
      const ports = await supervisor.start().catch(async (error: unknown) => {
        await supervisor.stop()
        throw error
      })
      return new Platform(directory, supervisor, ports)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw new Error(`the platform did not start: ${(error as Error).message}\n${said.slice(-3).join('')}`, {
        cause: error,
      })
    }
  }

  /** PEM of the authority that its certificates are under. */
  get authority(): string {
    return readFileSync(join(this.directory, 'ca.crt'), 'utf8')
  }

  /** The certificate's files, for another server. */
  get certificateFiles(): readonly [certificate: string, key: string] {
    return [join(this.directory, 'bench.crt'), join(this.directory, 'bench.key')]
  }

  /** The certificate itself. */
  certificate(): ReturnType<typeof loadCertificate> {
    return loadCertificate(this.directory, 'bench')
  }

  /** What runs, with the counters of each. */
  status(): Promise<MemberStatus[]> {
    return this.#supervisor.status()
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** @returns why a platform of such a kind cannot be, undefined if it can */
export function cannotBe({ carrier }: Pick<SceneOptions, 'carrier'>): string | undefined {
  if (carrier === 'fd') return undefined
  const { warnings } = parseConfig(JSON.stringify({ carrier, functions: { echo: {} } }), '/')
  return warnings.length > 0 ? 'the platform carries connections by descriptor only' : undefined
}

function functionsOf(containers: number): string[] {
  return KINDS.flatMap(kind => tourOf(kind, kind === 'raw' ? containers : 2))
}

function configuration(
  directory: string,
  { containers, rawFunction, carrier, rehearsals }: PlatformOptions,
): string {
  const modules: Record<Kind, string> = {
    raw: rawFunction ?? compiled('../rig/functions/twice-raw.js'),
    fetch: compiled('../rig/functions/twice-fetch.js'),
  }
  const functions = functionsOf(containers).map(
    name => [name, { handler: modules[name.split('-')[0] as Kind], certificate: 'bench' }] as const,
  )
  return JSON.stringify({
    runDirectory: directory,
    ...(rehearsals === undefined ? {} : { rehearsals }),
    certificates: directory,
    // Only what is not the default: a platform without relays does not know the key.
    ...(carrier === 'fd' ? {} : { carrier }),
    gateway: { http: 0, https: 0, limits: { connections: 20_000 } },
    connection: { requests: 1_000_000_000, idleSeconds: 3600 },
    functions: Object.fromEntries(functions),
  })
}

function compiled(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
