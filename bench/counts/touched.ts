import { readFileSync, writeFileSync } from 'node:fs'
import { median } from '../harness/stats.ts'
import { type Mover, OneProcess } from '../rig/one-process.ts'

/** KiB of the pages that one move touches, of machine code and of all other memory. */
export interface Touched {
  readonly code: number
  readonly memory: number
}

/** Moves until the engine has compiled the path. */
const WARM_UP = 4000
/** There and back: each owner has given and taken once. */
const MOVES = 2
const ROUNDS = 15

/**
 * How much memory a move goes through, by the kernel's own marks: those of all pages are taken away
 * (`/proc/PID/clear_refs`, proc(5)), the moves made, and the pages looked at that have one again. What an
 * order without a move touches does not count. Pages are 4 KiB, so that this is what a translation buffer
 * sees; of caches it is an upper bound. @returns undefined where the kernel has no such marks
 */
export async function touched(mover: Mover): Promise<Touched | undefined> {
  const process = new OneProcess(mover)
  try {
    await process.move(WARM_UP)
    const rounds: Touched[] = []
    for (let i = 0; i < ROUNDS; i++) {
      const idle = await pagesOf(process, 0)
      const moving = await pagesOf(process, MOVES)
      rounds.push({ code: moving.code - idle.code, memory: moving.memory - idle.memory })
    }
    const middle = (of: (one: Touched) => number): number => median(rounds.map(of))
    return { code: middle(one => one.code), memory: middle(one => one.memory) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    return undefined
  } finally {
    process.close()
  }
}

async function pagesOf(process: OneProcess, moves: number): Promise<Touched> {
  writeFileSync(`/proc/${process.pid}/clear_refs`, '1')
  await process.move(moves)
  return referenced(readFileSync(`/proc/${process.pid}/smaps`, 'latin1'))
}

/** Adds up `Referenced` of all mappings in the form of `/proc/PID/smaps`: code is what may be executed. */
export function referenced(smaps: string): Touched {
  let [code, memory] = [0, 0]
  let executable = false
  for (const line of smaps.split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ ..(.)/.exec(line)
    if (mapping !== null) executable = mapping[1] === 'x'
    const size = Number(/^Referenced: +(\d+) kB/.exec(line)?.[1] ?? 0)
    if (executable) code += size
    else memory += size
  }
  return { code, memory }
}
