import type { MemoryBudget } from '../http/memory-budget.ts'
import type { Clock } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import type { Arrival } from '../transfer/consignments/consignments.ts'
import type { Courier } from '../transfer/courier.ts'
import type { Release } from '../transfer/custody.ts'
import { writeExtensions } from '../transfer/extensions.ts'
import { openPair, type Pair } from '../transfer/pair.ts'
import { freshHttp, freshTls } from '../transfer/parcel.ts'
import { type LegEnd, Relay } from '../transfer/relay.ts'
import type { RelayedState } from '../transfer/relay-state.ts'
import type { SealAssociated } from '../transfer/seal.ts'
import { type Descriptor, openStream } from '../transfer/stream.ts'
import { EMPTY } from '../wire/index.ts'
import type { Carrier, CarrierCounters, CarrierOwner } from './carrier.ts'
import { type Consignment, type Dispatch, HERE } from './dispatch.ts'
import type { Opening } from './listener.ts'
import { Relayed, type RelayedOwner } from './relayed.ts'
import type { Unclean } from './unclean.ts'

/** What is known of one relayed connection besides its bytes. */
interface Known {
  readonly sessionId: Uint8Array
  readonly functionName: string
  readonly tls: boolean
  /** What the client had said when its function was found; empty once a container has it. */
  inbound: Uint8Array
  /** Of the newest owner, as far as the gateway has made it one. */
  generation: number
  /** When its container died; undefined while it has one. Milliseconds. */
  orphanedAt: number | undefined
  /** A container has taken it, and no other one is being looked for. */
  settled: boolean
  /** Its client has a session: nothing that the gateway could say in the clear is for it. */
  begun: boolean
}

/** Connections that are on their way to another gateway at once. */
const WINDOW = 256
/** Milliseconds between two looks whether more can go. */
const LOOK = 20

/**
 * The connections whose sockets stay with the gateway, and how they get a container, and another one when
 * theirs dies.
 */
export class Relays implements Carrier, RelayedOwner {
  readonly #courier: Courier
  readonly #dispatch: Dispatch
  readonly #owner: CarrierOwner
  readonly #connections = new Map<Relayed, Known>()
  /** Those that are on their way to another gateway. */
  readonly #leaving = new Set<Relayed>()
  #drained = false

  constructor(courier: Courier, dispatch: Dispatch, owner: CarrierOwner) {
    this.#courier = courier
    this.#dispatch = dispatch
    this.#owner = owner
  }

