import { hostCounter } from '../platform/hosts/counters.ts'
import type { LinkSettings } from '../platform/hosts/link-settings.ts'
import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'
import { type Channel, SUPERVISOR } from '../transfer/channel.ts'
import {
  type Consignment,
  type ControlMessage,
  decodeControl,
  isConsignment,
  type Peer,
  writeControl,
} from '../transfer/control.ts'
import type { SessionDirectory } from '../transfer/directory.ts'
import { openPair } from '../transfer/pair.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { DecodeError, hex } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import { Encounters } from './encounters.ts'
import type { Frame } from './frames.ts'
import type { Identity } from './identity.ts'
import type { Meeting, MeetingOwner } from './meeting.ts'
import type { Registry } from './registry.ts'
import type { Span } from './span.ts'
import { Fence } from './window.ts'

/** Milliseconds for the last word to etcd. */
const FAREWELL = 1000
/**
 * Spans that one connection may have here: one that comes back runs through its former host still, and so it
 * grows longer each time.
 */
const MOST_SPANS = 8
/** What may wait for a pair that the supervisor is making. */
const MOST_WAITING = 1024

type Of<K extends Frame['kind']> = Extract<Frame, { kind: K }>
/** What one process says to another one, as it came. */
type Said = Of<'message'> | Of<'parcel'>

/** A process of another host: where it is, and its id there. */
interface Far {
  readonly meeting: Meeting
  readonly id: number
}

/** Two processes of two hosts that know each other, and the pair through which the near one speaks. */
interface Bridge {
  readonly pair: number
  readonly near: number
  readonly far: number
  /** What the far one has said comes in order, although each connection waits for the directory. */
  tail: Promise<void>
}

/** A connection that waits for its verdict, or has come here. */
interface Travelling {
  readonly span: Span
  readonly sessionId: string
  readonly generation: number
  /** Of this host, as the directory has it; undefined: it has left. */
  readonly directory: SessionDirectory | undefined
}

export interface LinkOptions {
  readonly channel: Channel
  readonly clock: Clock
  readonly log: Log
  readonly identity: Identity
  readonly settings: Pick<LinkSettings, 'hostName' | 'leaseSeconds'>
  readonly registry: () => Registry | undefined
  readonly memory: () => Readonly<Record<string, number>>
}

/**
 * Joins processes of this host with those of others. What they say to each other is sealed between the two;
 * here it is passed on as it is. With a connection goes its stream: the bytes of the client, encrypted, or of
 * a leg.
 */
export class Link implements MeetingOwner {
  readonly clock: Clock
  readonly encounters: Encounters
  readonly #options: LinkOptions
  /** Processes of this host. */
  readonly #near = new Map<number, Peer>()
  /** By the number that the supervisor knows. */
  readonly #far = new Map<number, Far>()
  readonly #bridges = new Map<number, Bridge>()
  /** By the far one's number and the near one's id. */
  readonly #ways = new Map<string, Bridge>()
  readonly #waiting = new Map<string, Said[]>()
  /** Connections without a verdict, by their tickets. */
  readonly #leaving = new Map<string, Travelling>()
  readonly #arriving = new Map<string, Travelling>()
  /** Those that are here, or on their way here, whose clients are with other hosts. */
  readonly #guests = new Map<Span, Travelling>()
  /** Those that have left, or are leaving, for another host. */
  readonly #absent = new Map<Span, Travelling>()
  readonly #fence = new Fence()
  readonly #counters = { sent: 0, received: 0, refused: 0 }
  #nextFar = 1

  constructor(options: LinkOptions) {
    this.clock = options.clock
    this.#options = options
    const { hostName, leaseSeconds } = options.settings
    this.encounters = new Encounters({ ...options, hostName, silence: leaseSeconds * 1000, owner: this })
  }

  /** A message of a process of this host. The payload is borrowed, the descriptors are ours. */
  receive(from: number, payload: Uint8Array, descriptors: Descriptor[]): void {
    let kept = 0
    try {
      if (from === SUPERVISOR) kept = this.#order(decodeControl(payload), descriptors)
      else kept = this.#fromNear(from, payload, descriptors)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#options.log.warn({ from, reason: error.message }, 'a malformed message')
    } finally {
      for (const descriptor of descriptors.slice(kept)) descriptor.close()
    }
  }

