import type { ConnectionInfo } from '../../functions/contract.ts'
import type { Field } from '../../http/message.ts'
import type { Scheme } from '../../http/origin.ts'
import type { Problem } from '../../http/problem.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import type { Guard } from '../../transport/guard.ts'
import type { ConnectionHost } from '../connection/connection-host.ts'
import type { Outlet } from '../connection/outlet.ts'
import type { Timeout } from '../connection/timeout.ts'
import type { ConnectionTimers } from '../connection/timers.ts'
import type { Luggage } from '../upstream/luggage.ts'
import type { Leaving } from '../upstream/upstreams.ts'

/**
 * What one connection speaks above TLS: plaintext from the client becomes requests to the function, its
 * responses become plaintext again. A request for another function is left as it came, so that the next
 * container finds it.
 */
export interface Protocol {
  /**
   * Plaintext from the client, in any pieces. It is borrowed until {@link step} has said false or this is
   * called again.
   */
  receive(bytes: Uint8Array): void
  /**
   * Does one thing with what was received. @returns false if the next takes more bytes, a function, or
   * another container
   */
  step(): boolean
  /**
   * Nothing more can be done for now, and the connection stays: functions begin on what is there, and all
   * output goes out.
   */
  settle(): void
  /** Gives the way out what waits for it; also before a move. */
  flush(): void
  /** Whether more may be decrypted: what lies behind a request that cannot be served yet stays sealed. */
  readonly wantsInput: boolean
  /**
   * Bytes that are kept because of the client: received and not taken by a function, and output that waits in
   * the protocol.
   */
  readonly held: number
  /**
   * Gives up requests for what they hold: those whose responses have not begun are answered with `what`, the
   * others break off.
   */
  shed(what: Problem): void
  /** Bytes received and not yet taken. */
  readonly buffered: number
  /** Nothing is being served: {@link export} is possible. Requests that were not accepted may wait. */
  readonly quiet: boolean
  /** A whole request is with a function, which takes the time that it takes. */
  readonly calling: boolean
  /**
   * Nothing is being served but requests that no function has begun with: {@link withdraw} makes it {@link
   * quiet}.
   */
  readonly portable: boolean
  /** Takes back what was accepted and no function has begun with; to be followed by {@link export}. */
  withdraw(): void
  /**
   * Something else than an idle client is waited for, or a client that has begun to say something: other
   * timers than `keep-alive` see to that.
   */
  readonly watched: boolean
  /** A response is waited for that has not begun: the timer `handler` sees to that. Undefined: none is. */
  readonly pending?: boolean
  /**
   * It serves something, as a response or a WebSocket: the client sees how long it is on its way. Undefined:
   * no.
   */
  readonly flowing?: boolean
  /** What is being served that cannot go elsewhere as it is, in words; undefined: nothing of that kind. */
  readonly stays?: string | undefined
  /** It has state that cannot leave this process. Undefined: no. */
  readonly rooted?: boolean
  /** Requests that have been accepted on this connection, wherever it was. */
  readonly requests: number
  /**
   * The client sends no more, and all that it sent has been looked at. Called again after each {@link
   * settle}.
   */
  inputEnded(): void
  /**
   * Accepts no more requests: those that come are for the next container.
   * @param mustLeave what could not go along ends in order; otherwise nothing is held because of it
   * @returns why the connection cannot leave as it is; undefined if it can
   */
  hold(mustLeave: boolean): string | undefined
  /** Takes {@link hold} back: the connection stays after all. */
  unhold(): void
  /** Ends the connection as soon as what is being served and what was held is answered. */
  drain(): void
  /** The last words of an orderly end, if this protocol has any. */
  farewell(): void
  /** Tells the functions that are at work that the client is gone. */
  cancel(reason: Error): void
  /** A timer of the connection has run out, see {@link ProtocolOwner.timers}. */
  expired(timer: Timeout): void
  /**
   * A moment has come that was asked for by {@link ProtocolOwner.timers}, or another one. @param now as
   * {@link Clock.steady}
   */
  tick?(now: number): void
  /** What was exported goes on elsewhere, or here in another object: this one has no more to say. */
  onMoved?(): void
  /** Responses of upstreams that go along with what is exported. */
  readonly leaving?: readonly Leaving[]
  /**
   * What became of what was exported, once that is known. @param goesOn elsewhere, or here in another object;
   * otherwise it has ended
   */
  settled?(goesOn: boolean): void
  /**
   * All that the protocol is in the middle of what it serves, while another container could go on from that;
   * undefined: none could.
   */
  readonly covered?: ApplicationState | undefined
  /** All that the protocol is. @throws Error unless {@link quiet} */
  export(): ApplicationState
}

/** The request that waits is answered here, with this, because its owner did not take it. */
export type Refusal = { readonly functionName: string; readonly answer: Problem }

/** What a protocol asks of the connection that it is spoken on. */
export interface ProtocolOwner {
  readonly host: ConnectionHost
  /** What the connection speaks. */
  readonly scheme: Scheme
  /** For whatever others call later: what is thrown there ends the connection. */
  readonly guard: Guard
  readonly out: Outlet
  /** The platform's own fields, sent with every response. */
  readonly fields: readonly Field[]
  /** The client gets nothing any more. */
  readonly gone: boolean
  /** It is served here: neither on its way to another container nor ending. */
  readonly open: boolean
  info(requestIndex: number): ConnectionInfo
  /** Something that {@link Protocol.step} waited for may have come. */
  pump(): void
  /**
   * To be asked before each {@link Protocol.step}: whether the connection may do more in this turn of the
   * event loop.
   */
  goesOn(): boolean
  /** What is waited for on the connection goes along when it moves. */
  readonly timers: ConnectionTimers
  /** The client is at work: it does not count as idle. */
  touch(): void
  /** A response has been given out whole. */
  responded(): void
  /**
   * Why a request of that method for that function is not begun, although it could be: the container that had
   * it before may have begun it. To be asked before the request is accepted.
   * @param alone no other request that waits can have been begun
   */
  refuse(method: string, functionName: string, alone: boolean): Problem | undefined
  /** It is served over a leg: another container can go on if this one dies. */
  readonly onLeg: boolean
  /** What has come along. */
  readonly luggage: Luggage
  /** Another protocol is spoken from here on. */
  switchProtocol(protocol: Protocol): void
  /**
   * Offers the connection to a container of that function. @returns false if there is none: nothing has
   * happened
   */
  move(functionName: string): boolean
  /** Ends the connection in order, with close_notify. */
  goodbye(): void
  /** Ends it without, after what there is to send. */
  hangUp(): void
  /** Ends it so that the client sees that something is missing. */
  destroy(reason: Error): void
}
