import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { H1Client, type H1ClientEvent, type H1Event, H1Server } from '../../../src/http/h1/index.ts'
import type { RequestHead } from '../../../src/http/message.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { bytes, conversation, joined, text } from '../../support/h1-messages.ts'

/** What both parsers must make of a request. */
interface Seen {
  method: string
  target: string
  version: string
  headers: string[]
  body: string
  trailers: string[]
}

const REQUESTS = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /p/q?x=%20&y HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\n\r\n',
  // Node gives the application the Host that came; here it is that of the target (RFC 9112 §3.2.2).
  'GET http://b.example/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nhOsT: a\r\n\r\n',
  'DELETE /x HTTP/1.0\r\n\r\n',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX:\r\nX: \t b \t \r\nX-Y_Z!: \xe4\xff;"q"\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
  'PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n' +
    '6;a=b;c="d"\r\n world\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n00a\r\n0123456789\r\n0\r\n' +
    'T: u\r\nV: w\r\n\r\n',
  '\r\nGET /after-an-empty-line HTTP/1.1\r\nHost: a\r\n\r\n',
  `GET /${'a'.repeat(4000)} HTTP/1.1\r\nHost: a\r\nX: ${'b'.repeat(4000)}\r\n\r\n`,
]

function seenByUs(input: string): Seen {
  const { events } = conversation(bytes(input))
  let head: RequestHead | undefined
  let body = ''
  for (const event of events as H1Event[]) {
    if (event.type === 'request') head = event.head
    else if (event.type === 'body') body += text(event.data)
    else if (event.type === 'end') {
      const { method, target, version, headers } = head!
      return { method, target, version, headers: headers.flat(), body, trailers: event.trailers.flat() }
    } else throw new Error(event.reason)
  }
  throw new Error('not a whole request')
}

