import { pinnable } from '../harness/environment.ts'
import { identityOf, type Skipped } from '../harness/measurement.ts'
import { runBench } from '../harness/run.ts'
import { Cast } from './cast.ts'
import { type Asked, ask, OPTIONS, openScene } from './parameters.ts'
import { format } from './print.ts'
import { goalsOf, type MigrationDetails, measurementsOf, PUBLISHED_TABLE, sceneResult } from './result.ts'
import type { SceneOptions } from './rows.ts'
import { isNeeded, type MigrationPlan, type MigrationRun, Schedule } from './schedule.ts'

/** It takes some 8000 moves until the engine has compiled what a move runs. */
const DEFAULT: MigrationPlan = {
  warmUp: 4,
  least: 12,
  rounds: 60,
  seconds: 45,
  precision: 0.01,
  total: 105,
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
  total: 15,
  warmUpSize: { requests: 200, fetches: 50, reconnects: 2, parts: 300, pairs: 25, cold: 2, moves: 1500 },
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
  total: Number.POSITIVE_INFINITY,
  precision: 0.002,
  requests: 400,
  bytes: 1 << 24,
  open: 2,
  crowdRounds: 50,
}

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
    const casts: Cast[] = []
    const leftOut: Skipped[] = []
    try {
      leftOut.push(...(await start(run, asked, casts)))
      const schedule = new Schedule(run, asked, casts)
      await schedule.measure()
      leftOut.push(...schedule.leftOut)
    } finally {
      run.progress.say('ending')
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

/**
 * Starts the base, and then the other scenes, if that can be done in time.
 * @param casts gets each one as soon as it is there, to be stopped whatever happens @returns what is left out
 */
async function start(run: MigrationRun, { scenes, only }: Asked, casts: Cast[]): Promise<Skipped[]> {
  const began = Date.now()
  const cast = (options: SceneOptions): Cast => {
    const one = new Cast(options, options.placement === 'free' ? undefined : pinnable())
    casts.push(one)
    return one
  }
  const [base, ...others] = scenes
  run.progress.say(`starting ${scenes.length} platforms`)
  await cast(base!).ready()
  const took = Date.now() - began
  // They take as long together as it did, or more; and then nothing is measured yet.
  if (Date.now() + 3 * took > run.endsAt) {
    const needed = others.filter(one => isNeeded(one, only))
    for (const one of needed) await cast(one).ready()
    if (needed.length > 0) return []
    const reason = `the machine is busy: the first platform took ${(took / 1000).toFixed(1)} s to start`
    const leftOut: Skipped[] = others.map(
      ({ placement, provider, suite, channel, carrier, seal, marks }) => ({
        name: marks ? 'stage' : 'scene',
        labels: { placement, provider, suite, channel, carrier, seal },
        reason,
      }),
    )
    if (only.has('open') && openScene(others) !== undefined)
      leftOut.push({ name: 'open', labels: {}, reason })
    return leftOut
  }
  await Promise.all(others.map(one => cast(one).ready()))
  return []
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
    .filter(({ options }) => options.marks)
    .flatMap(({ circumstances, strands }) => {
      const found = new Set([...strands.values()].map(({ labels }) => labels.request))
      return ['stays', 'migrated']
        .filter(request => !found.has(request))
        .map(request => ({
          name: 'stage',
          labels: { ...circumstances, request },
          reason: 'too few requests had the marks at both ends of every stage',
        }))
    })
}
