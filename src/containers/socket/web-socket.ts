import { carriedHead } from '../../http/h1/index.ts'
import type { Problem } from '../../http/problem.ts'
import { CloseCode } from '../../http/websocket/index.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import type { Protocol, ProtocolOwner } from '../protocol/protocol.ts'
import { SocketCall } from './socket-call.ts'

type State = Extract<ApplicationState, { protocol: 'websocket' }>

/**
 * A WebSocket on a connection of its own, which HTTP/1.1 has given up (RFC 6455). It moves between messages,
 * if its function freezes.
 */
export class WebSocket implements Protocol {
  readonly requests: number
  readonly #owner: ProtocolOwner
  readonly #opened: Omit<State, 'socket' | 'state'>
  readonly #call: SocketCall
  #held = false
  /** What its function gave when it was asked to freeze was nothing that could be carried. */
  #unfreezable = false
  /** What the function froze when it was asked last. */
  #frozen: { readonly state: Uint8Array | undefined } | undefined

  /** @param admitted what its function gave when it was asked whether it takes it */
  constructor(owner: ProtocolOwner, { socket, state, ...opened }: State, admitted?: unknown) {
    this.#owner = owner
    this.#opened = opened
    this.requests = opened.requestsServed
    const head = carriedHead({ method: 'GET', ...opened }, '1.1')
    const functionPath = owner.host.ownerOf(head.path, head.host)?.functionPath ?? head.path
    const connection = owner.info(opened.requestsServed - 1)
    this.#call = new SocketCall(
      { guard: owner.guard, kick: () => owner.pump(), drained: () => owner.out.drained() },
      owner.host,
      { head, functionPath, connection, protocol: opened.subprotocol, socket, state, admitted },
      owner.host.limits.timers['keep-alive'] / 2,
    )
  }

  receive(bytes: Uint8Array): void {
    this.#call.core.receive(bytes)
  }

  step(): boolean {
    if (this.#held) return false
    if (this.#call.full) this.flush()
    if (this.#call.step()) {
      this.#owner.touch()
      return true
    }
    if (this.#call.core.over) this.#owner.goodbye()
    return false
  }

  settle(): void {
    this.flush()
  }

  flush(): void {
    if (!this.#owner.out.blocked && !this.#owner.gone) this.#owner.out.send(this.#call.core.takeOutput())
  }

  get wantsInput(): boolean {
    return !this.#call.working && !this.#call.full && !this.#held
  }

  get held(): number {
    return this.#call.core.held
  }

  shed(what: Problem): void {
    this.#owner.destroy(new Error(what.detail))
  }

  get buffered(): number {
    return this.#call.core.buffered
  }

  /** Between two messages, if the function can say what another container has to know. */
  get quiet(): boolean {
    if (!this.#call.frozen || this.#call.full || this.#unfreezable) return false
    try {
      this.#frozen = { state: this.#call.freeze() }
      return true
    } catch (error) {
      this.#owner.host.log.error({ err: error }, 'a WebSocket cannot move: its function does not freeze')
      this.#unfreezable = true
      return false
    }
  }

  get calling(): boolean {
    return this.#call.working
  }

  readonly portable = false

  withdraw(): void {}

  readonly flowing = true

  get watched(): boolean {
    return this.#call.working
  }

  /** A client that opens a WebSocket has said all that other timers wait for. */
  expired(): void {}

  inputEnded(): void {
    this.#call.end(1006, 'the client has gone')
    this.#owner.goodbye()
  }

  hold(mustLeave: boolean): string | undefined {
    if (this.#call.core.closing) return undefined
    const why = this.#reason
    this.#held = why === undefined
    if (why !== undefined && mustLeave) this.#goAway()
    return why
  }

  get stays(): string | undefined {
    return this.#reason
  }

  get rooted(): boolean {
    return this.#reason !== undefined
  }

  /** Why it cannot move; undefined if it can, between two messages. */
  get #reason(): string | undefined {
    if (this.#unfreezable) return 'what its function freezes cannot be carried'
    return this.#call.freezes ? undefined : 'the function of its WebSocket does not freeze'
  }

  #goAway(): void {
    this.#held = false
    this.#call.core.close(CloseCode.GOING_AWAY, 'the container stops')
  }

  unhold(): void {
    this.#held = false
    this.#owner.pump()
  }

  drain(): void {
    this.#goAway()
    this.#owner.pump()
  }

  farewell(): void {
    this.#call.core.close(CloseCode.GOING_AWAY, 'the container stops')
    this.#call.end(CloseCode.GOING_AWAY, '')
    this.flush()
  }

  cancel(_reason: Error): void {
    this.#call.end(1006, 'the connection broke')
  }

  settled(goesOn: boolean): void {
    if (!goesOn) this.#call.lost()
  }

  onMoved(): void {
    this.#call.leave(new Error('the WebSocket has moved to another container'))
  }

  export(): ApplicationState {
    // It was asked whether it is quiet just before: that is what it froze then.
    const { state } = this.#frozen ?? { state: this.#call.freeze() }
    return { ...this.#opened, socket: this.#call.core.export(), state }
  }
}
