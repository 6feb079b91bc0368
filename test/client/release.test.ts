import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Client,
  type ClientError,
  type ClientOptions,
  type Released,
  type RestoredResponse,
} from '../../src/client/index.ts'
import { createServer as createOurs } from '../../src/tls13/io/net.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { network } from '../../src/transport/network.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import { Gate } from '../support/gate.ts'
import { LARGE, PEERS, type Peer, pattern, sha } from '../support/peers/servers.ts'
import { Certificates } from '../support/tls-programs.ts'
import { endOther, thrown } from './other-process.ts'

/** Connections leave in the middle of everything that they can be in the middle of. */
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const tls = { ca: pem('ca.crt') }
const closing: (() => unknown)[] = [() => files.remove(), endOther]
afterAll(() => {
  for (const close of closing) close()
})

/** For clients that have nothing but what they were given. */
const nowhere: Connector = { connect: () => Promise.reject(new Error('there is no way out')) }
const HEIR: ClientOptions = { connector: nowhere, decode: false }
const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 2))
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Lets a connection go from client to client after every few bytes. @returns what became of its requests */
async function wander(
  gate: Gate,
  first: Client,
  step: number,
  heard: (label: string) => object = () => ({}),
): Promise<{ moves: number; texts: Map<string, string> }> {
  let client = first
  let responses: readonly RestoredResponse[] = []
  const texts = new Map<string, string>()
  const read = async (label: string, response: Promise<Response>): Promise<void> => {
    try {
      for await (const piece of (await response).body ?? [])
        texts.set(label, (texts.get(label) ?? '') + Buffer.from(piece).toString('latin1'))
      texts.set(label, `${texts.get(label) ?? ''}.`)
    } catch (error) {
      if ((error as { kind?: string }).kind !== 'aborted') texts.set(label, String(error))
    }
  }
  let moves = 0
  for (let quiet = 0; quiet < 30; ) {
    if (gate.held === 0) {
      quiet++
      await turn()
      continue
    }
    quiet = 0
    gate.pass(step)
    await turn()
    const refused: string[] = []
    const released = await client.release((_, why) => refused.push(why))
    if (released.length === 0) {
      // It has ended with the last byte, perhaps as it was to leave.
      expect(gate.held).toBe(0)
      for (const why of refused) expect(why).toBe('the connection ended as it was to leave')
      break
    }
    moves++
    const heir = Client.restore(released, HEIR, heard)
    client = heir.client
    responses = heir.responses
    for (const { label, response } of responses) void read(label, response)
  }
  await turn()
  client.destroy()
  return { moves, texts }
}

/** A client whose connections are passed on in pieces as soon as they are there. */
function gated(gate: Gate, given: object = { tls }): Client {
  const net = network(given)
  const connector: Connector = {
    connect: async (target, options) => {
      const connected = await net.connect(target, options)
      gate.close()
      return connected
    },
  }
  return new Client({ connector, decode: false })
}

const PLACES = [0.1, 0.5, 0.9]
const ALL = Object.entries(PEERS).map(([name, peer], i) => [name, peer, PLACES[i % 3]!] as const)

describe.each(ALL)('a connection to %s', (_, { note, missing, protocol, start }, place) => {
  describe.skipIf(missing)(`(${note})`, () => {
    let peer: Peer
    beforeAll(async () => {
      peer = await start(identity)
    })
    afterAll(() => peer.close())

    it('leaves after every few bytes of what is said to it, again and again', async () => {
      const gate = await Gate.before(peer.url, listening)
      const first = gated(gate)
      const labels = protocol === 'h2' ? ['a', 'b', 'c', 'd', 'e'] : ['a']
      for (const label of labels) first.fetch(`${gate.url}/small`, { label }).catch(() => {})
      await until(() => gate.held > 0)
      const { moves, texts } = await wander(gate, first, peer.url.startsWith('https:') ? 7 : 3)
      expect(moves).toBeGreaterThan(15)
      expect(Object.fromEntries(texts)).toEqual(Object.fromEntries(labels.map(label => [label, 'hello.'])))
    })

    it(`goes on in another process, from ${place * 100} % of an answer`, async () => {
      const gate = await Gate.before(peer.url, listening)
      const client = gated(gate)
      const asked = client.fetch(`${gate.url}/large`, { label: 'mine' })
      const pieces: Uint8Array[] = []
      const read = asked.then(async response => {
        for await (const piece of response.body!) pieces.push(piece)
      })
      const gone = read.catch((error: ClientError) => error.kind)
      await until(() => gate.held > 0)
      while (gate.passed < LARGE * place) {
        gate.pass(200_000)
        await turn()
      }
      const released = await client.release()
      expect([released.length, await gone]).toEqual([1, 'aborted'])
      const there = heir(released[0]!)
      gate.open()
      const { status, rest } = await there
      expect(status).toBe(200)
      expect(sha(Buffer.concat([...pieces, rest]))).toBe(sha(pattern(LARGE)))
    })
  })
})

