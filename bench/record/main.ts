import { execFileSync } from 'node:child_process'
import { loadProvider, PROVIDERS } from '../../src/platform/membership.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import type { CryptoProvider } from '../../src/tls13/index.ts'
import { type Plan, type Run, runBench } from '../harness/run.ts'
import { Series } from '../harness/stats.ts'
import { makeIdentity } from '../rig/identity.ts'
import { type Placement, usableCpus } from '../rig/placement.ts'
import { opensslSpeed, opensslVersion } from './limit.ts'
import { Pair } from './pair.ts'
import { format } from './print.ts'
import { goalsOf, measurementsOf, pairResults, type RecordDetails, sealingResults } from './result.ts'
import { SERVER_NAME, SIZES, STACKS } from './rows.ts'
import { Sealing } from './sealing.ts'

/** What a run consists of. The limit takes a second for each size and suite, so it has fewer rounds. */
interface RecordPlan extends Plan {
  readonly limitRounds: number
  readonly roundTrips: number
  readonly pieces: number
}

const COMMON = { warmUp: 2, least: 8, precision: 0.02, limitRounds: 3, roundTrips: 1000, pieces: 2048 }

/** `npm run bench:record`: what does our record layer cost, beside OpenSSL itself and beside node:tls? */
await runBench(
  {
    name: 'record',
    question: 'What does our record layer cost, beside OpenSSL itself and beside node:tls?',
    options: {},
    plans: {
      quick: {
        ...COMMON,
        warmUp: 1,
        rounds: 3,
        least: 3,
        seconds: 6,
        limitRounds: 1,
        roundTrips: 300,
        pieces: 512,
      },
      default: { ...COMMON, rounds: 15, seconds: 40 },
      full: { ...COMMON, rounds: 200, seconds: 3600, precision: 0.002, limitRounds: 10 },
    },
  },
  async run => {
    const cpus = usableCpus()
    const sealing = await measureSealing(run, cpus[0])
    const pairs = await measurePairs(run, cpus)
    const openssl = opensslVersion()
    const evp = probeEvp()
    const [sealings, opened] = [sealingResults(sealing.all, sealing.limits), pairResults(pairs)]
    const details: RecordDetails = {
      ...(openssl === undefined ? {} : { openssl }),
      ...(evp.available ? {} : { evpMissing: evp.reason }),
      sealing: sealings,
      connections: opened,
    }
    return {
      measurements: measurementsOf(sealing.all, sealing.limits, pairs),
      goals: goalsOf(sealings, opened),
      details,
      print: format,
    }
  },
)

type RecordRun = Run<RecordPlan, Record<string, never>>

/** Every provider that works here. */
async function workingProviders(): Promise<CryptoProvider[]> {
  const names = PROVIDERS.filter(name => name !== 'evp' || probeEvp().available)
  return Promise.all(names.map(name => loadProvider(name)))
}

/** Sealing and opening in this process, pinned like the program that it is held against. */
async function measureSealing(
  run: RecordRun,
  cpu: number,
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
  await run.rounds(
    async (counts, round) => {
      for (const sealing of all) sealing.round(counts)
      if (!counts || round >= run.plan.limitRounds || opensslVersion() === undefined) return
      for (const { name } of known.cipherSuites) {
        for (const size of SIZES) {
          if (run.interrupted) return
          const series = limits.get(`${name} ${size}`) ?? new Series()
          series.add([await opensslSpeed(name, size, cpu)])
          limits.set(`${name} ${size}`, series)
        }
      }
    },
    () =>
      all
        .filter(one => one.provider !== 'noble')
        .flatMap(one => [...one.series.values()].map(of => of.medians)),
  )
  return { all, limits }
}

/** Two processes and a socket between them; all stacks are up at the same time and take turns. */
async function measurePairs(
  run: RecordRun,
  [cpu, other]: readonly [number, number | undefined],
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
    await run.rounds(
      async counts => {
        for (const pair of pairs) await pair.roundTripRound(run.plan.roundTrips, counts)
        for (const pair of pairs) await pair.bulkRound(run.plan.pieces, counts)
      },
      () => pairs.flatMap(pair => [pair.roundTrips.medians, pair.bulk]),
    )
  } finally {
    for (const pair of pairs) pair.stop()
  }
  return pairs
}
