import { describe, expect, it } from 'vitest'
import { Connection } from '../../src/containers/connection/connection.ts'
import type { ResumeFunction } from '../../src/functions/contract.ts'
import { resumable } from '../../src/functions/resumable.ts'
import { Session } from '../../src/tls13/index.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { freshHttp, freshTls } from '../../src/transfer/parcel.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { FakeStream, REFUSED, responses, turn } from '../support/connection-scene.ts'
import { Talker } from '../support/http2-scene.ts'
import { clientConfig } from '../support/pair.ts'
import { offered, ResponseHost } from '../support/response-scene.ts'

/*
 * A response in its middle moves, or is refused, behind any of its bytes, however it is framed, and with any
 * number of its bytes taken by its client. The client sees the response that it would have seen.
 */

const CONTENT = 'what a client gets, byte by byte'
/** Between two bytes that are tried. */
const STEP = process.env.HOTPOTATO_LONG === '1' ? 1 : 11
const places = Array.from({ length: CONTENT.length + 1 }, (_, at) => at).filter(at => at % STEP === 0)

/** Gives the content, one byte when the test says so. */
class Typist {
  #next: (() => void) | undefined
  /** Streams that were made and not cancelled. */
  live = 0

  readonly from: ResumeFunction = state => {
    let at = state as number
    this.live++
    return resumable({
      pull: async controller => {
        if (at === CONTENT.length) return controller.close()
        await new Promise<void>(resolve => {
          this.#next = resolve
        })
        controller.enqueue(CONTENT[at++]!)
      },
      cancel: () => void this.live--,
      freeze: () => at,
    })
  }

  async give(): Promise<void> {
    const next = this.#next
    this.#next = undefined
    next?.()
    await turn()
  }
}

/** A client, and the connection that it has, wherever that is. */
interface Client {
  readonly connection: Connection
  readonly stream: FakeStream
  arrive(host: ResponseHost): void
  move(host: ResponseHost, frozen: Uint8Array): void
  /** What it has got of the content, and whether that is all. */
  heard(): { readonly body: string; readonly ended: boolean }
}

/** Speaks HTTP/1. */
class Http1 implements Client {
  stream = new FakeStream()
  connection!: Connection
  readonly #session: Session | undefined
  readonly #request: Uint8Array
  readonly #closes: boolean
  #heard: Uint8Array = EMPTY
  #goodbye = false

  constructor(tls: boolean, version: string) {
    this.#session = tls ? Session.client(clientConfig({ alpn: ['http/1.1'] })) : undefined
    this.#request = utf8(`GET /echo HTTP/${version}\r\nHost: a\r\n\r\n`)
    this.#closes = version === '1.0'
  }

