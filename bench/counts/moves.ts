import { readSync, writeSync } from 'node:fs'
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
/** Idle connections that a host hands over when it drains: more than are on their way at once. */
const CONNECTIONS = 500

/*
 * `node moves.js MOVES [uncounted] [stepped] [floor | drains | warm]`: makes so many moves in this process,
 * of the platform or of the floor, and prints {@link MoveCounts} as JSON. `drains`: idle connections are
 * handed over together, from one host of the platform to the next. `warm`: the platform's hosts keep seats.
 * `stepped`: it says `ready` when it is warm, and waits for a line before the moves, and for the input's end
 * behind them.
 */
const [, , asked = '1000', ...words] = process.argv
const moves = Number(asked)
const stepped = words.includes('stepped')
// Before anything else is loaded: it binds foreign functions.
const counts = words.includes('uncounted') ? undefined : count()
let heap = 0
let cpu = process.cpuUsage()
const made = words.includes('floor') ? floorMoves() : words.includes('drains') ? drains() : platformMoves()
const result = await made
writeSync(1, `${JSON.stringify(result)}\n`)
if (stepped) waitForLine()
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
  const rehearsal = await openRehearsal(words.includes('warm'))
  let found: MoveCounts | undefined
  await rehearsal.run(0, () => {
    if (rehearsal.moves === WARM_UP) begin()
    if (rehearsal.moves < WARM_UP + moves) return false
    found = resultOf()
    return true
  })
  return found!
}

async function drains(): Promise<MoveCounts> {
  const { openDrains } = await import('../rig/drains.ts')
  const { drain } = await openDrains(CONNECTIONS)
  for (let made = 0; made < WARM_UP; made += CONNECTIONS) await drain()
  begin()
  for (let made = 0; made < moves; made += CONNECTIONS) await drain()
  return resultOf()
}

/** In the kernel: moves that are underway cannot wait otherwise. */
function waitForLine(): void {
  readSync(0, Buffer.alloc(1))
}

function begin(): void {
  globalThis.gc?.()
  if (stepped) {
    writeSync(1, 'ready\n')
    waitForLine()
  }
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