describe('requests, as node:http reads them', () => {
  let server: Server
  let seen: Promise<Seen>
  let saw: (one: Seen) => void

  beforeAll(async () => {
    server = createServer(async (message, response) => {
      let body = ''
      for await (const piece of message.setEncoding('latin1')) body += piece
      const { method = '', url = '', httpVersion, rawHeaders, rawTrailers } = message
      saw({ method, target: url, version: httpVersion, headers: rawHeaders, body, trailers: rawTrailers })
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  it.each(REQUESTS)('%j', async input => {
    seen = new Promise(resolve => {
      saw = resolve
    })
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(bytes(input))
    expect(seenByUs(input)).toEqual(await seen)
    socket.destroy()
  })

  it('what our client writes, and the responses it reads', async () => {
    seen = new Promise(resolve => {
      saw = resolve
    })
    const client = new H1Client()
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const body = utf8('hällo')
    socket.write(client.request({ method: 'POST', target: '/x', headers: [['Host', 'a']] }, body))
    const events: H1ClientEvent[] = []
    while (!events.some(event => event.type === 'end' || event.type === 'error')) {
      events.push(...client.receive(((await once(socket, 'data')) as [Buffer])[0]))
    }
    expect(await seen).toMatchObject({ method: 'POST', target: '/x', body: text(body) })
    expect(events).toMatchObject([
      { type: 'response', status: 200, reason: 'OK', version: '1.1', bodyLength: 0 },
      { type: 'end' },
    ])
    expect(client.reusable).toBe(true)
    socket.destroy()
  })
})

describe('our responses, as node:http reads them', () => {
  let port = 0
  const sockets = new Set<Socket>()
  const tcp = createTcpServer(socket => {
    sockets.add(socket)
    const http = new H1Server()
    const content: Uint8Array[] = []
    let head: RequestHead | undefined
    socket.on('data', piece => {
      http.receive(piece)
      for (let event = http.next(); event !== undefined; event = http.next()) {
        if (event.type === 'request') {
          head = event.head
          http.accept()
          const go = http.continue()
          if (go.length > 0) socket.write(go)
        } else if (event.type === 'body') content.push(event.data)
        else if (event.type === 'end') {
          for (const out of answer(http, head!.path, concat(...content.splice(0)))) socket.write(out)
        } else socket.write(http.reply({ status: event.status, body: event.reason }, Date.now()))
      }
      if (http.shouldClose) socket.end()
    })
    socket.on('error', () => socket.destroy())
  })

  function answer(http: H1Server, path: string, content: Uint8Array): Uint8Array[] {
    const status = path === '/204' ? 204 : path === '/304' ? 304 : 200
    const headers = [['X-Path', path]] as const
    if (path !== '/stream') return [http.reply({ status, headers, body: content }, Date.now())]
    const out = [http.respond({ status, headers, length: undefined }, Date.now())]
    for (let at = 0; at < content.length; at += 7) out.push(...http.write(content.subarray(at, at + 7)))
    return [...out, http.end()]
  }

  beforeAll(async () => {
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    port = (tcp.address() as AddressInfo).port
  })

  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    tcp.close()
  })

  async function ask(method: string, path: string, body: string, headers: Record<string, string> = {}) {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false })
    if (headers.Expect === undefined) outgoing.end(body)
    else outgoing.on('continue', () => outgoing.end(body)).flushHeaders()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    let content = ''
    for await (const piece of response) content += piece
    return { status: response.statusCode, headers: response.headers, content, whole: response.complete }
  }

  const long = 'lorem ipsum '.repeat(20_000)

  it.each([
    ['GET', '/whole', '', {}],
    ['POST', '/whole', 'hello', {}],
    ['POST', '/stream', 'hello, hello, hello', {}],
    ['POST', '/whole', long, {}],
    ['POST', '/stream', long, { 'Transfer-Encoding': 'chunked' }],
    ['POST', '/whole', 'hello', { Expect: '100-continue', 'Content-Length': '5' }],
  ])('%s %s', async (method, path, body, headers: Record<string, string>) => {
    const response = await ask(method, path, body, headers)
    expect(response).toMatchObject({ status: 200, content: body, whole: true })
    expect(response.headers['x-path']).toBe(path)
    expect(Number.isNaN(Date.parse(response.headers.date!))).toBe(false)
  })

  it.each([
    ['HEAD', '/whole', 200],
    ['GET', '/204', 204],
    ['GET', '/304', 304],
  ])('%s %s has no content', async (method, path, status) => {
    expect(await ask(method, path, '')).toMatchObject({ status, content: '', whole: true })
  })

  it('an error of ours', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n')
    const client = new H1Client()
    client.request({ method: 'GET', target: '/', headers: [['Host', 'a']] })
    const pieces: Uint8Array[] = []
    for await (const piece of socket) pieces.push(piece as Uint8Array)
    const events = client.receive(concat(...pieces))
    expect(events.map(event => event.type)).toEqual(['response', 'body', 'end'])
    expect(events[0]).toMatchObject({ status: 400 })
    expect(client.finish()).toEqual([])
  })
})

it('both sides of ours, three requests pipelined', () => {
  const client = new H1Client()
  const server = new H1Server()
  const sent = ['/1', '/2', '/3'].map(target =>
    client.request({ method: 'GET', target, headers: [['Host', 'a']] }),
  )
  server.receive(concat(...sent))
  const out: Uint8Array[] = []
  const events: H1Event[] = []
  for (let event = server.next(); event !== undefined; event = server.next()) {
    events.push(event)
    if (event.type !== 'request') continue
    server.accept()
    out.push(server.reply({ status: 200, body: event.head.target }, 0))
  }
  expect(joined(events).map(event => event.type)).toEqual(['request', 'request', 'request'])
  const bodies = client.receive(concat(...out)).flatMap(one => (one.type === 'body' ? [text(one.data)] : []))
  expect(bodies).toEqual(['/1', '/2', '/3'])
  expect(client.reusable).toBe(true)
})