  /** A pair cannot be spoken through any more: that process is ending. */
  lost(pair: number, _reason: string): void {
    this.#unbridge(this.#bridges.get(pair))
  }

  /** Tells the other hosts that this one goes, and ends. */
  stop(): void {
    this.encounters.end('this host stops')
    const ended = this.#options.registry()?.end() ?? Promise.resolve()
    const exit = (): void => process.exit(0)
    void ended.finally(exit)
    this.clock.after(FAREWELL, exit)
  }

  /** @returns how many of the descriptors are kept */
  #order(message: ControlMessage, descriptors: readonly Descriptor[]): number {
    switch (message.kind) {
      case 'introduce': {
        const peer = { ...message.peer, publicKey: message.peer.publicKey.slice() }
        this.#near.set(peer.id, peer)
        for (const meeting of this.encounters.met) meeting.send({ kind: 'process', peer })
        break
      }
      case 'draining':
        for (const meeting of this.encounters.met) meeting.send({ kind: 'retires', id: message.id })
        break
      case 'gone':
        if (!this.#near.delete(message.id)) break
        for (const meeting of this.encounters.met) meeting.send({ kind: 'gone', id: message.id })
        for (const bridge of [...this.#bridges.values()])
          if (bridge.near === message.id) this.#unbridge(bridge)
        break
      case 'bridge':
        return this.#bridge(message, descriptors)
      case 'statusRequest':
        this.#tell({ kind: 'status', counters: this.#status() })
        break
      case 'stop':
        this.stop()
    }
    return 0
  }

  #bridge(
    { pair, near, far }: Extract<ControlMessage, { kind: 'bridge' }>,
    ends: readonly Descriptor[],
  ): number {
    // It went while the pair was made.
    if (!this.#far.has(far)) return 0
    const bridge = { pair, near, far, tail: Promise.resolve() }
    this.#bridges.set(PAIRS + pair, bridge)
    this.#ways.set(wayOf(bridge), bridge)
    this.#options.channel.addPeer(PAIRS + pair, ends)
    const waiting = this.#waiting.get(wayOf(bridge)) ?? []
    this.#waiting.delete(wayOf(bridge))
    const { meeting } = this.#far.get(far)!
    for (const said of waiting) this.#toNear(meeting, said)
    return ends.length
  }

  #unbridge(bridge: Bridge | undefined): void {
    if (bridge === undefined || !this.#bridges.delete(PAIRS + bridge.pair)) return
    this.#ways.delete(wayOf(bridge))
    this.#options.channel.forget(PAIRS + bridge.pair)
  }

  #fromNear(from: number, payload: Uint8Array, descriptors: readonly Descriptor[]): number {
    const bridge = this.#bridges.get(from)
    const far = bridge && this.#far.get(bridge.far)
    if (bridge === undefined || far === undefined) return 0
    const message = decodeControl(payload)
    const way = { from: bridge.near, to: far.id, payload }
    if (isConsignment(message)) return this.#depart(bridge, far, message, way, descriptors)
    this.#judged(this.#arriving, message, ({ span }, accepted) => {
      if (!accepted) span.break()
    })
    // Files of slots are memory that this machine's processes share.
    if (descriptors.length === 0) far.meeting.send({ kind: 'message', ...way })
    return 0
  }

  /** A connection sets out for another host. @returns how many descriptors are kept */
  #depart(
    bridge: Bridge,
    { meeting }: Far,
    message: Consignment,
    way: Omit<Of<'message'>, 'kind'>,
    [descriptor, ...more]: readonly Descriptor[],
  ): number {
    const { ticket, sessionId, generation } = message
    const why = this.#against(message, more.length, hex(sessionId))
    if (descriptor === undefined || why !== undefined) {
      this.#refuse(bridge, ticket, why ?? 'a connection without its stream')
      return 0
    }
    const span = meeting.begin(descriptor)
    const travelling = { span, sessionId: hex(sessionId), generation, directory: undefined }
    this.#leaving.set(hex(ticket), travelling)
    this.#absent.set(span, travelling)
    this.#counters.sent++
    meeting.send({ kind: 'parcel', ...way, span: span.number })
    return 1
  }

  /** Why a connection cannot leave this host. */
  #against({ kind }: Consignment, companions: number, sessionId: string): string | undefined {
    if (kind !== 'parcel' && kind !== 'takeOver') return `a ${kind} stays on its host`
    if (companions > 0) return 'connections of its upstreams cannot leave their host'
    const carried = [...this.#guests.values(), ...this.#absent.values()]
    return carried.filter(one => one.sessionId === sessionId).length < MOST_SPANS
      ? undefined
      : 'it has gone to and fro between hosts too often'
  }

  #refuse({ pair }: Bridge, ticket: Uint8Array, detail: string): void {
    this.#counters.refused++
    this.#options.channel.send(PAIRS + pair, refusal(ticket, 'policy', detail))
  }

  /** What is said of connections on their way. */
  #judged(
    travelling: Map<string, Travelling>,
    message: ControlMessage,
    each: (travelling: Travelling, accepted: boolean) => void,
  ): void {
    const on = (ticket: Uint8Array, accepted: boolean): void => {
      const found = travelling.get(hex(ticket))
      if (found === undefined) return
      travelling.delete(hex(ticket))
      each(found, accepted)
    }
    if (message.kind === 'verdict') on(message.ticket, message.verdict.outcome === 'accepted')
    else if (message.kind === 'taken') for (const { ticket } of message.parcels) on(ticket, true)
  }

  #release({ directory, sessionId, generation }: Travelling): void {
    const ownership = { owner: this.#self, generation }
    // If etcd is away, it ends there with our lease.
    void directory?.release(sessionId, ownership).catch(() => undefined)
  }

  /** How the directory calls this host: no other one is ever called so. */
  get #self(): string {
    const { settings, identity } = this.#options
    return `${settings.hostName}/${identity.digest.slice(0, 16)}`
  }

  met(meeting: Meeting): void {
    this.#options.log.info({ host: meeting.host }, 'a host is met')
    for (const peer of this.#near.values()) meeting.send({ kind: 'process', peer })
  }

  reached(meeting: Meeting, peer: Peer): void {
    if (peer.role !== 'container' && peer.role !== 'gateway')
      throw new RangeError(`a ${peer.role} is none of ours`)
    const far = this.#nextFar++
    this.#far.set(far, { meeting, id: peer.id })
    const name = `${meeting.host}/${peer.name}`
    this.#tell({ kind: 'reaches', peer: { ...peer, id: far, name }, salt: meeting.salt })
  }

  parted(meeting: Meeting, id: number): void {
    const far = this.#numberOf(meeting, id)
    if (far === undefined) return
    for (const bridge of [...this.#bridges.values()]) if (bridge.far === far) this.#unbridge(bridge)
    for (const way of [...this.#waiting.keys()]) if (way.startsWith(`${far}/`)) this.#waiting.delete(way)
    this.#far.delete(far)
    this.#tell({ kind: 'parted', far })
  }

  retires(meeting: Meeting, id: number): void {
    const far = this.#numberOf(meeting, id)
    if (far !== undefined) this.#tell({ kind: 'retires', far })
  }

  message(meeting: Meeting, frame: Of<'message'>): void {
    this.#toNear(meeting, frame)
  }

  parcel(meeting: Meeting, frame: Of<'parcel'>): void {
    this.#toNear(meeting, frame)
  }

  claimed(_meeting: Meeting, span: Span, revision: number): boolean {
    for (const travelling of this.#leaving.values())
      if (travelling.span === span) return this.#fence.admits(travelling.sessionId, revision)
    return false
  }

  ended(_meeting: Meeting, span: Span): void {
    this.#absent.delete(span)
    const guest = this.#guests.get(span)
    if (guest === undefined) return
    this.#guests.delete(span)
    this.#release(guest)
    for (const [ticket, one] of this.#arriving) if (one.span === span) this.#arriving.delete(ticket)
  }

  over(meeting: Meeting, reason: string): void {
    const { log } = this.#options
    log.warn({ host: meeting.host, reason }, 'a host is lost')
    this.encounters.lost(meeting)
    for (const far of [...this.#far.values()]) if (far.meeting === meeting) this.parted(meeting, far.id)
    for (const [ticket, { span }] of this.#leaving) if (span.isOver) this.#leaving.delete(ticket)
  }

  #numberOf(meeting: Meeting, id: number): number | undefined {
    for (const [number, far] of this.#far) if (far.meeting === meeting && far.id === id) return number
    return undefined
  }

  /** What a process of another host says to one of ours, in order. */
  #toNear(meeting: Meeting, said: Said): void {
    const far = this.#numberOf(meeting, said.from)
    if (far === undefined || !this.#near.has(said.to)) return
    const way = wayOf({ far, near: said.to })
    const bridge = this.#ways.get(way)
    if (bridge === undefined) {
      const waiting = this.#waiting.get(way) ?? []
      if (waiting.length < MOST_WAITING) this.#waiting.set(way, [...waiting, said])
      return
    }
    bridge.tail = bridge.tail
      .then(() => (said.kind === 'parcel' ? this.#arrive(meeting, bridge, said) : this.#say(bridge, said)))
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'a message could not be passed on'))
  }

  #say({ pair }: Bridge, { payload }: Of<'message'>): void {
    this.#judged(this.#leaving, decodeControl(payload), ({ span }, accepted) => {
      if (accepted) span.open()
      else span.close()
    })
    this.#options.channel.send(PAIRS + pair, payload)
  }

  /** A connection of another host: first the directory has to say that it is ours. */
  async #arrive(
    meeting: Meeting,
    { pair }: Bridge,
    { from, to, span: number, payload }: Of<'parcel'>,
  ): Promise<void> {
    const message = decodeControl(payload)
    if (!isConsignment(message)) return
    const { ticket, generation } = message
    const sessionId = hex(message.sessionId)
    const refuse = (detail: string): void => {
      this.#counters.refused++
      meeting.send({ kind: 'message', from: to, to: from, payload: refusal(ticket, 'draining', detail) })
    }
    const directory = this.#options.registry()?.directory
    if (directory === undefined) return refuse('etcd is away, and nothing is claimed')
    let revision: bigint | undefined
    try {
      const entry = await directory.claim(sessionId, { owner: this.#self, generation })
      if (!entry.granted) return refuse(`the directory refuses it: ${entry.reason}`)
      revision = entry.revision
    } catch (error) {
      return refuse(`nothing is claimed: ${reasonOf(error)}`)
    }
    const [ours, theirs] = await openPair()
    const span = meeting.accept(number, ours)
    const travelling = { span, sessionId, generation, directory }
    if (revision !== undefined) meeting.send({ kind: 'claimed', span: number, revision: Number(revision) })
    this.#arriving.set(hex(ticket), travelling)
    this.#guests.set(span, travelling)
    this.#counters.received++
    const sent = this.#options.channel.send(PAIRS + pair, payload, [theirs])
    theirs.close()
    if (sent === 'sent' || sent === 'queued') span.open()
    else {
      span.break()
      refuse('that container is gone')
    }
  }

  #status(): { readonly name: string; readonly value: number }[] {
    const registry = this.#options.registry()
    const spans = this.encounters.met.reduce((sum, { size }) => sum + size, 0)
    const processes = new Map(this.encounters.met.map(({ host }) => [hostCounter(host), 0]))
    for (const { meeting } of this.#far.values())
      processes.set(hostCounter(meeting.host), (processes.get(hostCounter(meeting.host)) ?? 0) + 1)
    const counters = {
      ...{
        connections: spans,
        guests: this.#guests.size,
        absent: this.#absent.size,
        inCustody: this.#leaving.size,
      },
      ...this.#counters,
      etcdAway: registry?.away === false ? 0 : 1,
      nameTaken: registry?.taken === true ? 1 : 0,
      ...Object.fromEntries(processes),
      ...this.#options.memory(),
    }
    return Object.entries(counters).map(([name, value]) => ({ name, value }))
  }

  #tell(message: ControlMessage): void {
    this.#options.channel.send(SUPERVISOR, writeControl(message))
  }
}

/** Pairs are numbered from here on, so that none is taken for the supervisor. */
const PAIRS = 1

function wayOf({ far, near }: Pick<Bridge, 'far' | 'near'>): string {
  return `${far}/${near}`
}

function refusal(ticket: Uint8Array, reason: 'policy' | 'draining', detail: string): Uint8Array {
  const verdict = { outcome: 'refused', reason, detail: detail.slice(0, 255) } as const
  return writeControl({ kind: 'verdict', ticket, verdict }).slice()
}
