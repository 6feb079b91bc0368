import { openSync, readdirSync, readlinkSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import type { Channel, SendResult } from '../../src/transfer/channel.ts'
import { decodeControl, encodeControl, type Peer } from '../../src/transfer/control.ts'
import { type Arrival, Courier } from '../../src/transfer/courier.ts'
import { LEAVING_TIMEOUT, type Release, VERDICT_TIMEOUT } from '../../src/transfer/custody.ts'
import { freshEnvelope } from '../../src/transfer/envelope.ts'
import type { LoanAnswer, LoanRequest } from '../../src/transfer/loan.ts'
import { freshHttp, type Parcel } from '../../src/transfer/parcel.ts'
import type { RelayedState } from '../../src/transfer/relay-state.ts'
import { createIdentity, Sealer } from '../../src/transfer/seal.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { utf8 } from '../../src/wire/index.ts'
import { connectedPair } from '../support/pair.ts'

/** A message on its way between two processes of one test. */
interface Underway {
  readonly from: number
  readonly to: number
  payload: Uint8Array
  descriptors: Descriptor[]
}

/** Channels in memory: nothing arrives before the test says so. */
class Post {
  readonly underway: Underway[] = []
  readonly channels = new Map<number, MemoryChannel>()

  open(self: number): MemoryChannel {
    const channel = new MemoryChannel(self, this)
    this.channels.set(self, channel)
    return channel
  }

  /** Delivers everything, also what comes of it; or what is underway between two. */
  deliver(only?: { readonly from: number; readonly to: number }): void {
    const next = (): Underway | undefined => {
      const at = this.underway.findIndex(({ from, to }) => !only || (from === only.from && to === only.to))
      return at < 0 ? undefined : this.underway.splice(at, 1)[0]
    }
    for (let message = next(); message !== undefined; message = next())
      this.channels.get(message.to)!.onMessage(message.from, message.payload, message.descriptors)
  }
}

class MemoryChannel implements Channel {
  readonly kind = 'native'
  readonly self: number
  readonly peers = new Set<number>()
  onMessage: Channel['onMessage'] = () => {}
  onRefused: Channel['onRefused']
  onUndeliverable: Channel['onUndeliverable']
  onLeft: Channel['onLeft']
  onDrain: Channel['onDrain']
  onLost: Channel['onLost']
  /** What `send` says, instead of sending. */
  result: SendResult | undefined
  readonly #post: Post

  constructor(self: number, post: Post) {
    this.self = self
    this.#post = post
  }

  send(to: number, payload: Uint8Array, descriptors: readonly Descriptor[] = []): SendResult {
    if (this.result !== undefined) return this.result
    if (!this.peers.has(to)) return 'gone'
    this.#post.underway.push({
      from: this.self,
      to,
      payload: payload.slice(),
      descriptors: descriptors.map(({ fd }) => Descriptor.fromFd(openSync(`/proc/self/fd/${fd}`, 'r'))),
    })
    return 'sent'
  }

  addPeer(id: number, ends: readonly Descriptor[]): void {
    for (const end of ends) end.close()
    this.peers.add(id)
  }

  forget(id: number): void {
    this.peers.delete(id)
  }

  poll(id: number): void {
    this.#post.deliver({ from: id, to: this.self })
  }

  cut(id: number, reason: string): void {
    this.peers.delete(id)
    this.onLost?.(id, reason)
  }

  close(): void {}
}

