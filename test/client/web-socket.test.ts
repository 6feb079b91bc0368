import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { Client, ClientError, type ClientOptions, type NotGranted } from '../../src/client/index.ts'
import { acceptOf, WebSocketServer as Codec } from '../../src/http/websocket/index.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { network } from '../../src/transport/network.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { kept } from '../support/kept.ts'
import { RawServer } from './raw-server.ts'

const closers: (() => unknown)[] = []
afterAll(() => {
  for (const close of closers) close()
})

async function listen(server: Pick<HttpServer, 'listen' | 'close' | 'address' | 'once'>): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server as HttpServer, 'listening')
  closers.push(() => server.close())
  return (server.address() as AddressInfo).port
}

/** What the server of the package `ws` does: gives messages back, and says how it was closed. */
function serving(server: HttpServer): Promise<string>[] {
  const ends: Promise<string>[] = []
  const sockets = new WebSocketServer({ server, handleProtocols: asked => (asked.has('b') ? 'b' : false) })
  sockets.on('connection', (socket, { url }) => {
    ends.push(once(socket, 'close').then(([code, reason]) => `${code} ${reason}`))
    if (url === '/bye') socket.close(4001, 'no')
    else if (url === '/gone') socket.terminate()
    else if (url === '/many') for (let i = 0; i < 200; i++) socket.send(Buffer.alloc(65_536, i))
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  closers.push(() => sockets.close())
  return ends
}

let files: Credentials
let ends: Promise<string>[]
const urls = { plain: '', 'our TLS': '', 'HTTP/2': '' }
const options = (more: ClientOptions = {}): ClientOptions => ({ tls: { ca: files.pem('ca.crt') }, ...more })
beforeAll(async () => {
  files = await credentials()
  const own = { cert: files.pem('localhost.crt'), key: files.pem('localhost.key') }
  const plain = createServer()
  ends = serving(plain)
  urls.plain = `ws://127.0.0.1:${await listen(plain)}`
  const secured = createHttpsServer(own)
  serving(secured)
  urls['our TLS'] = `wss://localhost:${await listen(secured)}`
  // Node's HTTP/2, with our frames in it: the package `ws` has none of it.
  const both = createSecureServer({ ...own, allowHTTP1: true, settings: { enableConnectProtocol: true } })
  both.on('stream', (stream, headers) => {
    if (headers[':protocol'] !== 'websocket') {
      stream.respond({ ':status': 200 })
      stream.end()
      return
    }
    const chosen = headers['sec-websocket-protocol'] === undefined ? {} : { 'sec-websocket-protocol': 'b' }
    stream.respond({ ':status': 200, ...chosen })
    const codec = new Codec()
    stream.on('error', () => {})
    stream.on('end', () => stream.end())
    stream.on('data', (bytes: Buffer) => {
      codec.receive(new Uint8Array(bytes))
      for (let event = codec.next(); event !== undefined; event = codec.next())
        if (event.type === 'message') codec.send(event.data)
      for (const piece of codec.takeOutput()) stream.write(piece)
    })
  })
  urls['HTTP/2'] = `wss://localhost:${await listen(both as unknown as HttpServer)}`
})

describe.each(['plain', 'our TLS', 'HTTP/2'] as const)('a WebSocket, %s', where => {
  it('carries messages of both kinds and of any size, and ends in order', async () => {
    const client = new Client(options())
    const version = where === 'HTTP/2' ? 'h2' : 'http/1.1'
    const socket = await client.webSocket(urls[where], { protocols: ['a', 'b'], version })
    expect([socket.protocol, socket.version]).toEqual(['b', version])
    const large = new Uint8Array(300_000).map((_, i) => i)
    const said = ['', 'grüezi', 'x'.repeat(70_000), new Uint8Array(0), large]
    for (const one of said) await socket.send(one)
    let count = 0
    for await (const message of socket) {
      const expected = said[count++]!
      expect(typeof message).toBe(typeof expected)
      expect(Buffer.from(message as string).equals(Buffer.from(expected as string))).toBe(true)
      if (count === said.length) break
    }
    expect(await socket.closed).toEqual({ code: 1000, reason: '' })
    await client.close()
  })

  it('says goodbye when its client is closed, and is cut off when that is destroyed', async () => {
    const client = new Client(options())
    const how = where === 'HTTP/2' ? ({ version: 'h2' } as const) : {}
    const socket = await client.webSocket(urls[where], how)
    await socket.ping()
    await client.close()
    expect(await socket.closed).toEqual({ code: 1001, reason: '' })
    await expect(client.webSocket(urls[where])).rejects.toThrow('the client was closed')
    const other = new Client(options())
    const cut = await other.webSocket(urls[where], how)
    other.destroy()
    expect(await cut.closed).toEqual({ code: 1006, reason: 'the client was destroyed' })
    await expect(cut[Symbol.asyncIterator]().next()).rejects.toThrow('the client was destroyed')
  })
})

it('a connection over HTTP/2 that is there is used, if its server takes that', async () => {
  const client = new Client(options())
  const url = urls['HTTP/2']
  await (await client.fetch(url.replace('wss', 'https'))).text()
  const socket = await client.webSocket(url)
  expect(socket.version).toBe('h2')
  socket.close(3000, 'done')
  expect(await socket.closed).toEqual({ code: 3000, reason: '' })
  await client.close()
})

it('what the other side says of the end is told: a code, or that there was none', async () => {
  const client = new Client(options())
  const polite = await client.webSocket(`${urls.plain}/bye`)
  for await (const message of polite) expect.fail(String(message))
  expect(await polite.closed).toEqual({ code: 4001, reason: 'no' })
  const gone = await client.webSocket(`${urls.plain}/gone`)
  await expect(gone[Symbol.asyncIterator]().next()).rejects.toThrow(/without a close frame|broke/)
  expect((await gone.closed).code).toBe(1006)
  const ours = await client.webSocket(urls.plain)
  ours.close(4002, 'our reason')
  await ours.closed
  expect(await ends.at(-1)).toBe('4002 our reason')
  expect(() => ours.close(1001)).toThrow(RangeError)
  expect(() => ours.close(1000, 'é'.repeat(62))).toThrow(RangeError)
  await client.close()
})

it('several may wait for messages at once, and each gets one, or hears of the end', async () => {
  const client = new Client(options())
  const socket = await client.webSocket(urls.plain)
  const messages = socket[Symbol.asyncIterator]()
  const waiting = [messages.next(), messages.next(), messages.next()]
  socket.send('one')
  socket.send('two')
  expect(await Promise.all(waiting.slice(0, 2))).toEqual([
    { done: false, value: 'one' },
    { done: false, value: 'two' },
  ])
  socket.close()
  expect(await waiting[2]).toEqual({ done: true, value: undefined })
  await client.close()
})

it('pings that are not waited for end no process when it ends', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const client = new Client(options())
  const socket = await client.webSocket(urls.plain)
  void socket.ping()
  const waited = socket.ping()
  client.destroy()
  void socket.ping()
  await expect(waited).rejects.toMatchObject({ kind: 'aborted' })
  await new Promise(resolve => setTimeout(resolve, 10))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

it('one that is granted in the moment in which its client is closed is closed, too', async () => {
  const net = network()
  let granted = (): void => {}
  const connector: Connector = {
    connect: async (target, options) => {
      const connected = await net.connect(target, options)
      const { transport } = connected
      const pause = transport.pause.bind(transport)
      // What is behind the answer waits from the moment on in which it has been read.
      transport.pause = () => {
        pause()
        granted()
      }
      return connected
    },
  }
  const client = new Client({ connector })
  let closed: Promise<void> | undefined
  granted = () => {
    closed ??= client.close()
  }
  await expect(client.webSocket(urls.plain)).rejects.toMatchObject({ kind: 'aborted' })
  await closed
  expect(await ends.at(-1)).toBe('1006 ')
})

it('messages that are not taken keep the server waiting, and none is lost', async () => {
  const client = new Client(options())
  const socket = await client.webSocket(`${urls.plain}/many`)
  const before = kept()
  await new Promise(resolve => setTimeout(resolve, 200))
  expect(kept() - before).toBeLessThan(30_000_000)
  let count = 0
  for await (const message of socket) {
    expect((message as Uint8Array)[0]).toBe(count & 255)
    if (++count === 200) break
  }
  await client.close()
})

describe('a server that', () => {
  const granted = (key: string, more = ''): string =>
    'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n${more}\r\n`
  const keyOf = (head: string): string => /Sec-WebSocket-Key: (\S+)/i.exec(head)![1]!

  const REFUSALS: Readonly<Record<string, readonly [(key: string) => string, RegExp, number?]>> = {
    'wants to know who asks': [
      () => 'HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n',
      /^no websocket at http:.*: 401 Who$/,
      401,
    ],
    'answers without an upgrade': [() => 'HTTP/1.1 200 OK\r\n\r\n', /200 OK$/, 200],
    'has another key': [() => granted('other'), /has not read the key/],
    'speaks another protocol': [
      key => granted(key).replace('Upgrade: websocket', 'Upgrade: x'),
      /the server chose x/,
    ],
    'chooses a subprotocol unasked': [key => granted(key, 'Sec-WebSocket-Protocol: z\r\n'), /chose z/],
    'chooses an extension unasked': [
      key => granted(key, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'),
      /an extension/,
    ],
    'hints for ever': [() => 'HTTP/1.1 103 Hints\r\n\r\n'.repeat(40), /more than 32 interim/],
    'speaks no HTTP': [() => 'SSH-2.0-OpenSSH_9.6\r\n', /status line/],
  }
  it.each(Object.entries(REFUSALS))('%s', async (_, [answer, expected, status]) => {
    const server = await RawServer.saying(head => answer(keyOf(head)))
    closers.push(() => server.close())
    const client = new Client()
    const error = (await client.webSocket(server.url).catch((error: unknown) => error)) as ClientError
    expect(error).toBeInstanceOf(ClientError)
    expect(error.message).toMatch(expected)
    if (status !== undefined) expect((error.cause as NotGranted).status).toBe(status)
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
  })

  const FRAMES: Readonly<Record<string, readonly [readonly number[], number]>> = {
    'masks its frames': [[0x82, 0x81, 1, 2, 3, 4, 5], 1002],
    'sends a reserved bit': [[0xc1, 0], 1002],
    'sends text that is none': [[0x81, 1, 0xff], 1007],
    'sends too much': [[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], 1009],
    'pings at length': [[0x89, 126, 0, 200], 1002],
    'goes on with nothing': [[0x80, 1, 65], 1002],
    'closes with a code that is none': [[0x88, 2, 0x03, 0xed], 1002],
  }
  it.each(Object.entries(FRAMES))('%s', async (_, [bytes, code]) => {
    const server = await RawServer.start(socket => {
      socket.once('data', head => {
        socket.write(granted(keyOf(String(head))))
        socket.write(Buffer.from(bytes))
        socket.on('data', () => socket.end())
      })
    })
    closers.push(() => server.close())
    const client = new Client()
    const socket = await client.webSocket(server.url)
    await expect(socket[Symbol.asyncIterator]().next()).rejects.toThrow(/^it broke a rule: /)
    expect((await socket.closed).code).toBe(code)
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
  })
})

it('a server of HTTP/2 that does not greet is waited for no longer than for an answer', async () => {
  const server = await RawServer.start(socket => void socket.resume())
  closers.push(() => server.close())
  const net = network()
  const connector: Connector = {
    connect: async (target, options) => ({ ...(await net.connect(target, options)), alpn: 'h2' }),
  }
  const late = new Client({ connector, timeouts: { headers: 50 } })
  const how = { version: 'h2' } as const
  await expect(late.webSocket(server.url, how)).rejects.toMatchObject({ kind: 'timeout', timeout: 'headers' })
  late.destroy()
  const idle = new Client({ connector, timeouts: { headers: 0, idle: 1 } })
  await expect(idle.webSocket(server.url, how)).rejects.toThrow(/ended before its SETTINGS/)
  idle.destroy()
})

it('a server of HTTP/2 that ends the connection before it greets is told as one', async () => {
  const server = await RawServer.start(socket => void socket.once('data', () => socket.end()))
  closers.push(() => server.close())
  const net = network()
  const connector: Connector = {
    connect: async (target, options) => ({ ...(await net.connect(target, options)), alpn: 'h2' }),
  }
  const client = new Client({ connector })
  await expect(client.webSocket(server.url, { version: 'h2' })).rejects.toThrow(/ended before its SETTINGS/)
  client.destroy()
})

it('what cannot be asked for is not', async () => {
  const client = new Client()
  for (const protocols of [['a b'], ['a', 'a'], ['a\r\nb']])
    await expect(client.webSocket(urls.plain, { protocols })).rejects.toThrow(TypeError)
  await expect(client.webSocket('ftp://a/')).rejects.toThrow(TypeError)
  await expect(client.webSocket(urls['HTTP/2'], { version: 'h2' })).rejects.toThrow(ClientError)
  await client.close()
})

it('goes through a proxy as a tunnel, without TLS, too', async () => {
  const asked: string[] = []
  const proxy = createServer((_, response) => response.writeHead(405).end())
  proxy.on('connect', ({ url }, socket) => {
    asked.push(url!)
    if (url !== new URL(urls.plain).host) {
      socket.end('HTTP/1.1 403 No\r\n\r\n')
      return
    }
    const there = connect(Number(new URL(urls.plain).port), '127.0.0.1')
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    there.on('error', () => {}).pipe(socket)
    socket.on('error', () => {}).pipe(there)
  })
  const client = new Client({ proxy: { url: `http://127.0.0.1:${await listen(proxy)}` } })
  await expect(client.webSocket('ws://a.test/')).rejects.toThrow(/403 No/)
  const socket = await client.webSocket(urls.plain)
  await socket.ping()
  socket.close()
  expect((await socket.closed).code).toBe(1000)
  expect(asked).toEqual(['a.test:80', new URL(urls.plain).host])
  await client.close()
})
