import type { MemoryBudget } from '../http/memory-budget.ts'
import type { Clock } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import type { Arrival } from '../transfer/consignments/consignments.ts'
import type { Peer } from '../transfer/control.ts'
import type { Courier } from '../transfer/courier.ts'
import type { RelayedState } from '../transfer/relay-state.ts'
import type { SealAssociated } from '../transfer/seal.ts'
import type { Descriptor } from '../transfer/stream.ts'
import type { Dispatch } from './dispatch.ts'
import type { Opening } from './listener.ts'
import type { Unclean } from './unclean.ts'

/** What `status` shows of the connections that carriers have. */
export interface CarrierCounters {
  /** Connections that are relayed. */
  readonly relayed: number
  /** Those of them that would not outlive their containers now. */
  readonly notSurvivable: number
  /** KiB that are kept for the successors of their containers. */
  readonly retainedKiB: number
  /** Connections with a duplicate. */
  readonly duplicated: number
  /** Connections so far for which there was no slot or descriptor. */
  readonly notDuplicated: number
}

export const NOTHING_CARRIED: CarrierCounters = {
  relayed: 0,
  notSurvivable: 0,
  retainedKiB: 0,
  duplicated: 0,
  notDuplicated: 0,
}

/**
 * How connections reach the containers of a function, and what becomes of them when those die. All functions
 * with the same carrier share one.
 */
export interface Carrier {
  readonly counters: Partial<CarrierCounters>
  /** Connections that end when this process does. */
  readonly size: number
  /** Takes a fresh connection, and delivers it. @param opening its function is known */
  arrive(opening: Opening<string>, tls: boolean, sessionId: Uint8Array): void
  /** That process can be given connections from now on. */
  introduced?(peer: Peer): void
  /** That process is dead. */
  gone?(id: number): void
  /**
   * Another gateway accepts now: gives it what is here.
   * @param successor its id, as long as there is one
   */
  handOver?(successor: () => number | undefined): void
  /** Goes on with a connection that the same carrier of another gateway has given away. */
  adopt?(
    state: RelayedState,
    session: SealAssociated,
    descriptors: readonly [client: Descriptor, leg: Descriptor],
  ): Arrival
  /** A connection with a duplicate rests here (`to` is undefined), or is offered to a container. */
  moved?(slot: number, sessionId: Uint8Array, to: number | undefined, generation: number): void
  /** The gateway stops: what is here finishes, until {@link size} is 0. */
  close(): void
}

/** What a carrier tells the gateway. */
export interface CarrierOwner {
  readonly clock: Clock
  /** What connections hold in this gateway together. */
  readonly memory: MemoryBudget
  /** Milliseconds until a fresh connection counts as idle for too long. */
  readonly idleMilliseconds: number
  readonly counters: { delivered: number; takenOver: number }
  /** A connection ended without an orderly end. */
  unclean(target: string, end: Unclean): void
  /** A container did not take a connection. */
  refused(target: string, verdict: unknown): void
  /** No container has taken a connection to which nothing has been sent. @param inbound what it has sent */
  giveUp(stream: ByteStream, tls: boolean, functionName: string, reason: string, inbound: Uint8Array): void
  /** Something was thrown over a connection, which has ended it. */
  fault(error: unknown): void
}

/** Makes a carrier that sends by that courier, to the containers that the dispatch names. */
export type MakeCarrier = (courier: Courier, dispatch: Dispatch, owner: CarrierOwner) => Carrier
