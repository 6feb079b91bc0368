import { readSync, writeSync } from 'node:fs'
import type { Together } from '../floor/together.ts'
import type { CpuTimes } from './one-process.ts'
import type { Mover } from './rows.ts'

/**
 * A process with two owners, a client and one connection that moves: `node one-process-peer.js MOVER`. It is
 * given a number of moves on a line, makes them, and gives the CPU time of one, as JSON on a line. Between
 * two orders it waits in the kernel, not in its loop: the platform's moves cannot be interrupted otherwise.
 */
async function main(mover: Mover): Promise<void> {
  if (mover === 'floor') {
    const { Together } = await import('../floor/together.ts')
    const floor: Together = await Together.open()
    for (;;) {
      const count = nextOrder()
      const before = process.cpuUsage()
      await floor.move(count)
      answer(before, count)
    }
  }
  const { openRehearsal } = await import('../rig/rehearsal.ts')
  const rehearsal = await openRehearsal()
  let [end, count] = [0, 0]
  let before = process.cpuUsage()
  await rehearsal.run(0, () => {
    if (rehearsal.moves < end) return false
    if (count > 0) answer(before, count)
    count = nextOrder()
    end = rehearsal.moves + count
    before = process.cpuUsage()
    return false
  })
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
  const times: CpuTimes = { user: user / moves, system: system / moves }
  writeSync(1, `${JSON.stringify(times)}\n`)
}

await main(process.argv[2] as Mover)
