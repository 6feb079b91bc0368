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
import type { Descriptor } from '../transfer/stream.ts'
import { DecodeError, hex } from '../wire/index.ts'
import { type Claim, Claims } from './claims.ts'
import { type Counter, countersOf } from './counters.ts'
import { Encounters } from './encounters.ts'
import { type Far, FarProcesses, MOST_OF_A_HOST } from './far-processes.ts'
import { exitBehind, farewell } from './farewell.ts'
import type { Frame } from './frames.ts'
import type { Identity } from './identity.ts'
import { Journeys } from './journeys.ts'
import type { Meeting, MeetingOwner } from './meeting.ts'
import { type Opened, openSpan } from './opening.ts'
import type { Registry } from './registry.ts'
import type { Helper } from './repair/helper.ts'
import { Lifts, WITHOUT_LIFTS } from './repair/lifts.ts'
import { acceptance, heard, refusal, type Said, type SaidParcel, travels } from './said.ts'
import { Shortcuts } from './shortcuts.ts'
import { type Carriage, Span } from './span.ts'
import { type Bridge, Ways } from './ways.ts'
import { Fence } from './window.ts'

/** Spans that one connection may have here: one that goes on to others grows longer each time. */
const MOST_SPANS = 8
/** Bytes that a message counts for, besides its own. */
const OF_A_MESSAGE = 256

type Of<K extends Frame['kind']> = Extract<Frame, { kind: K }>

export interface LinkOptions {
  readonly channel: Channel
  readonly clock: Clock
  readonly log: Log
  readonly identity: Identity
  readonly settings: Pick<LinkSettings, 'hostName' | 'leaseSeconds'>
  readonly registry: () => Registry | undefined
  readonly memory: () => Readonly<Record<string, number>>
  /** If connections of TCP go to other hosts themselves. */
  readonly helper?: Helper | undefined
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
  readonly #claims: Claims
  readonly #lifts: Lifts | undefined
  readonly #counters = { sent: 0, received: 0, refused: 0 }

  constructor(options: LinkOptions) {
    this.clock = options.clock
    this.#options = options
    this.#shortcuts = new Shortcuts(options.clock)
    const { hostName, leaseSeconds } = options.settings
    this.encounters = new Encounters({ ...options, hostName, silence: leaseSeconds * 1000, owner: this })
    const { helper, identity, registry } = options
    this.#claims = new Claims(`${hostName}/${identity.digest.slice(0, 16)}`, () => registry()?.directory)
    const { encounters } = this
    if (helper !== undefined)
      this.#lifts = new Lifts({ ...options, helper, hostName, encounters, ended: span => this.#ended(span) })
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
    this.#lifted.silent(bridge.near, () => far?.meeting.send({ kind: 'cut', from: bridge.near, to: far.id }))
  }

  /** Lets connections end in order, tells the other hosts that this one goes, and ends. */
  stop(): void {
    this.#lifts?.end()
    const ended = this.#options.registry()?.end() ?? Promise.resolve()
    void farewell(this.clock, this.#journeys.absent, () => this.#spans).then(() => {
      this.encounters.end('this host stops')
      exitBehind(ended, this.clock)
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
        this.#lifts?.gone(message.id)
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
      if (!accepted) span.break()
      else if (!(span instanceof Span)) span.open()
      else {
        const out = this.#journeys.leftBefore(travelling)
        if (out !== undefined) this.#shortcuts.begin(travelling.sessionId, out, span)
      }
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
    // What is said later is said of copies: the message is borrowed.
    const [ticketOf, id] = [ticket.slice(), sessionId.slice()]
    const why = this.#against(message, more.length, hex(sessionId))
    if (descriptor === undefined || why !== undefined) {
      this.#refuse(bridge, ticket, 'policy', why ?? 'a connection without its stream')
      return 0
    }
    if (meeting.crowded) {
      this.#refuse(bridge, ticket, 'draining', 'too much waits for that host')
      return 0
    }
    const flow = this.#lifts?.flowFor(meeting, descriptor)
    const span =
      flow === undefined
        ? meeting.begin(descriptor)
        : this.#lifts!.leave(meeting, descriptor, flow, bridge, {
            admits: revision => this.#fence.admits(hex(id), revision),
            relayed: (leaving, back) => this.#journeys.becomes(leaving, meeting.begin(back, leaving.number)),
            kept: (_, reason) => this.#refuse(bridge, ticketOf, 'draining', reason),
            ended: leaving => this.#ended(leaving),
          })
    const travelling = { span, sessionId: hex(sessionId), generation, directory: undefined }
    this.#journeys.begin('leaving', bridge, ticket, travelling)
    this.#counters.sent++
    meeting.send({ kind: 'parcel', ...way, span: span.number, itself: flow !== undefined })
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

