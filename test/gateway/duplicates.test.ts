import { fstatSync, writeSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Dispatch } from '../../src/gateway/dispatch.ts'
import { type Duplicate, Duplicates, slotsWithin } from '../../src/gateway/duplicates.ts'
import type { Unclean } from '../../src/gateway/unclean.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import type { Peer } from '../../src/transfer/control.ts'
import type { Courier } from '../../src/transfer/courier.ts'
import type { Release } from '../../src/transfer/custody.ts'
import type { TakeOver } from '../../src/transfer/leg.ts'
import { type Libc, probe } from '../../src/transfer/native/libc.ts'
import { HEADER_LENGTH, type SlotCheckpoint, type SlotHeader } from '../../src/transfer/slot.ts'
import { SlotFile } from '../../src/transfer/slot-file.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { HandClock } from '../support/hand-clock.ts'
import { type TcpPair, tcpPair } from '../support/tcp-pair.ts'

const SELF = 100
const SLOTS = 5
const SESSION = new Uint8Array(16).fill(3)
/** Milliseconds: more than a sweep, and more than doubt lasts. */
const SWEEP = 300
const DOUBT = 6500
const REFUSED: Release = { state: 'owned', verdict: { outcome: 'refused', reason: 'seal', detail: '' } }

interface Offer {
  readonly target: number
  readonly generation: number
  readonly takeOver: TakeOver
  readonly settle: (release: Release) => void
}

