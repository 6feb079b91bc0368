import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AsyncSettings, QueueSettings } from '../../src/platform/queue-settings.ts'
import type { Caller } from '../../src/queue/caller.ts'
import type { Outcome } from '../../src/queue/life.ts'
import { Queue } from '../../src/queue/queue.ts'
import type { CallRecord } from '../../src/queue/record.ts'
import { nameOf, Store } from '../../src/queue/store.ts'
import { utf8 } from '../../src/wire/index.ts'
import { answered, call, QUICK_PLACE } from '../support/calls.ts'
import { HandClock } from '../support/hand-clock.ts'
import { eventually } from '../support/platform.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(QUICK_PLACE, 'hotpotato-queue-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const OF_F: AsyncSettings = { retries: 2, first: 1000, most: 8000, timeout: 1000, concurrency: 2 }

async function scene(
  more: Partial<QueueSettings> = {},
  answer: () => Outcome = () => answered(200),
  step?: (what: string) => void,
) {
  const settings: QueueSettings = {
    ...{ directory, callbacks: [], callBytes: 1000, answerBytes: 1000, calls: 10, bytes: 100_000 },
    ...{ concurrency: 3, deadLetters: 100, functions: { f: OF_F, g: OF_F } },
    ...more,
  }
  const store = new Store(directory, step)
  await store.open()
  const errors: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (one: unknown) => void errors.push(one) }
  const clock = new HandClock()
  const made: { record: CallRecord; settle: (outcome?: Outcome) => void }[] = []
  const make = (record: CallRecord): Promise<Outcome> =>
    new Promise(resolve => made.push({ record, settle: outcome => resolve(outcome ?? answer()) }))
  const caller: Caller = { call: make, tell: make }
  const queue = new Queue({ store, caller, settings, clock, log, random: () => 0.5 })
  const underway = (count: number): Promise<unknown> =>
    eventually(() => made.length >= count || undefined, `there are not ${count} calls`)
  const over = (): Promise<unknown> => eventually(() => queue.size === 0 || undefined, 'calls are left')
  const accept = (id: string, rest: Partial<CallRecord> = {}) =>
    queue.accept(call({ id, dueAt: clock.wall(), ...rest }))
  return { store, clock, made, queue, underway, over, accept, errors }
}