  met(meeting: Meeting): void {
    this.#options.log.info({ host: meeting.host }, 'a host is met')
    for (const peer of this.#near.values()) meeting.send({ kind: 'process', peer })
    this.#lifts?.met(meeting)
  }

  steering(meeting: Meeting, frame: Of<'steer' | 'turned' | 'steers'>): void {
    this.#lifts?.steering(meeting, frame)
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
    this.#lifted.behind(this.#ways.of({ far }), () => {
      if (!this.#far.delete(far)) return
      for (const bridge of this.#ways.of({ far })) this.#unbridge(bridge)
      this.#ways.forget({ far })
      this.#tell({ kind: 'parted', far })
    })
  }

  get #lifted(): Pick<Lifts, 'silent' | 'behind'> {
    return this.#lifts ?? WITHOUT_LIFTS
  }

  retires(meeting: Meeting, id: number): void {
    const far = this.#far.numberOf(meeting, id)
    if (far !== undefined) this.#tell({ kind: 'retires', far })
  }

  cut(meeting: Meeting, from: number, to: number): void {
    const far = this.#far.numberOf(meeting, from)
    if (far === undefined || !this.#near.has(to)) return
    const ends = { far, near: to }
    this.#lifted.behind([this.#ways.between(ends)], () => {
      this.#unbridge(this.#ways.between(ends))
      this.#ways.cut(ends)
    })
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
    this.#ended(span)
  }

  #ended(span: Carriage): void {
    const guest = this.#journeys.ended(span)
    if (guest !== undefined) this.#claims.release(guest)
  }

  over(meeting: Meeting, reason: string, settled: Promise<unknown> | undefined): void {
    const { log } = this.#options
    log.warn({ host: meeting.host, reason }, 'a host is lost')
    this.encounters.lost(meeting)
    const part = (): void => {
      for (const [, { id }] of this.#far.of(meeting)) this.parted(meeting, id)
    }
    // What could be taken back is here again before its container hears that the other one is gone.
    if (settled === undefined) part()
    else void settled.then(part)
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
    const claim = said.kind === 'parcel' ? this.#claims.claim(said) : undefined
    bridge.tail = bridge.tail
      .then(async () => {
        if (said.kind === 'parcel') await this.#arrive(meeting, bridge, said, await claim!)
        else await this.#say(bridge, said)
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

  async #say(bridge: Bridge, { payload, said }: Said): Promise<void> {
    const { channel } = this.#options
    const pair = PAIRS + bridge.pair
    const closing: (Promise<void> | undefined)[] = []
    this.#journeys.judged('leaving', bridge, said, ({ span }, accepted) => {
      if (accepted) span.open()
      else closing.push(span.close())
    })
    for (const one of closing) if (one !== undefined) await one
    // One that is lost would be waited for.
    if (channel.send(pair, payload) === 'full') channel.cut(pair, 'it does not read')
  }

  /** A connection of another host. */
  async #arrive(meeting: Meeting, bridge: Bridge, parcel: SaidParcel, claim: Claim): Promise<void> {
    if (claim.against !== undefined) return this.#refuseFar(meeting, parcel, claim.against)
    const { span: number, payload, said } = parcel
    const { directory, revision } = claim
    const session = { directory, sessionId: hex(said.sessionId), generation: said.generation }
    if (revision !== undefined) meeting.send({ kind: 'claimed', span: number, revision: Number(revision) })
    const opened = await (parcel.itself ? this.#land(meeting, bridge, parcel) : openSpan(meeting, number))
    if ('against' in opened) {
      this.#claims.release(session)
      return this.#refuseFar(meeting, parcel, opened.against)
    }
    const { span, theirs } = opened
    this.#journeys.begin('arriving', bridge, said.ticket, { ...session, span })
    this.#counters.received++
    const sent = this.#options.channel.send(PAIRS + bridge.pair, payload, [theirs])
    if (span instanceof Span) theirs.close()
    if (sent === 'sent' || sent === 'queued') {
      if (span instanceof Span) span.open()
    } else {
      span.break()
      this.#refuseFar(meeting, parcel, 'that container is gone')
    }
  }

  /** The connection itself, or a span after all, or why there is neither. */
  async #land(meeting: Meeting, bridge: Bridge, parcel: SaidParcel): Promise<Opened> {
    if (this.#lifts === undefined) return { against: 'connections go by spans here' }
    const { from, to, said } = parcel
    const settled = (begun: boolean): void => {
      if (begun) meeting.send({ kind: 'message', from: to, to: from, payload: acceptance(said.ticket) })
      else this.#refuseFar(meeting, parcel, 'that container is gone')
    }
    const span = this.#lifts.arrive(meeting, parcel.span, bridge, settled)
    if (span === undefined) return { against: 'there is a span of that number' }
    const prepared = await span.prepare()
    if (prepared === 'relay') return openSpan(meeting, parcel.span)
    return 'against' in prepared ? prepared : { span, theirs: prepared }
  }

  #status(): readonly Counter[] {
    const { registry, memory } = this.#options
    return countersOf(registry(), this.encounters.met, this.#far.counts, {
      ...{ connections: this.#spans, returned: this.#shortcuts.junctions },
      ...{ ...this.#journeys.counts, ...this.#counters, ...this.#lifts?.counts, ...memory() },
    })
  }

  #tell(message: ControlMessage): void {
    this.#options.channel.send(SUPERVISOR, writeControl(message))
  }
}

/** Pairs are numbered from here on, so that none is taken for the supervisor. */
const PAIRS = 1
