import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { DecodeError, encode } from '../wire/index.ts'
import { type Channel, SUPERVISOR } from './channel.ts'
import { Introductions } from './channels/introductions.ts'
import { Arrivals } from './consignments/arrivals.ts'
import {
  type Arrival,
  type ConsignmentHandlers,
  DESCRIPTORS_OF,
  openConsignment,
} from './consignments/consignments.ts'
import type { Return } from './consignments/return.ts'
import { Tickets } from './consignments/tickets.ts'
import {
  type Consignment,
  type ControlMessage,
  decodeControl,
  isConsignment,
  maySay,
  type Peer,
  type Speaker,
  type Verdict,
  writeControl,
} from './control.ts'
import type { Release } from './custody.ts'
import type { Envelope } from './envelope.ts'
import { Hibernated } from './hibernated.ts'
import { Keeper } from './keeper.ts'
import { Sharing, type SharingHandlers } from './keys/sharing.ts'
import { TakeOver } from './leg.ts'
import { Lending } from './loans/lending.ts'
import type { LoanAnswer, LoanRequest } from './loans/loan.ts'
import { sealEnvelope, sealReturn } from './parcel.ts'
import { RelayedState } from './relay-state.ts'
import { type SealAssociated, SealError, type Sealer } from './seal.ts'
import type { Descriptor } from './stream.ts'

const ACCEPTED: Verdict = { outcome: 'accepted' }

/** Messages of one peer that make no sense: those that are told of, and those that it may send. */
const [TOLD, NONSENSE] = [64, 1024]

/** What a process does with what its peers say. */
export interface CourierHandlers extends ConsignmentHandlers, SharingHandlers {
  introduced(peer: Peer): void
  /** The same of a container that is still starting. */
  expected?(peer: Peer): void
  gone(id: number): void
  /**
   * Nothing can be said to that peer any more, and nothing comes from it: it is about to end, or has turned.
   */
  lost?(id: number, reason: string): void
  /** A request that a peer lends; its id is certain. The answer may be given later, once. */
  loan?(request: LoanRequest, from: number, settle: (answer: LoanAnswer) => void): void
  /** Any other message. */
  control(message: ControlMessage, from: number): void
  /**
   * Something that a peer said makes no sense; nothing has been done. Not told of each, of a peer that goes
   * on.
   */
  nonsense(from: number, reason: string): void
}

/**
 * One process's dealings with its peers: it seals and sends parcels and keeps what was sent in custody until
 * the verdict; it opens what arrives and answers for it. Descriptors of what goes wrong are closed here.
 */
export class Courier {
  readonly #channel: Channel
  readonly #sealer: Sealer
  readonly #handlers: CourierHandlers
  readonly #keeper: Keeper
  /** What the supervisor says that each peer is. */
  readonly #speakers = new Map<number, Speaker>([[SUPERVISOR, 'supervisor']])
  /** How much of what each peer said made no sense. */
  readonly #nonsense = new Map<number, number>()
  readonly #loans: Lending
  readonly #tickets = new Tickets()
  /** Keys and slots that peers share with each other. */
  readonly #sharing: Sharing

