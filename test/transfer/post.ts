import { openSync, readdirSync, readlinkSync } from 'node:fs'
import type { Clock } from '../../src/time/clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { type Channel, MAX_DESCRIPTORS, type SendResult } from '../../src/transfer/channel.ts'
import type { Arrival } from '../../src/transfer/consignments/consignments.ts'
import { encodeControl, type Peer } from '../../src/transfer/control.ts'
import { Courier } from '../../src/transfer/courier.ts'
import type { Release } from '../../src/transfer/custody.ts'
import type { LoanAnswer, LoanRequest } from '../../src/transfer/loans/loan.ts'
import { freshHttp, type Parcel } from '../../src/transfer/parcel.ts'
import type { RelayedState } from '../../src/transfer/relay-state.ts'
import { createIdentity, Sealer } from '../../src/transfer/seal.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { HandClock } from '../support/hand-clock.ts'

/** A message on its way between two processes of one test. */
export interface Underway {
  readonly from: number
  readonly to: number
  payload: Uint8Array
  descriptors: Descriptor[]
}

/** Channels in memory: nothing arrives before the test says so. */
export class Post {
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
  readonly maxDescriptors = MAX_DESCRIPTORS
  onMessage: Channel['onMessage'] = () => {}
  onRefused: Channel['onRefused']
  onUndeliverable: Channel['onUndeliverable']
  onLeft: Channel['onLeft']
  onGather: Channel['onGather']
  onGathered: Channel['onGathered']
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
function member(post: Post, id: number, clock: Clock) {
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
    /** What is done with the next one while it is being taken. */
    onParcel: undefined as ((parcel: Parcel) => void) | undefined,
    courier: undefined as unknown as Courier,
    files: [] as { file: Descriptor; slots: number; from: number }[],
    relayed: [] as { state: RelayedState; descriptors: readonly Descriptor[]; from: number }[],
  }
  side.courier = new Courier(
    channel,
    new Sealer(node, identity),
    {
      parcel: parcel => {
        if (side.arrival === undefined) parcels.push(parcel)
        side.onParcel?.(parcel)
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
    },
    clock,
  )
  return side
}

export function scene() {
  const clock = new HandClock()
  const post = new Post()
  const [source, target, other] = [
    member(post, 1, clock),
    member(post, 2, clock),
    member(post, 3, clock),
  ] as const
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
    clock,
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

export function connection() {
  return freshHttp({ sessionId: new Uint8Array(16).fill(7), idleLeft: 100, inbound: new Uint8Array(3) })
}

/** Descriptors to the device that stands for connections here. */
export function openNulls(): number {
  return readdirSync('/proc/self/fd').filter(fd => leadsToNull(fd)).length
}

function leadsToNull(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/null'
  } catch {
    return false
  }
}
