import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { identityOf, type Labels, type Skipped, type Unit } from '../harness/measurement.ts'
import { BenchError } from '../harness/run.ts'
import { Series } from '../harness/stats.ts'
import type {
  Circumstances,
  EngineRowName,
  Order,
  ProcessRowName,
  Report,
  RowName,
  SceneFacts,
  SceneOptions,
  Task,
} from './rows.ts'

/** One thing that a scene has measured, round by round. */
export interface Strand {
  readonly name: string
  readonly title: string
  readonly labels: Labels
  readonly unit: Unit
  readonly series: Series
}

/** The parent's handle of a scene's process, and what it has measured so far. */
export class Cast {
  readonly options: SceneOptions
  readonly strands = new Map<string, Strand>()
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #facts: SceneFacts | undefined
  #skipped: readonly Skipped[] = []
  #settle: { resolve(report: Report): void; reject(error: Error): void } | undefined

  /**
   * @param cpu where the servers run; undefined: wherever the scheduler puts everything, because there is no
   * `taskset`
   */
  constructor(options: SceneOptions, cpu: number | undefined) {
    this.options = options
    const script = fileURLToPath(new URL('./scene.js', import.meta.url))
    const words = [process.execPath, script, JSON.stringify(options)]
    if (cpu !== undefined) words.unshift('taskset', '-c', String(cpu))
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#exited = new Promise(resolve => {
      this.#child.once('exit', (code, signal) => {
        this.#settle?.reject(new BenchError(`${this.name} ended unexpectedly (${signal ?? code})`))
        resolve()
      })
      this.#child.once('error', error => this.#settle?.reject(error))
    })
    this.#child.on('message', (report: Report) => this.#settle?.resolve(report))
  }

  get circumstances(): Circumstances {
    const { placement, provider, suite, channel, carrier, seal } = this.options
    return { placement, provider, suite, channel, carrier, seal }
  }

  /** As `one core, node`, with what is not as usual. */
  get name(): string {
    return nameOf(this.options)
  }

  /** What it said that it cannot measure. */
  get skipped(): readonly Skipped[] {
    return this.#skipped
  }

  get facts(): SceneFacts | undefined {
    return this.#facts
  }

  /** What a row measured, if it did. */
  row(name: RowName): Series | undefined {
    return this.strands.get(name)?.series
  }

  /** What a row of an engine measured, if it did. */
  engineRow(name: EngineRowName | ProcessRowName, engine: string): Series | undefined {
    return this.strands.get(identityOf({ name, labels: { engine } }))?.series
  }

  /** Waits until it is ready. @throws BenchError */
  async ready(): Promise<void> {
    const report = await this.#report()
    if (report.say === 'ready') this.#facts = report.facts
  }

  /**
   * Measures once. @param counts whether the samples count, or were to warm up
   * @returns whether there was time for any @throws BenchError
   */
  async measure(tasks: readonly Task[], counts: boolean): Promise<boolean> {
    const reported = this.#report()
    this.#order({ do: 'measure', tasks })
    const report = await reported
    if (report.say !== 'measured') return false
    this.#skipped = report.skipped
    if (!counts) return true
    for (const { name, title, labels, unit, statistic, values } of report.samples) {
      const key = identityOf({ name, labels })
      const strand = this.strands.get(key) ?? { name, title, labels, unit, series: new Series(statistic) }
      strand.series.add(values)
      this.strands.set(key, strand)
    }
    return report.samples.length > 0
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
    if (report.say === 'failed') {
      const said = `${this.name}: ${report.reason}`
      throw new BenchError(report.wrong ? `a wrong answer: the run does not count: ${said}` : said)
    }
    return report
  }
}

/** What a scene is called: what is usual goes without saying. */
export function nameOf(options: SceneOptions): string {
  const { placement, provider, suite, channel, carrier, seal, marks } = options
  return [
    placement,
    provider,
    ...(suite === 'TLS_AES_128_GCM_SHA256' ? [] : [suite]),
    ...(channel === 'native' ? [] : [channel]),
    ...(carrier === 'fd' ? [] : [carrier]),
    ...(seal === 'on' ? [] : ['unsealed']),
    ...(marks ? ['stages'] : []),
  ].join(', ')
}
