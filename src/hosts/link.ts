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
  type RefusalReason,
  writeControl,
} from '../transfer/control.ts'
import type { SessionDirectory } from '../transfer/directory.ts'
import { openPair, type Pair } from '../transfer/pair.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { DecodeError, hex } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import { Encounters } from './encounters.ts'
import { type Far, FarProcesses, MOST_OF_A_HOST } from './far-processes.ts'
import { farewell } from './farewell.ts'
import type { Frame } from './frames.ts'
import type { Identity } from './identity.ts'
import { Journeys, type Travelling } from './journeys.ts'
import type { Meeting, MeetingOwner } from './meeting.ts'
import type { Registry } from './registry.ts'
import { heard, refusal, type Said, type SaidParcel, travels } from './said.ts'
import { Shortcuts } from './shortcuts.ts'
import type { Span } from './span.ts'
import { type Bridge, Ways } from './ways.ts'
import { Fence } from './window.ts'

/** Milliseconds for the last word to etcd. */
const LAST_WORD = 1000
/**
 * Spans that one connection may have here: one that comes back runs through its former host still, and so it
 * grows longer each time.
 */
const MOST_SPANS = 8
/** Bytes that a message counts for, besides its own. */
const OF_A_MESSAGE = 256

type Of<K extends Frame['kind']> = Extract<Frame, { kind: K }>

