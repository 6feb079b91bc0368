import type { Roster } from '../../platform/roster.ts'
import { type Session, TlsError } from '../../tls13/index.ts'
import type { ByteStream } from '../../transfer/byte-stream.ts'
import type { Arrival } from '../../transfer/consignments/consignments.ts'
import { contradiction, misplaced } from '../../transfer/consignments/responses.ts'
import type { Return } from '../../transfer/consignments/return.ts'
import { isFar, type RefusalReason } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import { type Envelope, FORMAT_VERSION, LAST_GENERATION } from '../../transfer/envelope.ts'
import { extensionOf } from '../../transfer/extensions.ts'
import type { Hibernated } from '../../transfer/hibernated.ts'
import type { TakeOver } from '../../transfer/leg.ts'
import type { SightKind } from '../../transfer/messages/sights.ts'
import type { Parcel } from '../../transfer/parcel.ts'
import type { SealAssociated } from '../../transfer/seal.ts'
import { type Descriptor, openStream } from '../../transfer/stream.ts'
import { hear } from '../../transfer/tcp/hearing.ts'
import { DecodeError } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { Connection } from '../connection/connection.ts'
import type { ConnectionArrival, ConnectionHost } from '../connection/connection-host.ts'
import { forgetClient, type Origin, objection, unresumable } from '../move/admission.ts'
import { type Seats, vacate } from '../move/seats.ts'
import { isStill, thaw } from '../survival/hibernation.ts'
import { recover } from '../survival/recovery.ts'
import { goesOn, isOfSocket } from '../survival/slot.ts'
import type { Arrived } from '../upstream/upstreams.ts'
import type { Lookout } from '../watch/lookout.ts'
import type { Counters } from './counters.ts'
import type { Residents } from './residents.ts'

/** The container that connections arrive at. */
export interface Receiver extends ConnectionHost<Connection> {
  readonly counters: Counters
  readonly courier: Courier | undefined
  readonly lookout: Lookout
  /** It takes nothing new. */
  readonly draining: boolean
  /** Whether seats are kept for connections that go to containers of that function, and by them. */
  trusts(functionName: string | undefined): boolean
}

/** What a container has of connections and of containers. */
export interface Reachable {
  /** The connections that live here. */
  readonly connections: Residents<Connection>
  /** Seats of those that may come back. */
  readonly seats: Seats
  /** The other containers, of all functions. */
  readonly others: Roster
  /** Processes of other hosts. */
  readonly far: ReadonlySet<number>
}

/** Where connections arrive at a container: each is taken, or refused with a reason. */
export class Reception {
  readonly #host: Receiver
  readonly #connections: Residents<Connection>
  readonly #seats: Seats
  readonly #others: Roster
  readonly #far: ReadonlySet<number>

  constructor(host: Receiver, { connections, seats, others, far }: Reachable) {
    this.#host = host
    this.#connections = connections
    this.#seats = seats
    this.#others = others
    this.#far = far
  }

