import { finishRecord } from './connection.ts'
import { Flow, HEADER, TAG } from './flow.ts'
import { AT_ONCE, bytesRead, type Handle, node, send } from './foreign.ts'
import { slab } from './slab.ts'

/** Bytes of a request's content; an answer's is this twice. */
const CONTENT = 100

/** The client in the process of the hosts: as little as can make requests and check the answers. */
export class Client {
  readonly #write = new Flow('seal')
  readonly #read = new Flow('open')
  readonly #incoming = slab(4096)
  readonly #outgoing = slab(4096)
  readonly #handle: Handle
  #answered: (() => void) | undefined
  #number = 0

  /** @param secrets 32 bytes for what goes out, then 32 for what comes in */
  constructor(descriptor: number, secrets: Uint8Array) {
    this.#write.begin(secrets, 0, 0)
    this.#read.begin(secrets, 32, 0)
    const handle = new node.TCP(0)
    handle.open(descriptor)
    handle.useUserBuffer(this.#incoming.bytes)
    handle.onread = () => this.#onBytes(bytesRead())
    handle.readStart()
    this.#handle = handle
  }

  /** Makes a request to the owner whose letter it is. @param answered called when the answer has come */
  ask(letter: string, answered: () => void): void {
    this.#answered = answered
    const { bytes, address } = this.#outgoing
    const lines = `POST /${letter} HTTP/1.1\r\nhost: floor.local\r\ncontent-length: ${CONTENT}\r\n\r\n`
    let end = HEADER
    for (let i = 0; i < lines.length; i++) bytes[end++] = lines.charCodeAt(i)
    this.#number = (this.#number + 1) & 0xff
    for (let i = 0; i < CONTENT; i++) bytes[end++] = this.#number
    end = finishRecord(bytes, end)
    this.#write.seal(address, HEADER, address + HEADER, end - HEADER)
    send(this.#handle.fd, address, end + TAG, AT_ONCE)
  }

  #onBytes(count: number): void {
    if (count === 0) return
    if (count < HEADER + TAG) throw new Error('the connection was closed')
    const { bytes, address } = this.#incoming
    const length = count - HEADER - TAG
    if (!this.#read.open(address, HEADER, address + HEADER, length)) throw new Error('a record does not open')
    // All of the content is this request's number.
    const end = HEADER + length - 1
    for (let at = end - 2 * CONTENT; at < end; at++)
      if (bytes[at] !== this.#number) throw new Error('a wrong answer')
    this.#answered!()
  }
}