/** What the directory has said of a connection that comes. */
type Claim =
  | { readonly against: string }
  | { readonly against?: never; readonly directory: SessionDirectory; readonly revision: bigint | undefined }

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
  readonly #far = new FarProcesses()
  readonly #ways = new Ways()
  readonly #journeys = new Journeys()
  readonly #shortcuts: Shortcuts
  readonly #fence = new Fence()
  readonly #counters = { sent: 0, received: 0, refused: 0 }

  constructor(options: LinkOptions) {
    this.clock = options.clock
    this.#options = options
    this.#shortcuts = new Shortcuts(options.clock)
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
      if (from !== SUPERVISOR) this.#options.channel.cut(from, error.message)
    } finally {
      for (const descriptor of descriptors.slice(kept)) descriptor.close()
    }
  }

  /** A message of a process of this host has lost its descriptors on the way. */
  refused(from: number, payload: Uint8Array, reason: string): void {
    const bridge = this.#ways.byPair(from - PAIRS)
    if (bridge === undefined) return
    try {
      const message = decodeControl(payload)
      if (isConsignment(message)) this.#refuse(bridge, message.ticket, 'descriptor', reason)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }

  /** A pair cannot be spoken through any more: that process is ending, or has had enough of the far one. */
  lost(pair: number, _reason: string): void {
    const bridge = this.#ways.byPair(pair - PAIRS)
    if (bridge === undefined) return
    const far = this.#far.get(bridge.far)
    this.#unbridge(bridge)
    this.#ways.cut(bridge)
    far?.meeting.send({ kind: 'cut', from: bridge.near, to: far.id })
  }

  /** Lets connections end in order, tells the other hosts that this one goes, and ends. */
  stop(): void {
    const ended = this.#options.registry()?.end() ?? Promise.resolve()
    void farewell(this.clock, this.#journeys.absent, () => this.#spans).then(() => {
      this.encounters.end('this host stops')
      const exit = (): void => process.exit(0)
      void ended.finally(exit)
      this.clock.after(LAST_WORD, exit)
    })
  }

  get #spans(): number {
    return this.encounters.met.reduce((sum, { size }) => sum + size, this.#shortcuts.size)
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
        for (const bridge of this.#ways.of({ near: message.id })) this.#unbridge(bridge)
        this.#ways.forget({ near: message.id })
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
    const meeting = this.#far.get(far)?.meeting
    // It went while the pair was made, or does not want it any more.
    if (meeting === undefined || this.#ways.isCut({ far, near })) return 0
    const bridge = { pair, near, far, tail: Promise.resolve() }
    const waiting = this.#ways.add(bridge)
    this.#options.channel.addPeer(PAIRS + pair, ends)
    for (const said of waiting) this.#toNear(meeting, said)
    return ends.length
  }

  #unbridge(bridge: Bridge | undefined): void {
    if (bridge === undefined || !this.#ways.delete(bridge)) return
    this.#options.channel.forget(PAIRS + bridge.pair)
  }

  #fromNear(from: number, payload: Uint8Array, descriptors: readonly Descriptor[]): number {
    const bridge = this.#ways.byPair(from - PAIRS)
    const far = bridge && this.#far.get(bridge.far)
    if (bridge === undefined || far === undefined) return 0
    const message = decodeControl(payload)
    const way = { from: bridge.near, to: far.id, payload }
    if (isConsignment(message)) return this.#depart(bridge, far, message, way, descriptors)
    this.#journeys.judged('arriving', bridge, message, (travelling, accepted) => {
      const { span } = travelling
      const out = this.#journeys.leftBefore(travelling)
      if (!accepted) span.break()
      else if (out !== undefined) this.#shortcuts.begin(travelling.sessionId, out, span)
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
      this.#refuse(bridge, ticket, 'policy', why ?? 'a connection without its stream')
      return 0
    }
    if (meeting.crowded) {
      this.#refuse(bridge, ticket, 'draining', 'too much waits for that host')
      return 0
    }
    const span = meeting.begin(descriptor)
    const travelling = { span, sessionId: hex(sessionId), generation, directory: undefined }
    this.#journeys.begin('leaving', bridge, ticket, travelling)
    this.#counters.sent++
    meeting.send({ kind: 'parcel', ...way, span: span.number })
    return 1
  }

  /** Why a connection cannot leave this host. */
  #against(message: Consignment, companions: number, sessionId: string): string | undefined {
    if (!travels(message)) return `a ${message.kind} stays on its host`
    if (companions > 0) return 'connections of its upstreams cannot leave their host'
    return this.#journeys.spansOf(sessionId) < MOST_SPANS
      ? undefined
      : 'it has gone to and fro between hosts too often'
  }

  #refuse({ pair }: Bridge, ticket: Uint8Array, reason: RefusalReason, detail: string): void {
    this.#counters.refused++
    this.#options.channel.send(PAIRS + pair, refusal(ticket, reason, detail))
  }

  #release({ directory, sessionId, generation }: Omit<Travelling, 'span'>): void {
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
    const far = this.#far.add(meeting, peer, this.#near.values())
    if (far === undefined) {
      const { host } = meeting
      this.#options.log.warn(
        { host, process: peer.name, most: MOST_OF_A_HOST },
        'a host has too many processes',
      )
      return
    }
    const name = `${meeting.host}/${peer.name}`
    this.#tell({ kind: 'reaches', peer: { ...peer, id: far, name }, salt: meeting.salt })
  }

  parted(meeting: Meeting, id: number): void {
    const far = this.#far.numberOf(meeting, id)
    if (far === undefined) return
    for (const bridge of this.#ways.of({ far })) this.#unbridge(bridge)
    this.#ways.forget({ far })
    this.#far.delete(far)
    this.#tell({ kind: 'parted', far })
  }

  retires(meeting: Meeting, id: number): void {
    const far = this.#far.numberOf(meeting, id)
    if (far !== undefined) this.#tell({ kind: 'retires', far })
  }

  cut(meeting: Meeting, from: number, to: number): void {
    const far = this.#far.numberOf(meeting, from)
    if (far === undefined || !this.#near.has(to)) return
    this.#unbridge(this.#ways.between({ far, near: to }))
    this.#ways.cut({ far, near: to })
  }

  said(meeting: Meeting, frame: Of<'message'> | Of<'parcel'>): void {
    this.#toNear(meeting, heard(frame))
  }

  claimed(_meeting: Meeting, span: Span, revision: number): boolean {
    const travelling = this.#journeys.leavingBy(span)
    return travelling !== undefined && this.#fence.admits(travelling.sessionId, revision)
  }

  ended(_meeting: Meeting, span: Span): void {
    this.#shortcuts.ended(span)
    const guest = this.#journeys.ended(span)
    if (guest !== undefined) this.#release(guest)
  }

  over(meeting: Meeting, reason: string): void {
    const { log } = this.#options
    log.warn({ host: meeting.host, reason }, 'a host is lost')
    this.encounters.lost(meeting)
    for (const [, { id }] of this.#far.of(meeting)) this.parted(meeting, id)
  }

  /** What a process of another host says to one of ours, in order. */
  #toNear(meeting: Meeting, said: Said): void {
    const far = this.#far.numberOf(meeting, said.from)
    if (far === undefined || !this.#near.has(said.to)) return
    const bridge = this.#ways.between({ far, near: said.to })
    if (bridge === undefined) {
      this.#wait(meeting, { far, near: said.to }, said)
      return
    }
    const bytes = said.payload.length + OF_A_MESSAGE
    meeting.hold(bytes)
    // The directory is asked for all at once, but what they said comes in its order.
    const claim = said.kind === 'parcel' ? this.#claim(said) : undefined
    bridge.tail = bridge.tail
      .then(async () => {
        if (said.kind === 'parcel') await this.#arrive(meeting, bridge, said, await claim!)
        else this.#say(bridge, said)
      })
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'a message could not be passed on'))
      .finally(() => meeting.free(bytes))
  }

  /** The supervisor is making the pair, or has not been able to. */
  #wait(meeting: Meeting, ends: Pick<Bridge, 'near' | 'far'>, said: Said): void {
    if (this.#ways.isCut(ends)) {
      if (said.kind === 'parcel') this.#refuseFar(meeting, said, 'they do not speak to each other any more')
    } else if (!this.#ways.wait(ends, said)) {
      this.#ways.cut(ends)
      meeting.send({ kind: 'cut', from: said.to, to: said.from })
    }
  }

  /** In the name of the process that it was offered to. */
  #refuseFar(meeting: Meeting, { from, to, said: { ticket } }: SaidParcel, detail: string): void {
    this.#counters.refused++
    meeting.send({ kind: 'message', from: to, to: from, payload: refusal(ticket, 'draining', detail) })
  }

  #say(bridge: Bridge, { payload, said }: Said): void {
    const { channel } = this.#options
    const pair = PAIRS + bridge.pair
    this.#journeys.judged('leaving', bridge, said, ({ span }, accepted) => {
      if (accepted) span.open()
      else span.close()
    })
    // One that is lost would be waited for.
    if (channel.send(pair, payload) === 'full') channel.cut(pair, 'it does not read')
  }

  /** The directory has to say that a connection of another host is ours. Never rejects. */
  async #claim({ said: { sessionId, generation } }: SaidParcel): Promise<Claim> {
    const directory = this.#options.registry()?.directory
    if (directory === undefined) return { against: 'etcd is away, and nothing is claimed' }
    try {
      const entry = await directory.claim(hex(sessionId), { owner: this.#self, generation })
      if (!entry.granted) return { against: `the directory refuses it: ${entry.reason}` }
      return { directory, revision: entry.revision }
    } catch (error) {
      return { against: `nothing is claimed: ${reasonOf(error)}` }
    }
  }

  /** A connection of another host. */
  async #arrive(meeting: Meeting, bridge: Bridge, parcel: SaidParcel, claim: Claim): Promise<void> {
    if (claim.against !== undefined) return this.#refuseFar(meeting, parcel, claim.against)
    const { span: number, payload, said } = parcel
    const { directory, revision } = claim
    const session = { directory, sessionId: hex(said.sessionId), generation: said.generation }
    const opened = await this.#open(meeting, number)
    if ('against' in opened) {
      this.#release(session)
      return this.#refuseFar(meeting, parcel, opened.against)
    }
    const { span, theirs } = opened
    if (revision !== undefined) meeting.send({ kind: 'claimed', span: number, revision: Number(revision) })
    this.#journeys.begin('arriving', bridge, said.ticket, { ...session, span })
    this.#counters.received++
    const sent = this.#options.channel.send(PAIRS + bridge.pair, payload, [theirs])
    theirs.close()
    if (sent === 'sent' || sent === 'queued') span.open()
    else {
      span.break()
      this.#refuseFar(meeting, parcel, 'that container is gone')
    }
  }

  /** A span with a new stream, or why there is none. */
  async #open(
    meeting: Meeting,
    number: number,
  ): Promise<{ readonly span: Span; readonly theirs: Descriptor } | { readonly against: string }> {
    let pair: Pair | undefined
    try {
      pair = await openPair()
      return { span: meeting.accept(number, pair[0]), theirs: pair[1] }
    } catch (error) {
      for (const end of pair ?? []) end.close()
      if (error instanceof RangeError) meeting.end(`it speaks nonsense: ${error.message}`)
      return { against: `no stream can be made: ${reasonOf(error)}` }
    }
  }

  #status(): { readonly name: string; readonly value: number }[] {
    const registry = this.#options.registry()
    const { counts } = this.#far
    const processes = this.encounters.met.map(
      ({ host }) => [hostCounter(host), counts.get(host) ?? 0] as const,
    )
    const counters = {
      connections: this.#spans,
      ...this.#journeys.counts,
      returned: this.#shortcuts.junctions,
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
