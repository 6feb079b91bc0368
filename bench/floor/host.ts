import { Answer } from './answer.ts'
import { Connection } from './connection.ts'
import { Flow, TAG } from './flow.ts'
import { node } from './foreign.ts'
import { readHead } from './head.ts'
import { BODY_AT, collect, descriptorOfIncoming, incoming, outgoing, post } from './post.ts'
import { copy } from './slab.ts'
import { STATE } from './state.ts'

// A message: kind, source and ticket in the clear; in a parcel the state and the request follow, sealed.
const KIND_AT = BODY_AT
const SOURCE_AT = BODY_AT + 1
const TICKET_AT = BODY_AT + 5
const CLEAR = 9
const STATE_AT = BODY_AT + CLEAR
const LENGTH_AT = STATE_AT + STATE
const REQUEST_AT = LENGTH_AT + 2
const [PARCEL, VERDICT] = [1, 2] as const
const NO_MEMORY = new Uint8Array(0)

/**
 * One of two hosts that own connections. It gives one away when a request is for the other: the state and the
 * request sealed to it, the socket beside them. It keeps its own half until the other one's verdict comes.
 */
export class Host {
  readonly letter: number
  readonly answer: Answer
  readonly #id: number
  readonly #mail: number
  readonly #sealing = new Flow('seal')
  readonly #opening = new Flow('open')
  /** Given away, and not answered for yet: by ticket. */
  readonly #custody = new Map<number, Connection>()
  readonly #spare: Connection[] = []
  #ticket = 0

  /**
   * @param name of which the last letter is what a request's target ends with
   * @param mail our end of the way to the other host
   * @param secrets 32 bytes for what goes out, then 32 for what comes in
   */
  constructor(id: number, name: string, mail: number, secrets: Uint8Array) {
    this.#id = id
    this.letter = name.charCodeAt(name.length - 1)
    this.answer = new Answer(name)
    this.#mail = mail
    this.#sealing.begin(secrets, 0, 0)
    this.#opening.begin(secrets, 32, 0)
    const handle = new node.Pipe(0)
    handle.open(mail)
    // libuv cannot read a message with a descriptor. Without memory it reads nothing, and says that it could.
    handle.useUserBuffer(NO_MEMORY)
    handle.onread = () => this.#collect()
    handle.readStart()
  }

  /** A connection without a socket: one that was used before, if there is one. */
  connection(): Connection {
    return this.#spare.pop() ?? new Connection(this)
  }

  /** A connection is over. */
  ended(connection: Connection): void {
    connection.close()
    this.#spare.push(connection)
  }

  /** Gives a connection to the other host, with the request that is for it. */
  give(connection: Connection, bytes: Uint8Array, at: number, length: number): void {
    connection.freeze()
    const { state } = connection
    const ticket = ++this.#ticket
    state.generation++
    state.hops = Math.min(state.hops + 1, 0xffff)
    const { bytes: to, view, address } = outgoing
    to[KIND_AT] = PARCEL
    view.setUint32(SOURCE_AT, this.#id)
    view.setUint32(TICKET_AT, ticket)
    state.write(to, view, STATE_AT, connection.read, connection.write)
    view.setUint16(LENGTH_AT, length)
    copy(bytes, at, to, REQUEST_AT, length)
    const sealed = STATE + 2 + length
    this.#sealing.seal(address + BODY_AT, CLEAR, address + STATE_AT, sealed)
    this.#custody.set(ticket, connection)
    post(this.#mail, CLEAR + sealed + TAG, connection.descriptor)
  }

  #collect(): void {
    const length = collect(this.#mail)
    if (length < 0) return
    if (length === 0) process.exit()
    if (incoming.bytes[KIND_AT] === VERDICT) this.#release(incoming.view.getUint32(TICKET_AT))
    else this.#take(length)
  }

  #take(length: number): void {
    const { bytes, view, address } = incoming
    if (!this.#opening.open(address + BODY_AT, CLEAR, address + STATE_AT, length - CLEAR - TAG))
      throw new Error('a parcel that does not open')
    const connection = this.connection()
    connection.state.read(bytes, view, STATE_AT, connection.read, connection.write)
    connection.adopt(descriptorOfIncoming())
    if (readHead(bytes, REQUEST_AT, REQUEST_AT + view.getUint16(LENGTH_AT))) connection.answer(bytes)
    this.#accept(view.getUint32(TICKET_AT))
  }

  /** The verdict: the connection is here. */
  #accept(ticket: number): void {
    outgoing.bytes[KIND_AT] = VERDICT
    outgoing.view.setUint32(SOURCE_AT, this.#id)
    outgoing.view.setUint32(TICKET_AT, ticket)
    post(this.#mail, CLEAR, -1)
  }

  #release(ticket: number): void {
    const connection = this.#custody.get(ticket)
    this.#custody.delete(ticket)
    if (connection !== undefined) this.ended(connection)
  }
}
