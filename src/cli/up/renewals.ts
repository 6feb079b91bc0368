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

/** Bytes of the longest report. */
const LONGEST = 1_048_576
/** Milliseconds before a renewer that has ended is started again: first, and at most. */
const FIRST = 1000
const MOST = 60_000
/** Milliseconds that a page of a command is shown, at most. */
const LONGEST_SHOWN = 900_000
/** Milliseconds between two tries to have containers take another certificate. */
const AGAIN = 2000

const ENTRY = new URL('../cert/renewer.js', import.meta.url)

export interface RenewalsOptions {
  readonly clock: Clock
  readonly log: Log
  readonly output: OutputOptions
  readonly logLevel: string
  /** Has the gateways show what authorities look for. @returns when they do */
  readonly prove: (proofs: Proofs) => Promise<void>
  /** Has functions take the certificates that lie there now. @throws Error something else is underway */
  readonly take: () => Promise<unknown>
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
  /** What the process is told when it has started. */
  readonly #orders: RenewerOrder[] = []
  #child: ChildProcess | undefined
  #delay = FIRST
  #taking: Promise<void> = Promise.resolve()
  #stopped = false
  /** What the process shows, and what commands show, by token. */
  #proofs: Proofs = NO_PROOFS
  readonly #others = new Map<string, { readonly content: string; readonly timer: Timer }>()

  constructor(options: RenewalsOptions) {
    this.#options = options
    this.#restart = options.clock.timer(() => this.#start())
  }

  /** From now on it is that stack file. */
  follow(config: Config): void {
    const key = JSON.stringify([config.tls.acme, acmeCertificates(config)])
    this.#config = config
    if (key === this.#key) return
    this.#key = key
    this.#delay = FIRST
    this.#restart.stop()
    const before = this.#child
    if (before === undefined) this.#start()
    else {
      // The next one starts when this one has ended: it may be in the middle of an order.
      this.#child = undefined
      before.once('close', () => this.#start())
      before.stdin?.end()
    }
  }

  /** Renews certificates now. @param name undefined: all @throws CommandError one could not be had */
  async renew(name: string | undefined): Promise<readonly string[]> {
    const all = this.#config === undefined ? [] : acmeCertificates(this.#config).map(one => one.name)
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
    await this.#taking
    return names
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

  #prove(): Promise<void> {
    const others = [...this.#others].map(([token, { content }]) => ({ token, content }))
    return this.#options.prove({ ...this.#proofs, pages: [...this.#proofs.pages, ...others] })
  }

  stop(): void {
    this.#stopped = true
    this.#restart.stop()
    this.#child?.stdin?.end()
  }

  #start(): void {
    const config = this.#config
    const acme = config?.tls.acme
    if (this.#stopped || config === undefined || acme === undefined) return
    const { domains: _, ...settings } = acme
    const child = spawn(process.execPath, [ENTRY.pathname], {
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
    this.#orders.unshift({
      kind: 'start',
      settings: {
        acme: settings,
        certificates: acmeCertificates(config),
        directory: config.certificates,
        runDirectory: config.runDirectory,
        logLevel: this.#options.logLevel,
      },
    })
    for (const order of this.#orders.splice(0)) this.#say(order)
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
      const { number, proofs } = report
      this.#proofs = proofs
      void this.#prove().then(() => this.#child === child && this.#say({ kind: 'shown', number }))
      return
    }
    if (report.kind === 'installed') {
      this.#delay = FIRST
      this.#taking = this.#take()
      void this.#taking.then(() => this.#settle(report.name))
    } else this.#settle(report.name, new CommandError(`${report.name}: ${report.message}`))
  }

  /** Another change may be underway: then it is tried again, until it is done. */
  async #take(): Promise<void> {
    const { clock, log, take } = this.#options
    while (!this.#stopped) {
      try {
        await take()
        return
      } catch (error) {
        log.warn({ err: error }, 'functions do not take the new certificate yet')
        await new Promise<void>(resolve => clock.after(AGAIN, resolve))
      }
    }
  }

  #settle(name: string, error?: Error): void {
    for (const one of this.#waiting) {
      if (one.name !== name) continue
      this.#waiting.delete(one)
      one.done(error)
    }
  }

  #say(order: RenewerOrder): void {
    if (this.#child === undefined) this.#orders.push(order)
    else if (this.#child.stdin?.writable === true) this.#child.stdin.write(`${JSON.stringify(order)}\n`)
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    const { log } = this.#options
    for (const { name } of [...this.#waiting])
      this.#settle(name, new CommandError('the process that asks for certificates has ended'))
    this.#orders.length = 0
    if (this.#stopped) return
    this.#proofs = NO_PROOFS
    void this.#prove()
    if (child.exitCode !== 0) {
      log.error(
        { code: child.exitCode, signal: child.signalCode },
        'the process that asks for certificates ended',
      )
      this.#restart.after(this.#delay)
      this.#delay = Math.min(MOST, this.#delay * 2)
    } else this.#restart.after(1)
  }
}
