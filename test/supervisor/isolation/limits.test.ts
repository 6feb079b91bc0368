import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmdirSync } from 'node:fs'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { Cgroups } from '../../../src/supervisor/cgroups/cgroups.ts'
import { survey } from '../../../src/supervisor/cgroups/hierarchy.ts'
import { excess, LimitWatch } from '../../../src/supervisor/isolation/limit-watch.ts'
import { Payload } from '../../../src/supervisor/isolation/payload.ts'
import { family, usageOf } from '../../../src/supervisor/isolation/usage.ts'
import { isWithin, outermost, ways } from '../../../src/supervisor/isolation/visible.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { HandClock } from '../../support/hand-clock.ts'

const MiB = 2 ** 20

describe('what a container may use', () => {
  it.each([
    ['as much as it may', { memory: 64 * MiB }, { memory: 64 * MiB, processes: 256 }, undefined],
    [
      'more memory',
      { memory: 64 * MiB },
      { memory: 65 * MiB, processes: 1 },
      'it holds 65 MiB of memory, and may hold 64',
    ],
    ['any memory', {}, { memory: 2 ** 40, processes: 1 }, undefined],
    ['more processes', {}, { memory: 0, processes: 257 }, 'it has more than 256 processes'],
    ['more processes of few', { processes: 3 }, { memory: 0, processes: 4 }, 'it has more than 3 processes'],
  ])('%s', (_, limits, usage, why) => {
    expect(excess(limits, usage)).toBe(why)
  })
})