/** Answers in every framing of HTTP/1, with all that may stand in them. */
const FRAMINGS: Readonly<Record<string, readonly [answer: string, text: string, trailers: string]>> = {
  'a length': ['HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world', 'hello world', ''],
  'chunks, with extensions and trailers': [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '5;a="b;c"\r\nhello\r\n06\r\n world\r\n0\r\nX-Sum: 1\r\nX-T: 2\r\n\r\n',
    'hello world',
    'x-sum: 1, x-t: 2',
  ],
  'interim responses before': [
    'HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'ok',
    '',
  ],
  'the end of the connection': ['HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello world', 'hello world', ''],
  'no content': ['HTTP/1.1 204 No\r\nX: y\r\n\r\n', '', ''],
}

describe('over HTTP/1.1, a connection leaves after each byte of an answer with', () => {
  it.each(Object.entries(FRAMINGS))('%s', async (name, [answer, text, expected]) => {
    const server = createServer(socket => {
      socket.once('data', () => (name.startsWith('the end') ? socket.end(answer) : socket.write(answer)))
    })
    const gate = await Gate.before(`http://localhost:${await listening(server)}`, listening)
    const client = gated(gate)
    client.fetch(gate.url, { label: 'a' }).catch(() => {})
    await until(() => gate.held === answer.length)
    let trailers: unknown = ''
    const onTrailers = (fields: readonly (readonly [string, string])[]): void => {
      trailers = fields.map(([field, value]) => `${field.toLowerCase()}: ${value}`).join(', ')
    }
    const { moves, texts } = await wander(gate, client, 1, () => ({ onTrailers }))
    expect(moves).toBeGreaterThan(answer.length - 3)
    expect([texts.get('a'), trailers]).toEqual([`${text}.`, expected])
  })
})

