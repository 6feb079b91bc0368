import { type H1Event, H1Server, type H1State } from '../../http/h1/index.ts'
import type { RequestHead } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import { asksForWebSocket, judgeHandshake } from '../../http/websocket/index.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import type { Guard } from '../../transport/guard.ts'
import { EMPTY } from '../../wire/index.ts'
import { type Timeout, timeoutProblem } from '../connection/timeout.ts'
import { CARRIED_REQUEST_BYTES } from '../move/policy.ts'
import { unavailable } from '../move/unavailable.ts'
import { Exchange } from './exchange.ts'
import type { Protocol, ProtocolOwner, Refusal } from './protocol.ts'
import { Responder, type ResponderOwner } from './responder.ts'
import { WebSocket } from './web-socket.ts'

/**
 * HTTP/1.0 and 1.1 on one connection: one request after the other, each with its response before the next is
 * looked at.
 */
export class Http1 implements Protocol, ResponderOwner {
  readonly #owner: ProtocolOwner
  readonly #http: H1Server
  readonly #responder: Responder
  #refusal: Refusal | undefined
  #exchange: Exchange | undefined
  /** The answer to the request at hand, which no function gets. */
  #interrupted: Problem | undefined
  /** The function whose containers the request that was announced waits for. */
  #awaited: string | undefined
  /** The head of a response has been given out, and its end has not. */
  #begun = false

  constructor(owner: ProtocolOwner, state: H1State, refusal?: Refusal) {
    this.#owner = owner
    this.#http = new H1Server(owner.host.limits.http, state)
    this.#responder = new Responder(this.#http, owner.out, owner.fields, owner.host.log, this)
    this.#refusal = refusal
  }

  receive(bytes: Uint8Array): void {
    this.#http.receive(bytes)
  }

