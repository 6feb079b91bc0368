import { writeFileSync } from 'node:fs'
import { saveCsv } from './csv.ts'
import { type Environment, environment, type Load, watchLoad } from './environment.ts'
import { type GoalResult, judged, MOST_FOREIGN } from './goal.ts'
import { type Measurement, type Skipped, skippedLines } from './measurement.ts'
import { type Mode, OptionError, type Options, readArguments, usage, type Values } from './options.ts'
import { letReadersGo } from './output.ts'
import { Progress } from './progress.ts'
import { saveResult } from './results.ts'
import { imprecision } from './stats.ts'

/** The version of the results' common part; `bench/results/schema.json` describes it. */
export const FORMAT = 2

/** How long a bench goes on. */
export interface Plan {
  /**
   * Rounds that do not count; at least one, if there are any, and no more than half of {@link seconds} allow.
   */
  readonly warmUp: number
  /** At least so many rounds, at most so many. */
  readonly least: number
  readonly rounds: number
  /** No round begins later than this after the first. */
  readonly seconds: number
  /** It is enough when the medians' intervals are so narrow: half the width as a share of the median. */
  readonly precision: number
  /**
   * Seconds after the start from which on nothing new is begun, where the bench asks {@link Run.late};
   * undefined: never.
   */
  readonly total?: number
}

/** One question, and how much effort its answer is worth. */
export interface Definition<P extends Plan, O extends Options> {
  /** As in `npm run bench:NAME`. */
  readonly name: string
  readonly question: string
  readonly options: O
  readonly plans: Readonly<Record<Mode, P>>
}

/** What every result begins with. */
export interface BenchResult extends Environment {
  readonly bench: string
  readonly format: typeof FORMAT
  /** ISO 8601: when it began. */
  readonly date: string
  readonly mode: Mode
  /** False if it was broken off: it holds what was measured until then. */
  readonly complete: boolean
  readonly seconds: number
  readonly load: Load
  /** What was asked for. */
  readonly parameters: Parameters
  readonly measurements: readonly Measurement[]
  readonly skipped: readonly Skipped[]
  readonly goals: readonly GoalResult[]
}

export type Parameters = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>

/** What a bench has found out. */
export interface Findings<D extends object> {
  readonly parameters?: Parameters
  readonly measurements: readonly Measurement[]
  readonly skipped?: readonly Skipped[]
  readonly goals: readonly GoalResult[]
  /** What only this bench has. */
  readonly details: D
  /** The result as text for a terminal. */
  print(result: BenchResult & D): string
  /** Why nothing of this is to be kept. */
  readonly unfit?: string
  /** The result as a page of Markdown, to be written into a file as well. */
  readonly page?: { readonly file: string; text(result: BenchResult & D): string }
}

/** Something that is wrong with what is measured, not with the bench: nothing is kept. */
export class BenchError extends Error {
  override readonly name: string = 'BenchError'
}

/** A bench while it runs. */
export interface Run<P extends Plan, O extends Options> {
  readonly mode: Mode
  readonly plan: P
  readonly values: Values<O>
  readonly progress: Progress
  /** Whether the user wants it to come to an end. */
  readonly interrupted: boolean
  /** When the plan's total time is up, in milliseconds since 1970; far away where it has none. */
  readonly endsAt: number
  /** Whether it is: what is not measured by now is left out, and named. */
  readonly late: boolean
  /**
   * Rounds until the figures are precise enough, the time is up, or the user stops it.
   * @param step one round of everything that is compared; it may return early when {@link interrupted}
   * @param watched what stands for each round of the figures that are to be precise
   */
  rounds(
    step: (counts: boolean, round: number) => Promise<void>,
    watched?: () => readonly (readonly number[])[],
  ): Promise<void>
}

/**
 * The common runner: reads the command line, measures, watches what else the machine does, prints, and keeps
 * JSON and CSV. Exit code 1 when what is measured is wrong, 2 when the command line makes no sense, 130 when
 * it was broken off before there was anything.
 * @param measure what the bench does; it ends its processes itself
 */
