import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2'
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { H2Client, type H2Event, H2Server } from '../../../src/http/h2/index.ts'
import type { Field } from '../../../src/http/message.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'
import { limits, moved } from '../../support/h2-frames.ts'

const run = promisify(execFile)
const has = (tool: string) => spawnSync(tool, ['--version']).status === 0
/** Larger than every initial window. */
const LARGE = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 31) >>> 3)

/**
 * An echo over one socket: it answers with the request's method, path and content, and with its trailers as
 * trailers.
 */
function serveSocket(socket: Socket): void {
  const server = { now: new H2Server(limits({ queuedBytes: 65_536 })) }
  const contents = new Map<number, Uint8Array[]>()
  const replies = new Map<number, { left: Uint8Array; trailers: readonly Field[] }>()
  const go = (id: number) => {
    const reply = replies.get(id)
    if (reply === undefined) return
    reply.left = reply.left.subarray(server.now.write(id, reply.left))
    if (reply.left.length > 0) return
    replies.delete(id)
    server.now.end(id, reply.trailers)
  }
  const finish = (id: number, trailers: readonly Field[]) => {
    server.now.respond(
      id,
      {
        status: 200,
        headers: [
          ['x-echo', 'yes'],
          ['set-cookie', 'a=b'],
          ['set-cookie', 'c=d'],
        ],
      },
      0,
    )
    replies.set(id, { left: concat(...(contents.get(id) ?? [])), trailers })
    go(id)
  }
  const on = (event: H2Event) => {
    if (event.type === 'request') {
      server.now.accept(event.streamId)
      contents.set(event.streamId, [utf8(`${event.method} ${event.path}\n`)])
      if (event.path === '/large') contents.get(event.streamId)!.push(LARGE)
      if (event.path === '/hint')
        server.now.respond(event.streamId, { status: 103, headers: [['link', '</x>']] })
      if (event.endStream) finish(event.streamId, [])
    } else if (event.type === 'data') {
      contents.get(event.streamId)!.push(event.data)
      server.now.consume(event.streamId, event.data.length)
      if (event.endStream) finish(event.streamId, [])
    } else if (event.type === 'trailers') finish(event.streamId, event.headers)
    else if (event.type === 'drain') go(event.streamId)
  }
  const pull = () => {
    for (let event = server.now.next(); event !== undefined; event = server.now.next()) on(event)
  }
  const flush = () => {
    for (let bytes = server.now.takeOutput(); bytes.length > 0; bytes = server.now.takeOutput()) {
      socket.write(bytes)
      // Room for more output may mean room for more content.
      pull()
    }
  }
  flush()
  socket.on('error', () => {})
  socket.on('data', piece => {
    server.now.receive(new Uint8Array(piece))
    pull()
    flush()
    if (server.now.shouldClose) socket.end()
    // A move after every piece that came: no peer may notice.
    else server.now = new H2Server(limits({ queuedBytes: 65_536 }), moved(server.now.export()))
  })
}

let ours: Server
let url: string

beforeAll(async () => {
  ours = createTcpServer(serveSocket).listen(0, '127.0.0.1')
  await once(ours, 'listening')
  url = `http://127.0.0.1:${(ours.address() as AddressInfo).port}`
})
afterAll(() => void ours.close())

interface Answer {
  headers: IncomingHttpHeaders
  hints: number
  trailers: IncomingHttpHeaders | undefined
  body: Uint8Array
}

async function ask(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body?: Uint8Array,
  trailers?: Record<string, string>,
): Promise<Answer> {
  const stream = session.request(headers, {
    endStream: body === undefined,
    waitForTrailers: trailers !== undefined,
  })
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  const answer: Answer = { headers: {}, hints: 0, trailers: undefined, body: EMPTY }
  const parts: Uint8Array[] = []
  stream.on('response', got => {
    answer.headers = got
  })
  stream.on('headers', () => answer.hints++)
  stream.on('trailers', got => {
    answer.trailers = got
  })
  stream.on('data', (part: Uint8Array) => parts.push(part))
  if (body !== undefined) stream.end(body)
  await once(stream, 'close')
  answer.body = concat(...parts)
  return answer
}

