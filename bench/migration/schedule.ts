import type { Skipped } from '../harness/measurement.ts'
import type { Plan, Run } from '../harness/run.ts'
import type { Cast } from './cast.ts'
import { type Asked, type OPTIONS, openScene } from './parameters.ts'
import { PARTS, type Part, type RoundSize, type RowName, type SceneOptions, type Task } from './rows.ts'

/** What a run consists of. */
export interface MigrationPlan extends Plan {
  /** Of a round that warms up: larger, because the engine compiles what runs often. */
  readonly warmUpSize: Size
  /** Of a round with a fast provider, and with `noble`. */
  readonly size: Size
  readonly slowSize: Size
  /** Every how many rounds the slow provider has its turn, and the sweeps have theirs. */
  readonly slowEvery: number
  readonly sweepEvery: number
  /** Of the sweeps: requests, bytes of content for each size, seconds for each rate. */
  readonly requests: number
  readonly bytes: number
  readonly open: number
  /** Rounds for each number of connections, if time allows. */
  readonly crowdRounds: number
}

type Size = Omit<RoundSize, 'until'>

export type MigrationRun = Run<MigrationPlan, typeof OPTIONS>

/** Connections at once in open loop, and where as many requests are made as can be. */
const AT_ONCE = 32
/** The share of the time that is left which warming up may take. */
const WARM_UP_SHARE = 0.4

/** Whether nothing of what is asked for can be measured without this scene, which is not the base. */
export function isNeeded(scene: SceneOptions, only: Asked['only']): boolean {
  if (only.size > 1) return false
  return only.has('stages') ? scene.marks : only.has('open') && openScene([scene]) !== undefined
}

/** In which order what is measured, and what is left out when the time is up. */
export class Schedule {
  readonly #run: MigrationRun
  readonly #sweeps: Asked['sweeps']
  readonly #only: Asked['only']
  readonly #casts: readonly Cast[]
  readonly #base: Cast
  readonly #open: Cast | undefined
  readonly #measured = new Set<string>()
  readonly #wanted = new Map<string, Skipped>()
  #warmUntil = Number.MAX_SAFE_INTEGER

  constructor(run: MigrationRun, { sweeps, only }: Asked, casts: readonly Cast[]) {
    this.#run = run
    this.#sweeps = sweeps
    this.#only = only
    this.#casts = casts
    this.#base = casts[0]!
    this.#open = openScene(casts.map(cast => ({ ...cast.options, cast })))?.cast
  }

  /** All scenes in turn, round by round; then more and more connections. */
  async measure(): Promise<void> {
    const now = Date.now()
    this.#warmUntil = now + (this.#run.endsAt - now) * WARM_UP_SHARE
    await this.#run.rounds(
      (counts, round) => this.#round(counts, round),
      () =>
        (['raw.stays', 'raw.migrated'] as const).map((row: RowName) => this.#base.row(row)?.medians ?? []),
    )
    if (!this.#only.has('connections')) return
    for (const value of this.#sweeps.connections) await this.#crowd(value)
  }

  /** What there was no time for. */
  get leftOut(): Skipped[] {
    return [...this.#wanted].filter(([key]) => !this.#measured.has(key)).map(([, skipped]) => skipped)
  }

  /** Rows of all scenes, and then the sweeps, if it is their turn. */
  async #round(counts: boolean, round: number): Promise<void> {
    const { plan, progress, endsAt } = this.#run
    const until = counts ? endsAt : this.#warmUntil
    for (const cast of this.#casts) {
      const slow = cast.options.provider === 'noble'
      if (counts && slow && round % plan.slowEvery !== 0) continue
      const size = slow ? plan.slowSize : counts ? plan.size : plan.warmUpSize
      progress.say(`${counts ? `round ${round + 1}` : 'warming up'}: ${cast.name}`, true)
      if (cast.options.marks) await this.#attempt(cast, { task: 'stages', requests: size.requests }, counts)
      else
        for (const part of partsOf(cast))
          await this.#attempt(cast, { task: 'rows', part, size: { ...size, until } }, counts)
    }
    // Not in the first round that counts, if there are more: rows come first where time is short.
    const rows = this.#only.has('rows') || this.#only.has('stages')
    const turn =
      !rows || (counts ? (round - Math.min(1, plan.rounds - 1)) % plan.sweepEvery === 0 : round === -1)
    if (!turn) return
    for (const task of this.#sweepTasks()) await this.#attempt(this.#base, task, counts)
    const open = this.#open
    if (open === undefined) return
    const { rate } = this.#sweeps
    await this.#attempt(
      open,
      { task: 'open', values: rate, seconds: plan.open, connections: AT_ONCE },
      counts,
    )
    if (open === this.#base) return
    await this.#attempt(open, sustainedOf(plan), counts)
  }

  /**
   * Does it if there is time, or if nothing has been measured yet and it is of the base, or all that is asked
   * for.
   */
  async #attempt(cast: Cast, task: Task, counts: boolean): Promise<void> {
    const labels = labelsOf(cast, task)
    const key = [task.task, ...Object.values(labels)].join(' ')
    if (this.#run.interrupted || !this.#only.has(task.task)) return
    const late = counts ? this.#run.late : Date.now() > this.#warmUntil
    const first = counts && this.#measured.size === 0
    if (late && !(first && (cast === this.#base || isNeeded(cast.options, this.#only)))) {
      if (counts) this.#wanted.set(key, { name: task.task, labels, reason: 'no time was left' })
      return
    }
    const some = await cast.measure([task], counts)
    if (!counts) return
    if (some || task.task !== 'connections') this.#measured.add(key)
    else this.#wanted.set(key, { name: task.task, labels, reason: 'no time was left for so many' })
  }

  async #crowd(value: number): Promise<void> {
    const { plan, progress, endsAt } = this.#run
    const began = Date.now()
    for (let round = -1; round < plan.crowdRounds && !this.#run.interrupted; round++) {
      // A round of each number, and more while there is time.
      if (round > 0 && (this.#run.late || (Date.now() - began) / 1000 > plan.seconds / 8)) break
      progress.say(`${value} connections`, round >= 0)
      const requests = Math.max(plan.requests, Math.min(value, 1000) / 2)
      // The first one makes them.
      const counts = round >= 0
      if (!counts && this.#run.late) continue
      await this.#attempt(this.#base, { task: 'connections', value, requests, until: endsAt }, counts)
    }
  }

  #sweepTasks(): Task[] {
    const { plan } = this.#run
    const { alpha, payload, chain } = this.#sweeps
    const { requests, bytes } = plan
    return [
      { task: 'alpha', values: alpha, requests },
      { task: 'payload', values: payload, bytes },
      { task: 'chain', values: chain, requests },
      sustainedOf(plan),
    ]
  }
}

function partsOf({ options }: Cast): Part[] {
  return PARTS.filter(
    part =>
      (part !== 'engines' || options.engines.length > 0) && (part !== 'one process' || options.inOneProcess),
  )
}

function sustainedOf({ requests }: MigrationPlan): Task {
  return { task: 'sustained', requests: requests * 10, connections: AT_ONCE }
}

function labelsOf(cast: Cast, task: Task): Skipped['labels'] {
  if (task.task === 'connections') return { connections: task.value }
  return task.task === 'rows' ? { scene: cast.name, part: task.part } : { scene: cast.name }
}
