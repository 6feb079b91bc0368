import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { makeCertificates } from '../../certs/authority.ts'
import { loadCertificate } from '../../certs/load.ts'
import type { ProviderName } from '../../src/containers/membership.ts'
import { parseConfig } from '../../src/gateway/config.ts'
import { plan } from '../../src/gateway/plan.ts'
import { type MemberStatus, type Ports, Supervisor } from '../../src/gateway/supervisor.ts'
import { chooseChannel } from '../../src/transfer/channel.ts'

/** Nobody is to be killed for being slow here. */
const LIVENESS = { period: 3_600_000, failure: 36_000_000 }

/** The kinds of handler; each is run by two containers, `raw-a-1` and `raw-b-1`. */
export const KINDS = ['raw', 'fetch'] as const
export type Kind = (typeof KINDS)[number]

export interface PlatformOptions {
  readonly provider: ProviderName
  /** The module of the raw functions, if not the bench's own. */
  readonly rawFunction?: string
  /** Where each process leaves a CPU profile when it ends. */
  readonly profiles?: string
}

/** A whole hotpotato, started for the bench: real processes, free ports, certificates and logs in a directory of its own. */
export class Platform {
  readonly ports: Ports
  readonly directory: string
  readonly #supervisor: Supervisor
  readonly #log: number

  private constructor(directory: string, supervisor: Supervisor, log: number, ports: Ports) {
    this.directory = directory
    this.#supervisor = supervisor
    this.#log = log
    this.ports = ports
  }

  /** @throws Error what kept it from starting, with the end of its log */
  static async start({ provider, rawFunction, profiles }: PlatformOptions): Promise<Platform> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
    await makeCertificates({ directory, certificates: [{ name: 'bench', hosts: HOSTS }], now: Date.now() })
    const file = join(directory, 'log')
    const log = openSync(file, 'a', 0o600)
    try {
      const { config } = parseConfig(configuration(directory, rawFunction), directory)
      const channel = chooseChannel().kind
      const planned = plan(config, { channel, provider, logLevel: 'warn' })
      if (profiles !== undefined) profiled(planned, profiles)
      const silent = pino({ level: 'silent' })
      const supervisor = new Supervisor({
        ...planned,
        liveness: LIVENESS,
        channel,
        logDescriptor: log,
        log: silent,
      })
      const ports = await supervisor.start().catch(async (error: unknown) => {
        await supervisor.stop()
        throw error
      })
      return new Platform(directory, supervisor, log, ports)
    } catch (error) {
      const said = readFileSync(file, 'utf8').trim().split('\n').slice(-3).join('\n')
      closeSync(log)
      rmSync(directory, { recursive: true, force: true })
      throw new Error(`the platform did not start: ${(error as Error).message}\n${said}`, { cause: error })
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
    closeSync(this.#log)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

const HOSTS = KINDS.flatMap(kind => ['a', 'b'].map(letter => `${kind}-${letter}.local`))

function configuration(directory: string, rawFunction: string | undefined): string {
  const modules: Record<Kind, string> = {
    raw: rawFunction ?? compiled('../functions/twice-raw.js'),
    fetch: compiled('../functions/twice-fetch.js'),
  }
  const functions = KINDS.flatMap(kind =>
    ['a', 'b'].map(
      letter => [`${kind}-${letter}`, { handler: modules[kind], certificate: 'bench' }] as const,
    ),
  )
  return JSON.stringify({
    runDirectory: directory,
    certificates: directory,
    gateway: { http: 0, https: 0 },
    connection: { requests: 1_000_000_000, idleSeconds: 600 },
    functions: Object.fromEntries(functions),
  })
}

function compiled(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}

/** Puts a profiler before the program of every process. */
function profiled({ gateway, containers }: ReturnType<typeof plan>, directory: string): void {
  for (const spec of [gateway, ...containers]) {
    const entry = new URL('../lib/profiled.js', import.meta.url)
    Object.assign(spec, {
      entry,
      settings: { ...spec.settings, profile: { program: spec.entry.href, directory } },
    })
  }
}
