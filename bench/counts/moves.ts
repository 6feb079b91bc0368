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

/*
 * `node moves.js MOVES [uncounted] [floor]`: makes so many moves in this process, of the platform or of the
 * floor, and prints {@link MoveCounts} as JSON.
 */
const [, , asked = '1000', ...words] = process.argv
const moves = Number(asked)
// Before anything else is loaded: it binds foreign functions.
const counts = words.includes('uncounted') ? undefined : count()
let heap = 0
let cpu = process.cpuUsage()
const result = await (words.includes('floor') ? floorMoves() : platformMoves())
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit()

async function floorMoves(): Promise<MoveCounts> {
  const { Together } = await import('../floor/together.ts')
  const floor = await Together.open()
  await floor.move(WARM_UP)
  begin()
  await floor.move(moves)
  return resultOf()
}

async function platformMoves(): Promise<MoveCounts> {
  const { openRehearsal } = await import('../rig/rehearsal.ts')
  const rehearsal = await openRehearsal()
  let found: MoveCounts | undefined
  await rehearsal.run(0, () => {
    if (rehearsal.moves === WARM_UP) begin()
    if (rehearsal.moves < WARM_UP + moves) return false
    found = resultOf()
    return true
  })
  return found!
}

function begin(): void {
  globalThis.gc?.()
  if (counts !== undefined) reset(counts)
  heap = process.memoryUsage().heapUsed
  cpu = process.cpuUsage()
}

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
