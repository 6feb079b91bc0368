import { describe, expect, it } from 'vitest'
import { Reliefs } from '../../src/supervisor/reliefs.ts'
import { Replica } from '../../src/supervisor/replica.ts'
import { HandClock } from '../support/hand-clock.ts'

const POLICY = { first: 100, most: 1000, healthyAfter: 10_000, crashLoop: 5 }

function scene(relieve: (replica: Replica) => Promise<unknown> = async () => {}) {
  const clock = new HandClock()
  const said: string[] = []
  const relieved: string[] = []
  const note = (...all: unknown[]): void => void said.push(String(all.at(-1)))
  const log = { info: note, warn: note, error: note, debug: note, fatal: note }
  const reliefs = new Reliefs(clock, log as never, POLICY, replica => {
    relieved.push(replica.name)
    return relieve(replica)
  })
  const replica = (name: string): Replica => {
    const settings = { functionName: name.split('-')[0] }
    const made = new Replica({ name, entry: new URL('file:///'), settings } as never, POLICY)
    made.life.ready(clock.steady())
    return made
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
  return { clock, reliefs, replica, relieved, said, settle }
}

describe('a container whose function throws outside of its calls', () => {
  it('is relieved once, however often it says so', async () => {
    const { clock, reliefs, replica, relieved, said, settle } = scene()
    const one = replica('echo-1')
    expect(reliefs.knows('echo')).toBe(false)
    for (let times = 1; times <= 3; times++) reliefs.wanted(one, times)
    expect(reliefs.knows('echo')).toBe(true)
    expect(relieved).toEqual([])
    clock.pass(100)
    await settle()
    expect(relieved).toEqual(['echo-1'])
    expect(said).toEqual(['echo-1: its function threw outside of its calls; it is being replaced'])
  })

  it('is left alone when it is being drained by then', async () => {
    const { clock, reliefs, replica, relieved, settle } = scene()
    const one = replica('echo-1')
    reliefs.wanted(one, 1)
    one.life.drain()
    clock.pass(100)
    await settle()
    reliefs.wanted(one, 2)
    clock.pass(10_000)
    expect(relieved).toEqual([])
  })

  it('is relieved more and more seldom, and at once again after a long peace', async () => {
    const { clock, reliefs, replica, relieved, settle } = scene()
    const waits: number[] = []
    const again = async (number: number): Promise<void> => {
      const before = clock.steady()
      reliefs.wanted(replica(`echo-${number}`), 1)
      while (relieved.length < number) {
        clock.pass(10)
        await settle()
      }
      waits.push(clock.steady() - before)
    }
    for (let number = 1; number <= 4; number++) await again(number)
    expect(waits[0]).toBeLessThanOrEqual(110)
    expect(waits[3]).toBeGreaterThanOrEqual(400)
    clock.pass(POLICY.healthyAfter)
    await again(5)
    expect(waits[4]).toBeLessThanOrEqual(110)
  })

  it('goes on, with a line of log, if no other one starts; then it may be tried again', async () => {
    const { clock, reliefs, replica, relieved, said, settle } = scene(() => Promise.reject(new Error('full')))
    const one = replica('echo-1')
    for (let times = 1; times <= 2; times++) {
      reliefs.wanted(one, times)
      clock.pass(1000)
      await settle()
    }
    expect(relieved).toEqual(['echo-1', 'echo-1'])
    expect(said.at(-1)).toBe('echo-1 is not replaced: full')
  })
})
