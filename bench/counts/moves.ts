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

const { openRehearsal } = await import('../rig/rehearsal.ts')
const rehearsal = await openRehearsal()
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
