import type { ConnectionInfo } from '../../functions/contract.ts'
import type { Socket, SocketContext, SocketHandlers } from '../../functions/web-socket.ts'
import type { RequestHead } from '../../http/message.ts'
import { CloseCode, WebSocketServer, type WebSocketState } from '../../http/websocket/index.ts'
import type { Timer } from '../../time/clock.ts'
import type { Guard } from '../../transport/guard.ts'
import { CallContext, type Callee } from '../protocol/call-context.ts'
import { frozenBytes, frozenJson } from '../protocol/call-messages.ts'

/** Bytes that wait for the client, beyond which it is not heard: what it says would only make them more. */
const OUTPUT = 65_536

/** What one WebSocket asks of whatever carries it. */
export interface SocketOwner {
  readonly guard: Guard
  /** There is output, or a message may be taken. */
  kick(): void
  /** The moment when the client has taken enough for more; undefined if that is now. */
  drained(): Promise<void> | undefined
}

/** How a WebSocket came about, wherever it is now. */
export interface SocketOpening {
  readonly head: RequestHead
  readonly functionPath: string
  readonly connection: ConnectionInfo
  readonly protocol: string | undefined
  /** If it has been somewhere else. */
  readonly socket?: WebSocketState | undefined
  readonly state?: Uint8Array | undefined
  /** What its function gave when it was asked whether it takes it. */
  readonly admitted?: unknown
}

/**
 * One WebSocket and the function that it is with: bytes in, messages to the function one after the other, its
 * messages out.
 */
export class SocketCall {
  readonly core: WebSocketServer
  readonly #owner: SocketOwner
  readonly #callee: Callee
  readonly #opening: SocketOpening
  readonly #context: OneSocketContext
  #handlers: SocketHandlers | undefined
  readonly #keepAliveMilliseconds: number
  #keepAlive: Timer | undefined
  #working = false
  #told = false
  readonly #since: number
  /** Of messages that the function has sent from here. */
  #bytes = 0

  /** @param keepAliveMilliseconds between two questions whether the client is there */
  constructor(owner: SocketOwner, callee: Callee, opening: SocketOpening, keepAliveMilliseconds: number) {
    this.#owner = owner
    this.#keepAliveMilliseconds = keepAliveMilliseconds
    this.#callee = callee
    this.#opening = opening
    this.#context = new OneSocketContext(opening.head, callee, opening.functionPath, opening.connection)
    const { clock } = callee
    this.#since = clock.steady()
    this.core = new WebSocketServer(undefined, opening.socket, () => clock.steady())
  }

  /** The function is at work on a message. */
  get working(): boolean {
    return this.#working
  }

  /** So much waits for the client that nothing more is taken from it. */
  get full(): boolean {
    return this.core.unsent > OUTPUT
  }

  /** The function can say what another container has to know, or has not begun. */
  get freezes(): boolean {
    return this.#handlers === undefined || this.#handlers.freeze !== undefined
  }

  /** It is over, and the function knows. */
  get told(): boolean {
    return this.#told
  }

  /** It may move: nothing is with the function, and that says what it is. */
  get frozen(): boolean {
    return !this.#working && !this.#told && !this.core.over && this.freezes
  }

  /**
   * Gives the function what comes next. @returns false if that takes more bytes, the function, or a client
   * that reads
   */
  step(): boolean {
    this.#begin()
    if (this.#working || this.full) return false
    const event = this.core.next()
    if (event?.type === 'message') this.#deliver(event.data)
    else if (event?.type === 'close') this.end(event.code, event.reason)
    return event !== undefined
  }

  /**
   * What the function freezes, as JSON; undefined if it has nothing to say. @throws TypeError, RangeError if
   * that cannot be carried
   */
  freeze(): Uint8Array | undefined {
    if (this.#handlers === undefined) return this.#opening.state
    const text = frozenJson(this.#handlers.freeze?.())
    return text === undefined ? undefined : frozenBytes(text)
  }

  /** It is over: the function is told, once. */
  end(code: number, reason: string): void {
    if (this.#told) return
    this.#told = true
    this.leave(new Error('the WebSocket is over'))
    this.#tell()
    try {
      this.#handlers?.closed?.(code, reason)
    } catch (error) {
      this.#callee.log.error({ err: error }, 'the function failed when its WebSocket was over')
    }
  }

  /** It left for another container, of which nothing is known. */
  lost(): void {
    if (!this.#told) this.#tell()
    this.#told = true
  }

  #tell(): void {
    const { accessLog, clock } = this.#callee
    accessLog?.socket(this.#opening.head, this.#context, this.#bytes, clock.steady() - this.#since)
  }

  /** It goes on elsewhere, or is over. */
  leave(reason: Error): void {
    this.#keepAlive?.stop()
    this.#context.abort(reason)
  }

  #begin(): void {
    if (this.#handlers !== undefined) return
    this.#handlers = {}
    // A client that answers is not idle, however little it has to say.
    const ask = this.#owner.guard.entrance(() => {
      this.core.ping()
      this.#owner.kick()
    })
    this.#keepAlive = this.#callee.clock.every(this.#keepAliveMilliseconds, ask).unref()
    const { state, admitted, protocol } = this.#opening
    const socket: Socket = {
      protocol,
      send: data => {
        this.core.send(data)
        this.#bytes += typeof data === 'string' ? Buffer.byteLength(data) : data.length
        this.#owner.kick()
        return this.#owner.drained()
      },
      close: (code = CloseCode.NORMAL, reason = '') => {
        if (!mayClose(code)) throw new RangeError(`the close code ${code}`)
        this.core.close(code, reason)
        this.#owner.kick()
      },
    }
    try {
      const open = this.#callee.module.webSocket
      if (open === undefined) throw new Error('this function knows no WebSockets')
      const thawed: unknown = state === undefined ? admitted : JSON.parse(new TextDecoder().decode(state))
      this.#handlers = open(socket, this.#context, thawed) ?? {}
    } catch (error) {
      this.#fail(error)
    }
  }

  #deliver(data: string | Uint8Array): void {
    if (this.#callee.traffic !== undefined) this.#callee.traffic.messages++
    try {
      const work = this.#handlers?.message?.(data)
      if (!(work instanceof Promise)) return
      this.#working = true
      work.catch(this.#owner.guard.entrance((error: unknown) => this.#fail(error))).finally(() => {
        this.#working = false
        this.#owner.kick()
      })
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#callee.log.error(
      { err: error, callId: this.#context.callId },
      'the function failed over its WebSocket',
    )
    this.core.close(CloseCode.INTERNAL_ERROR, 'the function failed')
    this.#owner.kick()
  }
}

/** What a function is told of a WebSocket. */
export class OneSocketContext extends CallContext implements SocketContext {
  readonly request: RequestHead

  constructor(head: RequestHead, callee: Callee, functionPath: string, connection: ConnectionInfo) {
    super(head, callee, functionPath, connection)
    this.request = head
  }
}

/** Codes that a server says (RFC 6455 §7.4): none that stands for what was not said, or is not defined. */
function mayClose(code: number): boolean {
  if (code >= 3000 && code < 5000) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006 && code !== 1010
}
