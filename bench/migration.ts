import { parseArgs } from 'node:util'
import { probeEvp } from '../src/tls13/crypto/evp.ts'
import { environment, pinnable, watchLoad } from './lib/environment.ts'
import { Progress } from './lib/progress.ts'
import { saveResult } from './lib/results.ts'
import { Cast, SceneError } from './migration/cast.ts'
import { format } from './migration/print.ts'
import { goalsOf, type MigrationResult, RESULT_FORMAT, sceneResult } from './migration/result.ts'
import type { ProviderName, RoundSize } from './migration/rows.ts'

/** What a run consists of. */
interface Plan {
  readonly rounds: number
  /** No round begins later than this after the start: on a busy machine there are fewer of them. */
  readonly seconds: number
  /** Rounds that do not count; they are larger, because the engine compiles what runs often. */
  readonly warmUp: number
  readonly warmUpSize: RoundSize
  /** Of a round with a fast provider, and with `noble`. */
  readonly size: RoundSize
  readonly slowSize: RoundSize
  /** Every how many rounds the slow provider has its turn. */
  readonly slowEvery: number
}

const THOROUGH: Plan = {
  rounds: 60,
  seconds: 90,
  warmUp: 3,
  warmUpSize: { requests: 2000, fetches: 400, reconnects: 20, parts: 2000 },
  size: { requests: 200, fetches: 100, reconnects: 8, parts: 200 },
  slowSize: { requests: 50, fetches: 25, reconnects: 2, parts: 50 },
  slowEvery: 4,
}

const QUICK: Plan = {
  rounds: 5,
  seconds: 12,
  warmUp: 1,
  warmUpSize: { requests: 500, fetches: 50, reconnects: 3, parts: 300 },
  size: { requests: 100, fetches: 25, reconnects: 4, parts: 100 },
  slowSize: { requests: 10, fetches: 5, reconnects: 1, parts: 10 },
  slowEvery: 2,
}

/** The first is the one that the platform takes by itself. */
const PROVIDERS: readonly ProviderName[] = probeEvp().available ? ['evp', 'node', 'noble'] : ['node', 'noble']

const USAGE = `usage: npm run bench:migration -- [options]

  --quick             few samples: does it work, and roughly how fast
  --provider NAME     evp, node or noble alone
  --placement NAME    pinned or free alone
  --rounds N          how many rounds
  --raw-function FILE measure this raw handler instead; it must give each body back twice
  --profile DIR       leave a CPU profile of each container and gateway in DIR/SCENE
  --output DIR        where the JSON goes; bench/results unless told`

/** `npm run bench:migration`: what does it cost to move a live connection, and what does reconnecting cost instead? */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      provider: { type: 'string' },
      placement: { type: 'string' },
      rounds: { type: 'string' },
      'raw-function': { type: 'string' },
      profile: { type: 'string' },
      output: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  const preset = values.quick ? QUICK : THOROUGH
  const rounds = values.rounds === undefined ? preset.rounds : Number(values.rounds)
  const known =
    (values.provider === undefined || PROVIDERS.some(name => name === values.provider)) &&
    Number.isInteger(rounds) &&
    rounds > 0
  if (!known || !['pinned', 'free', undefined].includes(values.placement)) {
    console.error(USAGE)
    process.exitCode = 2
    return
  }
  const progress = new Progress()
  const cpu = values.placement === 'free' ? undefined : pinnable()
  if (cpu === undefined && values.placement === 'pinned') throw new Error('there is no taskset to pin with')
  const began = Date.now()
  const date = new Date()
  const casts = castsOf(values, cpu)
  const state = { stopping: false }
  // Whoever reads the table may stop reading; the processes are ended all the same.
  process.stdout.on('error', () => {})
  process.on('SIGINT', () => {
    state.stopping = true
  })
  try {
    progress.say(`starting ${casts.length} platforms`)
    await Promise.all(casts.map(cast => cast.ready()))
    const load = watchLoad()
    const complete = await measure(casts, { ...preset, rounds }, progress, state)
    const scenes = casts.map(cast => sceneResult(cast, cpu))
    const [first] = scenes
    const result: MigrationResult = {
      bench: 'migration',
      format: RESULT_FORMAT,
      date: date.toISOString(),
      quick: values.quick,
      complete,
      seconds: Math.round((Date.now() - began) / 100) / 10,
      ...environment(),
      load: load(),
      scenes,
      goalsOf: casts[0]!.name,
      goals: goalsOf(first!),
    }
    progress.done()
    process.stdout.write(`${format(result)}\n`)
    if (values.profile !== undefined) {
      process.stdout.write('\nnot kept: the profiler slows everything down\n')
      return
    }
    const file = saveResult('migration', date, result, values.output)
    process.stdout.write(`\nkept in ${file}\n`)
  } catch (error) {
    progress.done()
    if (!(error instanceof SceneError)) throw error
    console.error(error.wrong ? `a wrong answer, so nothing counts: ${error.message}` : error.message)
    process.exitCode = 1
  } finally {
    await Promise.all(casts.map(cast => cast.stop()))
  }
}

function castsOf(
  values: {
    quick: boolean
    provider?: string
    placement?: string
    profile?: string
    'raw-function'?: string
  },
  cpu: number | undefined,
): Cast[] {
  const providers = PROVIDERS.filter(name => (values.provider ?? name) === name)
  const places = values.placement === 'pinned' ? [cpu] : cpu === undefined ? [undefined] : [cpu, undefined]
  return places.flatMap(place =>
    providers.flatMap(provider => {
      // For a quick look, one provider in both placements is enough.
      if (values.quick && place === undefined && provider !== providers[0]) return []
      const rawFunction = values['raw-function']
      const scene = `${place === undefined ? 'free' : 'pinned'}-${provider}`
      const options = {
        provider,
        ...(rawFunction === undefined ? {} : { rawFunction }),
        ...(values.profile === undefined ? {} : { profiles: `${values.profile}/${scene}` }),
      }
      return new Cast(options, place)
    }),
  )
}

/** All scenes in turn, round by round. @returns false if somebody broke it off */
async function measure(
  casts: readonly Cast[],
  { rounds, seconds, warmUp, warmUpSize, size, slowSize, slowEvery }: Plan,
  progress: Progress,
  state: { readonly stopping: boolean },
): Promise<boolean> {
  const until = Date.now() + seconds * 1000
  for (let round = -warmUp; round < rounds; round++) {
    const counts = round >= 0
    if (round > 0 && Date.now() > until) break
    for (const cast of casts) {
      if (state.stopping) return false
      const slow = cast.provider === 'noble'
      if (counts && slow && round % slowEvery !== 0) continue
      const what = counts ? `round ${round + 1} of ${rounds}` : 'warming up'
      progress.say(`${what}: ${cast.name}`, counts)
      await cast.round(slow ? slowSize : counts ? size : warmUpSize, counts)
    }
  }
  return true
}

await main()
