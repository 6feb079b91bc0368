import { pinnable } from '../harness/environment.ts'
import { identityOf, type Skipped } from '../harness/measurement.ts'
import { type Plan, type Run, runBench } from '../harness/run.ts'
import { Cast } from './cast.ts'
import { type Asked, ask, OPTIONS, openScene } from './parameters.ts'
import { format } from './print.ts'
import { goalsOf, type MigrationDetails, measurementsOf, PUBLISHED_TABLE, sceneResult } from './result.ts'
import type { RoundSize, RowName, Task } from './rows.ts'

/** What a run consists of. */
interface MigrationPlan extends Plan {
  /** Of a round that warms up: larger, because the engine compiles what runs often. */
  readonly warmUpSize: RoundSize
  /** Of a round with a fast provider, and with `noble`. */
  readonly size: RoundSize
  readonly slowSize: RoundSize
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

/** It takes some 8000 moves until the engine has compiled what a move runs. */
const DEFAULT: MigrationPlan = {
  warmUp: 4,
  least: 12,
  rounds: 60,
  seconds: 45,
  precision: 0.01,
  warmUpSize: {
    requests: 2500,
    fetches: 500,
    reconnects: 10,
    parts: 2000,
    pairs: 100,
    cold: 5,
    moves: 3000,
  },
  size: { requests: 200, fetches: 100, reconnects: 6, parts: 200, pairs: 100, cold: 8, moves: 500 },
  slowSize: { requests: 50, fetches: 25, reconnects: 2, parts: 50, pairs: 25, cold: 2, moves: 100 },
  slowEvery: 4,
  sweepEvery: 3,
  requests: 100,
  bytes: 1 << 21,
  open: 0.2,
  crowdRounds: 8,
}

const QUICK: MigrationPlan = {
  ...DEFAULT,
  warmUp: 1,
  least: 3,
  rounds: 4,
  seconds: 5,
  total: 18,
  warmUpSize: { requests: 200, fetches: 50, reconnects: 2, parts: 300, pairs: 25, cold: 2, moves: 500 },
  size: { requests: 50, fetches: 25, reconnects: 2, parts: 100, pairs: 25, cold: 4, moves: 200 },
  slowSize: { requests: 10, fetches: 5, reconnects: 1, parts: 10, pairs: 5, cold: 1, moves: 50 },
  slowEvery: 2,
  sweepEvery: 2,
  requests: 25,
  bytes: 1 << 20,
  open: 0.1,
  crowdRounds: 2,
}

const FULL: MigrationPlan = {
  ...DEFAULT,
  warmUp: 8,
  least: 100,
  rounds: 2000,
  seconds: 4 * 3600,
  precision: 0.002,
  requests: 400,
  bytes: 1 << 24,
  open: 2,
  crowdRounds: 50,
}

/** Connections at once in open loop, and where as many requests are made as can be. */
const AT_ONCE = 32

type MigrationRun = Run<MigrationPlan, typeof OPTIONS>

/**
 * `npm run bench:migration`: what does it cost to move a live connection, and what does reconnecting or a
 * proxy cost instead?
 */
await runBench(
  {
    name: 'migration',
    question:
      'What does it cost to move a live connection, and what does reconnecting or a proxy cost instead?',
    options: OPTIONS,
    plans: { quick: QUICK, default: DEFAULT, full: FULL },
  },
  async run => {
    const asked = ask(run.mode, run.values)
    const casts = asked.scenes.map(
      options => new Cast(options, options.placement === 'free' ? undefined : pinnable()),
    )
    const leftOut: Skipped[] = []
    try {
      run.progress.say(`starting ${casts.length} platforms`)
      await Promise.all(casts.map(cast => cast.ready()))
      leftOut.push(...(await measure(run, asked, casts)))
    } finally {
      await Promise.all(casts.map(cast => cast.stop()))
    }
    const [base] = casts
    const details: MigrationDetails = {
      scenes: casts.map(sceneResult),
      goalsOf: base!.name,
      published: PUBLISHED_TABLE,
    }
    const { alpha, payload, connections, chain, rate } = asked.sweeps
    return {
      parameters: { ...base!.circumstances, alpha, payload, connections, chain, rate },
      measurements: casts.flatMap(measurementsOf),
      skipped: [
        ...asked.skipped,
        ...skippedBy(casts),
        ...leftOut,
        ...withoutHttp2(casts),
        ...withoutStages(casts),
      ],
      goals: goalsOf(base!),
      details,
      print: format,
      ...(run.values.profile === undefined ? {} : { unfit: 'the profiler slows everything down' }),
    }
  },
)

/** All scenes in turn, round by round; then more and more connections. @returns what there was no time for */
async function measure(run: MigrationRun, { sweeps }: Asked, casts: readonly Cast[]): Promise<Skipped[]> {
  const [base] = casts
  const open = openScene(casts.map(cast => ({ ...cast.options, cast })))?.cast
  const { plan } = run
  const measured = new Set<string>()
  const wanted = new Map<string, Skipped>()
  /** Does it if there is time, or if it is what the bench is about. */
  const attempt = async (cast: Cast, task: Task, counts: boolean): Promise<void> => {
    const labels = task.task === 'connections' ? { connections: task.value } : { scene: cast.name }
    const key = `${task.task} ${Object.values(labels)}`
    const essential = cast === base && task.task === 'rows'
    if (run.interrupted) return
    if (run.late && !essential) {
      wanted.set(key, { name: task.task, labels, reason: 'no time was left' })
      return
    }
    await cast.measure([task], counts)
    if (counts) measured.add(key)
  }
  await run.rounds(
    async (counts, round) => {
      for (const cast of casts) {
        const slow = cast.options.provider === 'noble'
        if (counts && slow && round % plan.slowEvery !== 0) continue
        const size = slow ? plan.slowSize : counts ? plan.size : plan.warmUpSize
        const tasks: Task[] = cast.options.marks
          ? [{ task: 'stages', requests: size.requests }]
          : [{ task: 'rows', size }]
        if (round % plan.sweepEvery === 0) {
          if (cast === base) tasks.push(...sweepTasks(plan, sweeps))
          if (cast === open) {
            tasks.push({ task: 'open', values: sweeps.rate, seconds: plan.open, connections: AT_ONCE })
            if (cast !== base)
              tasks.push({ task: 'sustained', requests: plan.requests * 10, connections: AT_ONCE })
          }
        }
        run.progress.say(`${counts ? `round ${round + 1}` : 'warming up'}: ${cast.name}`, true)
        for (const task of tasks) await attempt(cast, task, counts)
      }
    },
    () => (['raw.stays', 'raw.migrated'] as const).map((row: RowName) => base!.row(row)?.medians ?? []),
  )
  for (const value of sweeps.connections) {
    const began = Date.now()
    for (let round = -1; round < plan.crowdRounds && !run.interrupted; round++) {
      // A round of each number, and more while there is time.
      if (round > 0 && (run.late || (Date.now() - began) / 1000 > plan.seconds / 8)) break
      run.progress.say(`${value} connections`, round >= 0)
      const requests = Math.max(plan.requests, Math.min(value, 1000) / 2)
      await attempt(base!, { task: 'connections', value, requests }, round >= 0)
    }
  }
  return [...wanted].filter(([key]) => !measured.has(key)).map(([, skipped]) => skipped)
}

/** What scenes said that they cannot measure: the same engine is missing everywhere. */
function skippedBy(casts: readonly Cast[]): Skipped[] {
  const all = casts.flatMap(({ skipped }) => skipped)
  return [...new Map(all.map(one => [identityOf(one), one])).values()]
}

/** What could not be measured because containers speak HTTP/1.1 alone. */
function withoutHttp2(casts: readonly Cast[]): Skipped[] {
  return casts
    .filter(({ facts, options }) => facts?.http2 === false && !options.marks)
    .map(({ circumstances }) => ({
      name: 'h2.migrated',
      labels: { ...circumstances },
      reason: 'containers do not speak HTTP/2',
    }))
}

/**
 * The marks may have been looked for in vain: the way through the platform has changed, or the machine was
 * too busy.
 */
function withoutStages(casts: readonly Cast[]): Skipped[] {
  return casts
    .filter(({ options, strands }) => options.marks && strands.size === 0)
    .map(({ circumstances }) => ({
      name: 'stage',
      labels: { ...circumstances },
      reason: 'too few requests had the marks at both ends of every stage',
    }))
}

function sweepTasks({ requests, bytes }: MigrationPlan, { alpha, payload, chain }: Asked['sweeps']): Task[] {
  return [
    { task: 'alpha', values: alpha, requests },
    { task: 'payload', values: payload, bytes },
    { task: 'chain', values: chain, requests },
    { task: 'sustained', requests: requests * 10, connections: AT_ONCE },
  ]
}
