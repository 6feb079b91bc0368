import { concat } from '../wire/index.ts'
import type { Field, RequestHead, ResponseView } from './message.ts'
import { type Problem, problem, refusal } from './problem.ts'
import { tell } from './telling.ts'
import type { Expiry, TimerSettings } from './timers.ts'

/**
 * A connection that is being served, whatever version of HTTP it speaks and whatever carries its bytes: the
 * one face of HTTP/1 and HTTP/2 towards applications and towards streams. Neither has a socket or a clock.
 */
export interface HttpServing {
  /** undefined until the first bytes tell. */
  readonly protocol: 'http/1.1' | 'h2' | undefined
  /** Whether more bytes may be given to {@link receive}; otherwise stop reading until `wake`. */
  readonly wantsInput: boolean
  /** Nothing follows what {@link takeOutput} still gives: end that half of the stream, and read on. */
  readonly outputEnded: boolean
  /** Send what {@link takeOutput} still gives, then end the stream. */
  readonly shouldClose: boolean
  /**
   * With `shouldClose`: a response was cut off, so end the stream in a way that shows that something is
   * missing.
   */
  readonly aborted: boolean
  /**
   * Bytes that are kept because of the client: received and not asked for, and output that has not been
   * taken.
   */
  readonly held: number
  /** A response that has not begun is waited for, which `handler` sees to; or another protocol is spoken. */
  readonly pending: boolean
  /**
   * Gives up requests for what they hold: those whose responses have not begun are answered with that, the
   * others break off.
   */
  shed(what: Problem): void
  /** Bytes from the client, in any pieces; the caller may use their memory again afterwards. */
  receive(bytes: Uint8Array): void
  /**
   * What is to be sent, in order; asked for only when the stream has room, and again until there is nothing.
   */
  takeOutput(): readonly Uint8Array[]
  /** The client sends no more. Requests that have come whole are answered all the same. */
  finish(): void
  /** The stream is gone. */
  broken(reason: Error): void
  /** Time has passed: see what has run out. */
  tick(): void
  /** Close as soon as nothing is underway. */
  drain(): void
}

/** An application: one pair of functions, for all versions of HTTP. */
export interface HttpHandlers {
  /**
   * A request's head has come. What it throws, or what its promise is rejected with, goes to {@link error}.
   */
  request(request: HttpRequest, response: HttpResponse): Promise<void> | void
  /**
   * Something is wrong with a client, its request or our answer.
   * @returns the answer, where one is still possible; without one, {@link answerTo} makes it. Where 2xx would
   * grant a tunnel, also because no request was understood, it is sent with the status of the fault
   */
  error?(fault: HttpFault): ResponseView | undefined
}

/** What went wrong. */
export interface HttpFault {
  /**
   * The client broke a rule or exceeded a limit; a timer ran out; the application threw, or gave what cannot
   * be sent; all connections hold too much together, and this one most.
   */
  readonly kind: 'client' | 'timeout' | 'application' | 'memory'
  /** What the answer says or would say. */
  readonly status: number
  readonly reason: string
  /** Whether a response can still be given. */
  readonly answerable: boolean
  /** With `timeout`. */
  readonly timer?: Expiry
  /** With `application`: what it threw. */
  readonly cause?: unknown
  /** The request that it is about; undefined if there is none. */
  readonly request?: HttpRequest
}

/** A request as applications see it. */
export interface HttpRequest extends RequestHead {
  /** What its head says, as a value. */
  readonly head: RequestHead
  /** Bytes of content; undefined if its length is not known beforehand. */
  readonly length: number | undefined
  /** Its head, or a part of it, came as early data, which may be a replay (RFC 8470). */
  readonly early: boolean
  /** Requests on this connection before this one. */
  readonly index: number
  /**
   * What the client would rather speak, as `websocket`: what Upgrade says over HTTP/1.1 (RFC 9110 §7.8), or
   * `:protocol` of a CONNECT request over HTTP/2 (RFC 8441). {@link HttpResponse.upgrade} grants it; any
   * other response refuses. Where 2xx would grant it, which is over HTTP/2 and for CONNECT, 501 is sent.
   */
  readonly protocol: string | undefined
  /**
   * Gives the content to `sink`, as it comes. Without this it waits at the client, and what has not been
   * asked for when the response ends is thrown away. A client that waits for 100 (Continue) is told to go on,
   * if the response has not begun.
   */
  content(sink: ContentSink): void
  /** The sink is not {@link ContentSink.full} any more. */
  resume(): void
}

/** Where a request's content goes. */
export interface ContentSink {
  /** Whether it takes nothing more for now, until {@link HttpRequest.resume}. */
  readonly full?: boolean
  /** Whether the application is at work with what has come; unless given, it is from the beginning. */
  readonly started?: boolean
  /** Bytes of content that it keeps for the application. */
  readonly held?: number
  /** Milliseconds that the application has to begin its response, if the timer `handler` gives it more. */
  readonly answerWithin?: number | undefined
  /**
   * A piece, in memory of its own. A promise holds the next one back until it is fulfilled. What is thrown
   * here ends the exchange.
   */
  data(bytes: Uint8Array): Promise<void> | void
  end(trailers: readonly Field[]): void
  /** There will be no end: the client is gone, or what it sends is malformed. */
  broken(reason: Error): void
}