  /** Takes a connection, or says why not; then nothing has been done with it. @param from its sender */
  take({ envelope, descriptor, companions }: Parcel, from: number): Arrival {
    if (this.#isHere(envelope, from)) return this.#refuse('stale', 'a connection that is already here')
    if (this.#connections.isOld(envelope)) return this.#refuse('stale', 'a connection that has moved on')
    if (!isOfSocket(envelope, descriptor))
      return this.#refuse('descriptor', 'not the socket that the gateway has a duplicate of')
    // It comes with all that it is: what was kept here is of no use any more.
    this.#seats.drop(envelope.sessionId)
    const origin = this.#originOf(from, envelope)
    const against = this.#against(envelope, origin)
    if (against !== undefined) return against
    // One that has come as TCP itself is deaf until it is taken here: from then on it is ours.
    const deaf = this.#far.has(from) ? descriptor.fd : undefined
    return this.#open(envelope, descriptor, { home: this.#homeOf(from) }, companions, deaf)
  }

  /** Takes a connection back that a seat is kept for, or says why not, as {@link take}. */
  returned({ records, ...rest }: Return, session: SealAssociated, from: number): Arrival {
    if (this.#isHere(session, from)) return this.#refuse('stale', 'a connection that is already here')
    const { sessionId, generation } = session
    const seat = this.#host.draining ? undefined : this.#seats.take(from, session)
    if (seat === undefined) return { reason: 'cold', detail: 'no seat is kept for it' }
    const { stream, state: tls, session: taken } = seat
    const envelope: Envelope = {
      formatVersion: FORMAT_VERSION,
      sessionId,
      generation,
      ...rest,
      tls,
      upstreams: [],
    }
    const origin = this.#originOf(from, envelope)
    const against = this.#against(envelope, origin)
    if (against !== undefined || !fits(envelope, records, taken)) {
      vacate(seat)
      return against ?? this.#refuse('malformed', 'not what a seat is kept for')
    }
    try {
      if (records !== undefined) taken?.takeBack(records, extensionOf(envelope, 'trifles'))
    } catch (error) {
      vacate(seat)
      return this.#refuse('stale', reasonOf(error))
    }
    const home = this.#homeOf(from)
    const refusal = this.#begin(envelope, stream, {
      recovery: undefined,
      home,
      taken,
      woken: undefined,
      upstreams: undefined,
    })
    if (refusal === undefined) this.#host.counters.returned++
    else vacate(seat)
    return refusal
  }

  /** Whose word counts for what a session says of its client: see {@link objection}. */
  #originOf(from: number, envelope: Envelope): Origin {
    const kin = this.#others.isOf(from, this.#host.functionName)
    if (!kin) forgetClient(envelope)
    return kin ? 'kin' : 'stranger'
  }

