import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'

const CLOCK = fileURLToPath(new URL('../../dist/src/time/system-clock.js', import.meta.url))

/** What a program prints that has the clock of the machine as `clock`. */
function run(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', importing(program)], {
    encoding: 'utf8',
  })
}

const importing = (program: string): string =>
  `const { SYSTEM_CLOCK: clock } = await import(${JSON.stringify(CLOCK)})\n${program}`

describe('the clock of the machine', () => {
  it('never rings early, whatever the delay', async () => {
    const rung: number[] = []
    const delays = Array.from({ length: 40 }, (_, i) => 1 + ((i * 7) % 40))
    await Promise.all(
      delays.map(
        delay =>
          new Promise<void>(resolve => {
            const begin = performance.now()
            SYSTEM_CLOCK.after(delay, () => {
              rung.push(delay)
              expect(performance.now() - begin).toBeGreaterThanOrEqual(delay)
              resolve()
            })
          }),
      ),
    )
    expect(rung.length).toBe(delays.length)
  })

  it('asks Node for no moment that has passed while timers rang: from Node 24 on that warns', () => {
    const said = run(`
      const delays = []
      const { setTimeout: original } = globalThis
      globalThis.setTimeout = (ring, delay) => original(ring, delays.push(delay) && delay)
      clock.after(5, () => {
        clock.after(10, () => console.log(Math.min(...delays)))
        for (const end = performance.now() + 60; performance.now() < end;);
      })
    `)
    expect(Number(said)).toBeGreaterThanOrEqual(1)
  })

  it('asks Node for one timer, however many are armed and stopped', () => {
    const one = SYSTEM_CLOCK.after(60_000, () => {})
    const asked = vi.spyOn(globalThis, 'setTimeout')
    try {
      const timers = Array.from({ length: 100 }, () => SYSTEM_CLOCK.timer(() => {}))
      for (let i = 0; i < 1000; i++) timers[i % 100]!.after(100_000 + i).after(200_000)
      for (const timer of timers) timer.stop()
      // What was known before may be earlier than all of them.
      expect(asked.mock.calls.length).toBeLessThanOrEqual(1)
    } finally {
      asked.mockRestore()
      one.stop()
    }
  })

  it('rings in the context of no request', async () => {
    const store = new AsyncLocalStorage<string>()
    const seen = await new Promise(resolve => {
      store.run('a request', () => SYSTEM_CLOCK.after(1, () => resolve(store.getStore())))
    })
    expect(seen).toBeUndefined()
  })

  it.each([
    ['lives for a timer', 'clock.after(20, () => console.log("rung"))', 'rung\n'],
    ['does not live for one that is unrefed', 'clock.after(9000, () => console.log("rung")).unref()', ''],
    ['does not live for one that is stopped', 'clock.after(5000, () => console.log("rung")).stop()', ''],
    [
      'lives for the last one that it needs',
      `clock.after(10, () => console.log('free')).unref()
       const stopped = clock.after(9000, () => console.log('stopped'))
       clock.after(30, () => { console.log('rung'); stopped.stop() })`,
      'free\nrung\n',
    ],
    [
      'goes on ringing when one of them throws and that is survived',
      `process.on('uncaughtException', error => console.log(error.message))
       clock.after(5, () => { throw new Error('a fault') })
       clock.after(5, () => console.log('the next'))`,
      'a fault\nthe next\n',
    ],
  ])('a process %s', (_, program, printed) => {
    expect(run(program)).toBe(printed)
  })
})

it('a process that was stopped for long reads what has come before it rings', async () => {
  const program = `process.stdin.on('data', () => console.log('read'))
    const begun = clock.exact()
    clock.after(1500, () => { console.log('rung', clock.exact() - begun > 2400); process.exit() })
    console.log('begun')`
  const said = async (): Promise<string[]> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', importing(program)])
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      if (line !== 'begun') continue
      child.kill('SIGSTOP')
      child.stdin.write('x')
      await sleep(2500)
      child.kill('SIGCONT')
    }
    return lines
  }
  let lines = await said()
  // A busy machine stopped it too late.
  for (let tries = 0; lines.includes('rung false') && tries < 10; tries++) lines = await said()
  expect(lines).toEqual(['begun', 'read', 'rung true'])
})
