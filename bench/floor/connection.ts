import { Flow, HEADER, TAG } from './flow.ts'
import { AT_ONCE, bytesRead, type Handle, node, send } from './foreign.ts'
import { head, readHead } from './head.ts'
import type { Host } from './host.ts'
import { slab } from './slab.ts'
import { State } from './state.ts'

/** Where records land and where they are made, for all connections of a process in turn. */
const incoming = slab(65_536)
const outgoing = slab(65_536)
const APPLICATION_DATA = 23

/** One client's connection: a socket, two directions of TLS records, HTTP/1.1 with one request at a time. */
export class Connection {
  readonly read = new Flow('open')
  readonly write = new Flow('seal')
  readonly state = new State()
  readonly #host: Host
  #handle: Handle | undefined

  constructor(host: Host) {
    this.#host = host
  }

  /** The socket's, -1 without one. */
  get descriptor(): number {
    return this.#handle?.fd ?? -1
  }

  /** Takes a socket over and reads from it. @throws Error it is none */
  adopt(descriptor: number): void {
    const handle = new node.TCP(0)
    if (handle.open(descriptor) < 0) throw new Error(`${descriptor} is no socket`)
    handle.useUserBuffer(incoming.bytes)
    handle.onread = () => this.#onBytes(bytesRead())
    this.#handle = handle
    handle.readStart()
  }

  /** No bytes are read any more, so that all that come are the next owner's. */
  freeze(): void {
    this.#handle!.readStop()
  }

  /** Closes the descriptor and wipes the secrets: another host has the connection, or its client is gone. */
  close(): void {
    this.#handle?.close()
    this.#handle = undefined
    this.read.wipe()
    this.write.wipe()
  }

  /** Answers a request that lies opened in memory, and whose head was read last. */
  answer(bytes: Uint8Array): void {
    const { state } = this
    state.requests++
    const to = outgoing.bytes
    let end = this.#host.answer.write(to, HEADER, state.hops, bytes, head.end, head.length)
    end = finishRecord(to, end)
    this.write.seal(outgoing.address, HEADER, outgoing.address + HEADER, end - HEADER)
    send(this.descriptor, outgoing.address, end + TAG, AT_ONCE)
  }

  /** One record with one whole request came, or the connection ends. */
  #onBytes(count: number): void {
    if (count === 0) return
    const { bytes, address } = incoming
    const length = count - HEADER - TAG
    const whole = count > HEADER + TAG && ((bytes[3]! << 8) | bytes[4]!) === count - HEADER
    const opened = whole && this.read.open(address, HEADER, address + HEADER, length)
    // The record's last byte is its type (RFC 8446 §5.2): an alert is an end as good as any.
    if (!opened || bytes[HEADER + length - 1] !== APPLICATION_DATA) {
      this.#host.ended(this)
      return
    }
    if (!readHead(bytes, HEADER, HEADER + length - 1)) this.#host.ended(this)
    else if (head.owner === this.#host.letter) this.answer(bytes)
    else this.#host.give(this, bytes, HEADER, length - 1)
  }
}

/** Writes the type behind the content, and the header before it. @returns the end, where the tag will be */
export function finishRecord(bytes: Uint8Array, end: number): number {
  bytes[end] = APPLICATION_DATA
  const length = end + 1 - HEADER + TAG
  bytes[0] = APPLICATION_DATA
  bytes[1] = 3
  bytes[2] = 3
  bytes[3] = length >> 8
  bytes[4] = length & 0xff
  return end + 1
}
