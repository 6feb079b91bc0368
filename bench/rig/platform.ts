import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import type { ProviderName } from '../../src/platform/membership.ts'
import { parseConfig } from '../../src/stack/config.ts'
import { plan } from '../../src/stack/plan.ts'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { type Ports, Supervisor } from '../../src/supervisor/supervisor.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { type Channel, chooseChannel } from '../../src/transfer/channel.ts'
import { type Preparation, prepare } from '../tamper/prepare.ts'
import type { Identity } from './identity.ts'

/** What every function of a bench names as its certificate. */
export const CERTIFICATE = 'bench'

/** No process is to be killed for being slow here. */
const LIVENESS = { period: 3_600_000, failure: 36_000_000, busy: 60_000, start: 36_000_000 }

export interface PlatformOptions {
  /** Host names for {@link CERTIFICATE}, which is made; or one that is there. */
  readonly certificate: readonly string[] | Identity
  /** By name, as in the configuration. */
  readonly functions: Readonly<Record<string, object>>
  /** Further keys of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly channel?: Channel['kind']
  readonly provider?: ProviderName
  /** What is to be otherwise in its processes. @param directory the platform's own */
  readonly preparation?: (directory: string) => Preparation
}

/**
 * A whole hotpotato, started for a bench: real processes, free ports, certificates and log in a directory of
 * its own.
 */
export class Platform {
  readonly ports: Ports
  readonly directory: string
  readonly supervisor: Supervisor

  private constructor(directory: string, supervisor: Supervisor, ports: Ports) {
    this.directory = directory
    this.supervisor = supervisor
    this.ports = ports
  }

  /** @throws Error what kept it from starting, with the end of its log */
  static async start(options: PlatformOptions): Promise<Platform> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
    const said: string[] = []
    try {
      await certify(directory, options.certificate)
      const { config, warnings } = parseConfig(configuration(directory, options), directory)
      const [warning] = warnings
      if (warning !== undefined) throw new Error(warning)
      const channel = options.channel ?? chooseChannel().kind
      const provider = options.provider ?? (probeEvp().available ? 'evp' : 'node')
      const planned = plan(config, { channel, provider, logLevel: 'warn' })
      prepare([planned.gateway, ...planned.containers], options.preparation?.(directory) ?? {})
      const supervisor = new Supervisor({
        ...planned,
        liveness: LIVENESS,
        channel,
        output: { sink: line => said.push(line), bytesPerSecond: 1e9 },
        clock: SYSTEM_CLOCK,
        log: pino({ level: 'silent' }),
      })
      const ports = await supervisor.start().catch(async (error: unknown) => {
        await supervisor.stop()
        throw error
      })
      return new Platform(directory, supervisor, ports)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      const { message } = error as Error
      const more = said
        .slice(-3)
        .map(wordsOf)
        .filter(line => !line.includes(message))
      throw new Error([`the platform did not start: ${message}`, ...more].join('\n'), { cause: error })
    }
  }

  /** @returns why there can be no platform with such settings, undefined if there can */
  static refuses(settings: Readonly<Record<string, unknown>>): string | undefined {
    try {
      return parseConfig(JSON.stringify({ ...settings, functions: { echo: {} } }), '/').warnings[0]
    } catch (error) {
      return (error as Error).message
    }
  }

  /** PEM of the authority that {@link CERTIFICATE} is under. */
  get authority(): string {
    return readFileSync(join(this.directory, 'ca.crt'), 'utf8')
  }

  /** The certificate's files, for another server. */
  get certificateFiles(): readonly [certificate: string, key: string] {
    return [join(this.directory, `${CERTIFICATE}.crt`), join(this.directory, `${CERTIFICATE}.key`)]
  }

  /** The certificate itself. */
  certificate(): ReturnType<typeof loadCertificate> {
    return loadCertificate(this.directory, CERTIFICATE)
  }

  /** What runs, with the counters of each. */
  status(): Promise<MemberStatus[]> {
    return this.supervisor.status()
  }

  /** The processes: gateway and containers. */
  async pids(): Promise<number[]> {
    return (await this.status()).flatMap(({ pid }) => pid ?? [])
  }

  /** Moves them to one CPU, with all threads that they have. */
  async pin(cpu: number): Promise<void> {
    for (const pid of await this.pids())
      execFileSync('taskset', ['-a', '-cp', String(cpu), String(pid)], { stdio: 'ignore' })
  }

  async stop(): Promise<void> {
    await this.supervisor.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A line of the log without its stack. */
function wordsOf(line: string): string {
  try {
    const { name, msg, err } = JSON.parse(line) as { name: string; msg: string; err?: { message: string } }
    return [name, msg, ...(err === undefined ? [] : [err.message])].join(': ')
  } catch {
    return line.trimEnd()
  }
}

async function certify(directory: string, certificate: PlatformOptions['certificate']): Promise<void> {
  if (!('key' in certificate)) {
    const certificates = [{ name: CERTIFICATE, hosts: [...certificate] }]
    await makeCertificates({ directory, certificates, now: Date.now() })
    return
  }
  const write = (file: string, text: string): void =>
    writeFileSync(join(directory, file), text, { mode: 0o600 })
  write(`${CERTIFICATE}.crt`, certificate.certificate)
  write(`${CERTIFICATE}.key`, certificate.key)
  write('ca.crt', certificate.authority)
}

function configuration(directory: string, { functions, settings = {} }: PlatformOptions): string {
  const certified = Object.entries(functions).map(
    ([name, one]) => [name, { ...one, certificate: CERTIFICATE }] as const,
  )
  return JSON.stringify({
    runDirectory: directory,
    certificates: directory,
    gateway: { http: 0, https: 0, limits: { connections: 20_000 } },
    // What is measured has rehearsed to the end.
    rehearsalSeconds: 3600,
    functions: Object.fromEntries(certified),
    ...settings,
    // A bench asks more often on one connection than clients do, also one that sets something else of it.
    connection: {
      requests: 1_000_000_000,
      idleSeconds: 3600,
      ...(settings.connection as object | undefined),
    },
  })
}
