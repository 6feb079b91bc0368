import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { Lines } from '../../platform/lines.ts'
import type { Log } from '../../platform/log.ts'
import { acmeCertificates } from '../../stack/acme.ts'
import type { Config } from '../../stack/config.ts'
import { readOutput } from '../../supervisor/child-output.ts'
import { inherited } from '../../supervisor/environment.ts'
import type { OutputOptions } from '../../supervisor/processes.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { NO_PROOFS, type Proofs } from '../../transfer/control.ts'
import type { RenewerOrder, RenewerReport } from '../cert/renewer.ts'
import { CommandError } from '../line/usage-error.ts'
import { commandResponder } from '../platform/run-directory.ts'

/** Bytes of the longest report. */
const LONGEST = 1_048_576
/** Milliseconds before a renewer that has ended is started again: first, and at most. */
const FIRST = 1000
const MOST = 60_000
/** Milliseconds that a page of a command is shown, at most. */
const LONGEST_SHOWN = 900_000
/** Milliseconds between two tries to have containers take another certificate: first, and at most. */
const AGAIN = 2000
const AGAIN_MOST = 600_000

const ENTRY = new URL('../cert/renewer.js', import.meta.url)

export interface RenewalsOptions {
  readonly clock: Clock
  readonly log: Log
  readonly output: OutputOptions
  readonly logLevel: string
  /** Has the gateways show what authorities look for. @returns when they do */
  readonly prove: (proofs: Proofs) => Promise<void>
  /**
   * Has functions take the certificates that lie there now.
   * @throws Error something else is underway, or a function cannot start with it
   */
  readonly take: () => Promise<unknown>
  /** SHA-256 of the certificates that functions have from the start, by name. */
  readonly taken: Readonly<Record<string, string>>
  /** The program that asks for certificates. */
  readonly entry?: URL
}

/** What becomes of an order to renew a certificate. */
interface Waiting {
  readonly name: string
  readonly done: (error?: Error) => void
}

/** The process that asks for certificates, as long as the stack file wants some. */
export class Renewals {
  readonly #options: RenewalsOptions
  readonly #restart: Timer
  readonly #waiting = new Set<Waiting>()
  #config: Config | undefined
  #key = ''
  #child: ChildProcess | undefined
  /** Those that have been told to end, and have not yet. */
  readonly #leaving = new Set<ChildProcess>()
  #delay = FIRST
  /** SHA-256 of what functions have taken, or are to take, by name. */
  readonly #taken: Map<string, string>
  /** Names of those that are new since functions were last told. */
  readonly #fresh = new Set<string>()
  #again = AGAIN
  readonly #retake: Timer
  #taking = false
  #stopped = false
  /** What the process shows, and what commands show, by token. */
  #proofs: Proofs = NO_PROOFS
  readonly #others = new Map<string, { readonly content: string; readonly timer: Timer }>()

  /** Runs while a command answers handshakes. */
  #commands: Timer | undefined

  constructor(options: RenewalsOptions) {
    this.#options = options
    this.#taken = new Map(Object.entries(options.taken))
    this.#restart = options.clock.timer(() => this.#start())
    this.#retake = options.clock.timer(() => void this.#take())
  }

  /** From now on it is that stack file. */
  follow(config: Config): void {
    const key = JSON.stringify([config.tls.acme, acmeCertificates(config)])
    this.#config = config
    if (key === this.#key) return
    this.#key = key
    this.#delay = FIRST
    this.#restart.stop()
    if (this.#child !== undefined) {
      // The next one starts when this one has ended: it may be in the middle of an order.
      this.#leaving.add(this.#child)
      this.#child.stdin?.end()
      this.#child = undefined
    }
    this.#start()
  }

  /** Renews certificates now. @param name undefined: all @throws CommandError one could not be had */
  async renew(name: string | undefined): Promise<readonly string[]> {
    const all = this.#names
    const names = name === undefined ? all : all.filter(one => one === name)
    if (names.length === 0)
      throw new CommandError(`tls.acme of the stack file names no certificate ${name ?? ''}`)
    const outcomes = names.map(
      one =>
        new Promise<void>((resolve, reject) => {
          const waiting = { name: one, done: (error?: Error) => (error ? reject(error) : resolve()) }
          this.#waiting.add(waiting)
        }),
    )
    this.#say({ kind: 'renew', names })
    await Promise.all(outcomes)
    return names
  }

  get #names(): readonly string[] {
    return this.#config === undefined ? [] : acmeCertificates(this.#config).map(one => one.name)
  }

  /** Shows a page to an authority that a command asks for a certificate; for a quarter of an hour at most. */
  async show(token: string, content: string): Promise<void> {
    await this.withdraw(token)
    const timer = this.#options.clock.after(LONGEST_SHOWN, () => void this.withdraw(token))
    this.#others.set(token, { content, timer: timer.unref() })
    await this.#prove()
  }

