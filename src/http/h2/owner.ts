import type { Field, RequestHead } from '../message.ts'
import type { Scheme } from '../origin.ts'
import type { Problem } from '../problem.ts'
import type { HttpHandlers } from '../serving.ts'
import type { Expiry, RequestTimers, TimerSettings } from '../timers.ts'
import type { H2Request } from './event.ts'
import type { H2Server } from './server.ts'

/** A request's head as HTTP/2 reports it. */
export type Announced = {
  readonly type: 'request'
  readonly streamId: number
  /** There is no content. */
  readonly endStream: boolean
} & H2Request

/** What HTTP/2 asks of the connection: the way out, the time, and whether a request is for here. */
export interface H2Owner {
  readonly handlers: Pick<HttpHandlers, 'error'>
  /** What the connection speaks. */
  readonly scheme: Scheme
  /** Of the connection: the head that a client has begun with is waited for. */
  readonly timers: Pick<RequestTimers, 'wait' | 'stop'>
  /** How long the timers of each request run. */
  readonly settings: TimerSettings
  /** Bytes of content that a request may have; more is answered with 413. */
  readonly bodyBytes: number
  /** Whether CONNECT is announced rather than refused; default: refused. */
  readonly tunnels?: boolean
  /** Sent with every response. */
  readonly fields: readonly Field[]
  /** The client gets nothing any more. */
  readonly gone: boolean
  /** Whether what is at hand came, or began to come, as early data. */
  readonly early: boolean
  /** Streams whose requests were announced, and neither accepted nor answered. */
  readonly unaccepted: Iterable<number>
  /** Milliseconds of a clock that only goes forward. */
  now(): number
  /** Milliseconds since 1970, for Date. */
  date(): number
  /** There is a request: the owner accepts or answers it, now or later. */
  announced(request: Announced, head: RequestHead): void
  /** There is output, or room for input. */
  wake(): void
  /** A timer of a request runs out at that moment, in milliseconds as {@link now}: ask by then. */
  wakeBy(at: number): void
  /** A piece of a request has come. */
  touch(): void
  /** A response has been given out whole, or has broken off. */
  responded(): void
  /** The client has reset a stream, whatever became of its request. */
  reset(streamId: number): void
  /**
   * The answer that says what has run out; undefined: none.
   * @param within milliseconds that the timer was given instead of its setting
   */
  overdue(what: Expiry, within?: number): Problem | undefined
  /** The client has broken a rule or exceeded a limit: send what there is, and close. */
  failed(code: number, reason: string): void
  /** Something was thrown where no caller hears of it: the connection must end. Never throws. */
  fail(error: unknown): void
}

/** What an exchange asks of the connection that its stream is on. */
export interface ExchangeOwner {
  readonly http: H2Server
  readonly owner: H2Owner
  /** The response has been given out whole, or has broken off. */
  responded(streamId: number): void
}