  /** The container that it comes from, if that keeps a seat for it. */
  #homeOf(from: number): number | undefined {
    const source = this.#others.find(from)
    if (source === undefined || isFar(source)) return undefined
    return this.#host.trusts(source.functionName) ? from : undefined
  }

  #isHere(session: SealAssociated, from: number): boolean {
    const { sessionId } = session
    if (this.#connections.find(sessionId) === undefined) return false
    // A container that had it from us may give it back before it has said that it has it.
    if (this.#host.courier?.concede(from, session) === true) return false
    // Or it has gone around: that the first one took it stands in another pair, and was written before.
    this.#host.courier?.catchUp(from)
    return this.#connections.find(sessionId) !== undefined
  }

  /** The same, from the newest checkpoint of one whose container has died. Only gateways ask that. */
  takeOver(takeOver: TakeOver, session: SealAssociated, descriptor: Descriptor): Arrival {
    const resident = this.#connections.find(session.sessionId)
    // It came late, over a leg that had ended by then: that is why the gateway looks for another container.
    if (resident?.onLeg === true) resident.destroy(new Error('the leg has ended'))
    else if (resident !== undefined) return this.#refuse('here', 'a connection that is already here')
    try {
      const recovered = recover(this.#host.checkpoints, takeOver, session)
      if (recovered === undefined)
        return this.#refuse('seal', 'a checkpoint that was sealed by an unknown container')
      const { envelope } = recovered
      if (extensionOf(envelope, 'slot') !== undefined && this.#connections.isOld(session))
        return this.#refuse('stale', 'a connection that has moved on')
      if (!goesOn(envelope, descriptor))
        return this.#refuse('stale', 'a checkpoint of another socket, or older than what has gone through it')
      const { recovery } = recovered
      return this.#against(envelope, 'kin') ?? this.#open(envelope, descriptor, { recovery })
    } catch (error) {
      if (!(error instanceof DecodeError))
        this.#host.log.error({ err: error }, 'a checkpoint that cannot be restored')
      return this.#refuse('malformed', reasonOf(error))
    }
  }

  /** Takes a connection that a gateway has kept while the function slept, or says why not. */
  thawed(state: Hibernated, session: SealAssociated, descriptor: Descriptor): Arrival {
    if (this.#connections.find(session.sessionId) !== undefined)
      return this.#refuse('here', 'a connection that is already here')
    if (this.#connections.isOld(session)) return this.#refuse('stale', 'a connection that has moved on')
    try {
      const found = thaw(this.#host.checkpoints, state, session)
      if (found === undefined)
        return this.#refuse('seal', 'a connection that was put to sleep by an unknown container')
      const { envelope, still } = found
      if (!isStill(still, descriptor))
        return this.#refuse('stale', 'a connection of another socket, or one that has been woken before')
      const refusal = this.#against(envelope, 'kin') ?? this.#open(envelope, descriptor, { woken: true })
      if (refusal === undefined) this.#host.counters.thawed++
      return refusal
    } catch (error) {
      return this.#refuse('malformed', reasonOf(error))
    }
  }

  /** Why a connection is not taken, before anything has been done with it. */
  #against(envelope: Envelope, origin: Origin): Arrival {
    if (this.#host.draining) return this.#refuse('draining', `${this.#host.container} is about to stop`)
    const { tls, generation } = envelope
    if (generation > LAST_GENERATION)
      return this.#refuse(
        'malformed',
        `the generation ${generation}, which is higher than any connection reaches`,
      )
    if (tls !== undefined && tls.role !== 'server') return this.#refuse('role', "a client's session")
    const suites = this.#host.tls.provider.cipherSuites
    if (tls !== undefined && tls.cipherSuite !== 0 && !suites.some(suite => suite.id === tls.cipherSuite)) {
      return this.#refuse('suite', `no cipher suite 0x${tls.cipherSuite.toString(16)} here`)
    }
    const contradicts = contradiction(envelope.application) ?? misplaced(envelope)
    if (contradicts !== undefined) return this.#refuse('malformed', contradicts)
    const objected =
      objection(envelope, origin, this.#host.tls, this.#host.clock) ??
      unresumable(envelope, origin, this.#host.module)
    return objected === undefined ? undefined : this.#refuse('policy', objected)
  }

  #open(
    envelope: Envelope,
    descriptor: Descriptor,
    arrival: Omit<ConnectionArrival, 'taken' | 'upstreams'>,
    companions: readonly Descriptor[] = [],
    deaf?: number,
  ): Arrival {
    let upstreams: readonly Arrived[]
    try {
      upstreams = this.#host.upstreams?.read(envelope.upstreams, companions) ?? []
    } catch (error) {
      return this.#refuse('malformed', `of an upstream: ${reasonOf(error)}`)
    }
    try {
      // The gateway has tuned the socket when it accepted it.
      const stream = openStream(descriptor, { tuned: true, hangsUp: true })
      // Field by field: each copy with `...` and one more field has a shape of its own, which nothing is
      // compiled for.
      const { recovery, home, woken } = arrival
      return this.#begin(envelope, stream, { recovery, home, taken: undefined, woken, upstreams }, deaf)
    } catch (error) {
      return this.#refuse('descriptor', reasonOf(error))
    }
  }

  #begin(envelope: Envelope, stream: ByteStream, arrival: ConnectionArrival, deaf?: number): Arrival {
    const { lookout } = this.#host
    const begun = lookout.now()
    let connection: Connection
    try {
      connection = new Connection(this.#host, envelope, stream, arrival)
      if (deaf !== undefined) hear(deaf)
    } catch (error) {
      stream.destroy()
      // Whatever it is, this one connection brought it along.
      if (!(error instanceof TlsError || error instanceof DecodeError))
        this.#host.log.error({ err: error }, 'a connection that cannot be restored')
      return this.#refuse('malformed', reasonOf(error))
    }
    if (arrival.recovery === undefined) this.#host.counters.accepted++
    else this.#host.counters.takenOver++
    this.#connections.add(connection)
    if (lookout.watched)
      lookout.note(seenAs(envelope, arrival), envelope, { prepared: lookout.now() - begun })
    connection.start()
    return undefined
  }

  #refuse(reason: RefusalReason, detail: string): Arrival {
    this.#host.counters.refused++
    this.#host.log.warn({ reason, detail }, 'refused a connection')
    return { reason, detail: detail.slice(0, 255) }
  }
}

/** How a connection came, as the supervisor is told. */
function seenAs({ hops }: Envelope, { recovery, taken, home, woken }: ConnectionArrival): SightKind {
  if (recovery !== undefined) return 'tookOver'
  if (woken === true) return 'woke'
  if (taken !== undefined) return 'returned'
  return hops === 0 && home === undefined ? 'opened' : 'arrived'
}

/** Seats are for sessions with their keys, or for none; what a gateway watches over has no seat. */
function fits(envelope: Envelope, records: Return['records'], taken: Session | undefined): boolean {
  if ((records === undefined) !== (taken === undefined)) return false
  return extensionOf(envelope, 'slot') === undefined && extensionOf(envelope, 'leg') === undefined
}