export async function runBench<P extends Plan, O extends Options, D extends object>(
  { name, question, options, plans }: Definition<P, O>,
  measure: (run: Run<P, O>) => Promise<Findings<D>>,
): Promise<void> {
  letReadersGo()
  const progress = new Progress()
  const state = { interrupted: false }
  try {
    const { mode, help, rounds, seconds, output, csv, values } = readArguments(options, process.argv.slice(2))
    if (help) {
      process.stdout.write(`${usage(name, question, options)}\n`)
      return
    }
    const preset = plans[mode]
    const plan: P = {
      ...preset,
      ...(rounds === undefined ? {} : { rounds, least: rounds, total: Number.POSITIVE_INFINITY }),
      ...(seconds === undefined ? {} : { seconds }),
    }
    const breakOff = (): void => {
      // The second time the user means it.
      if (state.interrupted) process.exit(130)
      state.interrupted = true
      progress.say('stopping after this round')
    }
    process.on('SIGINT', breakOff).on('SIGTERM', breakOff)
    const date = new Date()
    const load = watchLoad()
    const found = await measure(new Running(mode, plan, values, progress, state))
    progress.done()
    const { parameters = {}, measurements, skipped = [], goals, details, unfit, page } = found
    if (measurements.length === 0) {
      console.error('stopped before anything was measured')
      process.exitCode = 130
      return
    }
    const loaded = load()
    const result: BenchResult & D = {
      bench: name,
      format: FORMAT,
      date: date.toISOString(),
      mode,
      complete: !state.interrupted,
      seconds: Math.round((Date.now() - date.getTime()) / 100) / 10,
      ...environment(),
      load: loaded,
      parameters,
      measurements,
      skipped,
      goals: judged(goals, loaded.foreign),
      ...details,
    }
    const parts = [heading(result), found.print(result), skippedLines(skipped)].filter(part => part !== '')
    process.stdout.write(`${parts.join('\n\n')}\n`)
    if (unfit !== undefined) {
      process.stdout.write(`\nnot kept: ${unfit}\n`)
      return
    }
    const kept = [saveResult(name, date, result, output)]
    if (csv !== undefined) saveCsv(csv, result)
    if (page !== undefined) writeFileSync(page.file, page.text(result))
    kept.push(...[csv, page?.file].filter(file => file !== undefined))
    process.stdout.write(`\nkept in ${kept.join(' and ')}\n`)
  } catch (error) {
    progress.done()
    // What failed may have been ended by the same Ctrl-C, which is told only now.
    await moment()
    if (error instanceof OptionError) {
      console.error(`${error.message}\n\n${usage(name, question, options)}`)
      process.exitCode = 2
    } else if (error instanceof BenchError) {
      console.error(error.message)
      process.exitCode = 1
    } else if (state.interrupted) {
      // Not everything can be broken off at any moment; nothing is lost that was measured whole.
      console.error(`stopped: ${(error as Error).message}`)
      process.exitCode = 130
    } else if (isBug(error)) {
      throw error
    } else {
      console.error(`bench:${name} failed: ${(error as Error).message}`)
      process.exitCode = 1
    }
  }
}

/** Only of those does the stack say more than the message. */
function isBug(error: unknown): boolean {
  return !(error instanceof Error) || ['TypeError', 'ReferenceError', 'RangeError'].includes(error.name)
}

class Running<P extends Plan, O extends Options> implements Run<P, O> {
  readonly mode: Mode
  readonly plan: P
  readonly values: Values<O>
  readonly progress: Progress
  readonly #state: { readonly interrupted: boolean }
  readonly #began = Date.now()

  constructor(
    mode: Mode,
    plan: P,
    values: Values<O>,
    progress: Progress,
    state: { readonly interrupted: boolean },
  ) {
    this.mode = mode
    this.plan = plan
    this.values = values
    this.progress = progress
    this.#state = state
  }

  get interrupted(): boolean {
    return this.#state.interrupted
  }

  get endsAt(): number {
    const { total = Number.POSITIVE_INFINITY } = this.plan
    return Math.min(this.#began + total * 1000, Number.MAX_SAFE_INTEGER)
  }

  get late(): boolean {
    return Date.now() > this.endsAt
  }

  async rounds(
    step: (counts: boolean, round: number) => Promise<void>,
    watched: () => readonly (readonly number[])[] = () => [],
  ): Promise<void> {
    const { warmUp, least, rounds, seconds, precision } = this.plan
    const started = Date.now()
    for (let round = -warmUp; round < 0; round++) {
      if (this.interrupted) return
      // On a busy machine, half the time must do.
      if (round > -warmUp && (this.late || (Date.now() - started) / 1000 > seconds / 2)) break
      this.progress.say('warming up')
      await step(false, round)
      await moment()
    }
    const began = Date.now()
    for (let round = 0; round < rounds; round++) {
      const passed = (Date.now() - began) / 1000
      if (this.interrupted || (round > 0 && (this.late || passed > seconds))) return
      const figures = watched()
      if (round >= least && figures.length > 0 && figures.every(one => imprecision(one) <= precision)) return
      const share = Math.max(round / rounds, passed / seconds)
      this.progress.bar(share, `round ${round + 1} of at most ${rounds}`)
      await step(true, round)
      await moment()
    }
  }
}

/** Lets signals in: a round may have been a single long computation. */
function moment(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Where and with what, in the words that every bench prints first. */
export function heading(result: BenchResult): string {
  const { machine, versions, variables = {}, load, commit, modified, complete, seconds, mode } = result
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const foreign =
    load.foreign === undefined
      ? ''
      : `, ${Math.round(load.foreign * 100)} % of the machine used by other programs`
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}; load ${load.average.join(' → ')}${foreign}`,
    `Node ${versions.node}, OpenSSL ${versions.openssl}` +
      (commit === undefined ? '' : `; commit ${commit.slice(0, 8)}${modified ? ' with changes' : ''}`),
    ...(set.length === 0 ? [] : [`with ${set.join(' ')}`]),
    `${complete ? '' : 'STOPPED after '}${seconds.toFixed(0)} s` +
      (mode === 'quick' ? ', quick: few samples, not figures to quote' : ''),
    ...((load.foreign ?? 0) > MOST_FOREIGN
      ? ['goals are not judged: other programs used too much of it']
      : []),
  ].join('\n')
}
