import { openSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Release } from '../../src/transfer/custody.ts'
import type { RelayedState } from '../../src/transfer/relay-state.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { utf8 } from '../../src/wire/index.ts'
import { connection, openNulls, scene } from './post.ts'

/* What a courier does for connections that outlive their containers: files of slots, and relays. */

afterEach(() => void vi.useRealTimers())

describe('a file of slots', () => {
  it('goes to a peer, which has it then as we have it, too', () => {
    const before = openNulls()
    const { post, source, target, descriptor, done } = scene()
    expect(source.courier.shareSlots(2, descriptor, 77)).toBe(true)
    post.deliver()
    expect(target.files).toMatchObject([{ slots: 77, from: 1 }])
    expect([descriptor.open, openNulls()]).toEqual([true, before + 2])
    target.files[0]!.file.close()
    done()
    expect(openNulls()).toBe(before)
  })

  it('is closed by a process that has no use for it, or did not get it from the one it seems', () => {
    const before = openNulls()
    const { post, source, target, other, descriptor, done } = scene()
    source.courier.shareSlots(3, descriptor, 77)
    post.deliver()
    expect([other.told, openNulls()]).toEqual([[], before + 1])
    source.courier.shareSlots(2, descriptor, 77)
    post.underway[0]!.payload[post.underway[0]!.payload.length - 1]! ^= 1
    post.deliver()
    expect(target.files).toEqual([])
    expect(target.told).toEqual([expect.stringContaining('nonsense from 1')])
    expect(openNulls()).toBe(before + 1)
    expect(source.courier.shareSlots(9, descriptor, 77)).toBe(false)
    done()
  })

  it('is taken from a gateway alone', () => {
    const { post, source, target, descriptor, done } = scene()
    const before = openNulls()
    target.courier.shareSlots(1, descriptor, 77)
    post.deliver()
    expect(source.files).toEqual([])
    expect(source.told).toEqual(['nonsense from 2: a message of kind slots from a container'])
    expect(openNulls()).toBe(before)
    done()
  })

  it('that is missing is not waited for', () => {
    const { post, source, target, descriptor, done } = scene()
    source.courier.shareSlots(2, descriptor, 77)
    for (const one of post.underway[0]!.descriptors.splice(0)) one.close()
    post.deliver()
    expect(target.files).toEqual([])
    done()
  })
})

describe('a connection that is relayed', () => {
  const state: RelayedState = {
    functionName: 'echo',
    clientEnded: false,
    fromClient: utf8('client'),
    fromLeg: utf8('leg'),
    relay: undefined,
  }
  const session = { sessionId: new Uint8Array(16).fill(7), generation: 3 }

  it.each([
    [undefined, { state: 'gone' }, 4],
    [
      { reason: 'role', detail: 'no' } as const,
      { state: 'owned', verdict: { outcome: 'refused', reason: 'role', detail: 'no' } },
      2,
    ],
  ])('goes to another gateway with both its sockets, or stays with them: %j', (arrival, release, open) => {
    const before = openNulls()
    const { post, source, target, releases, descriptor, done } = scene()
    const leg = Descriptor.fromFd(openSync('/dev/null', 'r'))
    target.arrival = arrival
    source.courier.sendRelayed(2, session, state, [descriptor, leg], one => releases.push(one))
    expect(source.courier.inCustody).toBe(1)
    post.deliver()
    expect(releases).toEqual([release])
    expect(openNulls() - before).toBe(open)
    if (arrival === undefined) {
      const [got] = target.relayed
      expect(got).toMatchObject({ state, from: 1 })
      for (const one of got!.descriptors) one.close()
    }
    leg.close()
    done()
    expect(openNulls()).toBe(before)
  })

  it('is taken from a gateway alone, as one that is taken over is', () => {
    const { post, source, target, releases, descriptor, done } = scene()
    const before = openNulls()
    const settle = (one: Release): void => void releases.push(one)
    const retained = new Uint8Array(0)
    const takeOver = { checkpoint: new Uint8Array(9), generation: 3, received: 0, records: 0, retained }
    target.courier.sendRelayed(1, session, state, [descriptor, descriptor], settle)
    post.deliver()
    target.courier.sendTakeOver(3, session, takeOver, descriptor, settle)
    post.deliver()
    expect(releases).toMatchObject([{ verdict: { reason: 'role' } }, { verdict: { reason: 'role' } }])
    expect(source.relayed).toEqual([])
    expect(openNulls()).toBe(before)
    done()
  })

  it('that is taken over comes behind what others had sent before', () => {
    const { post, source, target, other, descriptor, done } = scene()
    const session = { sessionId: new Uint8Array(16).fill(7), generation: 3 }
    const checkpoint = new Uint8Array(9)
    const takeOver = { checkpoint, generation: 3, received: 0, records: 0, retained: new Uint8Array(0) }
    target.courier.send(3, connection(), descriptor, () => {})
    source.courier.sendTakeOver(3, session, takeOver, descriptor, () => {})
    // The gateway's pair is read first.
    post.deliver({ from: 1, to: 3 })
    expect(other.parcels).toHaveLength(1)
    post.deliver()
    done()
  })

  it('is refused if a socket is missing, and by who relays nothing', () => {
    const { post, source, releases, descriptor, done } = scene()
    const before = openNulls()
    const settle = (one: Release): void => void releases.push(one)
    source.courier.sendRelayed(2, session, state, [descriptor] as never, settle)
    source.courier.sendRelayed(3, session, state, [descriptor, descriptor], settle)
    post.deliver()
    expect(releases).toMatchObject([
      { verdict: { reason: 'descriptor' } },
      { verdict: { reason: 'role', detail: 'this process relays no connections' } },
    ])
    expect(openNulls()).toBe(before)
    done()
  })
})
