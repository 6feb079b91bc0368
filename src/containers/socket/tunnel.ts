import type { H2Exchange } from '../../http/h2/exchanges/exchange.ts'
import type { Field } from '../../http/message.ts'
import { CLOSED_TUNNEL, type ContentSink, type HttpTunnel } from '../../http/serving.ts'
import { CloseCode } from '../../http/websocket/index.ts'
import type { Guard } from '../../transport/guard.ts'
import { concat } from '../../wire/index.ts'
import type { Callee } from '../protocol/call-context.ts'
import { SocketCall, type SocketOpening } from './socket-call.ts'

/** Bytes that wait for the function, beyond which the client gets no more window. */
const HIGH_WATER = 65_536

/** What a tunnel asks of the connection that its stream is on. */
export interface TunnelOwner {
  readonly guard: Guard
  /** The client gets nothing any more. */
  readonly gone: boolean
  /** Whether more may be done in this turn of the event loop. */
  goesOn(): boolean
  /** There is output, or room for input. */
  wake(): void
}

/**
 * A WebSocket on one stream of HTTP/2 (RFC 8441). It does not move: as long as it is open, the connection
 * counts as busy.
 */
export class Tunnel implements ContentSink {
  readonly #owner: TunnelOwner
  readonly #exchange: H2Exchange
  readonly #call: SocketCall
  readonly #functionName: string
  #tunnel: HttpTunnel = CLOSED_TUNNEL
  /** What was said last waits for a window. */
  #blocked: Promise<void> | undefined
  /** More has come than the function takes. */
  full = false

  constructor(
    owner: TunnelOwner,
    exchange: H2Exchange,
    callee: Callee,
    opening: SocketOpening,
    keepAliveMilliseconds: number,
  ) {
    this.#owner = owner
    this.#exchange = exchange
    this.#functionName = callee.functionName
    const socketOwner = { guard: owner.guard, kick: () => this.#go(), drained: () => this.#blocked }
    this.#call = new SocketCall(socketOwner, callee, opening, keepAliveMilliseconds)
  }

  /** The stream is a WebSocket from here on. */
  open(fields: readonly Field[]): void {
    this.#tunnel = this.#exchange.upgrade(fields, this)
    // Its client can never say anything.
    if (this.#exchange.whole) this.end()
  }

  data(bytes: Uint8Array): void {
    this.#call.core.receive(bytes)
    this.#go()
  }

  /** Its name: it cannot go elsewhere. */
  get stays(): string {
    return `the WebSocket ${this.#exchange.head.path.slice(0, 40)} of ${this.#functionName}`
  }

  /** Bytes of messages in either direction. */
  get held(): number {
    return this.#call.core.held
  }

  /** The client ends its side without a close frame. */
  end(): void {
    this.#call.end(1006, 'the client ended the stream')
    this.#tunnel.end()
  }

  broken(): void {
    this.#call.end(1006, 'the stream broke')
  }

  /** The connection sends what there is by itself. */
  wait(): void {
    this.#work()
  }

  /** Says that the container has to go; the client may say goodbye, too. */
  drain(): void {
    if (this.#call.core.closing) return
    this.#call.core.close(CloseCode.GOING_AWAY, 'the container stops')
    this.#go()
  }

  #go(): void {
    this.#owner.guard.run(() => this.#work())
    if (!this.#exchange.over) this.#owner.wake()
  }

  /** Gives the function what has come, and takes what it says. */
  #work(): void {
    const call = this.#call
    if (this.#exchange.over || this.#owner.gone) return
    do {
      this.#send()
      while (this.#owner.goesOn() && call.step());
      // What the client takes at once makes room for more.
    } while (call.full && this.#blocked === undefined)
    // A message that has not come whole needs more, however large it is.
    const full = (call.working || call.full) && call.core.buffered >= HIGH_WATER
    if (this.full !== full) {
      this.full = full
      if (!full) this.#exchange.resume()
    }
    this.#send()
    if (call.core.over && this.#blocked === undefined) this.#tunnel.end()
  }

  /** Gives the stream what has been said, as far as it takes it. */
  #send(): void {
    while (this.#blocked === undefined) {
      const said = concat(...this.#call.core.takeOutput())
      if (said.length === 0) return
      this.#blocked = this.#tunnel.write(said)?.then(() => {
        this.#blocked = undefined
        this.#go()
      })
    }
  }
}