describe('our server and the client of node:http2, moving after every piece', () => {
  let session: ClientHttp2Session
  beforeAll(() => {
    session = connect(url)
  })
  afterAll(() => session.close())

  it('a request without content', async () => {
    const { headers, body } = await ask(session, { ':path': '/a?b' })
    expect(headers).toMatchObject({ ':status': 200, 'x-echo': 'yes', 'set-cookie': ['a=b', 'c=d'] })
    expect(headers.date).toBe('Thu, 01 Jan 1970 00:00:00 GMT')
    expect(String.fromCharCode(...body)).toBe('GET /a?b\n')
  })

  it('content and trailers, both ways', async () => {
    const { body, trailers } = await ask(session, { ':method': 'POST', ':path': '/' }, utf8('hello'), {
      sum: '5',
    })
    expect(String.fromCharCode(...body)).toBe('POST /\nhello')
    expect(trailers).toMatchObject({ sum: '5' })
  })

  it('HEAD, and a hint', async () => {
    expect((await ask(session, { ':method': 'HEAD', ':path': '/' })).body).toEqual(EMPTY)
    expect((await ask(session, { ':path': '/hint' })).hints).toBe(1)
  })

  it('content larger than every window, several at once', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map(() => ask(session, { ':method': 'PUT', ':path': '/large' }, LARGE)),
    )
    for (const { body } of answers) {
      expect(Buffer.from(body).equals(concat(utf8('PUT /large\n'), LARGE, LARGE))).toBe(true)
    }
  })

  it('a cancelled request, PING and SETTINGS', async () => {
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.on('error', () => {})
    stream.close(8)
    await once(stream, 'close')
    await promisify((done: (error: Error | null) => void) => void session.ping(error => done(error)))()
    session.settings({ headerTableSize: 128, initialWindowSize: 1000 })
    await once(session, 'localSettings')
    expect((await ask(session, { ':path': '/large' })).body.length).toBe(LARGE.length + 'GET /large\n'.length)
  })
})

describe('our client and the server of node:http2', () => {
  let theirs: Http2Server
  beforeAll(async () => {
    theirs = createServer((request, response) => {
      response.setHeader('x-method', request.method)
      if (request.url === '/empty') return void response.writeHead(204).end()
      if (request.url === '/hint') response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.addTrailers({ t: 'u' })
      request.pipe(response)
    }).listen(0, '127.0.0.1')
    await once(theirs, 'listening')
  })
  afterAll(() => void theirs.close())

  it('requests with content, hints, trailers, moving after every piece', async () => {
    const socket = connectTcp((theirs.address() as AddressInfo).port, '127.0.0.1')
    let client = new H2Client()
    const bodies = new Map<number, Uint8Array[]>()
    const events: H2Event[] = []
    let open = 4
    const flush = () => {
      for (let bytes = client.takeOutput(); bytes.length > 0; bytes = client.takeOutput()) socket.write(bytes)
    }
    const send = (
      method: string,
      path: string,
      body: Uint8Array | undefined,
      trailers?: readonly Field[],
    ) => {
      const id = client.request({ method, scheme: 'http', authority: 'localhost', path }, body === undefined)
      if (body === undefined) return
      expect(client.write(id, body)).toBe(body.length)
      client.end(id, trailers)
    }
    send('POST', '/', LARGE)
    send('PUT', '/hint', utf8('small'), [['v', 'w']])
    send('HEAD', '/', undefined)
    send('GET', '/empty', undefined)
    flush()
    socket.on('data', piece => {
      client.receive(new Uint8Array(piece))
      for (let event = client.next(); event !== undefined; event = client.next()) {
        if (event.type === 'data') {
          bodies.set(event.streamId, [...(bodies.get(event.streamId) ?? []), event.data])
          client.consume(event.streamId, event.data.length)
        } else events.push(event)
        const over = (event.type === 'data' || event.type === 'response') && event.endStream
        if (over || event.type === 'trailers' || event.type === 'reset') open--
      }
      flush()
      if (open === 0) return void socket.end()
      client = new H2Client(undefined, moved(client.export()))
    })
    await once(socket, 'close')
    expect(Buffer.from(concat(...bodies.get(1)!)).equals(LARGE)).toBe(true)
    expect(String.fromCharCode(...concat(...bodies.get(3)!))).toBe('small')
    const responses = events.filter(event => event.type === 'response')
    expect(responses.map(event => [event.streamId, event.status]).sort()).toEqual([
      [1, 200],
      [3, 200],
      [5, 200],
      [7, 204],
    ])
    expect(events.filter(event => event.type === 'informational')).toMatchObject([
      { streamId: 3, status: 103 },
    ])
    expect(
      events
        .filter(event => event.type === 'trailers')
        .map(event => event.streamId)
        .sort(),
    ).toEqual([1, 3])
    expect(events.filter(event => event.type === 'reset' || event.type === 'error')).toEqual([])
  })
})

it.skipIf(!has('curl'))('curl --http2-prior-knowledge (Debian package curl)', async () => {
  const { stdout } = await run('curl', ['-s', '--http2-prior-knowledge', '-i', '-d', 'body', `${url}/curl`])
  expect(stdout).toContain('HTTP/2 200')
  expect(stdout).toContain('POST /curl\nbody')
})

it.skipIf(!has('nghttp'))('nghttp, with padding and priorities (Debian package nghttp2-client)', async () => {
  const { stdout } = await run('nghttp', ['-v', '-n', '-b', '100', '-m', '5', `${url}/large`], {
    maxBuffer: 2 ** 24,
  })
  expect(stdout.match(/:status: 200/g)).toHaveLength(5)
  expect(stdout).not.toMatch(/recv (RST_STREAM|GOAWAY)/)
})

it.skipIf(!has('h2load'))(
  'h2load: 2000 requests, 50 at once on each of 4 connections (Debian package nghttp2-client)',
  async () => {
    const { stdout } = await run('h2load', ['-n', '2000', '-c', '4', '-m', '50', `${url}/`])
    expect(stdout).toContain('2000 succeeded, 0 failed, 0 errored')
  },
)
