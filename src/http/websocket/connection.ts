import {
  Allowance,
  type Budget,
  boolean,
  EMPTY,
  enumeration,
  opaque,
  optional,
  Pieces,
  struct,
  TINY,
  TINY_PIECES,
  type TypeOf,
  uint8,
  utf8,
} from '../../wire/index.ts'
import { ByteQueue } from '../h1/byte-queue.ts'
import {
  CloseCode,
  closePayload,
  Opcode,
  readClose,
  readFrame,
  readText,
  WebSocketError,
  writeFrame,
} from './frame.ts'

/** What a WebSocket reports. */
export type WebSocketEvent =
  | { readonly type: 'message'; readonly data: string | Uint8Array }
  /** The other side has answered a ping of ours, or said that it is there. */
  | { readonly type: 'pong' }
  /**
   * It is over: by the other side, with its code (1005: it said none), or because it broke a rule, with the
   * code that it was sent: `broken`.
   */
  | { readonly type: 'close'; readonly code: number; readonly reason: string; readonly broken?: true }

const CEILING = 2 ** 24 - 1

/** All that a WebSocket is, at any byte. */
export const webSocketState = struct('WebSocketState', {
  /** Received and not yet read: nothing, or frames, or the beginning of one. */
  inbound: opaque(0, CEILING),
  /** Frames not yet taken by the stream. */
  outbound: opaque(0, CEILING),
  /** A message of which parts have come. */
  partial: optional(
    struct('PartialMessage', {
      kind: enumeration('MessageKind', uint8, { text: 1, binary: 2 }),
      data: opaque(0, CEILING),
    }),
  ),
  closeSent: boolean,
})
export type WebSocketState = TypeOf<typeof webSocketState>

/** How much a client may ask of one WebSocket. */
export interface WebSocketLimits {
  /** Most bytes of a message. */
  readonly messageBytes: number
  /** Frames with hardly any content, whatever they are; what is sent to the client pays them back. */
  readonly frames: Budget
}

/** What is allowed by default. */
export const DEFAULT_WEB_SOCKET_LIMITS: WebSocketLimits = { messageBytes: 1_048_576, frames: TINY_PIECES }

/** The server's side of a WebSocket (RFC 6455) after its handshake, without socket or clock. */
export class WebSocketServer {
  readonly #limits: WebSocketLimits
  readonly #mask: (() => Uint8Array) | undefined
  readonly #frames: Allowance
  readonly #inbound = new ByteQueue()
  readonly #outbound = new Pieces()
  /** What the newest ping said: earlier ones need no answer of their own (§5.5.3). */
  #ponged: Uint8Array | undefined
  /** A message of which parts have come. */
  #partial: { readonly kind: 'text' | 'binary'; readonly parts: Pieces } | undefined
  #closeSent: boolean
  #over = false

  /**
   * @param state from another one's {@link export}; without it, a new one
   * @param now milliseconds since some moment: what a client may do has to do with time
   * @param mask 4 unpredictable bytes for each frame: then this is the client's side
   */
  constructor(
    limits: WebSocketLimits = DEFAULT_WEB_SOCKET_LIMITS,
    state?: WebSocketState,
    now: () => number = () => 0,
    mask?: () => Uint8Array,
  ) {
    this.#limits = limits
    this.#mask = mask
    this.#frames = new Allowance(limits.frames, now)
    this.receive(state?.inbound ?? EMPTY)
    this.#outbound.add(state?.outbound ?? EMPTY)
    if (state?.partial !== undefined) {
      this.#partial = { kind: state.partial.kind, parts: new Pieces() }
      this.#partial.parts.add(state.partial.data)
    }
    this.#closeSent = state?.closeSent ?? false
  }