/** One process: its courier, and what it was told. */
function member(post: Post, id: number) {
  const identity = createIdentity(node, id)
  const channel = post.open(id)
  const parcels: Parcel[] = []
  const told: unknown[] = []
  const loans: { request: LoanRequest; from: number; settle: (answer: LoanAnswer) => void }[] = []
  const side = {
    id,
    loans,
    channel,
    parcels,
    told,
    publicKey: identity.publicKey,
    /** What becomes of the next parcel. */
    arrival: undefined as Arrival,
    courier: undefined as unknown as Courier,
    files: [] as { file: Descriptor; slots: number; from: number }[],
    relayed: [] as { state: RelayedState; descriptors: readonly Descriptor[]; from: number }[],
  }
  side.courier = new Courier(channel, new Sealer(node, identity), {
    parcel: parcel => {
      if (side.arrival === undefined) parcels.push(parcel)
      return side.arrival
    },
    ...(id === 3
      ? {}
      : {
          relayed: (state: RelayedState, _: unknown, descriptors: readonly Descriptor[], from: number) => {
            if (side.arrival === undefined) side.relayed.push({ state, descriptors, from })
            return side.arrival
          },
          slots: (file: Descriptor, slots: number, from: number) => side.files.push({ file, slots, from }),
        }),
    introduced: ({ id: other }) => told.push(`introduced ${other}`),
    gone: other => told.push(`gone ${other}`),
    loan: (request, from, settle) => void loans.push({ request, from, settle }),
    control: (message, from) => told.push(`${message.kind} from ${from}`),
    nonsense: (from, reason) => told.push(`nonsense from ${from}: ${reason}`),
  })
  return side
}

function scene() {
  const post = new Post()
  const [source, target, other] = [member(post, 1), member(post, 2), member(post, 3)] as const
  const all = [source, target, other]
  for (const one of all) {
    for (const peer of all) {
      if (one === peer) continue
      const { id, publicKey } = peer
      const role = id === 1 ? 'gateway' : 'container'
      const introduced: Peer = { id, role, name: `c-${id}`, functionName: 'echo', publicKey }
      one.channel.onMessage(0, encodeControl({ kind: 'introduce', peer: introduced }), [])
    }
    one.told.length = 0
  }
  const releases: Release[] = []
  const descriptor = Descriptor.fromFd(openSync('/dev/null', 'r'))
  return {
    post,
    source,
    target,
    other,
    releases,
    descriptor,
    send: (envelope = connection(), to = 2) =>
      source.courier.send(to, envelope, descriptor, release => releases.push(release)),
    /** Closes what the test owns. */
    done: () => {
      descriptor.close()
      for (const parcel of all.flatMap(({ parcels }) => parcels)) parcel.descriptor.close()
    },
  }
}

function connection() {
  return freshHttp({ sessionId: new Uint8Array(16).fill(7), idleLeft: 100, inbound: new Uint8Array(3) })
}

/** Descriptors to the device that stands for connections here. */
function openNulls(): number {
  return readdirSync('/proc/self/fd').filter(fd => leadsToNull(fd)).length
}