describe('over HTTP/2', () => {
  it('five streams leave together, each in another state', async () => {
    const answers = new Map<string, Http2ServerResponse>()
    const uploaded: Buffer[] = []
    let upload: Http2ServerRequest | undefined
    const server = createSecureServer(identity, (request, response) => {
      answers.set(request.url, response)
      if (request.url === '/uploading') upload = request.pause()
      else if (request.url === '/informed') response.writeEarlyHints({ link: '</a>; rel=preload' })
      else if (request.url === '/head') response.stream.respond({ ':status': 200 })
      else if (request.url === '/middle') response.write('begun')
      else if (request.url === '/whole') response.end('whole')
    })
    const url = `https://localhost:${await listening(server as unknown as Server)}`
    const client = new Client({ tls, decode: false })
    const content = pattern(2_000_000).slice()
    let informed = 0
    const asked = new Map(
      ['/silent', '/informed', '/head', '/middle', '/whole', '/uploading'].map(path => {
        const onInformational = (): void => void informed++
        const init = path === '/uploading' ? { method: 'POST', body: content } : {}
        return [path, client.fetch(url + path, { ...init, label: path, onInformational })]
      }),
    )
    const gone = Promise.allSettled([...asked.values()])
    const [head, middle, whole] = await Promise.all(
      ['/head', '/middle', '/whole'].map(async path => asked.get(path)!),
    )
    const reader = middle!.body!.getReader()
    const first = Buffer.from((await reader.read()).value!).toString()
    await until(() => informed === 1 && answers.size === 6)
    await turn()
    const released = await client.release()
    expect(released.length).toBe(1)
    // What was here whole stays here; the others are told.
    expect(await whole!.text()).toBe('whole')
    await expect(reader.read()).rejects.toMatchObject({ kind: 'aborted' })
    await expect(head!.text()).rejects.toMatchObject({ kind: 'aborted' })
    expect((await gone).map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
    const there = heirOf(released, ['/silent', '/informed', '/head', '/middle', '/uploading'])
    upload!.on('data', (bytes: Buffer) => uploaded.push(bytes)).resume()
    await new Promise(resolve => upload!.on('end', resolve))
    for (const [path, answer] of answers) if (path !== '/whole') answer.end(`the end of ${path}`)
    const texts = await there
    expect(first + texts['/middle']).toBe('begunthe end of /middle')
    for (const path of ['/silent', '/informed', '/head', '/uploading'])
      expect(texts[path]).toBe(`the end of ${path}`)
    expect(sha(Buffer.concat(uploaded))).toBe(sha(content))
  })
})

it('two releases at once: what leaves goes with the first one, restored or not', async () => {
  const server = createHttps(identity, (_, response) => response.end('hello'))
  const url = `https://localhost:${await listening(server)}`
  let client = new Client({ tls })
  await (await client.fetch(url)).text()
  for (let i = 0; i < 3; i++) {
    const stays: string[] = []
    const say = (_: string, why: string): void => void stays.push(why)
    const [one, other] = await Promise.all([client.release(say), client.release(say)])
    expect([one.length, other.length, stays]).toEqual([1, 0, []])
    client = Client.restore(one, { ...HEIR }).client
    expect(await (await client.fetch(url)).text()).toBe('hello')
  }
  await client.close()
})

describe('what cannot leave', () => {
  it.each(['http/1.1', 'h2'])('says why, and goes on here, over %s', async protocol => {
    let reply: (() => void) | undefined
    const answer = (
      request: IncomingMessage | Http2ServerRequest,
      given: ServerResponse | Http2ServerResponse,
    ): void => {
      const response = given as ServerResponse
      request.resume()
      if (request.url === '/coded') {
        const bytes = gzipSync(pattern(LARGE))
        response.setHeader('content-encoding', 'gzip')
        response.write(bytes.subarray(0, 100_000))
        reply = () => response.end(bytes.subarray(100_000))
      } else request.on('end', () => response.end('taken'))
    }
    const server = protocol === 'h2' ? createSecureServer(identity, answer) : createHttps(identity, answer)
    const url = `https://localhost:${await listening(server as unknown as Server)}`
    const refused: string[] = []
    const stays = (origin: string, why: string): void => void refused.push(`${origin}: ${why}`)

    const sending = new Client({ tls })
    let more: (() => void) | undefined
    const body = new ReadableStream<Uint8Array>(
      {
        pull: controller =>
          new Promise(resolve => {
            more = () => {
              controller.enqueue(Uint8Array.of(120))
              controller.close()
              resolve()
            }
          }),
      },
      { highWaterMark: 0 },
    )
    const posted = sending.fetch(url, { method: 'POST', body })
    await until(() => more !== undefined)
    // Its stream is read when it is on its connection.
    expect(await fate(sending, stays)).toBe(0)
    more?.()
    expect(await (await posted).text()).toBe('taken')

    const decoding = new Client({ tls })
    const coded = await decoding.fetch(`${url}/coded`)
    expect(await fate(decoding, stays)).toBe(0)
    reply?.()
    expect(sha(new Uint8Array(await coded.arrayBuffer()))).toBe(sha(pattern(LARGE)))
    expect(refused).toEqual([
      `${url}: the content of a request is a stream, and being sent`,
      `${url}: the content of a response is being decoded`,
    ])
  })

  it('is a request that went out with its handshake: it is answered here', async () => {
    const server = createOurs({ ...identity, alpn: ['http/1.1'], earlyData: { maximum: 16_384 } }, stream => {
      const app = {
        request: ({ early }: { early: boolean }, response: { reply(view: object): void }) =>
          response.reply({ status: 200, headers: [['connection', 'close']], body: early ? 'early' : 'late' }),
      }
      serveConnection(stream, app as never)
    })
    const gate = await Gate.before(`https://localhost:${await listening(server)}`, listening)
    const client = new Client({ tls, earlyData: true, decode: false })
    expect(await (await client.fetch(gate.url)).text()).toBe('late')
    gate.close()
    const asked = client.fetch(gate.url)
    await until(() => gate.held > 0)
    const refused: string[] = []
    expect(await client.release((_, why) => refused.push(why))).toEqual([])
    gate.open()
    expect(await (await asked).text()).toBe('early')
    expect(refused).toEqual(['a request went out with its handshake'])
  })

  it('is refused by its name where there is no connection yet: nothing of it was sent', async () => {
    let requests = 0
    const heard = createHttp((_, response) => {
      requests++
      response.end('ok')
    })
    const plain = await listening(heard)
    // Accepts, and says nothing: a handshake without an end.
    const silent = await listening(createServer(socket => void socket.resume()))
    const net = network({ tls })
    let connecting = 0
    const connector: Connector = {
      connect: (target, options) => {
        connecting++
        if (target.host === 'stuck.test') return new Promise(() => {})
        return net.connect(target, options)
      },
    }
    for (const url of [`https://localhost:${silent}`, 'http://stuck.test/', `http://localhost:${plain}`]) {
      const client = new Client({ connector })
      const before = connecting
      const asked = client.fetch(url)
      const failed = asked.catch((error: ClientError) => `${error.kind}: ${error.message}`)
      if (url.includes('localhost:') && url.startsWith('http:')) await Promise.resolve()
      else await until(() => connecting > before)
      expect(await client.release()).toEqual([])
      expect(await failed).toBe('aborted: the client was released')
    }
    await turn()
    expect(requests).toBe(0)
  })
})

/** How many connections leave. */
async function fate(client: Client, stays: (origin: string, why: string) => void): Promise<number> {
  return (await client.release(stays)).length
}

async function heir(released: Released): Promise<{ status: number; rest: Uint8Array }> {
  const [[, status, content]] = (await thrown([released])) as [[string, number, string]]
  return { status, rest: new Uint8Array(Buffer.from(content, 'base64')) }
}

async function heirOf(released: readonly Released[], labels: string[]): Promise<Record<string, string>> {
  const told = await thrown(released)
  expect(told.map(([label]) => label).sort()).toEqual(labels.sort())
  return Object.fromEntries(told.map(([label, , text]) => [label, Buffer.from(text, 'base64').toString()]))
}