/** Where a response goes. All of it is swallowed when the client is gone. */
export interface HttpResponse {
  /** All of it has been said, or the client is gone. */
  readonly over: boolean
  /** An interim response such as 103. */
  inform(status: number, headers: readonly Field[]): void
  /**
   * Grants what the request asks for, by Upgrade or as CONNECT does: from here on its stream, or over
   * HTTP/1.1 the connection, belongs to another protocol.
   * @param headers over HTTP/1.1 with an Upgrade field, which HTTP/2 leaves out
   * @param sink where the client's bytes go
   * @throws Error if nothing was asked for; TypeError for fields that must not be sent
   */
  upgrade(headers: readonly Field[], sink: ContentSink): HttpTunnel
  /** A whole response. */
  reply(response: ResponseView): void
  /**
   * The head of a response whose content follows. @throws TypeError for one that must not be sent; then try
   * another
   */
  begin(head: {
    readonly status: number
    readonly headers: readonly Field[]
    /** Bytes of content; undefined if the application does not know yet. */
    readonly length: number | undefined
  }): void
  /**
   * A part of the content, whose memory is not the caller's any more.
   * @returns undefined, or a promise of the moment when the client has taken enough for more
   * @throws RangeError for more than was announced
   */
  write(data: Uint8Array): Promise<void> | undefined
  /** @throws RangeError if content is missing; the client sees that, too */
  end(trailers?: readonly Field[]): void
  /** The response was begun and cannot be finished: the client must see that. */
  abort(): void
  /** Called once, when the client is gone before the response has ended. */
  onGone: ((reason: Error) => void) | undefined
}

/** Our side of a protocol that is not HTTP. */
export interface HttpTunnel {
  /** @returns undefined, or a promise of the moment when the client has taken enough for more */
  write(data: Uint8Array): Promise<void> | undefined
  /** Says that nothing more follows. What the client says goes on coming, until it has ended, too. */
  endOutput(): void
  /** Ends it, both ways. */
  end(): void
  /**
   * The application threw, where it was called by nothing of ours: `error` hears of it, and the client sees
   * that something is missing.
   */
  fail(cause: unknown): void
}

/** The tunnel to a client that is gone. */
export const CLOSED_TUNNEL: HttpTunnel = { write: () => undefined, endOutput() {}, end() {}, fail() {} }

/**
 * The status of a response that is no tunnel, where one was asked for: any 2xx would grant it (RFC 9110
 * §9.3.6, RFC 8441 §5), and what follows would be taken for the other protocol's.
 * @param refusal what is sent instead
 */
export function withoutTunnel(status: number, refusal = 501): number {
  return status >= 200 && status < 300 ? refusal : status
}

/** What a served connection is told by the owner of its stream. */
export interface ServingContext {
  readonly handlers: HttpHandlers
  readonly timers: TimerSettings
  /** Milliseconds of a clock that only goes forward, for timers. */
  readonly now: () => number
  /** Milliseconds since 1970, for Date. */
  readonly date: () => number
  /**
   * Called when there is output, or {@link HttpServing.wantsInput} or {@link HttpServing.shouldClose} may
   * have changed, outside of other calls.
   */
  readonly wake: () => void
  /** Something was thrown where no caller is left to hear of it: the connection must end. Never throws. */
  readonly fault: (error: unknown) => void
  /** Bytes at the front of the connection that came as early data. */
  readonly earlyBytes: () => number
  /**
   * To be asked before each piece of work: false if others shall have their turn first. Unless given, there
   * is no end.
   */
  readonly goesOn?: () => boolean
}

/** What a function's response needs of a response: a client's, or that of a container that borrowed. */
export type ResponseSink = Pick<
  HttpResponse,
  'over' | 'inform' | 'reply' | 'begin' | 'write' | 'end' | 'abort'
>

/** The answer to a fault: what the application's `error` says or, without that, a problem (RFC 9457). */
export function answerTo(
  fault: HttpFault,
  handlers: Pick<HttpHandlers, 'error'>,
  ordinary?: Problem,
): ResponseView {
  // An error handler that fails is no reason to leave the client without an answer.
  const said = tell(() => handlers.error?.(fault))
  if (said !== undefined) return said
  const { kind, status, reason } = fault
  if (ordinary === undefined && kind === 'client') return problem(refusal(status, reason))
  // What an application throws may say more than a client should know.
  const detail = kind === 'application' ? {} : { detail: reason }
  return problem(ordinary ?? { name: 'application-failed', status, ...detail })
}

/**
 * Sends the answer to a fault, or 500 where that cannot be sent.
 * @param opens 2xx would grant a tunnel: then it has the status of the fault
 * @param reply throws TypeError for what must not be sent, and has sent nothing then
 */
export function replyTo(
  { status }: HttpFault,
  answer: ResponseView,
  opens: boolean,
  reply: (view: ResponseView) => void,
): void {
  try {
    reply(opens ? { ...answer, status: withoutTunnel(answer.status, status) } : answer)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    reply(problem({ name: 'application-failed', status: 500 }))
  }
}

/**
 * All of a request's content. The promise is rejected if it does not come whole, or (RangeError) has more
 * than `most` bytes.
 */
export function wholeContent(request: HttpRequest, most = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = []
    let length = 0
    request.content({
      data(bytes) {
        length += bytes.length
        if (length <= most) pieces.push(bytes)
        else reject(new RangeError(`more than ${most} bytes of content`))
      },
      end: () => resolve(pieces.length === 1 ? pieces[0]! : concat(...pieces)),
      broken: reject,
    })
  })
}
