import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { loadProvider, PROVIDERS } from '../src/containers/membership.ts'
import { probeEvp } from '../src/tls13/crypto/evp.ts'
import type { CryptoProvider } from '../src/tls13/index.ts'
import { environment, watchLoad } from './lib/environment.ts'
import { makeIdentity } from './lib/identity.ts'
import { type Placement, usableCpus } from './lib/placement.ts'
import { Progress } from './lib/progress.ts'
import { saveResult } from './lib/results.ts'
import { Series } from './lib/stats.ts'
import { opensslSpeed, opensslVersion } from './record/limit.ts'
import { Pair } from './record/pair.ts'
import { format } from './record/print.ts'
import { goalsOf, pairResults, type RecordResult, sealingResults } from './record/result.ts'
import { SERVER_NAME, SIZES, STACKS } from './record/rows.ts'
import { Sealing } from './record/sealing.ts'

/** What a run consists of. The limit takes a second for each size and suite, so it has fewer rounds. */
const THOROUGH = { rounds: 15, warmUp: 2, limitRounds: 3, roundTrips: 1000, pieces: 2048 }
const QUICK = { rounds: 3, warmUp: 1, limitRounds: 1, roundTrips: 300, pieces: 512 }

type Plan = typeof THOROUGH

const USAGE = `usage: npm run bench:record -- [options]

  --quick        few samples: does it work, and roughly how fast
  --rounds N     how many rounds
  --output DIR   where the JSON goes; bench/results unless told`

/** `npm run bench:record`: what does our record layer cost, beside OpenSSL itself and beside node:tls? */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      output: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const preset = values.quick ? QUICK : THOROUGH
  const rounds = values.rounds === undefined ? preset.rounds : Number(values.rounds)
  if (values.help || !Number.isInteger(rounds) || rounds < 1) {
    process.stdout.write(`${USAGE}\n`)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const cpus = usableCpus()
  const progress = new Progress()
  const date = new Date()
  const load = watchLoad()
  const plan = { ...preset, rounds }
  const sealing = await measureSealing(plan, cpus[0], progress)
  const pairs = await measurePairs(plan, cpus, progress)
  progress.done()
  const openssl = opensslVersion()
  const evp = probeEvp()
  const [sealings, opened] = [sealingResults(sealing.all, sealing.limits), pairResults(pairs)]
  const result: RecordResult = {
    bench: 'record',
    format: 1,
    date: date.toISOString(),
    quick: values.quick,
    seconds: Math.round((Date.now() - date.getTime()) / 1000),
    ...environment(),
    ...(openssl === undefined ? {} : { openssl }),
    ...(evp.available ? {} : { evpMissing: evp.reason }),
    load: load(),
    sealing: sealings,
    connections: opened,
    goals: goalsOf(sealings, opened),
  }
  process.stdout.write(`${format(result)}\n\nkept in ${saveResult('record', date, result, values.output)}\n`)
}

/** Every provider that works here. */
async function workingProviders(): Promise<CryptoProvider[]> {
  const names = PROVIDERS.filter(name => name !== 'evp' || probeEvp().available)
  return Promise.all(names.map(name => loadProvider(name)))
}

/** Sealing and opening in this process, pinned like the program that it is held against. */
async function measureSealing(
  plan: Plan,
  cpu: number,
  progress: Progress,
): Promise<{ all: Sealing[]; limits: Map<string, Series> }> {
  execFileSync('taskset', ['-a', '-cp', String(cpu), String(process.pid)], { stdio: 'ignore' })
  const known = await loadProvider('node')
  const all = (await workingProviders()).flatMap(provider =>
    provider.cipherSuites.map((suite, index) => {
      const sealing = new Sealing(provider, suite)
      sealing.check(known.cipherSuites[index]!)
      return sealing
    }),
  )
  const limits = new Map<string, Series>()
  for (let round = -plan.warmUp; round < plan.rounds; round++) {
    progress.say(
      round < 0 ? 'sealing: warming up' : `sealing: round ${round + 1} of ${plan.rounds}`,
      round >= 0,
    )
    for (const sealing of all) sealing.round(round >= 0)
    if (round < 0 || round >= plan.limitRounds || opensslVersion() === undefined) continue
    for (const { name } of known.cipherSuites) {
      for (const size of SIZES) {
        const series = limits.get(`${name} ${size}`) ?? new Series()
        series.add([opensslSpeed(name, size, cpu)])
        limits.set(`${name} ${size}`, series)
      }
    }
  }
  return { all, limits }
}

/** Two processes and a socket between them; all stacks are up at the same time and take turns. */
async function measurePairs(
  plan: Plan,
  [cpu, other]: readonly [number, number | undefined],
  progress: Progress,
): Promise<Pair[]> {
  const identity = await makeIdentity(SERVER_NAME)
  const stacks = STACKS.filter(stack => stack !== 'evp' || probeEvp().available)
  const placements: readonly Placement[] = other === undefined ? ['one core'] : ['one core', 'two cores']
  const pairs = placements.flatMap(placement => stacks.map(stack => new Pair(stack, placement)))
  try {
    for (const pair of pairs) {
      const suite = await pair.start(identity, [cpu, pair.placement === 'one core' ? cpu : other!])
      if (suite !== 'TLS_AES_128_GCM_SHA256') throw new Error(`${pair.stack} chose ${suite}`)
    }
    for (let round = -plan.warmUp; round < plan.rounds; round++) {
      progress.say(
        round < 0 ? 'connections: warming up' : `connections: round ${round + 1} of ${plan.rounds}`,
        round >= 0,
      )
      for (const pair of pairs) await pair.roundTripRound(plan.roundTrips, round >= 0)
      for (const pair of pairs) await pair.bulkRound(plan.pieces, round >= 0)
    }
  } finally {
    for (const pair of pairs) pair.stop()
  }
  return pairs
}

await main()