const native = probe()
describe.runIf(native.available)('connections with a duplicate', () => {
  const libc = native.available ? native.libc : (undefined as never)
  let clock: HandClock
  let pair: TcpPair
  let offers: Offer[]
  let ends: Unclean[]
  let shutdowns: number
  let counters: { takenOver: number }
  let duplicates: Duplicates
  let dispatch: Dispatch
  /** What the containers have, each its own. */
  let files: Map<number, SlotFile>

  beforeEach(async () => {
    pair = await tcpPair()
    clock = new HandClock()
    files = new Map()
    offers = []
    ends = []
    shutdowns = 0
    counters = { takenOver: 0 }
    dispatch = new Dispatch(1000, new MemoryBudget(), clock)
    const courier = {
      shareSlots(target: number, { fd }: Descriptor, slots: number) {
        files.set(target, SlotFile.open(Descriptor.fromFd(libc.duplicate(fd)), slots))
        return true
      },
      sendTakeOver(
        target: number,
        { generation }: { generation: number },
        takeOver: TakeOver,
        _: Descriptor,
        settle: Offer['settle'],
      ) {
        offers.push({ target, generation, takeOver, settle })
      },
    } as unknown as Courier
    const watched: Libc = {
      ...libc,
      shutdown: fd => {
        shutdowns++
        return libc.shutdown(fd)
      },
    }
    duplicates = new Duplicates({ libc: watched, self: SELF, slots: SLOTS }, courier, dispatch, {
      clock,
      counters,
      unclean: (_target, end) => ends.push(end),
      refused: () => {},
    })
    for (const id of [1, 2, 3]) introduce(id)
  })
  afterEach(() => {
    duplicates.close()
    for (const file of files.values()) file.close()
    pair.close()
  })

  function introduce(id: number): void {
    const peer = { id, role: 'container', name: `echo-${id}`, functionName: 'echo' } as Peer
    duplicates.introduced(peer)
    dispatch.introduced(peer)
  }
  function die(id: number): void {
    dispatch.gone(id)
    duplicates.gone(id)
  }

  /** A connection that a container has been given. */
  function delivered(to = 1): { duplicate: Duplicate; slot: number } {
    const duplicate = duplicates.open(pair.fd, SESSION, 0)!
    const { slot } = duplicate.extensions.slot!
    duplicate.offer(to)
    duplicate.delivered()
    say(to, slot)
    return { duplicate, slot }
  }
  /** A container writes into its file. */
  const say = (by: number, slot: number, more: Partial<SlotHeader> = {}): boolean =>
    files.get(by)!.writeHeader(slot, { state: 'live', sessionId: SESSION, generation: 0, target: 0, ...more })
  /** The same with its offer to another one, and the answer of that. */
  const offer = (by: number, slot: number, target: number, generation: number): boolean =>
    say(by, slot, { state: 'offered', generation, target })
  const leave = (slot: number, sequence: number, more: Partial<SlotCheckpoint> = {}, by = 1): boolean =>
    files.get(by)!.writeCheckpoint(slot, sequence, {
      ...{ sessionId: SESSION, functionName: 'echo', generation: 4, received: 0, sent: 0 },
      sealed: Uint8Array.of(sequence),
      ...more,
    })
  const write = (bytes: number): void => void pair.accepted.write(new Uint8Array(bytes))

  it('have a slot each, and their sockets are held as long as they last', () => {
    const { duplicate, slot } = delivered()
    expect(duplicate.extensions.slot).toEqual({
      ...{ gateway: SELF, cookie: libc.socketCookie(pair.fd), slot, sequence: 0, received: 0, sent: 0 },
    })
    expect(duplicates.counters).toEqual({ duplicated: 1, notDuplicated: 0 })
    duplicate.drop()
    expect(duplicates.counters.duplicated).toBe(0)
    expect(shutdowns).toBe(0)
    // Others hold it still.
    expect(() => fstatSync(pair.fd)).not.toThrow()
  })

  it('get none where the kernel has counted something else', () => {
    expect(duplicates.open(pair.fd, SESSION, 5)).toBeUndefined()
    write(1)
    expect(duplicates.open(pair.fd, SESSION, 0)).toBeUndefined()
    expect(duplicates.open(files.get(1)!.descriptor.fd, SESSION, 0)).toBeUndefined()
    expect(duplicates.counters).toEqual({ duplicated: 0, notDuplicated: 3 })
  })

  it('get none when all slots are taken', () => {
    const all = Array.from({ length: SLOTS + 1 }, () => duplicates.open(pair.fd, SESSION, 0))
    expect(all.filter(one => one === undefined)).toHaveLength(1)
    expect(duplicates.counters).toEqual({ duplicated: SLOTS, notDuplicated: 1 })
    for (const one of all) one?.drop()
  })

  it('go on in another container, from the checkpoint that says what the kernel says', () => {
    const { slot } = delivered()
    write(10)
    leave(slot, 1, { sent: 10 })
    write(7)
    leave(slot, 2, { sent: 17, generation: 5 })
    die(1)
    const [one] = offers as [Offer]
    expect(one.takeOver).toEqual({
      ...{ checkpoint: Uint8Array.of(2), generation: 5, received: 0, records: 0 },
      retained: new Uint8Array(0),
    })
    expect(one.generation).toBe(6)
    one.settle({ state: 'gone' })
    expect([counters.takenOver, ends]).toEqual([1, []])
  })

  it('go on from the older one, if the owner died before it sent what the newer one knows of', () => {
    const { slot } = delivered()
    write(10)
    leave(slot, 1, { sent: 10 })
    leave(slot, 2, { sent: 17 })
    die(1)
    expect(offers[0]!.takeOver.checkpoint).toEqual(Uint8Array.of(1))
  })

  it.each([
    ['more was sent than any checkpoint knows of', { sent: 9 }],
    ['more was read', { sent: 10, received: 5 }],
    [
      'the checkpoint is of a connection that had the slot before',
      { sent: 10, sessionId: new Uint8Array(16) },
    ],
  ] as const)('end for every process when %s', async (_what, checkpoint) => {
    const { slot } = delivered()
    write(10)
    leave(slot, 1, checkpoint)
    die(1)
    expect(offers).toEqual([])
    expect(ends).toEqual([{ kind: 'lost', reason: 'it was not idle when its container died' }])
    expect([shutdowns, duplicates.counters.duplicated]).toEqual([1, 0])
  })

  it('are nothing to go on with when their clients have gone, too', async () => {
    const { slot } = delivered()
    leave(slot, 1)
    pair.client.resetAndDestroy()
    await vi.waitFor(() => expect(libc.tcpCounts(pair.fd).state).not.toBe(1))
    die(1)
    expect([offers, ends, duplicates.counters.duplicated]).toEqual([[], [], 0])
  })

  it('stay when a container dies that does not have them', () => {
    const { slot } = delivered()
    leave(slot, 1)
    die(2)
    clock.pass(DOUBT)
    expect([offers, ends, duplicates.counters.duplicated]).toEqual([[], [], 1])
  })

  it('that have moved are looked for when their new owner dies, not the old one', () => {
    const { slot } = delivered()
    leave(slot, 1)
    offer(1, slot, 2, 1)
    say(2, slot, { generation: 1 })
    die(1)
    expect(offers).toEqual([])
    leave(slot, 2, {}, 2)
    die(2)
    expect(offers.map(({ target }) => target)).toEqual([3])
  })

  it('on their way to a container that dies are left to the one that offers them', () => {
    const { slot } = delivered()
    leave(slot, 1)
    offer(1, slot, 2, 1)
    die(2)
    expect(offers).toEqual([])
    // It has them back.
    say(1, slot, { generation: 1 })
    clock.pass(DOUBT)
    expect([ends, duplicates.counters.duplicated]).toEqual([[], 1])
    die(1)
    expect(offers).toHaveLength(1)
  })

  it('whose sender dies are with the receiver, or end if that never says so', () => {
    for (const arrives of [true, false]) {
      const sender = arrives ? 1 : 3
      const { slot, duplicate } = delivered(sender)
      leave(slot, 1, {}, sender)
      offer(sender, slot, 2, 1)
      die(sender)
      if (arrives) say(2, slot, { generation: 1 })
      clock.pass(DOUBT)
      expect(offers).toEqual([])
      expect(ends.map(({ kind }) => kind)).toEqual(arrives ? [] : ['undecided'])
      duplicate.drop()
    }
  })

  it('that both sides of a move have died over end: there might be a third', () => {
    const { slot } = delivered()
    leave(slot, 1)
    offer(1, slot, 2, 1)
    die(1)
    expect([offers, ends]).toEqual([[], []])
    die(2)
    expect([offers, ends.map(({ kind }) => kind)]).toEqual([[], ['undecided']])
  })

  it('whose container died over its header are with it still: nothing has left it since', () => {
    const { slot } = delivered()
    leave(slot, 1)
    const half = new Uint8Array(20).fill(1)
    writeSync(files.get(1)!.descriptor.fd, half, 0, half.length, slot * HEADER_LENGTH)
    die(1)
    expect(offers).toHaveLength(1)
  })

  it('are offered to the next one when a container refuses, and end when none is left', () => {
    const { slot } = delivered()
    leave(slot, 1)
    die(1)
    offers[0]!.settle(REFUSED)
    expect(offers.map(({ generation }) => generation)).toEqual([5, 6])
    expect(new Set(offers.map(({ target }) => target)).size).toBe(2)
    offers[1]!.settle(REFUSED)
    clock.pass(1100)
    expect(ends.map(({ kind }) => kind)).toEqual(['orphaned'])
    expect(shutdowns).toBe(1)
  })

  it('are tried three times from one checkpoint, not more: containers may die of it', () => {
    const { slot } = delivered()
    leave(slot, 1)
    die(1)
    let next = 10
    while (offers.length < 10 && ends.length === 0) {
      introduce(next++)
      const { target, generation, settle } = offers.at(-1)!
      settle({ state: 'gone' })
      say(target, slot, { generation })
      die(target)
    }
    expect(offers).toHaveLength(3)
    expect(ends).toEqual([{ kind: 'orphaned', reason: 'its successors died as well' }])
  })

  it('whose successor died before it said anything are offered to another one', () => {
    const { slot } = delivered()
    leave(slot, 1)
    die(1)
    const { target, settle } = offers[0]!
    settle({ state: 'ended', reason: 'lost' })
    die(target)
    expect(offers).toHaveLength(2)
    expect(ends).toEqual([])
  })

  it('are not offered to another one when the first says that it has them already', () => {
    const { slot } = delivered()
    leave(slot, 1)
    die(1)
    const [{ target, settle }] = offers as [Offer]
    settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'here', detail: '' } })
    expect([offers.length, ends, duplicates.counters.duplicated]).toEqual([1, [], 1])
    die(target)
    expect(offers).toHaveLength(2)
  })

  it('are for no other function to go on with than that of their last container, whatever that wrote', () => {
    const { slot } = delivered()
    leave(slot, 1, { functionName: 'other' })
    const peer = { id: 9, role: 'container', name: 'other-1', functionName: 'other' } as Peer
    duplicates.introduced(peer)
    dispatch.introduced(peer)
    die(1)
    expect(offers.map(({ target }) => target)).toEqual([2])
  })

  it('end if their last container has counted more moves than there can be', () => {
    const { slot } = delivered()
    leave(slot, 1, { generation: 2 ** 32 - 1 })
    die(1)
    expect([offers, ends.map(({ kind }) => kind)]).toEqual([[], ['broken']])
  })

  it('that are over are let go soon, and their slots used again', () => {
    const { slot } = delivered()
    say(1, slot, { state: 'done' })
    clock.pass(SWEEP)
    expect([shutdowns, duplicates.counters.duplicated]).toEqual([0, 0])
    expect(delivered().slot).toBe(slot)
  })

  it('that are over although a container may still write into their slots leave those for a while', () => {
    const { slot } = delivered()
    say(1, slot, { state: 'done', generation: 1, target: 2 })
    clock.pass(SWEEP)
    expect(duplicates.counters.duplicated).toBe(0)
    const { slot: other, duplicate } = delivered()
    expect(other).not.toBe(slot)
    duplicate.drop()
    clock.pass(DOUBT)
    expect([slot, other]).toContain(delivered().slot)
  })

  it('that ended a moment before their owner died are let go', () => {
    const { slot } = delivered()
    say(1, slot, { state: 'done' })
    die(1)
    expect([shutdowns, ends, duplicates.counters.duplicated]).toEqual([0, [], 0])
  })
})

it('leaves half of the descriptors to connections that come', () => {
  const limits = (open: string): string =>
    'Limit  Soft Limit  Hard Limit  Units\nMax processes  9  9  processes\n' +
    `Max open files            ${open}    files\n`
  expect(slotsWithin(limits('1024  4096'))).toBe(512)
  expect(slotsWithin(limits('1048576  1048576'))).toBe(16_384)
  expect(slotsWithin(limits('unlimited  unlimited'))).toBe(16_384)
  expect(slotsWithin(limits('1  1'))).toBe(1)
  expect(slotsWithin('')).toBe(16_384)
})
