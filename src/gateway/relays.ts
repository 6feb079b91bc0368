import type { Courier } from '../transfer/courier.ts'
import { LEG_EXTENSION, LegExtension } from '../transfer/leg.ts'
import { openPair, type Pair } from '../transfer/pair.ts'
import { freshHttp, freshTls } from '../transfer/parcel.ts'
import type { LegEnd } from '../transfer/relay.ts'
import type { ByteStream } from '../transfer/stream.ts'
import { EMPTY, encode } from '../wire/index.ts'
import type { Consignment, Dispatch } from './dispatch.ts'
import type { Opening } from './listener.ts'
import { Relayed, type RelayedOwner } from './relayed.ts'

/** What relays tell the gateway. */
export interface RelaysOwner {
  readonly counters: { delivered: number; unclean: number; takenOver: number }
  /** A connection ended without an orderly end. */
  unclean(target: string, reason: string): void
  refused(target: string, verdict: unknown): void
  /** Nobody has taken a connection to which nothing has been sent. */
  giveUp(stream: ByteStream, tls: boolean, functionName: string, reason: string, inbound: Uint8Array): void
}

/** What is known of one relayed connection besides its bytes. */
interface Known {
  readonly sessionId: Uint8Array
  readonly functionName: string
  readonly tls: boolean
  readonly idleMilliseconds: number
  /** What the client had said when its function was found; empty once a container has it. */
  inbound: Uint8Array
  /** Of the newest owner, as far as the gateway has made it one. */
  generation: number
  /** When its container died; undefined while it has one. Milliseconds. */
  orphanedAt: number | undefined
}

/** The connections whose sockets stay with the gateway, and how they get a container, and another one when theirs dies. */
export class Relays implements RelayedOwner {
  readonly #courier: Courier
  readonly #dispatch: Dispatch
  readonly #owner: RelaysOwner
  readonly #connections = new Map<Relayed, Known>()

  constructor(courier: Courier, dispatch: Dispatch, owner: RelaysOwner) {
    this.#courier = courier
    this.#dispatch = dispatch
    this.#owner = owner
  }

  /** Counters for `status`: connections, those that would not outlive their containers now, and KiB kept for successors. */
  get counters(): { readonly relayed: number; readonly notSurvivable: number; readonly retainedKiB: number } {
    let notSurvivable = 0
    let retained = 0
    for (const connection of this.#connections.keys()) {
      if (!connection.survivable) notSurvivable++
      retained += connection.retained
    }
    return { relayed: this.#connections.size, notSurvivable, retainedKiB: Math.ceil(retained / 1024) }
  }

  /** Takes a fresh connection: its socket stays here, and a container gets the other end of a new leg. */
  open(
    { stream, inbound, to }: Opening<string>,
    tls: boolean,
    sessionId: Uint8Array,
    idleMilliseconds: number,
  ): void {
    const connection = new Relayed(this, stream, inbound, tls)
    const known = {
      sessionId,
      functionName: to,
      tls,
      idleMilliseconds,
      inbound,
      generation: 0,
      orphanedAt: undefined,
    }
    this.#connections.set(connection, known)
    this.#deliver(connection, known, inbound)
  }

  /** Lets all of them finish: to their containers it looks as if their clients sent no more, and they say goodbye. */
  drain(): void {
    for (const connection of this.#connections.keys()) connection.drain()
  }

  get size(): number {
    return this.#connections.size
  }

  successor(connection: Relayed, end: Extract<LegEnd, { kind: 'anew' | 'takeOver' }>): void {
    const known = this.#connections.get(connection)
    if (known === undefined) return
    known.orphanedAt = performance.now()
    known.generation = Math.max(known.generation, connection.generation) + 1
    if (end.kind === 'anew') {
      this.#deliver(connection, known, end.inbound)
      return
    }
    const { checkpoint, records, retained } = end.from
    const { functionName, generation, received, sealed } = checkpoint
    const takeOver = { checkpoint: sealed, generation, received, records, retained }
    const session = { sessionId: known.sessionId, generation: known.generation }
    this.#give(connection, known, functionName, ([, theirs], target, settle) =>
      this.#courier.sendTakeOver(target, session, takeOver, theirs, settle),
    )
  }

  ended(connection: Relayed, unclean: string | undefined): void {
    this.#connections.delete(connection)
    if (unclean !== undefined) this.#owner.unclean('its container', unclean)
  }

  /** Delivers a connection that nothing has been sent to. @param inbound all that the client has sent */
  #deliver(connection: Relayed, known: Known, inbound: Uint8Array): void {
    const { sessionId, functionName, tls, idleMilliseconds } = known
    const fresh = { sessionId, idleLeft: idleMilliseconds, inbound }
    const leg = { type: LEG_EXTENSION, data: encode(LegExtension, { received: inbound.length }) }
    const envelope = tls
      ? { ...freshTls(fresh), generation: known.generation, extensions: [leg] }
      : freshHttp(fresh)
    this.#give(connection, known, functionName, ([, theirs], target, settle) =>
      this.#courier.send(target, envelope, theirs, settle),
    )
  }

  #give(
    connection: Relayed,
    known: Known,
    functionName: string,
    send: (pair: Pair, target: number, settle: Parameters<Consignment['send']>[1]) => void,
  ): void {
    const pair = openPair()
    if (pair instanceof Promise) {
      pair.then(
        opened => this.#giveOver(connection, known, functionName, opened, send),
        (error: Error) => connection.close(`no leg: ${error.message}`),
      )
    } else {
      this.#giveOver(connection, known, functionName, pair, send)
    }
  }

  #giveOver(
    connection: Relayed,
    known: Known,
    functionName: string,
    pair: Pair,
    send: (pair: Pair, target: number, settle: Parameters<Consignment['send']>[1]) => void,
  ): void {
    const [ours, theirs] = pair
    connection.newLeg(ours)
    this.#dispatch.deliver({
      functionName,
      send: ({ id }, settle) => send(pair, id, settle),
      accepted: () => {
        theirs.close()
        known.inbound = EMPTY
        if (known.orphanedAt === undefined) this.#owner.counters.delivered++
        else this.#owner.counters.takenOver++
        known.orphanedAt = undefined
      },
      // When the last copy of its end is closed, the leg is read to its end, and somebody else goes on.
      lost: () => theirs.close(),
      refused: (target, { verdict }) => this.#owner.refused(target.name, verdict),
      unwanted: reason => {
        this.#unwanted(connection, known, reason)
        theirs.close()
      },
    })
  }

  #unwanted(connection: Relayed, known: Known, reason: string): void {
    if (connection.generation > 0) {
      connection.close(reason)
      return
    }
    this.#connections.delete(connection)
    const client = connection.release()
    if (client !== undefined) this.#owner.giveUp(client, known.tls, known.functionName, reason, known.inbound)
  }
}