describe('a queue', () => {
  it('has a call on the disk when it says so, calls, and forgets it', async () => {
    const { store, queue, accept, made, underway, over } = await scene()
    await queue.deliver()
    expect(await accept('a')).toBe('kept')
    expect(store.names('calls')).toEqual([nameOf('a')])
    await underway(1)
    expect(made[0]!.record).toMatchObject({ id: 'a', target: '/x?y' })
    made[0]!.settle()
    await over()
    expect([store.names('calls'), store.names('dead')]).toEqual([[], []])
    expect(queue.bytes).toBe(0)
  })

  it('keeps what it is given before it may call, and takes up what lies there', async () => {
    const first = await scene()
    await first.accept('a')
    const second = await scene()
    expect(second.queue.size).toBe(0)
    await second.queue.deliver()
    await second.underway(1)
    second.made[0]!.settle()
    await second.over()
    expect(first.made).toEqual([])
  })

  it('calls once for a request that is sent twice, and refuses another one of the same id', async () => {
    const { queue, accept } = await scene()
    expect(await Promise.all([accept('a'), accept('a')])).toEqual(['kept', 'known'])
    expect(await accept('a', { body: utf8('other') })).toBe('differs')
    expect(queue.size).toBe(1)
  })

  it('has limits, and room again when calls are over', async () => {
    const { queue, accept, made, underway, over } = await scene({ calls: 2, bytes: 2000 })
    expect(await accept('a')).toBe('kept')
    expect(await accept('b', { body: new Uint8Array(2000) })).toBe('too much')
    expect(await accept('b')).toBe('kept')
    expect(await accept('c')).toBe('too many')
    await queue.deliver()
    await underway(2)
    for (const { settle } of made) settle()
    await over()
    expect(await accept('c')).toBe('kept')
  })

  it('gives each function its share, and all together theirs', async () => {
    const { queue, accept, made, underway } = await scene()
    await queue.deliver()
    for (const id of ['1', '2', '3', '4']) await accept(`f${id}`)
    await accept('g1', { functionName: 'g' })
    await accept('g2', { functionName: 'g' })
    await underway(3)
    const names = (): string[] => made.map(({ record }) => record.functionName)
    expect(names().toSorted()).toEqual(['f', 'f', 'g'])
    made.find(({ record }) => record.functionName === 'f')!.settle()
    await underway(4)
    for (let i = 0; i < 6; i++) {
      await underway(Math.min(6, i + 1))
      made[i]!.settle()
    }
    expect(names().toSorted()).toEqual(['f', 'f', 'f', 'f', 'g', 'g'])
  })

  it('tries again when the time has come, and not before', async () => {
    const { queue, accept, made, clock, underway, store } = await scene()
    await queue.deliver()
    await accept('a')
    await underway(1)
    made[0]!.settle(answered(503))
    const failed = async () => ((await store.get('calls', nameOf('a')))?.failures === 1 ? true : undefined)
    await eventually(failed, 'the failure is not on the disk')
    clock.pass(499)
    await new Promise(resolve => setImmediate(resolve))
    expect(made.length).toBe(1)
    await eventually(() => {
      clock.pass(1)
      return made.length === 2 || undefined
    }, 'it is not tried again')
  })

  it('buries what is given up, and takes up a letter that comes back', async () => {
    const { queue, accept, made, underway, over, store } = await scene()
    await queue.deliver()
    await accept('a')
    await underway(1)
    made[0]!.settle({ kind: 'impossible', reason: 'no' })
    await over()
    expect(store.names('dead')).toEqual([nameOf('a')])
    expect(await store.revive(nameOf('a'), call({ id: 'a', dueAt: 1 }))).toBe(true)
    await Promise.all([queue.look(nameOf('a')), queue.look(nameOf('a'))])
    await underway(2)
    expect(queue.size).toBe(1)
    made[1]!.settle()
    await over()
  })

  it('forgets a call that was removed while it was underway', async () => {
    const { queue, accept, made, underway, over, store } = await scene()
    await queue.deliver()
    await accept('a')
    await underway(1)
    await store.remove('a')
    made[0]!.settle(answered(503))
    await over()
    expect([store.names('calls'), store.names('dead')]).toEqual([[], []])
  })

  it('forgets a call that was removed before its turn', async () => {
    const { queue, accept, made, over, store } = await scene()
    await accept('a')
    await store.remove('a')
    await queue.deliver()
    await over().catch(() => {})
    expect(made).toEqual([])
  })

  it('keeps a call anew whose file was removed, and calls it once', async () => {
    const { queue, accept, made, underway, clock, store, over } = await scene()
    await queue.deliver()
    await accept('a')
    await underway(1)
    made[0]!.settle(answered(503))
    await eventually(async () => (await store.get('calls', nameOf('a')))?.failures === 1 || undefined, 'no')
    // As a command does.
    expect(await new Store(directory).remove('a')).toBe(true)
    expect(await accept('a')).toBe('kept')
    expect(store.names('calls')).toEqual([nameOf('a')])
    await underway(2)
    clock.pass(100_000)
    made[1]!.settle()
    await over()
    expect([made.length, queue.bytes]).toEqual([2, 0])
  })

  it('does not ask again for what it knows while the disk refuses it', async () => {
    const full = { is: false }
    const step = (what: string): void => {
      if (full.is && what === 'create') throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    }
    const { queue, accept, made, underway, clock, store, errors } = await scene({}, undefined, step)
    await queue.deliver()
    await accept('a')
    await underway(1)
    full.is = true
    made[0]!.settle(answered(503))
    for (let refused = 1; refused < 5; refused++) {
      await eventually(() => errors.length >= refused || undefined, 'the log does not say so')
      clock.pass(1000)
    }
    full.is = false
    await eventually(async () => {
      clock.pass(1000)
      return (await store.get('calls', nameOf('a')))?.failures === 1 || made.length > 1 || undefined
    }, 'the failure is not on the disk')
    await underway(2)
    expect(made[1]!.record.failures).toBe(1)
  })
})