  /** Bytes from the client, in any pieces; they are copied. */
  receive(bytes: Uint8Array): void {
    if (this.#over) return
    this.#inbound.push(bytes)
    this.#inbound.settle()
  }

  /**
   * The next event; undefined if it takes more bytes. Then take the output. After `close` nothing more comes.
   */
  next(): WebSocketEvent | undefined {
    try {
      while (!this.#over) {
        const { bytes, start, end } = this.#inbound
        const most = this.#limits.messageBytes - (this.#partial?.parts.length ?? 0)
        const frame = readFrame(bytes.subarray(start, end), this.#mask === undefined, most)
        if (frame === undefined) return undefined
        if (frame.payload.length < TINY && !this.#frames.spend())
          throw new WebSocketError(CloseCode.POLICY_VIOLATION, 'too many frames with hardly any content')
        this.#frames.earn(frame.payload.length >> 10)
        this.#inbound.skip(frame.length)
        const event = this.#take(frame.opcode, frame.payload, frame.final)
        if (event !== undefined) return event
      }
      return undefined
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      const { code, message } = error
      // Parts of it have come before: what is left for a frame is not what is meant.
      const most = `more than ${this.#limits.messageBytes} bytes in one message`
      const reason = code === CloseCode.TOO_BIG ? most : message
      this.close(code, reason)
      return this.#end(code, reason, true)
    }
  }

  /** Sends a message. After {@link close} it is dropped. */
  send(data: string | Uint8Array): void {
    if (typeof data === 'string') this.#write(Opcode.TEXT, utf8(data))
    else this.#write(Opcode.BINARY, data)
  }

  /** Asks whether the client is there. */
  ping(): void {
    this.#write(Opcode.PING, EMPTY)
  }

  /** Says that it is over; the client answers with a close of its own, which is the `close` event. */
  close(code: number = CloseCode.NORMAL, reason = ''): void {
    this.#write(Opcode.CLOSE, closePayload(code, reason))
    this.#closeSent = true
  }

  /** Frames to send. */
  takeOutput(): readonly Uint8Array[] {
    this.#pong()
    return this.#outbound.take()
  }

  /** Bytes that wait to be taken. */
  get unsent(): number {
    return this.#outbound.length
  }

  /** Bytes received and not yet read. */
  get buffered(): number {
    return this.#inbound.length
  }

  /** Bytes that are kept: of messages that have not come whole, and of frames that have not been taken. */
  get held(): number {
    return this.#inbound.length + (this.#partial?.parts.length ?? 0) + this.#outbound.length
  }

  /** Both sides have said that it is over, or one has broken a rule: send what is there, and close. */
  get over(): boolean {
    return this.#over
  }

  /** We have said that it is over. */
  get closing(): boolean {
    return this.#closeSent
  }

  export(): WebSocketState {
    this.#pong()
    return {
      inbound: this.#inbound.copy(),
      outbound: this.#outbound.copy(),
      partial: this.#partial && { kind: this.#partial.kind, data: this.#partial.parts.copy() },
      closeSent: this.#closeSent,
    }
  }

  #take(opcode: number, payload: Uint8Array, final: boolean): WebSocketEvent | undefined {
    switch (opcode) {
      case Opcode.PING:
        this.#ponged = payload
        return { type: 'pong' }
      case Opcode.PONG:
        return { type: 'pong' }
      case Opcode.CLOSE: {
        const { code, reason } = readClose(payload)
        // §5.5.1: the answer has the same code.
        if (!this.#closeSent) this.#write(Opcode.CLOSE, payload.subarray(0, 2))
        this.#closeSent = true
        return this.#end(code, reason)
      }
      default:
        return this.#data(opcode, payload, final)
    }
  }

  #data(opcode: number, payload: Uint8Array, final: boolean): WebSocketEvent | undefined {
    const partial = this.#partial
    if ((opcode === Opcode.CONTINUATION) !== (partial !== undefined))
      throw new WebSocketError(CloseCode.PROTOCOL_ERROR, 'parts of messages in the wrong order')
    const kind = partial?.kind ?? (opcode === Opcode.TEXT ? 'text' : 'binary')
    if (!final) {
      this.#partial ??= { kind, parts: new Pieces() }
      this.#partial.parts.add(payload)
      return undefined
    }
    this.#partial = undefined
    partial?.parts.add(payload)
    const data = partial === undefined ? payload : partial.parts.takeWhole()
    // Who has been told that it is over is not listened to any more.
    if (this.#closeSent) return undefined
    return { type: 'message', data: kind === 'text' ? readText(data) : data }
  }

  #end(code: number, reason: string, broken = false): WebSocketEvent {
    this.#over = true
    this.#inbound.clear()
    return broken ? { type: 'close', code, reason, broken } : { type: 'close', code, reason }
  }

  #pong(): void {
    const payload = this.#ponged
    this.#ponged = undefined
    if (payload !== undefined) this.#write(Opcode.PONG, payload)
  }

  #write(opcode: number, payload: Uint8Array): void {
    if (this.#closeSent || this.#over) return
    if (opcode !== Opcode.PONG) this.#pong()
    // Who is talked to may talk as much.
    this.#frames.earn(1)
    const mask = this.#mask
    this.#outbound.add(mask === undefined ? writeFrame(opcode, payload) : masked(opcode, payload, mask))
  }
}

function masked(opcode: number, payload: Uint8Array, mask: () => Uint8Array): Uint8Array {
  return writeFrame(opcode, payload, { mask: mask() })
}

/** The client's side. @param mask 4 unpredictable bytes, for each frame anew (§5.3) */
export class WebSocketClient extends WebSocketServer {
  constructor(limits: WebSocketLimits, now: () => number, mask: () => Uint8Array) {
    super(limits, undefined, now, mask)
  }
}
