import { describe, expect, it } from 'vitest'
import { Connection } from '../../src/containers/connection/connection.ts'
import type { Context, FetchHandler, ResumeFunction } from '../../src/functions/contract.ts'
import type { WebSocketFunction } from '../../src/functions/web-socket.ts'
import { Opcode, readFrame, writeFrame } from '../../src/http/websocket/index.ts'
import { Session } from '../../src/tls13/index.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { freshHttp, freshTls } from '../../src/transfer/parcel.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { FakeStream, REFUSED, responses, turn } from '../support/connection-scene.ts'
import { Talker } from '../support/http2-scene.ts'
import { clientConfig } from '../support/pair.ts'
import { offered, ResponseHost } from '../support/response-scene.ts'

/*
 * A request that a function reads, and a WebSocket on a stream of HTTP/2, move or are refused behind any byte
 * of what their client says, as it lies on the wire. The function gets what it would have got, and the client
 * what it would have heard.
 */

const CONTENT = 'what a client says, byte by byte'
/** Between two bytes behind which it moves. */
const STEP = process.env.HOTPOTATO_LONG === '1' ? 1 : 7

/** Gives back what it has got, when that is whole. */
const gathers = async (text: string, ctx: Context, { body }: Request): Promise<Response> => {
  let got = text
  ctx.freezes(() => got)
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>)
    got += new TextDecoder().decode(piece)
  return new Response(got)
}
/** Gives back each piece as it comes. */
const repeats = (_: unknown, ctx: Context, { body }: Request): ReadableStream<Uint8Array> => {
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  return ctx.resumable({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    freeze: () => 0,
  })
}
const FUNCTIONS: Readonly<Record<string, { fetch: FetchHandler['fetch']; resume: ResumeFunction }>> = {
  'read to its end': {
    fetch: (request, _env, ctx) => gathers('', ctx, request),
    resume: (state, ctx, _env, request) => gathers(state as string, ctx, request),
  },
  'answered as it comes': {
    fetch: (request, _env, ctx) => new Response(repeats(0, ctx, request) as never),
    resume: (state, ctx, _env, request) => repeats(state, ctx, request),
  },
}

/** A client with a connection, wherever that is. */
interface Client {
  readonly connection: Connection
  readonly stream: FakeStream
  arrive(host: ResponseHost): void
  move(host: ResponseHost, frozen: Uint8Array): void
  /** All that it says, as bytes of the connection. */
  said(): Uint8Array
  /** The content of the answer that it has got, and whether that is all. */
  heard(): { readonly body: string; readonly ended: boolean }
}

class Http1 implements Client {
  stream = new FakeStream()
  connection!: Connection
  readonly #session: Session | undefined
  readonly #framing: 'chunks' | 'length'
  #heard: Uint8Array = EMPTY

  constructor(tls: boolean, framing: 'chunks' | 'length') {
    this.#session = tls ? Session.client(clientConfig({ alpn: ['http/1.1'] })) : undefined
    this.#framing = framing
  }

  arrive(host: ResponseHost): void {
    const field =
      this.#framing === 'length' ? `Content-Length: ${CONTENT.length}` : 'Transfer-Encoding: chunked'
    const head = utf8(`POST /echo HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`)
    const session = this.#session
    const inbound = session === undefined ? head : concat(...session.takeOutput())
    const hello = { sessionId: new Uint8Array(16), idleLeft: 30_000, inbound }
    this.#begin(host, session === undefined ? freshHttp(hello) : freshTls(hello))
    if (session === undefined) return
    this.heard()
    session.send(head)
    this.stream.receive(concat(...session.takeOutput()))
  }

  move(host: ResponseHost, frozen: Uint8Array): void {
    this.heard()
    this.stream = new FakeStream()
    this.#begin(host, decodeEnvelope(frozen))
  }

  said(): Uint8Array {
    const [one, two] = [CONTENT.slice(0, 13), CONTENT.slice(13)]
    const chunk = (text: string): string => `${text.length.toString(16)};a="b"\r\n${text}\r\n`
    const text = this.#framing === 'length' ? CONTENT : `${chunk(one)}${chunk(two)}0\r\nx-trailer: y\r\n\r\n`
    const session = this.#session
    if (session === undefined) return utf8(text)
    for (let at = 0; at < text.length; at += 9) session.send(utf8(text.slice(at, at + 9)))
    return concat(...session.takeOutput())
  }

