import { beforeEach, describe, expect, it } from 'vitest'
import { LIFE_CYCLE, LifeCycle, type ReplicaState, type Step } from '../../src/supervisor/life-cycle.ts'

const POLICY = { first: 100, most: 1000, healthyAfter: 5000, crashLoop: 4 }
let life: LifeCycle
let now: number
beforeEach(() => {
  life = new LifeCycle(POLICY)
  now = 0
})

/** Its process ends, and the next one is started. @returns the delay between them, with the largest jitter */
function crash(readyFor?: number): number | undefined {
  if (readyFor !== undefined) {
    life.ready(now)
    now += readyFor
  }
  const delay = life.ended(now, 1)
  now += delay ?? 0
  return delay
}
function crashAndStart(readyFor?: number): number | undefined {
  const delay = crash(readyFor)
  life.started()
  return delay
}

describe('the life of a replica', () => {
  it('starts, is ready, drains and ends; nothing comes after that', () => {
    const states: ReplicaState[] = [life.state]
    const note = (): void => void states.push(life.state)
    life.ready(0)
    note()
    life.drain()
    note()
    expect(life.stays).toBe(false)
    expect(life.ended(1, 0.5)).toBeUndefined()
    note()
    life.ready(2)
    life.started()
    note()
    expect(states).toEqual(['starting', 'ready', 'draining', 'ended', 'ended'])
    expect(life.restarts).toBe(0)
  })

  it('is started again after a delay that doubles up to a bound, and less of it by chance', () => {
    const patient = new LifeCycle({ ...POLICY, crashLoop: 100 })
    const delays = Array.from({ length: 6 }, () => patient.ended(0, 1))
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(new LifeCycle(POLICY).ended(0, 0)).toBe(50)
    expect(patient.restarts).toBe(6)
  })

  it('tells of each step, with how a process ended and when the next one starts', () => {
    const steps: Step[] = []
    const told = new LifeCycle({ ...POLICY, crashLoop: 2 }, step => steps.push(step))
    told.ready(0)
    told.ended(1, 1, 'SIGKILL')
    told.started()
    told.ended(2, 1, 'exit code 1')
    told.started()
    told.ended(3, 1)
    told.drain()
    told.ended(4, 1)
    const line = ({ from, event, to, how = '', delay }: Step) =>
      `${from} ${event} ${to} ${how} ${delay ?? ''}`
    expect(steps.map(line)).toEqual([
      'starting ready ready  ',
      'ready end backing-off SIGKILL 100',
      'backing-off start starting  ',
      'starting loop crash-looping exit code 1 1000',
      // A start changes nothing in a crash loop.
      'crash-looping loop crash-looping  1000',
      'crash-looping drain draining  ',
      'draining loop ended  ',
    ])
  })

  it('forgets what ended before a process that was healthy', () => {
    crashAndStart()
    crashAndStart()
    expect(crashAndStart(4999)).toBe(400)
    expect(crash(5000)).toBe(100)
    expect(life.state).toBe('backing-off')
  })

  it('is crash-looping after so many ends in a row, slow from then on, and ready when a process is', () => {
    for (let i = 0; i < 3; i++) crashAndStart(10)
    expect(life.state).toBe('starting')
    expect(crashAndStart()).toBe(1000)
    expect(life.state).toBe('crash-looping')
    expect(crashAndStart()).toBe(1000)
    life.ready(now)
    expect(life.state).toBe('ready')
    now += 10
    expect(life.ended(now, 1)).toBe(1000)
    expect(life.state).toBe('crash-looping')
    life.ready(now)
    expect(life.ended(now + 5000, 1)).toBe(100)
    expect(life.state).toBe('backing-off')
  })

  it('can be told to end wherever it is', () => {
    const ways: (() => void)[] = [
      () => {},
      () => life.ready(0),
      () => void life.ended(0, 0),
      () => {
        for (let i = 0; i < 4; i++) life.ended(0, 0)
      },
    ]
    for (const way of ways) {
      life = new LifeCycle(POLICY)
      way()
      life.drain()
      expect(life.state).toBe('draining')
      expect(life.ended(0, 0)).toBeUndefined()
    }
  })

  it('has a way out of every state but the last', () => {
    for (const [state, moves] of Object.entries(LIFE_CYCLE))
      expect(Object.keys(moves).length > 0, state).toBe(state !== 'ended')
  })
})