  get counters(): Pick<CarrierCounters, 'relayed' | 'notSurvivable' | 'retainedKiB'> {
    let notSurvivable = 0
    let retained = 0
    for (const connection of this.#connections.keys()) {
      if (!connection.survivable) notSurvivable++
      retained += connection.retained
    }
    return { relayed: this.#connections.size, notSurvivable, retainedKiB: Math.ceil(retained / 1024) }
  }

  /** Takes a fresh connection: its socket stays here, and a container gets the other end of a new leg. */
  arrive({ stream, inbound, to }: Opening<string>, tls: boolean, sessionId: Uint8Array): void {
    const connection = new Relayed(this, stream, inbound, tls)
    const known = {
      sessionId,
      functionName: to,
      tls,
      inbound,
      generation: 0,
      orphanedAt: undefined,
      settled: false,
      begun: false,
    }
    this.#connections.set(connection, known)
    connection.guard.run(() => this.#deliver(connection, known, inbound))
  }

  /**
   * Lets all of them finish: to their containers it looks as if their clients sent no more, and they say
   * goodbye.
   */
  close(): void {
    this.#drained = true
    for (const connection of this.#connections.keys()) connection.drain()
  }

  /**
   * Gives all of them to another gateway: those that wait for a container when they have one, and those that
   * still come when they are there.
   * @param successor its id, as long as there is one
   */
  handOver(successor: () => number | undefined): void {
    const target = successor()
    for (const [connection, known] of this.#connections) {
      if (target === undefined || this.#leaving.size >= WINDOW) break
      if (known.settled && !this.#leaving.has(connection))
        this.#giveTo(target, connection, known).catch(error => connection.guard.fail(error))
    }
    if (!this.#drained) this.clock.after(LOOK, () => this.handOver(successor))
  }

  async #giveTo(target: number, connection: Relayed, known: Known): Promise<void> {
    this.#leaving.add(connection)
    const given = await connection.give().catch(() => undefined)
    if (given === undefined) {
      // It is going to end, or waits for a container.
      connection.keep()
      this.#leaving.delete(connection)
      return
    }
    const generation = Math.max(known.generation, connection.generation)
    const { functionName, sessionId } = known
    const state = { ...given.state, functionName }
    const settle = connection.guard.entrance((release: Release) => {
      if (release.state === 'gone') connection.given()
      // Both must not relay it.
      else if (release.state === 'ended')
        connection.close({ kind: 'undecided', reason: 'it is unknown whether the next gateway has it' })
      else {
        connection.keep()
        this.#leaving.delete(connection)
      }
    })
    this.#courier.sendRelayed(target, { sessionId, generation }, state, given.descriptors, settle)
  }

  /** Goes on with a connection that another gateway has relayed. */
  adopt(
    state: RelayedState,
    { sessionId, generation }: SealAssociated,
    [client, leg]: readonly [Descriptor, Descriptor],
  ): Arrival {
    const { functionName, relay, clientEnded, fromClient, fromLeg } = state
    const restored = relay && Relay.restore(relay)
    let stream: ByteStream
    try {
      stream = openStream(client, { unread: fromClient })
    } catch (error) {
      return { reason: 'descriptor', detail: (error as Error).message.slice(0, 255) }
    }
    const connection = new Relayed(this, stream, EMPTY, relay !== undefined, { relay: restored, clientEnded })
    const known = {
      sessionId: sessionId.slice(),
      functionName,
      tls: relay !== undefined,
      inbound: EMPTY,
      generation,
      orphanedAt: undefined,
      settled: true,
      begun: false,
    }
    this.#connections.set(connection, known)
    connection.newLeg(leg, fromLeg)
    return undefined
  }

  get size(): number {
    return this.#connections.size
  }

  get clock(): Clock {
    return this.#owner.clock
  }

  get memory(): MemoryBudget {
    return this.#owner.memory
  }

  successor(connection: Relayed, end: Extract<LegEnd, { kind: 'anew' | 'takeOver' }>): void {
    const known = this.#connections.get(connection)
    if (known === undefined) return
    known.settled = false
    known.orphanedAt = this.clock.steady()
    known.generation = Math.max(known.generation, connection.generation) + 1
    if (end.kind === 'anew') {
      this.#deliver(connection, known, end.inbound)
      return
    }
    known.begun = true
    const { checkpoint, records, retained } = end.from
    const { functionName, generation, received, sealed } = checkpoint
    const takeOver = { checkpoint: sealed, generation, received, records, retained }
    const session = { sessionId: known.sessionId, generation: known.generation }
    const bytes = sealed.length + retained.length
    this.#give(connection, known, functionName, bytes, ([, theirs], target, settle) =>
      this.#courier.sendTakeOver(target, session, takeOver, theirs, settle),
    )
  }

  ended(connection: Relayed, unclean: Unclean | undefined): void {
    this.#connections.delete(connection)
    this.#leaving.delete(connection)
    if (unclean !== undefined) this.#owner.unclean('its container', unclean)
  }

  /** Delivers a connection that nothing has been sent to. @param inbound all that the client has sent */
  #deliver(connection: Relayed, known: Known, inbound: Uint8Array): void {
    const { sessionId, functionName, tls } = known
    const fresh = { sessionId, idleLeft: this.#owner.idleMilliseconds, inbound }
    const { remoteAddress } = connection
    const client = remoteAddress === undefined ? undefined : { remoteAddress }
    const leg = tls ? { received: inbound.length } : undefined
    const extensions = writeExtensions({ leg, client })
    const envelope = tls
      ? { ...freshTls(fresh), generation: known.generation, extensions }
      : { ...freshHttp(fresh), extensions }
    this.#give(connection, known, functionName, inbound.length, ([, theirs], target, settle) =>
      this.#courier.send(target, envelope, theirs, settle),
    )
  }

  #give(
    connection: Relayed,
    known: Known,
    functionName: string,
    bytes: number,
    send: (pair: Pair, target: number, settle: Parameters<Consignment['send']>[1]) => void,
  ): void {
    const noLeg = (error: unknown): void =>
      this.#unwanted(connection, known, `no leg could be made: ${(error as Error).message}`)
    let pair: ReturnType<typeof openPair>
    try {
      pair = openPair()
    } catch (error) {
      // No descriptor is free: that must not end the connections that there are.
      noLeg(error)
      return
    }
    if (pair instanceof Promise)
      pair
        .then(opened => this.#giveOver(connection, known, functionName, bytes, opened, send), noLeg)
        .catch(error => connection.guard.fail(error))
    else this.#giveOver(connection, known, functionName, bytes, pair, send)
  }

  #giveOver(
    connection: Relayed,
    known: Known,
    functionName: string,
    bytes: number,
    pair: Pair,
    send: (pair: Pair, target: number, settle: Parameters<Consignment['send']>[1]) => void,
  ): void {
    const [ours, theirs] = pair
    connection.newLeg(ours)
    this.#dispatch.deliver({
      functionName,
      orphaned: known.orphanedAt !== undefined,
      bytes,
      send: ({ id }, settle) => send(pair, id, settle),
      accepted: () => {
        theirs.close()
        known.inbound = EMPTY
        if (known.orphanedAt === undefined) this.#owner.counters.delivered++
        else this.#owner.counters.takenOver++
        known.orphanedAt = undefined
        known.settled = true
      },
      // When the last copy of its end is closed, the leg is read to its end, and another container goes on.
      lost: (_target, reason) => {
        if (reason === HERE) connection.close({ kind: 'undecided', reason })
        theirs.close()
      },
      refused: (target, { verdict }) => this.#owner.refused(target.name, verdict),
      unwanted: reason => {
        this.#unwanted(connection, known, reason)
        theirs.close()
      },
      failed: error => {
        theirs.close()
        connection.guard.fail(error)
      },
    })
  }

  #unwanted(connection: Relayed, known: Known, reason: string): void {
    if (known.begun || connection.generation > 0) {
      connection.close({ kind: 'orphaned', reason })
      return
    }
    this.#connections.delete(connection)
    const client = connection.release()
    if (client !== undefined) this.#owner.giveUp(client, known.tls, known.functionName, reason, known.inbound)
  }
}
