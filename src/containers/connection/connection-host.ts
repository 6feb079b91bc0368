import type { H1Limits } from '../../http/h1/index.ts'
import type { Exceeded, H2Limits } from '../../http/h2/index.ts'
import type { MemoryBudget } from '../../http/memory-budget.ts'
import type { TimerSettings } from '../../http/timers.ts'
import type { Retries } from '../../platform/retries.ts'
import type { ServerConfig, Session } from '../../tls13/index.ts'
import type { CheckpointSealer } from '../../transfer/checkpoint.ts'
import type { Return } from '../../transfer/consignments/return.ts'
import type { Release } from '../../transfer/custody.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import type { LoanAnswer, LoanRequest } from '../../transfer/loans/loan.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import type { Loop } from '../../transport/turn.ts'
import type { Seat } from '../move/seats.ts'
import type { Callee } from '../protocol/call-context.ts'
import type { Recovery } from '../survival/recovery.ts'
import type { SlotFiles } from '../survival/slot-files.ts'
import type { Arrived } from '../upstream/upstreams.ts'
import type { Answering } from './inquiry.ts'

/** What one connection may ask of a container. */
export interface ConnectionLimits {
  /** How long it waits, and for what. */
  readonly timers: TimerSettings
  /** The key that says how long the function has, if that is not `connection.timers.handler`. */
  readonly handlerKey?: string | undefined
  /** That a request for another function waits for an HTTP/2 connection to become quiet: see `policy.ts`. */
  readonly quietMilliseconds: number
  /** For HTTP/1; its `bodyBytes` count for HTTP/2 as well. */
  readonly http: H1Limits
  readonly http2: H2Limits
}

/** What a connection asks of the container that it lives in. */
export interface ConnectionHost<Hosted = unknown> extends Callee, Answering {
  /** The container's name, as `echo-1`. */
  readonly container: string
  readonly tls: ServerConfig
  /** Seals what another container of the function goes on from. */
  readonly checkpoints: CheckpointSealer
  /** Where it leaves them, if it is not a leg that carries the connection. */
  readonly slots: SlotFiles
  /** Which requests for that function may be begun a second time, after a container has died over them. */
  retries(functionName: string): Retries
  readonly limits: ConnectionLimits
  /** Whether its function goes to sleep: then what is being served is served first. */
  readonly resting?: { readonly underway: boolean }
  /** What connections hold here together. */
  readonly memory: MemoryBudget
  /** In whose turns connections work. */
  readonly loop: Loop
  /** What clients overdo over HTTP/2 is counted here. */
  readonly exceeded: Exceeded
  /**
   * The function that a path names, and the path without that name, or else the function that a host names;
   * undefined if neither names one.
   */
  ownerOf(
    path: string,
    host: string | undefined,
  ): { readonly functionName: string; readonly functionPath: string } | undefined
  /**
   * Offers a frozen connection to a container of that function. `settle` is called exactly once.
   * @param freeze told whether a seat may be kept for it
   * @param settle also told which container has it, if one has it
   * @param whom `only`: that container, and no other; `home`: that one if it is of the function; `near`: one
   * of this host
   * @returns false if there is no such container: nothing has happened
   */
  offer(
    functionName: string,
    freeze: (warm: boolean) => Frozen | Promise<Frozen>,
    settle: (release: Release, target?: number) => void,
    whom?: OfferedTo,
  ): boolean
  /**
   * Asked before a connection leaves because its container drains. @returns false: too many are on their way,
   * and it is told to drain again when there is room. Without it there always is
   */
  setsOut?(connection: Hosted): boolean
  /** Keeps a seat for a connection that has moved. */
  keep(seat: Seat): void
  /** The connection from that container, which keeps a seat for it, does not come back. */
  vacate(home: number, sessionId: Uint8Array): void
  /** Whether there is a container of that function to lend requests to. */
  reaches(functionName: string): boolean
  /**
   * Lends a request to a container of that function. `settle` is called once; with undefined if the container
   * is gone.
   */
  lend(
    functionName: string,
    request: LoanRequest,
    settle: (answer: LoanAnswer | undefined) => void,
    wanted?: () => boolean,
  ): void
  /** The connection has ended or has gone to another container. */
  closed(connection: Hosted, why: ConnectionEnd): void
}

/** To which containers a connection is offered. */
export interface OfferedTo {
  readonly only?: number | undefined
  readonly home?: number | undefined
  readonly near?: boolean | undefined
  /** See {@link MoveOrder.travels}. */
  readonly travels?: ((envelope: Envelope) => void) | undefined
}

/**
 * How a connection left: in order or by its client; to another container; it is unknown which process has it;
 * something was thrown over it.
 */
export type ConnectionEnd = 'ended' | 'moved' | 'unclean' | 'failed'

/** How a connection came to its container. */
export interface ConnectionArrival {
  /** The owner before us has died. */
  readonly recovery?: Recovery | undefined
  /** The container that keeps a seat for it. */
  readonly home?: number | undefined
  /** It has been kept here: its session, whose state the envelope has. */
  readonly taken?: Session | undefined
  /** A gateway has kept it while the function slept. */
  readonly woken?: boolean | undefined
  /** Responses of upstreams that have come along. */
  readonly upstreams?: readonly Arrived[] | undefined
}

/** A connection that reads, writes and decrypts nothing any more, ready to be sent. */
export interface Frozen {
  readonly envelope: Envelope
  /** Open until the verdict. */
  readonly descriptor: Descriptor
  /** Of upstreams, likewise. */
  readonly companions: readonly Descriptor[]
  /** To be called before it is sent to that container, with the envelope's generation. */
  readonly offering: (target: number, generation: number) => void
  /** What is said to that container alone, if it has kept the rest. */
  readonly returnTo: (target: number) => Return | undefined
}
