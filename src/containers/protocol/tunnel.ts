import { ErrorCode } from '../../http/h2/index.ts'
import type { Problem } from '../../http/problem.ts'
import { CloseCode } from '../../http/websocket/index.ts'
import { concat, EMPTY } from '../../wire/index.ts'
import type { CallOwner } from './call.ts'
import type { Callee } from './call-context.ts'
import { SocketCall, type SocketOpening } from './socket-call.ts'

/** Bytes that wait for the function, beyond which the client gets no more window. */
const HIGH_WATER = 65_536

/**
 * A WebSocket on one stream of HTTP/2 (RFC 8441). It does not move: as long as it is open, the connection
 * counts as busy.
 */
export class Tunnel {
  readonly #owner: CallOwner
  readonly #streamId: number
  readonly #call: SocketCall
  #uncredited = 0
  /** What waits for a window. */
  #unsent: Uint8Array = EMPTY
  #waiting: (() => void)[] = []
  #over = false
  /** It never comes whole. */
  readonly whole = false

  constructor(
    owner: CallOwner,
    streamId: number,
    callee: Callee,
    opening: SocketOpening,
    keepAliveMilliseconds: number,
  ) {
    this.#owner = owner
    this.#streamId = streamId
    const drained = () =>
      this.#unsent.length === 0 ? undefined : new Promise<void>(resolve => this.#waiting.push(resolve))
    const socketOwner = { guard: owner.guard, kick: () => this.#go(), drained }
    this.#call = new SocketCall(socketOwner, callee, opening, keepAliveMilliseconds)
  }

  receive(data: Uint8Array): void {
    this.#call.core.receive(data)
    this.#uncredited += data.length
    this.#go()
  }

  /** Bytes of messages in either direction. */
  get held(): number {
    return this.#call.core.held + this.#unsent.length
  }

  /** Gives up for what it holds: there is no answer within a WebSocket that its client would take. */
  shed(what: Problem): void {
    if (this.#over) return
    this.cancel(new Error(what.detail))
    this.#owner.http.reset(this.#streamId, ErrorCode.ENHANCE_YOUR_CALM)
    this.#owner.ended(this.#streamId)
  }

  /** The client ends its side without a close frame. */
  received(): void {
    this.#call.end(1006, 'the client ended the stream')
    this.#finish()
  }

  /** The connection sends what there is by itself. */
  wait(): void {
    this.#work()
  }

  drained(): void {
    this.#go()
  }

  /** Says that the container has to go; the client may say goodbye, too. */
  drain(): void {
    if (this.#call.core.closing) return
    this.#call.core.close(CloseCode.GOING_AWAY, 'the container stops')
    this.#go()
  }

  tooLarge(): void {}

  /** A WebSocket takes the time that it takes, and asks by itself whether the client is there. */
  tick(): void {}

  cancel(_reason: Error): void {
    this.#over = true
    this.#call.end(1006, 'the stream broke')
    this.#release()
  }

  #go(): void {
    this.#owner.guard.run(() => this.#work())
    if (!this.#over) this.#owner.kick()
  }

  /** Gives the function what has come, and takes what it says. */
  #work(): void {
    if (this.#over || this.#owner.gone) return
    do {
      this.#send()
      while (this.#owner.goesOn() && this.#call.step());
      // What the client takes at once makes room for more.
    } while (this.#call.full && this.#unsent.length === 0)
    const { core } = this.#call
    if (this.#uncredited > 0 && core.buffered < HIGH_WATER) {
      this.#owner.http.consume(this.#streamId, this.#uncredited)
      this.#uncredited = 0
    }
    this.#send()
    if (this.#unsent.length === 0) this.#release()
    if (core.over && this.#unsent.length === 0) this.#finish()
  }

  /** Gives the stream what has been said, as far as it takes it. */
  #send(): void {
    for (;;) {
      if (this.#unsent.length === 0) this.#unsent = concat(...this.#call.core.takeOutput())
      if (this.#unsent.length === 0) return
      this.#unsent = this.#unsent.subarray(this.#owner.http.write(this.#streamId, this.#unsent))
      if (this.#unsent.length > 0) return
    }
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#release()
    this.#owner.http.end(this.#streamId)
    this.#owner.ended(this.#streamId)
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