  /** @param timeout milliseconds that a peer has for a verdict; undefined: as usual */
  constructor(
    channel: Channel,
    sealer: Sealer,
    handlers: CourierHandlers,
    clock: Clock = SYSTEM_CLOCK,
    timeout?: number,
  ) {
    this.#channel = channel
    this.#keeper = new Keeper(clock, timeout)
    this.#sealer = sealer
    this.#handlers = handlers
    this.#loans = new Lending(sealer, {
      tell: (to, message) => this.tell(to, message),
      lent: (...loan) => handlers.loan?.(...loan),
      senseless: (from, reason) => this.#senseless(from, reason),
    })
    this.#sharing = new Sharing(sealer, handlers, {
      tell: (to, message, descriptors) => this.tell(to, message, descriptors),
      senseless: (from, reason) => this.#senseless(from, reason),
    })
    channel.onGather = () => this.#arrivals.gather()
    channel.onGathered = () => this.#arrivals.gathered()
    channel.onMessage = (from, payload, descriptors) => this.#receive(from, payload, descriptors)
    channel.onRefused = (from, payload, reason) => this.#refused(from, payload, reason)
    channel.onLeft = (_to, payload) => this.#keeper.left(payload)
    channel.onUndeliverable = (_to, payload, started) => this.#keeper.undeliverable(payload, started)
    channel.onLost = (id, reason) => this.#lost(id, reason)
  }

  readonly introductions = new Introductions({
    introduce: (peer, ends, salt) => this.introduce(peer, ends, salt),
    introduced: (peer, how) => this.#handlers[how === 'expect' ? 'expected' : 'introduced']?.(peer),
    senseless: (from, reason) => this.#senseless(from, reason),
  })

  readonly #arrivals = new Arrivals((from, tickets) => {
    if (tickets.length > 1) this.tell(from, { kind: 'taken', parcels: tickets.map(ticket => ({ ticket })) })
    else this.tell(from, { kind: 'verdict', ticket: tickets[0]!, verdict: ACCEPTED })
  })

  /** Bytes of connections that were sealed to be sent, so far. */
  carriedBytes = 0
  /** Parcels that wait for a verdict. */
  get inCustody(): number {
    return this.#keeper.custody.size
  }
  /** Bytes of them. */
  get bytesInCustody(): number {
    return this.#keeper.custody.bytes
  }

  /** Sends a message without a connection. @returns false if that peer is not there */
  tell(to: number, message: ControlMessage, descriptors: readonly Descriptor[] = []): boolean {
    const result = this.#channel.send(to, writeControl(message), descriptors)
    return result === 'sent' || result === 'queued'
  }

  /**
   * Offers a frozen connection to a target. The descriptors stay the caller's, open until `settle` is called,
   * which happens exactly once, perhaps before this returns.
   * @param companions of its upstreams, at most {@link mostCompanions}
   */
  send(
    target: number,
    envelope: Envelope,
    descriptor: Descriptor,
    settle: (release: Release) => void,
    companions: readonly Descriptor[] = [],
  ): void {
    const seal = (): Uint8Array => sealEnvelope(this.#sealer, target, envelope)
    this.#send('parcel', target, envelope, seal, [descriptor, ...companions], settle)
  }

  /** Connections of upstreams that go along with one. */
  get mostCompanions(): number {
    return this.#channel.maxDescriptors - 1
  }

  /** Offers a connection to the container that it came from, in the same way; that has its socket. */
  sendReturn(
    target: number,
    session: SealAssociated,
    state: Return,
    settle: (release: Release) => void,
  ): void {
    const seal = (): Uint8Array => sealReturn(this.#sealer, target, session, state)
    this.#send('return', target, session, seal, [], settle)
  }

  /** Offers a connection whose owner has died, in the same way. */
  sendTakeOver(
    target: number,
    session: SealAssociated,
    takeOver: TakeOver,
    descriptor: Descriptor,
    settle: (release: Release) => void,
  ): void {
    const seal = (): Uint8Array => this.#sealer.seal(target, session, encode(TakeOver, takeOver))
    this.#send('takeOver', target, session, seal, [descriptor], settle)
  }

  /**
   * Offers a connection that we relay to another gateway, in the same way. Its descriptors are the client's
   * socket and our end of the leg.
   */
  sendRelayed(
    target: number,
    session: SealAssociated,
    state: RelayedState,
    descriptors: readonly [client: Descriptor, leg: Descriptor],
    settle: (release: Release) => void,
  ): void {
    const seal = (): Uint8Array => this.#sealer.seal(target, session, encode(RelayedState, state))
    this.#send('relayed', target, session, seal, descriptors, settle)
  }

  /**
   * Offers a connection to a gateway that keeps it while its function sleeps, or one that was kept to a
   * container, in the same way.
   */
  sendHibernated(
    kind: 'hibernate' | 'thaw',
    target: number,
    session: SealAssociated,
    state: Hibernated,
    descriptor: Descriptor,
    settle: (release: Release) => void,
  ): void {
    const seal = (): Uint8Array => this.#sealer.seal(target, session, encode(Hibernated, state))
    this.#send(kind, target, session, seal, [descriptor], settle)
  }

  #send(
    kind: Consignment['kind'],
    target: number,
    { sessionId, generation }: SealAssociated,
    seal: () => Uint8Array,
    descriptors: readonly Descriptor[],
    settle: (release: Release) => void,
  ): void {
    const ticket = this.#tickets.next()
    // First: a message of its own, after which another connection may leave, and what is sealed is borrowed.
    this.#arrivals.leaves(sessionId)
    let sealed: Uint8Array
    try {
      sealed = seal()
    } catch (error) {
      if (!(error instanceof SealError)) throw error
      settle({ state: 'owned', verdict: undefined })
      return
    }
    const message = writeControl({ kind, ticket, sessionId, generation, sealed })
    this.carriedBytes += sealed.length
    this.#keeper.hold(ticket, target, { sessionId, generation }, settle, sealed.length)
    this.#keeper.sent(ticket, this.#channel.send(target, message, descriptors))
  }

  /**
   * Takes what the peers have said by now. Each has a pair of its own, and what is read first need not have
   * been written first: what was done before a message was sent may be said in another pair.
   * @param except of that peer, whose message is being taken
   */
  catchUp(except?: number): void {
    for (const id of [...this.#channel.peers]) if (id !== except) this.#channel.poll(id)
  }

  /** A target offers a session back that we have in custody for it: see {@link Custody.concede}. */
  concede(target: number, session: SealAssociated): boolean {
    return this.#keeper.custody.concede(target, session)
  }

  /** Seals keys to a peer and sends them. @returns false if that peer is not there */
  share(target: number, keys: Uint8Array): boolean {
    return this.#sharing.keys(target, keys)
  }

  /** Gives a peer our file of slots; it stays ours, too. @returns false if that peer is not there */
  shareSlots(target: number, file: Descriptor, slots: number): boolean {
    return this.#sharing.slots(target, file, slots)
  }

  /**
   * Lends a request to a peer.
   * @param settle called once, perhaps before this returns; with undefined if the peer is not there any more,
   * which says nothing about how far it has come
   */
  lend(target: number, request: LoanRequest, settle: (answer: LoanAnswer | undefined) => void): void {
    this.#loans.lend(target, request, this.#tickets.next(), settle)
  }

  /** A process has ended: what it had not answered for is lost, and nothing more is sent to it. */
  forget(id: number): void {
    // First what it said before its end: that may be a verdict.
    this.#channel.forget(id)
    this.#sealer.forget(id)
    this.#speakers.delete(id)
    this.#nonsense.delete(id)
    this.#keeper.custody.lost(id)
    this.#loans.lost(id)
  }

  /**
   * A peer cannot be spoken to any more. It may live and have what it was sent, so that what waits for its
   * verdict waits on, for its end or for the time to run out.
   */
  #lost(id: number, reason: string): void {
    this.#loans.lost(id)
    this.#handlers.lost?.(id, reason)
  }

  /** Stops listening. Sessions in custody are ended by their timeout or not at all. */
  close(): void {
    this.#keeper.close()
    this.#channel.close()
  }

  #receive(from: number, payload: Uint8Array, descriptors: Descriptor[]): void {
    let message: ControlMessage
    try {
      message = decodeControl(payload)
    } catch (error) {
      for (const descriptor of descriptors) descriptor.close()
      if (!(error instanceof DecodeError)) throw error
      this.#senseless(from, error.message)
      return
    }
    const speaker = this.#speakers.get(from)
    if (speaker === undefined || !maySay(speaker, message.kind)) {
      if (isConsignment(message)) this.#refuse(from, message.ticket, notFrom(message, speaker))
      for (const descriptor of descriptors) descriptor.close()
      this.#senseless(from, `a message of kind ${message.kind} from a ${speaker ?? 'stranger'}`)
      return
    }
    switch (message.kind) {
      case 'parcel':
      case 'return':
      case 'takeOver':
      case 'relayed':
      case 'hibernate':
      case 'thaw':
        this.#arrive(from, message, descriptors)
        return
      case 'verdict':
        if (!this.#keeper.custody.verdict(from, message.ticket, message.verdict)) {
          this.#senseless(from, 'a verdict that is not awaited', true)
        }
        break
      case 'taken':
        for (const { ticket } of message.parcels)
          if (!this.#keeper.custody.verdict(from, ticket, ACCEPTED))
            this.#senseless(from, 'a verdict that is not awaited', true)
        break
      case 'keys':
        this.#sharing.keysCame(from, message.sealed)
        break
      case 'loan':
        this.#loans.lent(from, message.ticket, message.sealed)
        break
      case 'loaned':
        this.#loans.answered(from, message.ticket, message.sealed)
        break
      case 'slots':
        this.#sharing.slotsCame(from, message.sealed, descriptors)
        return
      case 'introduce':
      case 'introduceFar':
      case 'expect':
        this.introductions.take(from, message, descriptors)
        return
      case 'gone':
        if (this.introductions.gone(message.id)) break
        this.forget(message.id)
        this.#handlers.gone(message.id)
        break
      default:
        this.#handlers.control(message, from)
    }
    for (const descriptor of descriptors) descriptor.close()
  }

  /**
   * Makes a peer known. @param ends of our pair with it @param salt of one of another host
   * @throws RangeError it is known, or its key is none
   */
  introduce(peer: Peer, ends: readonly Descriptor[], salt?: Uint8Array): void {
    this.#sealer.addPeer(peer.id, peer.publicKey, salt)
    this.#channel.addPeer(peer.id, ends)
    this.#speakers.set(peer.id, peer.role)
  }

  #arrive(from: number, message: Consignment, descriptors: readonly Descriptor[]): void {
    const wanted = message.kind === 'parcel' ? descriptors.length : DESCRIPTORS_OF[message.kind]
    for (const other of descriptors.slice(wanted)) other.close()
    // It follows a death or a sleep: what comes first is a session, or the key of a checkpoint.
    if (message.kind === 'takeOver' || message.kind === 'thaw') this.catchUp(from)
    const strange = (reason: string): void => this.#senseless(from, reason, true)
    const arrival = this.#arrivals.take(from, message, () =>
      openConsignment(this.#sealer, this.#handlers, from, message, descriptors, strange),
    )
    if (arrival === undefined) return
    for (const descriptor of descriptors.slice(0, wanted)) descriptor.close()
    this.#refuse(from, message.ticket, arrival)
  }

  #refuse(from: number, ticket: Uint8Array, arrival: NonNullable<Arrival>): void {
    this.tell(from, { kind: 'verdict', ticket, verdict: { outcome: 'refused', ...arrival } })
  }

  /**
   * Something that a peer said makes no sense. One that goes on is given up.
   * @param honest it may be no fault of that peer: a verdict that comes too late, what a client has sent
   */
  #senseless(from: number, reason: string, honest = false): void {
    const count = (this.#nonsense.get(from) ?? 0) + 1
    if (count <= TOLD) this.#handlers.nonsense(from, reason)
    if (count <= NONSENSE) this.#nonsense.set(from, count)
    else if (!honest) this.#channel.cut(from, 'it keeps sending malformed messages')
  }

  /** A message lost its descriptors on the way: if it was a parcel, its source takes it back. */
  #refused(from: number, payload: Uint8Array, reason: string): void {
    try {
      const message = decodeControl(payload)
      if (!isConsignment(message)) return
      this.#refuse(from, message.ticket, { reason: 'descriptor', detail: reason.slice(0, 255) })
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
}

function notFrom({ kind }: Consignment, speaker: Speaker | undefined): NonNullable<Arrival> {
  return { reason: 'role', detail: `no ${kind} is accepted from a ${speaker ?? 'stranger'}` }
}
