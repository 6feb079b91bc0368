import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Guardian, MARK } from '../../../src/functions/programs/guardian.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { eventually, isRunning } from '../../support/platform.ts'

const gone = (pid: number): Promise<true> =>
  eventually(() => (isRunning(pid) ? undefined : true), `${pid} still runs`)

describe('the guardian', () => {
  it('ends the group that it was told of, and all that have the mark, and removes the sockets', async () => {
    const sockets = mkdtempSync(join(tmpdir(), 'hotpotato-sockets-'))
    const guardian = new Guardian('app-1', sockets, SYSTEM_CLOCK, () => {})
    // One whose environment cannot be read any more, as that of those that write their title into it.
    const group = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: {} })
    guardian.watch(group.pid!)
    const env = { PATH: process.env.PATH, [MARK]: guardian.mark }
    const marked = spawn('setsid', ['sh', '-c', 'sleep 1000 & sleep 1000'], { stdio: 'ignore', env })
    const other = spawn('sleep', ['1000'], { stdio: 'ignore', env: { [MARK]: `${guardian.mark}0` } })
    await new Promise(resolve => setTimeout(resolve, 100))
    guardian.close()
    await gone(group.pid!)
    await gone(marked.pid!)
    await eventually(() => !existsSync(sockets) || undefined, 'the sockets are still there')
    expect(isRunning(other.pid!)).toBe(true)
    other.kill('SIGKILL')
  })

  it('is started again when it is killed, and knows what it has to', async () => {
    const lost: string[] = []
    const guardian = new Guardian('app-1', '', SYSTEM_CLOCK, how => lost.push(how))
    const group = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: {} })
    guardian.watch(group.pid!)
    process.kill(guardian.pid!, 'SIGKILL')
    const first = guardian.pid
    await eventually(() => (lost.length === 1 && guardian.pid !== first) || undefined, 'none followed')
    expect(isRunning(group.pid!)).toBe(true)
    guardian.close()
    await gone(group.pid!)
  })
})
