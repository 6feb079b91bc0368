import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, reset } from './counter.ts'

/** For one move, source, target and client together. */
export interface MoveCounts {
  readonly moves: number
  readonly foreignCalls: number
  readonly typedArrays: number
  readonly timers: number
  /** Of JavaScript's heap; undefined where rubbish was collected meanwhile. */
  readonly heapBytes: number | undefined
  /** Microseconds. */
  readonly user: number
  readonly system: number
  readonly byName: Readonly<Record<string, number>>
}

/** Moves until the engine has compiled the path. */
const WARM_UP = 2000

const moves = Number(process.argv[2] ?? 1000)
// Before anything else is loaded: it binds foreign functions.
const counts = process.argv[3] === 'uncounted' ? undefined : count()

const [{ Rehearsal }, { SYSTEM_CLOCK }, limits, tls] = await Promise.all([
  import('../../src/containers/process/rehearsal.ts'),
  import('../../src/time/system-clock.ts'),
  limitsOf(),
  tlsOf(),
])
const rehearsal = new Rehearsal({ tls, limits, kind: 'raw', clock: SYSTEM_CLOCK })
let heap = 0
let cpu = process.cpuUsage()
let result: MoveCounts | undefined
await rehearsal.run(0, () => {
  if (rehearsal.moves === WARM_UP) {
    globalThis.gc?.()
    if (counts !== undefined) reset(counts)
    heap = process.memoryUsage().heapUsed
    cpu = process.cpuUsage()
  }
  if (rehearsal.moves < WARM_UP + moves) return false
  result = resultOf()
  return true
})
process.stdout.write(`${JSON.stringify(result)}\n`)

function resultOf(): MoveCounts {
  const { user, system } = process.cpuUsage(cpu)
  const grown = process.memoryUsage().heapUsed - heap
  const each = (sum: number): number => Math.round((sum / moves) * 100) / 100
  const sum = (map: Map<string, number> | undefined): number =>
    each([...(map?.values() ?? [])].reduce((one, other) => one + other, 0))
  const { foreign = [], arrays = [], timers = [] } = counts ?? {}
  const byName = [...foreign, ...[...arrays].map(named), ...timers]
  return {
    moves,
    foreignCalls: sum(counts?.foreign),
    typedArrays: sum(counts?.arrays),
    timers: sum(counts?.timers),
    heapBytes: grown > 0 ? each(grown) : undefined,
    user: each(user),
    system: each(system),
    byName: Object.fromEntries(byName.map(([name, value]) => [name, each(value)])),
  }
}

function named([name, value]: readonly [string, number]): [string, number] {
  return [`Uint8Array ${name}`, value]
}

async function limitsOf() {
  const [h1, h2, timers] = await Promise.all([
    import('../../src/http/h1/limits.ts'),
    import('../../src/http/h2/index.ts'),
    import('../../src/http/timers.ts'),
  ])
  return {
    timers: timers.DEFAULT_TIMERS,
    quietMilliseconds: 50,
    http: h1.DEFAULT_LIMITS,
    http2: h2.DEFAULT_H2_LIMITS,
  }
}

/** A certificate of its own, and the provider that the platform takes by default. */
async function tlsOf() {
  const [{ makeCertificates }, { loadCertificate }, { certificateWithKey }, { loadProvider }, evp] =
    await Promise.all([
      import('../../src/certificates/authority.ts'),
      import('../../src/certificates/load.ts'),
      import('../../src/tls13/authentication.ts'),
      import('../../src/platform/membership.ts'),
      import('../../src/tls13/crypto/evp.ts'),
    ])
  const provider = await loadProvider(evp.probeEvp().available ? 'evp' : 'node')
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-counts-'))
  try {
    await makeCertificates({
      directory,
      certificates: [{ name: 'bench', hosts: ['one.local'] }],
      now: Date.now(),
    })
    const { chain, privateKey } = loadCertificate(directory, 'bench')
    return { provider, certificates: [certificateWithKey(provider, chain, privateKey)] }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
