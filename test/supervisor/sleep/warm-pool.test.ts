import { beforeEach, describe, expect, it } from 'vitest'
import { type Waiting, WarmPool } from '../../../src/supervisor/sleep/warm-pool.ts'
import { HandClock } from '../../support/hand-clock.ts'

interface Process extends Waiting {
  readonly number: number
  readonly end: () => void
}

const log = { warn() {}, info() {} } as never
const REFILL = 1000

let clock: HandClock
let started: Process[]
let killed: number[]
let count: number
let broken: boolean
let pool: WarmPool<Process>

beforeEach(() => {
  clock = new HandClock()
  started = []
  killed = []
  count = 2
  broken = false
  pool = new WarmPool({ clock, log, count: () => count, start })
  pool.fill()
})

function start(): Process {
  if (broken) throw new Error('no descriptor is free')
  const number = started.length + 1
  let end = (): void => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  const process = { number, ended, end, kill: () => killed.push(number) }
  started.push(process)
  return process
}

describe('a warm pool', () => {
  it('gives the process that has waited for longest, once, and starts another one later', () => {
    expect([pool.take()?.number, pool.take()?.number, pool.take()]).toEqual([1, 2, undefined])
    expect(started).toHaveLength(2)
    clock.pass(REFILL)
    expect([started.length, pool.size]).toEqual([4, 2])
  })

  it('does not give one that has ended, and takes its time with the next', async () => {
    started[0]!.end()
    await Promise.resolve()
    expect([pool.size, pool.take()?.number]).toEqual([1, 2])
  })

  it('tries again, more and more seldom, what cannot be started', () => {
    broken = true
    pool.take()
    for (let second = 0; second < 60; second++) clock.pass(1000)
    broken = false
    expect(started).toHaveLength(2)
    clock.pass(60_000)
    expect(pool.size).toBe(2)
  })

  it('becomes as large as it is to be', () => {
    count = 1
    pool.fill()
    expect([killed, pool.size]).toEqual([[1], 1])
    count = 0
    pool.fill()
    expect([killed, pool.size]).toEqual([[1, 2], 0])
  })

  it('ends all when it stops', () => {
    pool.stop()
    expect([killed, pool.size]).toEqual([[1, 2], 0])
    clock.pass(10_000)
    expect(started).toHaveLength(2)
  })
})
