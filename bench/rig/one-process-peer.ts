import { readSync, writeSync } from 'node:fs'
import type { CpuTimes, Mover } from './one-process.ts'

/**
 * A process with two owners, a client and one connection that moves: `node one-process-peer.js MOVER`. It is
 * given a number of moves on a line, makes them, and gives the CPU time of one, as JSON on a line. Between
 * two orders it waits in the kernel, not in its loop: the platform's moves cannot be interrupted otherwise.
 */
async function main(mover: Mover): Promise<void> {
  let [end, count] = [0, 0]
  let before: NodeJS.CpuUsage | undefined
  /** Whether more moves are to be made; if not, it says so and waits until there are. */
  const go = (moves: number): void => {
    while (moves >= end) {
      if (before !== undefined) answer(before, count)
      count = nextOrder()
      end = moves + count
      before = process.cpuUsage()
    }
  }
  if (mover === 'platform') {
    const { openRehearsal } = await import('./rehearsal.ts')
    const rehearsal = await openRehearsal()
    await rehearsal.run(0, () => {
      go(rehearsal.moves)
      return false
    })
  }
  const { Together } = await import('../floor/together.ts')
  const floor = await Together.open()
  for (let moves = 0; ; moves = end) {
    go(moves)
    await floor.move(count)
  }
}

const line = Buffer.alloc(32)

/** Ends this process when there is none any more. */
function nextOrder(): number {
  const length = readSync(0, line)
  if (length === 0) process.exit()
  return Number(line.toString('latin1', 0, length))
}

function answer(before: NodeJS.CpuUsage, moves: number): void {
  const { user, system } = process.cpuUsage(before)
  const each = Math.max(1, moves)
  const times: CpuTimes = { user: user / each, system: system / each }
  writeSync(1, `${JSON.stringify(times)}\n`)
}

await main(process.argv[2] as Mover)
