import type { H2Exchange } from '../../http/h2/exchanges/exchange.ts'
import type { Field } from '../../http/message.ts'
import { CLOSED_TUNNEL, type ContentSink, type HttpTunnel } from '../../http/serving.ts'
import { CloseCode } from '../../http/websocket/index.ts'
import type { Log } from '../../platform/log.ts'
import type { Http2Passenger } from '../../transfer/consignments/application.ts'
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

/** A WebSocket that leaves, as its envelope has it. */
export type FrozenTunnel = Extract<Http2Passenger['frozen'], { kind: 'websocket' }>

/**
 * A WebSocket on one stream of HTTP/2 (RFC 8441). It moves with its connection, between messages, if its
 * function freezes.
 */
export class Tunnel implements ContentSink {
  readonly #owner: TunnelOwner
  readonly #exchange: H2Exchange
  readonly #call: SocketCall
  readonly #functionName: string
  readonly #protocol: string | undefined
  readonly #log: Log
  #tunnel: HttpTunnel = CLOSED_TUNNEL
  /** What was said last waits for a window. */
  #blocked: Promise<void> | undefined
  /** More has come than the function takes. */
  full = false
  /** It is about to leave: the function gets no message. */
  #held = false
  /** What its function gave when it was asked to freeze was nothing that could be carried. */
  #unfreezable = false
  #state: Uint8Array | undefined
  #left: SocketCall | undefined

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
    this.#protocol = opening.protocol
    this.#log = callee.log
    const socketOwner = { guard: owner.guard, kick: () => this.#go(), drained: () => this.#blocked }
    this.#call = new SocketCall(socketOwner, callee, opening, keepAliveMilliseconds)
  }

  /** The stream is a WebSocket from here on. */
  open(fields: readonly Field[]): void {
    this.#tunnel = this.#exchange.upgrade(fields, this)
    // Its client can never say anything.
    if (this.#exchange.whole) this.end()
  }

  /** It goes on here: the stream is a WebSocket already. */
  goOn(): void {
    this.#tunnel = this.#exchange.tunnel
    this.#exchange.goOn(this)
  }

  data(bytes: Uint8Array): void {
    this.#call.core.receive(bytes)
    this.#go()
  }

  /** Its name. */
  get name(): string {
    return `the WebSocket ${this.#exchange.head.path.slice(0, 40)} of ${this.#functionName}`
  }

  /** Its name, if it cannot go elsewhere; undefined: it can, between two messages. */
  get stays(): string | undefined {
    return this.#over || (this.#call.freezes && !this.#unfreezable) ? undefined : this.name
  }

  /** The function is at work on a message. */
  get working(): boolean {
    return this.#call.working
  }

  /** All has been said, and waits for the client. */
  get #over(): boolean {
    return this.#call.told
  }

  /** Bytes that go along if it goes, now or soon; undefined if it cannot. */
  get left(): number | undefined {
    if (this.stays !== undefined) return undefined
    return this.#call.core.held + (this.#state?.length ?? 0)
  }

  /** The same, if it can go now. Its function is asked where it stands. */
  get still(): number | undefined {
    if (this.#over) return this.#call.core.held
    if (!this.#call.frozen || this.#unfreezable) return undefined
    try {
      this.#state = this.#call.freeze()
      return this.left
    } catch (error) {
      this.#log.error({ err: error }, 'a WebSocket cannot move: its function does not freeze')
      this.#unfreezable = true
      return undefined
    }
  }

  /** Its function gets no message for now. */
  hold(): void {
    this.#held = true
  }

  /** It stays here after all. */
  thaw(): void {
    if (!this.#held) return
    this.#held = false
    this.#go()
  }

  /**
   * It leaves as it is, which {@link still} has just said is possible.
   * @returns undefined if all has been said, and goes along with HTTP/2
   */
  leave(): FrozenTunnel | undefined {
    const { core } = this.#call
    if (this.#over) {
      this.#exchange.complete(concat(...core.takeOutput()))
      return undefined
    }
    this.#left = this.#call
    const { outbound, ...socket } = core.export()
    this.#call.leave(new Error('the WebSocket has moved to another container'))
    return {
      kind: 'websocket',
      subprotocol: this.#protocol,
      socket: { ...socket, outbound: concat(...this.#exchange.unsent, outbound) },
      state: this.#state,
    }
  }

  /** What became of it when it had left. @param goesOn elsewhere or here; otherwise it has ended */
  settled(goesOn: boolean): void {
    if (!goesOn) this.#left?.lost()
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
      while (!this.#held && this.#owner.goesOn() && call.step());
      // What the client takes at once makes room for more.
    } while (call.full && this.#blocked === undefined && !this.#held)
    // A message that has not come whole needs more, however large it is.
    const full = (call.working || call.full || this.#held) && call.core.buffered >= HIGH_WATER
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