function leadsToNull(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/null'
  } catch {
    return false
  }
}

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

  it('is closed by whoever has no use for it, or did not get it from whom it seems', () => {
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

  it('that was changed on its way, or comes from somebody else, is refused for its seal', () => {
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
      // Whoever pretends to be somebody else does not settle what that one waits for.
      if (fromOther) expect(releases).toEqual([])
      else expect(releases, String(i)).toMatchObject([{ state: 'owned', verdict: { reason: 'seal' } }])
      done()
    }
    expect(openNulls()).toBe(before)
  })

  it('without its descriptor is refused; one too many is closed', () => {
    const before = openNulls()
    const { post, target, releases, send, done } = scene()
    send()
    for (const lost of post.underway[0]!.descriptors.splice(0)) lost.close()
    post.deliver()
    expect(releases).toMatchObject([{ state: 'owned', verdict: { reason: 'descriptor' } }])
    send()
    post.underway[0]!.descriptors.push(Descriptor.fromFd(openSync('/dev/null', 'r')))
    post.deliver()
    expect(releases.at(-1)).toEqual({ state: 'gone' })
    expect(target.parcels).toHaveLength(1)
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
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { source, releases, send, done } = scene()
    const sent = vi.spyOn(source.channel, 'send').mockReturnValue('queued')
    send()
    vi.advanceTimersByTime(2 * VERDICT_TIMEOUT)
    expect(releases).toEqual([])
    source.channel.onLeft?.(2, sent.mock.calls[0]![1])
    vi.advanceTimersByTime(VERDICT_TIMEOUT - 1)
    expect(releases).toEqual([])
    vi.advanceTimersByTime(1001)
    expect(releases).toEqual([{ state: 'ended', reason: 'expired' }])
    done()
  })

  it('that never leaves is ended, too', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { source, releases, send, done } = scene()
    source.channel.result = 'queued'
    send()
    vi.advanceTimersByTime(LEAVING_TIMEOUT - 1)
    expect(releases).toEqual([])
    vi.advanceTimersByTime(1001)
    expect(releases).toEqual([{ state: 'ended', reason: 'expired' }])
    done()
  })

  it('whose target dies or says nothing is ended', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { post, source, releases, send, done } = scene()
    send()
    vi.advanceTimersByTime(VERDICT_TIMEOUT - 1)
    expect(releases).toEqual([])
    vi.advanceTimersByTime(1001)
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
  /** It goes on after so many milliseconds: timers that were due meanwhile come first, and late. */
  function sleep(milliseconds: number): void {
    const woken = performance.now() + milliseconds
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => woken)
    vi.advanceTimersToNextTimer()
    clock.mockRestore()
    vi.advanceTimersByTime(milliseconds - 1000)
  }

  it('hears the verdict that has come meanwhile', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { post, target, releases, send, done } = scene()
    send()
    post.deliver({ from: 1, to: 2 })
    sleep(2 * VERDICT_TIMEOUT)
    expect([target.parcels.length, releases]).toEqual([1, []])
    post.deliver()
    expect(releases).toEqual([{ state: 'gone' }])
    done()
  })

  it('gives a target that was not let run either the rest of its time, and no more', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { post, releases, send, done } = scene()
    send()
    vi.advanceTimersByTime(1000)
    sleep(2 * VERDICT_TIMEOUT)
    expect(releases).toEqual([])
    vi.advanceTimersByTime(VERDICT_TIMEOUT)
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

describe('a request that is lent', () => {
  const request: LoanRequest = {
    method: 'GET',
    target: '/hello',
    headers: [{ name: 'host', value: 'a' }],
    host: 'a',
    path: '/hello',
    query: '',
    body: utf8('content'),
    tls: false,
    alpn: undefined,
    serverName: undefined,
    remoteAddress: undefined,
    hops: 0,
    requestIndex: 0,
  }
  const answer: LoanAnswer = {
    outcome: 'answered',
    status: 200,
    headers: [{ name: 'x', value: 'y' }],
    length: undefined,
    trailers: [],
    body: utf8('lent'),
  }

  it('arrives, and its answer comes back, later and once', () => {
    const { source, target, post } = scene()
    const answers: unknown[] = []
    source.courier.lend(2, request, one => answers.push(one))
    post.deliver()
    expect(target.loans).toMatchObject([{ request, from: 1 }])
    expect(answers).toEqual([])
    target.loans[0]!.settle(answer)
    const [message] = post.underway
    post.deliver()
    expect(answers).toEqual([answer])
    source.channel.onMessage(2, message!.payload, [])
    expect([answers.length, source.told.length]).toEqual([1, 1])
  })

  it('is lost with whom it was lent to, and answers of nobody else count', () => {
    const { source, target, other, post } = scene()
    const answers: unknown[] = []
    source.courier.lend(2, request, one => answers.push(one))
    post.deliver()
    target.loans[0]!.settle(answer)
    const message = post.underway.shift()!
    source.channel.onMessage(other.id, message.payload, [])
    expect([answers, source.told]).toEqual([
      [],
      ['nonsense from 3: the answer to a request that was not lent to it'],
    ])
    source.courier.forget(2)
    expect(answers).toEqual([undefined])
    source.courier.lend(2, request, one => answers.push(one))
    expect(answers).toEqual([undefined, undefined])
  })

  it('that was changed on the way, or sealed for somebody else, is nonsense', () => {
    const { source, target, other, post } = scene()
    source.courier.lend(2, request, () => {})
    const message = post.underway.shift()!
    other.channel.onMessage(1, message.payload, [])
    message.payload[message.payload.length - 1]! ^= 1
    target.channel.onMessage(1, message.payload, [])
    expect([target.loans, other.loans]).toEqual([[], []])
    expect([target.told.length, other.told.length]).toEqual([1, 1])
  })
})
