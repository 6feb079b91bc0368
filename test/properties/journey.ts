import { Connection } from '../../src/containers/connection/connection.ts'
import { MoveOrder } from '../../src/containers/move/move-order.ts'
import { H1Client } from '../../src/http/h1/index.ts'

import { CLIENT_PREFACE, DEFAULT_H2_LIMITS, H2Client, h2State } from '../../src/http/h2/index.ts'
import type { RequestView, ResponseView } from '../../src/http/message.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { type ClientConfig, Session } from '../../src/tls13/index.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { freshHttp, freshTls } from '../../src/transfer/parcel.ts'
import { concat, decode, EMPTY, encode, utf8 } from '../../src/wire/index.ts'
import { FakeHost, FakeStream, movedConnection, turn } from '../support/connection-scene.ts'
import { clientConfig, serverConfig, ticketSealer } from '../support/pair.ts'
import { providers } from '../support/providers.ts'
import { below, type Seeded } from '../support/random.ts'

const NAMES = ['echo', 'resize', 'hello'] as const
const REFUSED = {
  state: 'owned',
  verdict: { outcome: 'refused', reason: 'draining', detail: 'no room' },
} as const
/** Every wait is for something that comes within a few turns; this many without anything are a loss. */
const PATIENCE = 200

export const often = (random: Seeded, times: number, of: number): boolean => below(random, of) < times

export const pick = <T>(random: Seeded, from: readonly T[]): T => from[below(random, from.length)]!

/** The quick ones more often: the other one takes ten times as long over every key. */
export const anyProvider = (random: Seeded): CryptoProvider =>
  often(random, 1, 6) ? pick(random, providers) : pick(random, QUICK)
const QUICK = providers.filter(({ name }) => name !== 'noble')

/** Bytes in pieces that are cut anywhere: whole, in two, or in many. */
export function pieces(bytes: Uint8Array, random: Seeded): Uint8Array[] {
  const all: Uint8Array[] = []
  const most = pick(random, [bytes.length, bytes.length, 40, 3])
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + below(random, Math.max(1, most))
    all.push(bytes.slice(at, end))
    at = end
  }
  return all
}

/** What has come of one request. */
export interface Asked {
  readonly target: string
  readonly method: string
  readonly body: Uint8Array
  status: number
  /** What has come back. */
  answer: Uint8Array[]
  ended: boolean
}

/** The HTTP of a client: requests in, bytes out, and the other way round. */
export interface Speaker {
  readonly protocol: 'h2' | 'http/1.1'
  readonly asked: Asked[]
  /** Of what it asks for. */
  scheme: string
  /** The server need not answer any more. */
  readonly over: boolean
  /** Asks for something, if that is possible now. */
  ask(target: string): void
  /** What has not been said yet. */
  output(): Uint8Array
  hear(bytes: Uint8Array): void
  /** Goes on as if in another process. */
  move(): void
}

function newAsked(target: string, random: Seeded, methods: readonly string[]): Asked {
  const method = pick(random, methods)
  const body = method === 'GET' ? EMPTY : random(below(random, often(random, 1, 10) ? 40_000 : 200))
  return { target, method, body, status: 0, answer: [], ended: false }
}

/** HTTP/1.1, with pipelined requests, and contents with a length or in chunks. */
export class Http1Speaker implements Speaker {
  readonly protocol = 'http/1.1'
  readonly asked: Asked[] = []
  scheme = 'https'
  over = false
  readonly #http = new H1Client()
  readonly #random: Seeded
  #said: Uint8Array[] = []
  #answered = 0

  constructor(random: Seeded) {
    this.#random = random
  }

  ask(target: string): void {
    const random = this.#random
    const asked = newAsked(target, random, ['GET', 'GET', 'POST', 'PUT'])
    this.asked.push(asked)
    const { method, body } = asked
    const host = ['host', 'a'] as const
    if (method === 'GET' || often(random, 1, 2)) {
      this.#said.push(this.#http.request({ method, target, headers: [host] }, body))
      return
    }
    const headers = [host, ['transfer-encoding', 'chunked'] as const]
    this.#said.push(this.#http.request({ method, target, headers }))
    for (const piece of pieces(body, random)) this.#said.push(H1Client.chunk(piece))
    this.#said.push(H1Client.chunk(EMPTY))
  }

