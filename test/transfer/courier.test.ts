import { openSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { decodeControl, encodeControl, type Peer } from '../../src/transfer/control.ts'
import type { Release } from '../../src/transfer/custody.ts'
import { LEAVING, VERDICT_TIMEOUT } from '../../src/transfer/custody.ts'
import { freshEnvelope } from '../../src/transfer/envelope.ts'
import { freshHttp } from '../../src/transfer/parcel.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { connectedPair } from '../support/pair.ts'
import { connection, openNulls, scene, type Underway } from './post.ts'

const IDLE = { idleLeft: 100, inbound: new Uint8Array(3) }

/* What a courier sends, takes and refuses: parcels and other messages, between processes in memory. */

describe('a parcel', () => {
  it('arrives as it was sent, and its acceptance settles the matter', () => {
    const { post, target, releases, send, done } = scene()
    const { server } = connectedPair()
    const envelope = {
      ...freshEnvelope(new Uint8Array(16).fill(7), 100, server.release()),
      generation: 4,
      hops: 3,
    }
    send(envelope)
    expect(releases).toEqual([])
    post.deliver()
    expect(releases).toEqual([{ state: 'gone' }])
    expect(target.parcels.map(parcel => parcel.envelope)).toEqual([envelope])
    expect(target.parcels[0]!.descriptor.open).toBe(true)
    done()
  })

  it.each(['draining', 'role', 'suite', 'certificate', 'malformed', 'descriptor'] as const)(
    'that is refused (%s) comes back, and its copy of the descriptor is closed',
    reason => {
      const before = openNulls()
      const { post, target, releases, send, descriptor, done } = scene()
      target.arrival = { reason, detail: 'because' }
      send()
      post.deliver()
      expect(releases).toEqual([
        { state: 'owned', verdict: { outcome: 'refused', reason, detail: 'because' } },
      ])
      expect(descriptor.open).toBe(true)
      done()
      expect(openNulls()).toBe(before)
    },
  )

  it('that goes on while it is being taken is accepted first, and once', () => {
    const { post, target, other, releases, send, done } = scene()
    const onward: Release[] = []
    target.onParcel = ({ envelope, descriptor }) => {
      const next = { ...envelope, generation: envelope.generation + 1 }
      target.courier.send(3, next, descriptor, release => onward.push(release))
    }
    send()
    post.deliver({ from: 1, to: 2 })
    expect(post.underway.map(({ to, payload }) => [to, decodeControl(payload).kind])).toEqual([
      [1, 'verdict'],
      [3, 'parcel'],
    ])
    post.deliver()
    expect([releases, onward]).toEqual([[{ state: 'gone' }], [{ state: 'gone' }]])
    expect(other.parcels).toHaveLength(1)
    done()
  })

  it('that comes together with others is accepted together with them, in one message', () => {
    const { post, target, releases, send, done } = scene()
    const taken = (count: number): void => {
      for (let i = 0; i < count; i++) send(freshHttp({ sessionId: new Uint8Array(16).fill(i), ...IDLE }))
      target.channel.onGather?.()
      post.deliver({ from: 1, to: 2 })
      expect(releases).toEqual([])
      target.channel.onGathered?.()
    }
    taken(3)
    expect(post.underway.map(({ to, payload }) => [to, decodeControl(payload).kind])).toEqual([[1, 'taken']])
    post.deliver()
    expect(releases).toEqual([{ state: 'gone' }, { state: 'gone' }, { state: 'gone' }])
    releases.length = 0
    taken(1)
    expect(post.underway.map(({ payload }) => decodeControl(payload).kind)).toEqual(['verdict'])
    post.deliver()
    expect(releases).toEqual([{ state: 'gone' }])
    done()
  })

  it('that goes on while others are taken with it: all that were taken by then are accepted first', () => {
    const { post, target, other, releases, send, done } = scene()
    const onward: Release[] = []
    for (let i = 0; i < 3; i++) send(freshHttp({ sessionId: new Uint8Array(16).fill(i), ...IDLE }))
    target.onParcel = ({ envelope, descriptor }) => {
      if (envelope.sessionId[0] !== 1) return
      const next = { ...envelope, generation: envelope.generation + 1 }
      target.courier.send(3, next, descriptor, release => onward.push(release))
    }
    target.channel.onGather?.()
    post.deliver({ from: 1, to: 2 })
    target.channel.onGathered?.()
    expect(post.underway.map(({ to, payload }) => [to, decodeControl(payload).kind])).toEqual([
      [1, 'taken'],
      [3, 'parcel'],
      [1, 'verdict'],
    ])
    post.deliver()
    expect(releases).toEqual([{ state: 'gone' }, { state: 'gone' }, { state: 'gone' }])
    expect([onward, other.parcels.length]).toEqual([[{ state: 'gone' }], 1])
    done()
  })

  it('is not accepted by a third process, nor twice, among others either', () => {
    const { post, source, releases, send, done } = scene()
    send()
    const message = decodeControl(post.underway[0]!.payload)
    if (message.kind !== 'parcel') throw new Error(message.kind)
    const { ticket } = message
    const taken = encodeControl({ kind: 'taken', parcels: [{ ticket }, { ticket }] })
    source.channel.onMessage(3, taken, [])
    expect(releases).toEqual([])
    source.channel.onMessage(2, taken, [])
    expect(releases).toEqual([{ state: 'gone' }])
    const strange = 'a verdict that is not awaited'
    expect(source.told).toEqual([3, 3, 2].map(from => `nonsense from ${from}: ${strange}`))
    done()
  })

  it('that comes a second time is stale', () => {
    const before = openNulls()
    const { post, source, target, other, releases, send, done } = scene()
    send()
    const [message] = post.underway
    const again = { ...message!, descriptors: [Descriptor.fromFd(openSync('/dev/null', 'r'))] }
    post.deliver()
    post.underway.push(again)
    post.deliver()
    expect(target.parcels).toHaveLength(1)
    expect(releases).toEqual([{ state: 'gone' }])
    expect(source.told).toEqual(['nonsense from 2: a verdict that is not awaited'])
    expect(other.told).toEqual([])
    done()
    expect(openNulls()).toBe(before)
  })

  it('that was changed on its way, or comes from another sender, is refused for its seal', () => {
    const before = openNulls()
    const changes: ((message: Underway) => void)[] = [
      message => {
        message.payload[message.payload.length - 1]! ^= 1
      },
      // The generation and the session are what the seal vouches for, too.
      message => edit(message, parcel => ({ ...parcel, generation: 9 })),
      message => edit(message, parcel => ({ ...parcel, sessionId: new Uint8Array(16) })),
      message => Object.assign(message, { from: 3 }),
      message => edit(message, parcel => ({ ...parcel, sealed: parcel.sealed.subarray(0, 5) })),
    ]
    for (const [i, change] of changes.entries()) {
      const { post, target, releases, send, done } = scene()
      send()
      change(post.underway[0]!)
      const fromOther = post.underway[0]!.from === 3
      post.deliver()
      expect(target.parcels, String(i)).toEqual([])
      // A peer that pretends to be another one does not settle what that one waits for.
      if (fromOther) expect(releases).toEqual([])
      else expect(releases, String(i)).toMatchObject([{ state: 'owned', verdict: { reason: 'seal' } }])
      done()
    }
    expect(openNulls()).toBe(before)
  })

  it('without its descriptor is refused, and so is one with more than its state speaks of', () => {
    const before = openNulls()
    const { post, target, releases, send, done } = scene()
    send()
    for (const lost of post.underway[0]!.descriptors.splice(0)) lost.close()
    post.deliver()
    expect(releases).toMatchObject([{ state: 'owned', verdict: { reason: 'descriptor' } }])
    send()
    post.underway[0]!.descriptors.push(Descriptor.fromFd(openSync('/dev/null', 'r')))
    post.deliver()
    expect(releases.at(-1)).toMatchObject({ state: 'owned', verdict: { reason: 'descriptor' } })
    expect(target.parcels).toHaveLength(0)
    done()
    expect(openNulls()).toBe(before)
  })

  it('whose descriptor was lost in the channel is refused by the channel', () => {
    const { post, target, releases, send, done } = scene()
    send()
    const { from, payload, descriptors } = post.underway.shift()!
    for (const one of descriptors) one.close()
    target.channel.onRefused?.(from, payload, 'descriptors were lost')
    post.deliver()
    expect(releases).toMatchObject([
      { state: 'owned', verdict: { reason: 'descriptor', detail: 'descriptors were lost' } },
    ])
    done()
  })

  it('that cannot be sent stays, at once', () => {
    const { source, releases, send, done } = scene()
    for (const result of ['gone', 'full'] as const) {
      source.channel.result = result
      send()
    }
    source.channel.result = undefined
    send(connection(), 99)
    expect(releases).toEqual(Array(3).fill({ state: 'owned', verdict: undefined }))
    expect(source.courier.inCustody).toBe(0)
    done()
  })

  it('that waited in the channel comes back if it never left, and waits on if a part of it did', () => {
    for (const started of [false, true]) {
      const { post, source, releases, send, done } = scene()
      send()
      const { payload, descriptors } = post.underway.shift()!
      for (const one of descriptors) one.close()
      source.channel.onUndeliverable?.(2, payload, started)
      expect(releases).toEqual(started ? [] : [{ state: 'owned', verdict: undefined }])
      source.channel.onMessage(0, encodeControl({ kind: 'gone', id: 2 }), [])
      expect(releases).toEqual([
        started ? { state: 'ended', reason: 'lost' } : { state: 'owned', verdict: undefined },
      ])
      done()
    }
  })

  it('that waits in the channel gives its target the time for a verdict once it has left', () => {
    const { clock, source, releases, send, done } = scene()
    const sent = vi.spyOn(source.channel, 'send').mockReturnValue('queued')
    send()
    clock.pass(2 * VERDICT_TIMEOUT)
    expect(releases).toEqual([])
    source.channel.onLeft?.(2, sent.mock.calls[0]![1])
    clock.pass(VERDICT_TIMEOUT - 1)
    expect(releases).toEqual([])
    clock.pass(1001)
    expect(releases).toEqual([{ state: 'ended', reason: 'expired' }])
    done()
  })

  it('that never leaves is ended, too', () => {
    const { clock, source, releases, send, done } = scene()
    source.channel.result = 'queued'
    send()
    clock.pass(LEAVING * VERDICT_TIMEOUT - 1)
    expect(releases).toEqual([])
    clock.pass(1001)
    expect(releases).toEqual([{ state: 'ended', reason: 'expired' }])
    done()
  })

  it('whose target dies or says nothing is ended', () => {
    const { clock, post, source, releases, send, done } = scene()
    send()
    clock.pass(VERDICT_TIMEOUT - 1)
    expect(releases).toEqual([])
    clock.pass(1001)
    expect(releases).toEqual([{ state: 'ended', reason: 'expired' }])
    // The verdict that comes too late changes nothing.
    post.deliver()
    expect(releases).toHaveLength(1)
    expect(source.told).toEqual(['nonsense from 2: a verdict that is not awaited'])
    send()
    source.channel.onMessage(0, encodeControl({ kind: 'gone', id: 2 }), [])
    expect(releases.at(-1)).toEqual({ state: 'ended', reason: 'lost' })
    expect(source.told.at(-1)).toBe('gone 2')
    for (const { descriptors } of post.underway) for (const one of descriptors) one.close()
    done()
  })
})

describe('a source that was not let run', () => {
  it('hears the verdict that has come meanwhile', () => {
    const { clock, post, target, releases, send, done } = scene()
    send()
    post.deliver({ from: 1, to: 2 })
    // Timers that were due meanwhile come first, and late.
    clock.jump(2 * VERDICT_TIMEOUT)
    expect([target.parcels.length, releases]).toEqual([1, []])
    post.deliver()
    expect(releases).toEqual([{ state: 'gone' }])
    done()
  })

  it('gives a target that was not let run either the rest of its time, and no more', () => {
    const { clock, post, releases, send, done } = scene()
    send()
    clock.pass(1000)
    // Timers that were due meanwhile come first, and late.
    clock.jump(2 * VERDICT_TIMEOUT)
    expect(releases).toEqual([])
    clock.pass(VERDICT_TIMEOUT)
    expect(releases).toEqual([{ state: 'ended', reason: 'expired' }])
    for (const { descriptors } of post.underway) for (const one of descriptors) one.close()
    done()
  })
})

describe('other messages', () => {
  it('reach the one who handles them; nonsense is told and closed', () => {
    const before = openNulls()
    const { source, done } = scene()
    source.channel.onMessage(0, encodeControl({ kind: 'stop' }), [
      Descriptor.fromFd(openSync('/dev/null', 'r')),
    ])
    source.channel.onMessage(2, Uint8Array.of(1, 99), [Descriptor.fromFd(openSync('/dev/null', 'r'))])
    source.channel.onMessage(2, Uint8Array.of(), [])
    expect(source.told[0]).toBe('stop from 0')
    expect(source.told.slice(1)).toEqual([
      expect.stringContaining('nonsense from 2'),
      expect.stringContaining('nonsense from 2'),
    ])
    done()
    expect(openNulls()).toBe(before)
  })

  it('an introduction that cannot be is nonsense, too', () => {
    const { source, done } = scene()
    const peer: Peer = {
      id: 9,
      role: 'container',
      name: 'x',
      functionName: 'x',
      publicKey: new Uint8Array(32),
    }
    source.channel.onMessage(0, encodeControl({ kind: 'introduce', peer }), [])
    expect(source.told).toEqual([expect.stringContaining('nonsense from 0')])
    done()
  })

  it('a returned message that is none does not end the process', () => {
    const { source, done } = scene()
    source.channel.onUndeliverable?.(2, new Uint8Array(0), false)
    source.channel.onRefused?.(2, new Uint8Array(0), 'no room')
    done()
  })
})

type ParcelMessage = Extract<ReturnType<typeof decodeControl>, { kind: 'parcel' }>

function edit(message: Underway, change: (parcel: ParcelMessage) => ParcelMessage): void {
  const decoded = decodeControl(message.payload)
  if (decoded.kind !== 'parcel') throw new Error('no parcel')
  message.payload = encodeControl(change(decoded))
}
