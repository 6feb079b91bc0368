import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Series } from '../lib/stats.ts'
import type {
  Order,
  Placement,
  ProviderName,
  Report,
  RoundSize,
  RowName,
  SceneFacts,
  SceneOptions,
} from './rows.ts'

/** A scene failed. `wrong`: it got an answer that was not what it had asked for. */
export class SceneError extends Error {
  override readonly name = 'SceneError'
  readonly wrong: boolean

  constructor(message: string, wrong: boolean) {
    super(message)
    this.wrong = wrong
  }
}

/** The parent's handle of a {@link Scene}'s process, and what it has measured so far. */
export class Cast {
  readonly placement: Placement
  readonly provider: ProviderName
  readonly series = new Map<RowName, Series>()
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #facts: SceneFacts | undefined
  #settle: { resolve(report: Report): void; reject(error: Error): void } | undefined

  /** @param cpu where all of it runs; undefined: wherever the scheduler puts it */
  constructor(options: SceneOptions, cpu: number | undefined) {
    this.placement = cpu === undefined ? 'free' : 'pinned'
    this.provider = options.provider
    const script = fileURLToPath(new URL('./scene.js', import.meta.url))
    const words = [process.execPath, script, JSON.stringify(options)]
    if (cpu !== undefined) words.unshift('taskset', '-c', String(cpu))
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#exited = new Promise(resolve => {
      this.#child.once('exit', (code, signal) => {
        this.#settle?.reject(new SceneError(`${this.name} ended by itself (${signal ?? code})`, false))
        resolve()
      })
      this.#child.once('error', error => this.#settle?.reject(error))
    })
    this.#child.on('message', (report: Report) => this.#settle?.resolve(report))
  }

  /** As `pinned, node`. */
  get name(): string {
    return `${this.placement}, ${this.provider}`
  }

  get facts(): SceneFacts | undefined {
    return this.#facts
  }

  /** Waits until it is ready. @throws SceneError */
  async ready(): Promise<void> {
    const report = await this.#report()
    if (report.say === 'ready') this.#facts = report.facts
  }

  /** Measures once. @param counts whether the samples count, or were to warm up @throws SceneError */
  async round(size: RoundSize, counts: boolean): Promise<void> {
    const reported = this.#report()
    this.#order({ do: 'round', size })
    const report = await reported
    if (report.say !== 'round' || !counts) return
    for (const [name, samples] of Object.entries(report.samples)) {
      const row = name as RowName
      const series = this.series.get(row) ?? new Series()
      series.add(samples)
      this.series.set(row, series)
    }
  }

  async stop(): Promise<void> {
    this.#settle = undefined
    if (this.#child.connected) this.#order({ do: 'stop' })
    await this.#exited
  }

  #order(order: Order): void {
    // It may have ended this very moment; its exit tells.
    this.#child.send(order, () => {})
  }

  async #report(): Promise<Report> {
    const report = await new Promise<Report>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.#settle = undefined
    if (report.say === 'failed') throw new SceneError(`${this.name}: ${report.reason}`, report.wrong)
    return report
  }
}