  heard() {
    const sent = this.stream.take()
    if (this.#session === undefined) this.#heard = concat(this.#heard, sent)
    for (const event of this.#session?.receive(sent) ?? []) {
      if (event.type === 'application_data') this.#heard = concat(this.#heard, event.data)
      if (event.type === 'alert') throw event.error
    }
    const next = utf8('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext')
    let ended = false
    try {
      ended = responses(concat(this.#heard, next), 2)[1]?.body === 'next'
    } catch {
      // It is not whole.
    }
    return { body: responses(this.#heard, 1)[0]?.body ?? '', ended }
  }

  #begin(host: ResponseHost, envelope: ReturnType<typeof freshHttp>): void {
    this.connection = new Connection(host, envelope, this.stream)
    this.connection.start()
  }
}

class Http2 implements Client {
  readonly talker: Talker
  id = 0

  constructor(tls: boolean) {
    this.talker = new Talker(tls)
  }

  get connection(): Connection {
    return this.talker.connection
  }
  get stream(): FakeStream {
    return this.talker.stream
  }

  arrive(host: ResponseHost): void {
    this.talker.arrive(host)
    this.id = this.talker.request('/echo', { open: true })
    this.talker.flush()
  }

  move(host: ResponseHost, frozen: Uint8Array): void {
    this.talker.move(host, frozen)
  }

  said(): Uint8Array {
    const { http } = this.talker
    const parts: Uint8Array[] = []
    for (let at = 0; at < CONTENT.length; at += 9) {
      http.write(this.id, utf8(CONTENT.slice(at, at + 9)))
      parts.push(this.talker.bytes())
    }
    http.end(this.id)
    return concat(...parts, this.talker.bytes())
  }

  heard() {
    const { body, ended } = this.talker.hear().answers.get(this.id) ?? { body: '', ended: false }
    return { body, ended }
  }
}

/** Says all of it byte by byte, and has the connection offered behind some of them. */
async function say(
  client: Client,
  bytes: Uint8Array,
  first: ResponseHost,
  from: number,
  hosts: ResponseHost[],
) {
  const fresh = (): ResponseHost => {
    const host = new ResponseHost(
      (first.module as FetchHandler).fetch,
      first.module.resume,
      `echo-${hosts.length + 1}`,
    )
    host.module = { ...host.module, ...(first.module.webSocket && { webSocket: first.module.webSocket }) }
    hosts.push(host)
    return host
  }
  let moves = 0
  for (let at = 0; at < bytes.length - 1; at++) {
    client.stream.receive(bytes.slice(at, at + 1))
    await turn()
    if (at % STEP !== from) continue
    const { offer, frozen, reports } = await offered(hosts.at(-1)!, client.connection)
    if (moves++ % 3 === 2) offer.settle(REFUSED)
    else {
      client.move(fresh(), frozen)
      offer.settle({ state: 'gone' })
      expect(reports).toEqual(['moved'])
    }
    await turn()
  }
  client.stream.receive(bytes.slice(-1))
  for (let turns = 0; turns < 6; turns++) await turn()
}

const CLIENTS: readonly (readonly [string, (tls: boolean) => Client])[] = [
  ['in chunks', tls => new Http1(tls, 'chunks')],
  ['of a length', tls => new Http1(tls, 'length')],
  ['over HTTP/2', tls => new Http2(tls)],
]

describe.each([false, true])('a request in its middle, with TLS: %s', tls => {
  describe.each(CLIENTS)('%s', (_, make) => {
    it.each(Object.entries(FUNCTIONS))('%s', async (_, { fetch, resume }) => {
      for (let from = 0; from < STEP; from += 3) {
        const first = new ResponseHost(fetch, resume)
        const hosts = [first]
        const client = make(tls)
        client.arrive(first)
        await turn()
        await say(client, client.said(), first, from, hosts)
        expect(client.heard()).toEqual({ body: CONTENT, ended: true })
        expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
        expect(hosts.map(({ traffic }) => traffic.inFlight)).toEqual(hosts.map(() => 0))
        expect(hosts.reduce((sum, { traffic }) => sum + traffic.calls, 0)).toBe(1)
      }
    })
  })
})

describe.each([false, true])('a WebSocket on a stream of HTTP/2, with TLS: %s', tls => {
  const MASK = Uint8Array.of(9, 8, 7, 6)
  const counts: WebSocketFunction = (socket, _context, state = 0) => {
    let count = state as number
    return {
      message: data => void socket.send(`${++count} ${typeof data === 'string' ? data : data.length}`),
      closed: code => void socket.send(`never ${code}`),
      freeze: () => count,
    }
  }

  it('behind each byte of messages, their fragments, and pings between them', async () => {
    for (let from = 0; from < STEP; from += 3) {
      const first = new ResponseHost(() => new Response(), undefined)
      first.module = { ...first.module, webSocket: counts }
      const hosts = [first]
      const client = new Http2(tls)
      client.talker.arrive(first)
      const asked = { method: 'CONNECT', protocol: 'websocket', open: true }
      const { talker } = client
      client.id = talker.request('/echo', { ...asked, headers: [['sec-websocket-version', '13']] })
      talker.flush()
      const frames = concat(
        writeFrame(Opcode.TEXT, utf8('one'), { mask: MASK }),
        writeFrame(Opcode.TEXT, utf8('tw'), { mask: MASK, final: false }),
        writeFrame(Opcode.PING, utf8('?'), { mask: MASK }),
        writeFrame(Opcode.CONTINUATION, utf8('o'), { mask: MASK }),
        writeFrame(Opcode.BINARY, new Uint8Array(200), { mask: MASK }),
        writeFrame(Opcode.CLOSE, Uint8Array.of(3, 232), { mask: MASK }),
      )
      const parts: Uint8Array[] = []
      for (let at = 0; at < frames.length; at += 40) {
        talker.http.write(client.id, frames.subarray(at, at + 40))
        parts.push(talker.bytes())
      }
      await say(client, concat(...parts), first, from, hosts)
      const heard: string[] = []
      for (let rest = Buffer.from(client.heard().body, 'latin1') as Uint8Array; rest.length > 0; ) {
        const frame = readFrame(rest, false, 1000)!
        heard.push(`${frame.opcode} ${new TextDecoder('latin1').decode(frame.payload)}`)
        rest = rest.subarray(frame.length)
      }
      expect(heard).toEqual(['1 1 one', '10 ?', '1 2 two', '1 3 200', '8 \u0003\u00e8'])
      expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
    }
  })
})