  step(): boolean {
    if (this.#awaited !== undefined) return this.#goesAfterAll(this.#awaited)
    if (this.#owner.out.full && this.#http.idle) return this.#keep()
    const event = this.#http.next()
    if (event !== undefined) this.#on(event)
    else if (this.#http.shouldClose) this.#owner.goodbye()
    return event !== undefined
  }

  settle(): void {
    const exchange = this.#exchange
    exchange?.wait()
    this.#watch(exchange)
  }

  /** Sees to it that whatever is waited for now is not waited for too long. */
  #watch(exchange: Exchange | undefined): void {
    const owner = this.#owner
    if (exchange === undefined && this.#http.idle) {
      if (this.#awaited === undefined && this.#http.buffered > 0 && !owner.out.full)
        owner.timers.wait('headers')
      else owner.timers.stop('headers')
      return
    }
    const wanting = exchange === undefined ? this.#interrupted !== undefined : exchange.wantsBody
    if (wanting) owner.timers.wait('request-body')
    else owner.timers.stop('request-body')
    if (exchange?.started && !this.#begun) owner.timers.wait('handler')
  }

  /** What is said here is said at once. */
  flush(): void {}

  get wantsInput(): boolean {
    if (this.#exchange !== undefined) return this.#exchange.wantsBody
    return this.#awaited === undefined && !this.#owner.out.full
  }

  get held(): number {
    return this.#http.buffered + (this.#exchange?.waiting ?? 0)
  }

  shed(what: Problem): void {
    if (this.#begun) this.brokeOff()
    else if (this.#exchange === undefined && this.#http.idle && this.#awaited === undefined) {
      if (this.#http.buffered > 0) this.#responder.refuse(problem(closing(what)))
      else this.#owner.goodbye()
    } else if (this.#awaited !== undefined) this.#giveUp(closing(what))
    else {
      this.#exchange?.cancel(new Error(what.detail))
      this.#responder.reply(problem(closing(what)))
    }
  }

  get buffered(): number {
    return this.#http.buffered
  }

  get quiet(): boolean {
    return this.#exchange === undefined && this.#http.idle
  }

  get calling(): boolean {
    return this.#exchange?.bodyEnded === true
  }

  get portable(): boolean {
    const exchange = this.#exchange
    if (exchange === undefined || exchange.started || !this.#http.withdrawable) return false
    return exchange.held + this.#http.buffered <= CARRIED_REQUEST_BYTES
  }

  withdraw(): void {
    this.#owner.timers.withdraw(this.#exchange!.held)
    this.#http.withdraw(this.#exchange!.takeBack())
    this.#exchange = undefined
  }

  get watched(): boolean {
    if (this.#exchange !== undefined || this.#interrupted !== undefined) return true
    return this.#http.idle && this.#http.buffered > 0
  }

  get requests(): number {
    return this.#http.requestsServed
  }

  /** Requests that came whole are answered all the same. */
  inputEnded(): void {
    if (this.#awaited !== undefined) return
    if (this.#owner.out.full && this.#http.idle) return
    if (this.#exchange === undefined) this.#owner.goodbye()
    else if (this.#exchange.wantsBody)
      this.#owner.destroy(new Error('the client closed in the middle of its request'))
  }

  /**
   * There is nothing to hold back: the next request is looked at only when the connection has had its chance
   * to leave.
   */
  hold(): undefined {}

  unhold(): void {}

  drain(): void {
    if (this.#awaited !== undefined) this.#giveUp(unavailable(this.#awaited, 'none ready'))
    else if (this.#exchange === undefined) this.#owner.goodbye()
  }

  farewell(): void {}

  cancel(reason: Error): void {
    this.#exchange?.cancel(reason)
  }

  expired(timer: Timeout): void {
    const owner = this.#owner
    const what = timeoutProblem(timer, owner.host.limits.timers, this.#awaited)
    owner.host.log.debug({ timer }, what.detail)
    if (timer === 'container') this.#giveUp(what)
    else if (timer === 'headers') this.#responder.refuse(problem(closing(what)))
    else {
      this.#exchange?.cancel(new Error(what.detail))
      // A function that is at work still, or a client that may go on after all, has nothing to do with what
      // comes next.
      if (this.#http.answerable) this.#responder.reply(problem(closing(what)))
      else this.brokeOff()
    }
  }

  export(): ApplicationState {
    return { protocol: 'http1', ...this.#http.export() }
  }

  get gone(): boolean {
    return this.#owner.gone
  }

  get guard(): Guard {
    return this.#owner.guard
  }

  began(): void {
    this.#begun = true
    this.#owner.timers.stop('handler')
  }

  responded(): void {
    this.#exchange = undefined
    this.#begun = false
    this.#owner.timers.stopAll()
    this.#interrupted = undefined
    this.#owner.responded()
  }

  brokeOff(): void {
    this.#owner.destroy(new Error('the response broke off'))
  }

  #on(event: H1Event): void {
    switch (event.type) {
      case 'request':
        this.#onRequest(event)
        return
      case 'body':
        this.#owner.touch()
        this.#owner.timers.prolong('handler')
        if (this.#owner.timers.content(event.data.length)) this.#exchange?.body(event.data)
        else this.expired('request-rate')
        return
      case 'end':
        this.#exchange?.end()
        if (this.#interrupted !== undefined) this.#responder.reply(problem(this.#interrupted))
        return
      case 'error':
        this.#exchange?.cancel(new Error(event.reason))
        if (event.answerable) {
          this.#responder.reply(problem({ name: 'bad-request', status: event.status, detail: event.reason }))
        } else {
          this.#owner.hangUp()
        }
    }
  }

  #onRequest({ head, expectsContinue, upgrade }: Extract<H1Event, { type: 'request' }>): void {
    const { host, out } = this.#owner
    const owner = host.ownerOf(head.path, head.host)
    this.#owner.timers.stop('headers')
    const elsewhere = owner !== undefined && owner.functionName !== host.functionName
    const interrupted = this.#owner.refuse(head.method, owner?.functionName ?? host.functionName, true)
    if (interrupted !== undefined) {
      this.#http.accept()
      // Behind the whole request: then the answer and its checkpoint go out as one.
      if (expectsContinue) this.#responder.reply(problem(interrupted))
      else this.#interrupted = interrupted
      return
    }
    if (elsewhere && this.#refusal === undefined) {
      this.#awaited = owner.functionName
      this.#goesAfterAll(owner.functionName)
      return
    }
    this.#http.accept()
    this.#owner.timers.stop('container')
    const refused = this.#refusal?.answer
    this.#refusal = undefined
    if (elsewhere) {
      this.#responder.reply(problem(refused ?? unavailable(owner.functionName, 'none ready')))
      return
    }
    if (host.module.webSocket !== undefined && asksForWebSocket(upgrade)) {
      this.#upgrade(head)
      return
    }
    this.#owner.timers.accept()
    this.#exchange = new Exchange(
      head,
      host,
      {
        functionPath: owner?.functionPath ?? head.path,
        connection: this.#owner.info(this.#http.requestsServed),
        timeout: host.limits.timers.handler,
      },
      this.#responder,
      () => this.#owner.pump(),
    )
    if (expectsContinue) out.send([this.#http.continue()])
  }

  /**
   * Follows the request that waits for a container of another function, if there is one now. @returns whether
   * more can be done here
   */
  #goesAfterAll(functionName: string): boolean {
    if (!this.#owner.move(functionName)) this.#owner.timers.wait('container')
    return this.#keep()
  }

  /** Nothing is read on for now: what has come lies in somebody else's memory. */
  #keep(): boolean {
    this.#http.receive(EMPTY)
    return false
  }

  /** Answers the request that waits for a container of another function. */
  #giveUp(what: Problem): void {
    this.#awaited = undefined
    this.#http.accept()
    this.#responder.reply(problem(what))
  }

  /** From here on the connection is a WebSocket, or the request is refused. */
  #upgrade(head: RequestHead): void {
    const owner = this.#owner
    const handshake = judgeHandshake(head, owner.host.module.webSocketProtocols ?? [])
    if (handshake.problem !== undefined) {
      this.#responder.reply(problem(handshake.problem))
      return
    }
    owner.timers.stopAll()
    const { head: answer, rest } = this.#http.upgrade([...handshake.fields, ...owner.fields])
    owner.out.send([answer])
    const socket = { inbound: rest, outbound: EMPTY, partial: undefined, closeSent: false }
    owner.switchProtocol(
      new WebSocket(owner, {
        protocol: 'websocket',
        requestsServed: this.#http.requestsServed,
        target: head.target,
        headers: head.headers.map(([name, value]) => ({ name, value })),
        host: head.host,
        subprotocol: handshake.protocol,
        socket,
        state: undefined,
      }),
    )
  }
}

/** A problem after which the connection closes. */
function closing(what: Problem): Problem {
  return { ...what, headers: [...(what.headers ?? []), ['connection', 'close']] }
}
