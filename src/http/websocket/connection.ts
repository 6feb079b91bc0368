import {
  boolean,
  concat,
  EMPTY,
  enumeration,
  opaque,
  optional,
  struct,
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
  /** It is over: by the other side, with its code (1005: it said none), or because it broke a rule, with the code that it was sent. */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }

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

/** Most bytes of a message, unless told otherwise. */
export const MESSAGE_BYTES = 1_048_576

/** The server's side of a WebSocket (RFC 6455) after its handshake, without socket or clock. */
export class WebSocketServer {
  readonly #messageBytes: number
  readonly #inbound = new ByteQueue()
  #outbound: Uint8Array[]
  /** A message of which parts have come. */
  #partial: { readonly kind: 'text' | 'binary'; readonly parts: Uint8Array[]; length: number } | undefined
  #closeSent: boolean
  #over = false

  /** @param state from another one's {@link export}; without it, a new one */
  constructor(messageBytes: number = MESSAGE_BYTES, state?: WebSocketState) {
    this.#messageBytes = messageBytes
    this.receive(state?.inbound ?? EMPTY)
    this.#outbound = state === undefined || state.outbound.length === 0 ? [] : [state.outbound]
    const { kind, data } = state?.partial ?? {}
    if (kind !== undefined) this.#partial = { kind, parts: [data!], length: data!.length }
    this.#closeSent = state?.closeSent ?? false
  }

  /** Bytes from the client, in any pieces; they are copied. */
  receive(bytes: Uint8Array): void {
    if (this.#over) return
    this.#inbound.push(bytes)
    this.#inbound.settle()
  }

  /** The next event; undefined if it takes more bytes. Then take the output. After `close` nothing more comes. */
  next(): WebSocketEvent | undefined {
    try {
      while (!this.#over) {
        const { bytes, start, end } = this.#inbound
        const most = this.#messageBytes - (this.#partial?.length ?? 0)
        const frame = readFrame(bytes.subarray(start, end), true, most)
        if (frame === undefined) return undefined
        this.#inbound.skip(frame.length)
        const event = this.#take(frame.opcode, frame.payload, frame.final)
        if (event !== undefined) return event
      }
      return undefined
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      this.close(error.code, error.message)
      return this.#end(error.code, error.message)
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
  takeOutput(): Uint8Array[] {
    const taken = this.#outbound
    this.#outbound = []
    return taken
  }

  /** Bytes received and not yet read. */
  get buffered(): number {
    return this.#inbound.length
  }

  /** Bytes that are kept: of messages that have not come whole, and of frames that have not been taken. */
  get held(): number {
    let bytes = this.#inbound.length + (this.#partial?.length ?? 0)
    for (const { length } of this.#outbound) bytes += length
    return bytes
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
    return {
      inbound: this.#inbound.copy(),
      outbound: concat(...this.#outbound),
      partial: this.#partial && { kind: this.#partial.kind, data: concat(...this.#partial.parts) },
      closeSent: this.#closeSent,
    }
  }

  #take(opcode: number, payload: Uint8Array, final: boolean): WebSocketEvent | undefined {
    switch (opcode) {
      case Opcode.PING:
        this.#write(Opcode.PONG, payload)
        return { type: 'pong' }
      case Opcode.PONG:
        return { type: 'pong' }
      case Opcode.CLOSE: {
        const { code, reason } = readClose(payload)
        // Section 5.5.1: the answer has the same code.
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
      this.#partial ??= { kind, parts: [], length: 0 }
      this.#partial.parts.push(payload)
      this.#partial.length += payload.length
      return undefined
    }
    this.#partial = undefined
    const data = partial === undefined ? payload : concat(...partial.parts, payload)
    // Who has been told that it is over is not listened to any more.
    if (this.#closeSent) return undefined
    return { type: 'message', data: kind === 'text' ? readText(data) : data }
  }

  #end(code: number, reason: string): WebSocketEvent {
    this.#over = true
    this.#inbound.clear()
    return { type: 'close', code, reason }
  }

  #write(opcode: number, payload: Uint8Array): void {
    if (!this.#closeSent && !this.#over) this.#outbound.push(writeFrame(opcode, payload))
  }
}