  output(): Uint8Array {
    return concat(...this.#said.splice(0))
  }

  hear(bytes: Uint8Array): void {
    for (const event of this.#http.receive(bytes)) {
      const asked = this.asked[this.#answered]
      if (asked === undefined || event.type === 'error') throw new Error(JSON.stringify(event))
      if (event.type === 'response') {
        asked.status = event.status
        // Of content that it has refused it does not read more than a bit (RFC 9112 §9.6).
        if (event.status === 503 && asked.body.length > 1000) this.over = true
      }
      if (event.type === 'body') asked.answer.push(event.data.slice())
      if (event.type !== 'end') continue
      asked.ended = true
      this.#answered++
    }
  }

  /** What it knows of the connection cannot be written down. */
  move(): void {}
}

/** HTTP/2, with several requests at once, whose contents come piece by piece. */
export class Http2Speaker implements Speaker {
  readonly protocol = 'h2'
  readonly asked: Asked[] = []
  readonly over = false
  scheme = 'https'
  #http = new H2Client()
  readonly #random: Seeded
  readonly #streams = new Map<number, Asked>()
  /** What is still to be said on streams. */
  readonly #rest = new Map<number, Uint8Array[]>()

  constructor(random: Seeded) {
    this.#random = random
  }

  ask(path: string): void {
    if (!this.#http.canRequest) return
    const random = this.#random
    const asked = newAsked(path, random, ['GET', 'GET', 'POST', 'PUT'])
    this.asked.push(asked)
    const { method, body } = asked
    const headers = [['x-more', 'y'.repeat(below(random, 60))]] as const
    const head = { method, scheme: this.scheme, authority: 'a', path, headers }
    const id = this.#http.request(head, method === 'GET')
    this.#streams.set(id, asked)
    if (method !== 'GET') this.#rest.set(id, pieces(body, random).slice(0, 30))
    const rest = this.#rest.get(id)
    if (rest === undefined) return
    // Frames with hardly anything in them are budgeted: the last one carries the rest.
    const sent = concat(...rest).length
    if (sent < body.length) rest.push(body.slice(sent))
  }

  output(): Uint8Array {
    for (const [id, rest] of this.#rest) {
      if (often(this.#random, 1, 3)) continue
      const [piece] = rest
      if (piece === undefined) {
        this.#http.end(id)
        this.#rest.delete(id)
      } else {
        const accepted = this.#http.write(id, piece)
        if (accepted === piece.length) rest.shift()
        else rest[0] = piece.subarray(accepted)
      }
    }
    return this.#http.takeOutput()
  }

  hear(bytes: Uint8Array): void {
    this.#http.receive(bytes)
    for (let event = this.#http.next(); event !== undefined; event = this.#http.next()) {
      if (event.type === 'error') throw new Error(JSON.stringify(event))
      if (event.type === 'reset') {
        // What has been answered before it was said is not wanted any more (RFC 9113 §8.1).
        const { ended, status } = this.#streams.get(event.streamId)!
        if (!ended || status !== 503 || event.code !== 0) throw new Error(JSON.stringify(event))
        this.#rest.delete(event.streamId)
      }
      if (event.type !== 'response' && event.type !== 'data') continue
      const asked = this.#streams.get(event.streamId)!
      if (asked.ended) throw new Error(`${event.type} behind the end of ${asked.target}`)
      if (event.type === 'response') asked.status = event.status
      else {
        asked.answer.push(event.data.slice())
        this.#http.consume(event.streamId, event.data.length)
      }
      asked.ended = event.endStream
    }
  }

  move(): void {
    const state = encode(h2State, this.#http.export())
    this.#http = new H2Client(DEFAULT_H2_LIMITS, decode(h2State, state))
  }
}

/**
 * A connection whose client and whose server change their owners again and again: everything is real but
 * sockets and processes. At random bytes are on their way for longer or shorter, are cut, and wait in the
 * kernel; functions take their time; moves are accepted or refused.
 */
export class Journey {
  /** Moves of the server's side; the client's come on top. */
  moves = 0
  refusals = 0
  /** Requests that another container has answered. */
  lent = 0
  /** How often a function began, by target. */
  readonly begun = new Map<string, number>()
  /** Contents that functions got. */
  readonly wrong: string[] = []
  readonly #random: Seeded
  readonly #speaker: Speaker
  #session: Session | undefined
  #host: FakeHost
  #stream = new FakeStream()
  #connection: Connection
  #up: Uint8Array = EMPTY
  #down: Uint8Array = EMPTY
  #closed = false
  /** That the client may still make. */
  #keyUpdates = 20
  /** Both sides want keys that are made anew by key exchanges. */
  readonly #extendedKeyUpdate: boolean
  /** The server has taken its leave. */
  #over = false
  /** Functions that have not answered yet. */
  readonly #work: (() => void)[] = []

  constructor(random: Seeded, speaker: Speaker) {
    this.#random = random
    this.#speaker = speaker
    this.#extendedKeyUpdate = often(random, 1, 3)
    if (!often(random, 1, 8)) this.#session = Session.client(this.#clientConfig())
    else speaker.scheme = 'http'
    this.#host = this.#newHost('echo')
    this.#say()
    // Without TLS the gateway waits for the preface of HTTP/2, all of it.
    const inbound = this.#cut('up', this.#session === undefined ? CLIENT_PREFACE.length : 0)
    const fresh = {
      sessionId: new Uint8Array(16).fill(3),
      idleLeft: this.#host.limits.timers['keep-alive'],
      inbound,
    }
    const envelope = this.#session === undefined ? freshHttp(fresh) : freshTls(fresh)
    this.#connection = new Connection(this.#host, envelope, this.#stream)
    this.#connection.start()
  }

  /**
   * Asks for so many things, some of them at once, and closes. @throws Error if something that has to come
   * does not come
   */
  async travel(requests: number): Promise<void> {
    const random = this.#random
    const { asked } = this.#speaker
    const over = (): boolean => this.#speaker.over && (this.#over || this.#stream.finished)
    while (asked.length < requests && !over()) {
      for (let count = 1 + below(random, 4); count > 0; count--)
        this.#speaker.ask(`/${pick(random, NAMES)}/${asked.length}`)
      const most = below(random, 3)
      await this.#until(() => over() || asked.filter(({ ended }) => !ended).length <= most)
    }
    await this.#until(() => over() || asked.every(({ ended }) => ended))
    if (this.#session === undefined) this.#stream.fin()
    else this.#session.close()
    this.#closed = true
    await this.#until(() => this.#over || (this.#session === undefined && this.#stream.state === 'closed'))
  }

  async #until(done: () => boolean): Promise<void> {
    for (let quiet = 0; !done(); quiet++) {
      if (await this.#step()) quiet = 0
      if (quiet > PATIENCE)
        throw new Error(`nothing happens any more: ${JSON.stringify(this.#speaker.asked, shorten)}`)
    }
  }

  /** Something happens. @returns whether anything went forward */
  async #step(): Promise<boolean> {
    const random = this.#random
    this.#say()
    this.#updateKeys()
    if (often(random, 1, 6)) this.#moveClient()
    if (often(random, 1, 4)) this.#order()
    if (often(random, 1, 4)) this.#stream.blocked = true
    if (often(random, 1, 3)) this.#stream.drain(often(random, 1, 2) ? below(random, 5000) : undefined)
    let forward = this.#carry()
    if (often(random, 1, 2)) {
      const work = this.#work.splice(below(random, this.#work.length + 1), 1)
      for (const finish of work) finish()
      forward ||= work.length > 0
    }
    await turn()
    return (await this.#follow()) || forward
  }

  /** Carries some of what is on its way. */
  #carry(): boolean {
    const before = this.#up.length + this.#down.length
    // What comes while it waits to be lifted goes along; what comes later, the next owner reads.
    if (['open', 'lifting'].includes(this.#stream.state)) this.#stream.receive(this.#cut('up'))
    this.#down = concat(this.#down, this.#stream.take())
    const bytes = this.#cut('down')
    if (bytes.length > 0) this.#hear(bytes)
    return this.#up.length + this.#down.length !== before || bytes.length > 0
  }

  #cut(way: 'up' | 'down', least = 0): Uint8Array {
    const bytes = way === 'up' ? this.#up : this.#down
    const count = least + below(this.#random, (often(this.#random, 1, 3) ? 60 : bytes.length) + 2)
    const rest = bytes.slice(count)
    if (way === 'up') this.#up = rest
    else this.#down = rest
    return bytes.slice(0, count)
  }

  #say(): void {
    if (!this.#closed && (this.#session === undefined || this.#session.connected)) {
      const said = this.#speaker.output()
      if (this.#session === undefined) this.#up = concat(this.#up, said)
      else if (said.length > 0) this.#session.send(said)
    }
    if (this.#session !== undefined) this.#up = concat(this.#up, ...this.#session.takeOutput())
  }

  #hear(bytes: Uint8Array): void {
    if (this.#session === undefined) {
      this.#speaker.hear(bytes)
      return
    }
    for (const event of this.#session.receive(bytes)) {
      if (event.type === 'application_data') this.#speaker.hear(event.data)
      else if (event.type === 'alert') throw event.error
      else if (event.type === 'close_notify') this.#over = true
    }
  }

  /** Not so often that it looks like a flood. */
  #updateKeys(): void {
    const random = this.#random
    if (this.#keyUpdates === 0 || this.#closed || !this.#session?.connected || !often(random, 1, 8)) return
    this.#keyUpdates--
    this.#session.updateKeys(often(random, 1, 2))
  }

  /** The client's session, and its HTTP/2, go on elsewhere. */
  #moveClient(): void {
    if (this.#session !== undefined) {
      const state = encode(SessionState, this.#session.release())
      this.#session = Session.restore(decode(SessionState, state), this.#clientConfig())
    }
    if (!this.#closed) this.#speaker.move()
  }

  /** The supervisor wants the connection to leave its container. */
  #order(): void {
    if (this.#host.offers.length > 0) return
    this.#connection.moveTo(new MoveOrder(1, () => {}))
  }

  /** Settles an offer, if there is one. */
  async #follow(): Promise<boolean> {
    const offer = this.#host.offers[0]
    if (offer === undefined || this.#stream.state !== 'lifted') return false
    const frozen = await offer.frozen
    this.#host.offers.shift()
    if (often(this.#random, 1, 8)) {
      this.refusals++
      offer.settle(REFUSED)
      await turn()
      return true
    }
    this.#down = concat(this.#down, this.#stream.take())
    offer.settle({ state: 'gone' })
    this.moves++
    this.#host = this.#newHost(offer.functionName)
    const { connection, stream } = movedConnection(this.#host, frozen)
    this.#connection = connection
    this.#stream = stream
    return true
  }

  #newHost(functionName: string): FakeHost {
    const random = this.#random
    const made = new FakeHost(request => this.#answer(request), { quietMilliseconds: 3_600_000 })
    const provider = anyProvider(random)
    const tickets = { sealer: ticketSealer(provider), count: 1 }
    const extendedKeyUpdate = this.#extendedKeyUpdate
    const common = { alpn: ['h2', 'http/1.1'], random: random.fork(), extendedKeyUpdate }
    const tls = serverConfig({ provider, tickets, ...common })
    random(1)
    const lend: FakeHost['lend'] = (_, request, settle) => {
      const answer = async (): Promise<void> => {
        const { status, body } = await this.#answer(request)
        this.lent++
        settle({
          outcome: 'answered',
          status,
          headers: [],
          length: undefined,
          trailers: [],
          body: body as Uint8Array,
        })
      }
      this.#work.push(() => void answer())
    }
    return Object.assign(made, { functionName, tls, lend, available: new Set(NAMES) })
  }

  #clientConfig(): ClientConfig {
    const random = this.#random.fork()
    this.#random(1)
    const alpn = [this.#speaker.protocol]
    const extendedKeyUpdate = this.#extendedKeyUpdate
    return clientConfig({ provider: anyProvider(this.#random), alpn, random, extendedKeyUpdate })
  }

  /** Says what it heard, and all of it. */
  #answer({
    method,
    path,
    body,
  }: Pick<RequestView, 'method' | 'path' | 'body'>): ResponseView | Promise<ResponseView> {
    this.begun.set(path, (this.begun.get(path) ?? 0) + 1)
    const number = Number(path.split('/').at(-1))
    const asked = this.#speaker.asked[number]
    if (asked === undefined || Buffer.compare(asked.body, body) !== 0) this.wrong.push(path)
    const answer = {
      status: 200,
      body: concat(utf8(`${method} ${path} `), body, new Uint8Array(number * 97)),
    }
    if (often(this.#random, 1, 2)) return answer
    return new Promise(resolve => this.#work.push(() => resolve(answer)))
  }
}

/** What has to come back. */
export function expected({ method, target, body }: Asked): Uint8Array {
  const number = Number(target.split('/').at(-1))
  return concat(utf8(`${method} ${target} `), body, new Uint8Array(number * 97))
}

function shorten(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? value.length : value
}