  arrive(host: ResponseHost): void {
    const session = this.#session
    const inbound = session === undefined ? this.#request : concat(...session.takeOutput())
    const hello = { sessionId: new Uint8Array(16), idleLeft: 30_000, inbound }
    this.#begin(host, session === undefined ? freshHttp(hello) : freshTls(hello))
    if (session === undefined) return
    this.heard()
    session.send(this.#request)
    this.stream.receive(concat(...session.takeOutput()))
  }

  move(host: ResponseHost, frozen: Uint8Array): void {
    this.heard()
    this.stream = new FakeStream()
    this.#begin(host, decodeEnvelope(frozen))
  }

  heard() {
    const sent = this.stream.take()
    if (this.#session === undefined) this.#heard = concat(this.#heard, sent)
    for (const event of this.#session?.receive(sent) ?? []) {
      if (event.type === 'application_data') this.#heard = concat(this.#heard, event.data)
      if (event.type === 'close_notify') this.#goodbye = true
      if (event.type === 'alert') throw event.error
    }
    const [answer] = responses(this.#heard, 1)
    const closed = this.stream.finished && (this.#session === undefined || this.#goodbye)
    // A second response can be read behind the first one's end, and nowhere else.
    const ended = this.#closes ? closed : isWhole(this.#heard)
    return { body: answer?.body ?? '', ended }
  }

  #begin(host: ResponseHost, envelope: ReturnType<typeof freshHttp>): void {
    this.connection = new Connection(host, envelope, this.stream)
    this.connection.start()
  }
}

function isWhole(bytes: Uint8Array): boolean {
  const next = concat(bytes, utf8('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext'))
  try {
    return responses(next, 2)[1]?.body === 'next'
  } catch {
    return false
  }
}

/** Speaks HTTP/2. */
class Http2 implements Client {
  readonly #talker: Talker
  #id = 0

  constructor(tls: boolean) {
    this.#talker = new Talker(tls)
  }

  get connection(): Connection {
    return this.#talker.connection
  }
  get stream(): FakeStream {
    return this.#talker.stream
  }

  arrive(host: ResponseHost): void {
    this.#talker.arrive(host)
    this.#id = this.#talker.request('/echo')
    this.#talker.flush()
  }

  move(host: ResponseHost, frozen: Uint8Array): void {
    this.#talker.move(host, frozen)
  }

  heard() {
    const { body, ended } = this.#talker.hear().answer(this.#id)
    return { body, ended }
  }
}

const length = { 'content-length': String(CONTENT.length) }
const FRAMINGS: readonly (readonly [string, (tls: boolean) => Client, Record<string, string>])[] = [
  ['in chunks', tls => new Http1(tls, '1.1'), {}],
  ['of a length', tls => new Http1(tls, '1.1'), length],
  ['until the connection closes', tls => new Http1(tls, '1.0'), {}],
  ['over HTTP/2', tls => new Http2(tls), {}],
  ['of a length over HTTP/2', tls => new Http2(tls), length],
]

/** What becomes of the offers, one after the other. */
const FATES = [
  ['accepted'],
  ['refused'],
  ['refused', 'refused', 'accepted'],
  ['accepted', 'refused'],
] as const

function sceneOf(make: (tls: boolean) => Client, tls: boolean, headers: Record<string, string>) {
  const typist = new Typist()
  const hostOf = (name: string) =>
    new ResponseHost(
      () => new Response(typist.from(0, undefined as never, {}, undefined as never) as never, { headers }),
      typist.from,
      name,
    )
  const client = make(tls)
  let host = hostOf('echo-1')
  const hosts = [host]
  client.arrive(host)
  const offer = async (fate: 'accepted' | 'refused'): Promise<void> => {
    const { offer, frozen, reports } = await offered(host, client.connection)
    if (fate === 'refused') offer.settle(REFUSED)
    else {
      host = hostOf(`echo-${hosts.length + 1}`)
      hosts.push(host)
      client.move(host, frozen)
      offer.settle({ state: 'gone' })
    }
    await turn()
    expect(reports).toEqual([fate === 'refused' ? 'kept none of these' : 'moved'])
  }
  const finish = async (): Promise<void> => {
    for (let at = 0; at < CONTENT.length + 2; at++) await typist.give()
    expect(client.heard()).toEqual({ body: CONTENT, ended: true })
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
    // It is one call, wherever it was, and no stream is left behind.
    expect(hosts.map(({ traffic }) => traffic.inFlight)).toEqual(hosts.map(() => 0))
    expect(hosts.reduce((sum, { traffic }) => sum + traffic.calls, 0)).toBe(1)
    expect(typist.live).toBe(1)
  }
  return { typist, client, offer, finish }
}

describe.each([false, true])('a response in its middle, with TLS: %s', tls => {
  describe.each(FRAMINGS)('%s', (_, make, headers) => {
    it.each(FATES.map(fates => [fates.join(', '), fates] as const))('%s behind a byte', async (_, fates) => {
      for (const at of places.filter(place => place < CONTENT.length)) {
        const { typist, client, offer, finish } = sceneOf(make, tls, headers)
        await turn()
        for (let given = 0; given < at; given++) await typist.give()
        for (const fate of fates) await offer(fate)
        expect(client.heard()).toEqual({ body: CONTENT.slice(0, at), ended: false })
        await finish()
      }
    })

    it('behind each of its bytes', async () => {
      const { typist, client, offer, finish } = sceneOf(make, tls, headers)
      await turn()
      for (let at = 0; at < CONTENT.length; at++) {
        await offer(at % 3 === 2 ? 'refused' : 'accepted')
        await typist.give()
        expect(client.heard().body).toBe(CONTENT.slice(0, at + 1))
      }
      await finish()
    })

    it('whose client takes any of its bytes before the rest', async () => {
      for (const at of places) {
        const { typist, client, offer, finish } = sceneOf(make, tls, headers)
        client.stream.blocked = true
        for (let given = 0; given < 5; given++) await typist.give()
        const moving = offer('accepted').catch((error: unknown) => error)
        client.stream.drain(at * 8)
        await turn()
        client.stream.drain()
        expect(await moving).toBeUndefined()
        await finish()
      }
    })
  })
})