describe('a process and what it has started', () => {
  it('is counted, wherever in the family, and ended as a whole', async () => {
    const child = spawn('sh', ['-c', 'sh -c "sleep 60 & sleep 60" & sleep 60 & wait'], { stdio: 'ignore' })
    let pids: number[] = []
    while (pids.length < 5) {
      await new Promise(resolve => setTimeout(resolve, 10))
      pids = family(child.pid!, 100)
    }
    expect(pids).toHaveLength(5)
    expect(family(child.pid!, 3)).toHaveLength(3)
    const { memory, processes } = usageOf(child.pid!, 100)
    expect([memory > 0, processes]).toEqual([true, 5])
    const payload = new Payload(child, 0)
    expect(payload.pid).toBe(child.pid)
    const ended = once(child, 'exit')
    payload.killAll('it was asked to')
    expect(await ended).toEqual([null, 'SIGKILL'])
    expect(payload.why).toBe('it was asked to')
    for (const pid of pids.slice(1)) await gone(pid)
  })

  const { trees, problem } = survey()
  const lacking = trees.length > 0 ? '' : ` (SKIPPED: ${problem?.what})`
  it.skipIf(trees.length === 0)(`is counted by us if it is not in its cgroup${lacking}`, async () => {
    const cgroups = new Cgroups(SYSTEM_CLOCK, pino({ level: 'silent' }))
    const child = spawn('sh', ['-c', 'sleep 60 & sleep 60 & sleep 60 & wait'], { stdio: 'ignore' })
    try {
      const group = cgroups.make('one-1', { tasks: 1024 })!
      for (const path of group.paths) rmdirSync(path)
      while (family(child.pid!, 9).length < 4) await new Promise(resolve => setTimeout(resolve, 10))
      const payload = new Payload(child, 0, undefined, group)
      const ends: string[] = []
      const clock = new HandClock()
      const watched = [{ payload, limits: { processes: 3 } }]
      const watch = new LimitWatch(
        clock,
        () => watched,
        (_, why) => ends.push(why),
      )
      await expect(payload.enclose()).rejects.toThrow('ENOENT')
      clock.pass(1000)
      watch.stop()
      expect(ends).toEqual(['it has more than 3 processes'])
    } finally {
      new Payload(child, 0).killAll('the test is over')
      await cgroups.close()
    }
  })

  it.skipIf(trees.length === 0)(
    `is ended for what its cgroup refused it, even if it does not respond${lacking}`,
    async () => {
      const cgroups = new Cgroups(SYSTEM_CLOCK, pino({ level: 'silent' }))
      const child = spawn('sh', ['-c', 'read go; while :; do sleep 60 & done'], {
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      const group = cgroups.make('one-1', { tasks: 5 })!
      const payload = new Payload(child, 0, undefined, group)
      try {
        await payload.enclose()
        child.stdin!.end('\n')
        while (group.excess() === undefined) await new Promise(resolve => setTimeout(resolve, 10))
        payload.kill('it did not respond')
        expect(payload.why).toBe('it has more than 5 processes and threads')
      } finally {
        payload.killAll('the test is over')
        await cgroups.close()
      }
    },
  )

  it('is found behind what wraps it', async () => {
    // Ended by nothing else, however late it is killed.
    const child = spawn('sh', ['-c', 'sh -c "sleep 60; true"; kill -STOP $$'], { stdio: 'ignore' })
    const payload = new Payload(child, 2)
    while (family(child.pid!, 9).length < 3) await new Promise(resolve => setTimeout(resolve, 10))
    expect(payload.pid).toBe(family(child.pid!, 9)[2])
    const ended = once(child, 'exit')
    payload.kill()
    // Not by itself: what wraps it may have been taken over by what it wraps.
    expect(await ended).toEqual([null, 'SIGKILL'])
  })

  it('is counted in a sandbox with what has lost its parent there', async () => {
    // In place of bubblewrap's first process: what it starts hangs on it when the payload's children end.
    const inner = `
import ctypes, os, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if os.fork() == 0:
    for _ in range(5):
        if os.fork() == 0:
            if os.fork() == 0: time.sleep(60)
            os._exit(0)
        os.wait()
    print('all', flush=True)
    time.sleep(60)
time.sleep(60)`
    const outer = 'import subprocess, sys; subprocess.run([sys.executable, "-c", sys.argv[1]])'
    const child = spawn('python3', ['-c', outer, inner], { stdio: ['ignore', 'pipe', 'ignore'] })
    const payload = new Payload(child, 2)
    // Not by their number: one that is to end soon would count for the last one that stays.
    await once(child.stdout, 'data')
    expect(family(child.pid!, 99)).toHaveLength(8)
    expect(payload.usage(99)!.processes).toBe(6)
    const pids = family(child.pid!, 99)
    const ended = once(child, 'exit')
    payload.killAll('the test is over')
    await ended
    for (const pid of pids.slice(1)) await gone(pid)
  })

  const isRoot = process.getuid?.() === 0
  const rootAlone = isRoot ? '' : ' (SKIPPED: root alone can make ids come round again)'
  it.skipIf(!isRoot)(`is the oldest one, not the one of the lowest id${rootAlone}`, () => {
    const built = new URL('../../../dist/src/supervisor/isolation/usage.js', import.meta.url).href
    const code = `
const { spawn } = await import('node:child_process')
const { writeFileSync } = await import('node:fs')
const { firstChild } = await import('${built}')
const started = [5000, 3000].map(last => {
  writeFileSync('/proc/sys/kernel/ns_last_pid', String(last))
  return spawn('sleep', ['60']).pid
})
console.log(JSON.stringify([started, firstChild(process.pid)]))
process.exit(0)`
    const words = ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath]
    const { stdout, stderr } = spawnSync('unshare', [...words, '--input-type=module', '-e', code])
    expect(stderr.toString()).toBe('')
    expect(JSON.parse(stdout.toString())).toEqual([[5001, 3001], 5001])
  })
})

/** Waits for the end of a process that is no child of ours. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

describe('paths that are shown', () => {
  it('are those that lie in no other one', () => {
    expect(outermost(['/a/b', '/a', '/ab', '/a', '/c/d'])).toEqual(['/a', '/ab', '/c/d'])
    expect([isWithin('/a/b', '/a'), isWithin('/ab', '/a'), isWithin('/a', '/')]).toEqual([true, false, true])
  })

  it('are led to', () => {
    expect(ways(['/a/b/c', '/a/d', '/e'])).toEqual(['/a', '/a/b'])
  })
})