  async withdraw(token: string): Promise<void> {
    this.#others.get(token)?.timer.stop()
    if (this.#others.delete(token)) await this.#prove()
  }

  /** Whether handshakes for proofs go to the command that asks for a certificate; as long as {@link show}. */
  async respond(on: boolean): Promise<void> {
    this.#commands?.stop()
    const late = (): void => void this.respond(false)
    this.#commands = on ? this.#options.clock.after(LONGEST_SHOWN, late).unref() : undefined
    await this.#prove()
  }

  #prove(): Promise<void> {
    const others = [...this.#others].map(([token, { content }]) => ({ token, content }))
    const pages = [...this.#proofs.pages, ...others]
    // One process at a time asks for certificates.
    const path = this.#commands && this.#config && commandResponder(this.#config.runDirectory)
    return this.#options.prove({ pages, responder: path ?? this.#proofs.responder })
  }

  stop(): void {
    this.#stopped = true
    this.#restart.stop()
    this.#retake.stop()
    this.#child?.stdin?.end()
  }

  /** Starts the process, if one is wanted, and as soon as no other one is there. */
  #start(): void {
    const config = this.#config
    if (this.#stopped || this.#child !== undefined || this.#leaving.size > 0) return
    const names = this.#names
    for (const { name } of [...this.#waiting])
      if (!names.includes(name))
        this.#settle(name, new CommandError(`tls.acme of the stack file names no certificate ${name} now`))
    const acme = config?.tls.acme
    if (config === undefined || acme === undefined) return
    const { domains: _, ...settings } = acme
    const child = spawn(process.execPath, [(this.#options.entry ?? ENTRY).pathname], {
      env: inherited(process.env),
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    const { clock, log, output } = this.#options
    const source = { name: 'acme', functionName: '' }
    void readOutput(child, source, output.bytesPerSecond, clock, output.sink)
    child.stdin!.on('error', () => {})
    child.on('error', error => log.error({ err: error }, 'certificates cannot be asked for'))
    child.once('close', () => this.#ended(child))
    this.#hear(child)
    this.#say({
      kind: 'start',
      settings: {
        acme: settings,
        certificates: acmeCertificates(config),
        taken: Object.fromEntries(this.#taken),
        directory: config.certificates,
        runDirectory: config.runDirectory,
        logLevel: this.#options.logLevel,
      },
    })
    const waiting = [...new Set([...this.#waiting].map(({ name }) => name))]
    if (waiting.length > 0) this.#say({ kind: 'renew', names: waiting })
  }

  #hear(child: ChildProcess): void {
    const lines = new Lines(LONGEST)
    const from = child.stdio[3] as Readable
    from.on('error', () => {})
    from.on('data', (bytes: Uint8Array) => {
      for (const line of lines.push(bytes)) this.#receive(JSON.parse(line) as RenewerReport, child)
    })
  }

  #receive(report: RenewerReport, child: ChildProcess): void {
    if (report.kind === 'proofs') {
      // What one that leaves has shown goes with it.
      if (this.#child !== child) return
      const { number, proofs } = report
      this.#proofs = proofs
      void this.#prove().then(() => this.#child === child && this.#say({ kind: 'shown', number }))
      return
    }
    if (report.kind === 'installed') {
      this.#delay = FIRST
      this.#taken.set(report.name, report.fingerprint)
      this.#fresh.add(report.name)
      this.#again = AGAIN
      void this.#take()
    } else this.#settle(report.name, new CommandError(`${report.name}: ${report.message}`))
  }

  /**
   * Has functions take what is new. Another change may be underway, or one of them cannot start: then it is
   * tried again, later each time, until it is done.
   */
  async #take(): Promise<void> {
    if (this.#taking || this.#stopped) return
    this.#taking = true
    this.#retake.stop()
    const { log, take } = this.#options
    const fresh = [...this.#fresh]
    this.#fresh.clear()
    try {
      await take()
      for (const name of fresh) this.#settle(name)
    } catch (error) {
      const { message } = error as Error
      log.warn({ err: error, seconds: this.#again / 1000 }, 'not all functions take the new certificate yet')
      const said = `the certificate is there, but is not taken yet: ${message}`
      for (const name of fresh) this.#settle(name, new CommandError(`${name}: ${said}`))
      if (!this.#stopped) this.#retake.after(this.#again)
      this.#again = Math.min(AGAIN_MOST, this.#again * 2)
    }
    this.#taking = false
    if (this.#fresh.size > 0) void this.#take()
  }

  #settle(name: string, error?: Error): void {
    for (const one of this.#waiting) {
      if (one.name !== name) continue
      this.#waiting.delete(one)
      one.done(error)
    }
  }

  #say(order: RenewerOrder): void {
    const to = this.#child?.stdin
    if (to?.writable === true) to.write(`${JSON.stringify(order)}\n`)
  }

  #ended(child: ChildProcess): void {
    const left = this.#leaving.delete(child)
    if (!left && this.#child !== child) return
    if (!left) this.#child = undefined
    if (this.#stopped) return
    this.#proofs = NO_PROOFS
    void this.#prove()
    if (left) {
      this.#start()
      return
    }
    const { log } = this.#options
    for (const { name } of [...this.#waiting])
      this.#settle(name, new CommandError('the process that asks for certificates has ended'))
    const { exitCode: code, signalCode: signal } = child
    log.error({ code, signal }, 'the process that asks for certificates ended')
    this.#restart.after(this.#delay)
    this.#delay = Math.min(MOST, this.#delay * 2)
  }
}
