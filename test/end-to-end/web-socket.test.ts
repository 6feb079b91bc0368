import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { Client as FetchClient } from '../../src/client/index.ts'
import { Opcode, writeFrame } from '../../src/http/websocket/index.ts'
import { EMPTY, utf8 } from '../../src/wire/index.ts'
import { Client, textOf } from '../support/client.ts'
import { framesOf, Http2Client } from '../support/http2-client.ts'
import { Platform } from '../support/platform.ts'
import { UPGRADE } from '../support/upgrade.ts'

/** Counts its messages, wherever the socket is. */
const CHAT = `
export default { fetch: () => new Response('a WebSocket is served here') }
export function webSocket(socket, context, state = { count: 0 }) {
  return {
    message: data => {
      if (typeof data !== 'string') return socket.send(data)
      socket.send(++state.count + ' ' + data + ' ' + context.connection.container)
    },
    freeze: () => state,
  }
}
export const webSocketProtocols = ['chat']
`
/** Sends one event, and the other one when it is told to. */
const EVENTS = `
let goOn
const event = data => new TextEncoder().encode('data: ' + data + '\\n\\n')
export default request => {
  if (new URL(request.url).pathname.endsWith('/go')) {
    goOn()
    return new Response('gone')
  }
  const start = controller => controller.enqueue(event('one'))
  const pull = async controller => {
    await new Promise(resolve => { goOn = resolve })
    controller.enqueue(event('two'))
    controller.close()
  }
  const headers = { 'content-type': 'text/event-stream' }
  return new Response(new ReadableStream({ start, pull }, { highWaterMark: 0 }), { headers })
}
`
const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./chat.mjs, replicas: 2 }
  hello: {}
  echo-raw: { handler: ./events.mjs }
`

let platform: Platform
let tls: { ca: string; serverName: string }

beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, files: { 'chat.mjs': CHAT, 'events.mjs': EVENTS } })
  tls = { ca: platform.ca, serverName: 'echo.local' }
})
afterAll(() => platform?.stop())
beforeEach(async () => {
  for (const name of ['echo-1', 'echo-2'])
    await platform.until(name, ({ ready, counters }) => ready && counters.keyRing! >= 2)
})

/** A socket of the package ws, and what it says. */
async function open(url: string): Promise<{ socket: WebSocket; ask: (data: string) => Promise<string> }> {
  const socket = new WebSocket(url, ['chat'], {
    ca: platform.ca,
    servername: 'echo.local',
    headers: { host: 'echo.local' },
  } as ClientOptions)
  await once(socket, 'open')
  expect(socket.protocol).toBe('chat')
  const ask = async (data: string): Promise<string> => {
    const answer = once(socket, 'message')
    socket.send(data)
    return String((await answer)[0])
  }
  return { socket, ask }
}

describe('a WebSocket', () => {
  it.each(['wss', 'ws'] as const)('is spoken with the package ws: %s', async scheme => {
    const port = scheme === 'wss' ? platform.https : platform.http
    const { socket, ask } = await open(`${scheme}://127.0.0.1:${port}/echo`)
    expect(await ask('a')).toMatch(/^1 a echo-\d$/)
    const bytes = once(socket, 'message')
    const sent = new Uint8Array(300_000).map((_, i) => i * 7)
    socket.send(sent)
    expect(Buffer.compare((await bytes)[0] as Buffer, Buffer.from(sent))).toBe(0)
    socket.close(4000, 'enough')
    expect((await once(socket, 'close'))[0]).toBe(4000)
  })

  it('arrives where another function has served before it', async () => {
    const socket = connectTls({
      port: platform.https,
      host: '127.0.0.1',
      ca: platform.ca,
      servername: 'hello.local',
      ALPNProtocols: ['http/1.1'],
    })
    const heard: Buffer[] = []
    socket.on('data', bytes => heard.push(bytes))
    await once(socket, 'secureConnect')
    socket.write('GET / HTTP/1.1\r\nHost: hello.local\r\n\r\n')
    await once(socket, 'data')
    socket.write(`GET /echo HTTP/1.1\r\nHost: a\r\n${UPGRADE}\r\n`)
    socket.write(writeFrame(Opcode.TEXT, utf8('x'), { mask: new Uint8Array(4) }))
    while (!/1 x echo-\d$/.test(Buffer.concat(heard).toString('latin1'))) await once(socket, 'data')
    expect(Buffer.concat(heard).toString('latin1')).toMatch(/Hello, world![\s\S]*HTTP\/1\.1 101 /)
    socket.destroy()
  })

  it.each(['http/1.1', 'h2'] as const)('of our own client is served over %s', async version => {
    const client = new FetchClient({ tls: { ca: platform.ca } })
    const url = `wss://echo.localhost:${platform.https}/chat`
    const socket = await client.webSocket(url, { version, protocols: ['chat'] })
    expect([socket.version, socket.protocol]).toEqual([version, 'chat'])
    socket.send('hello')
    socket.send(new Uint8Array(70_000))
    const heard: string[] = []
    for await (const message of socket) {
      heard.push(typeof message === 'string' ? message.slice(0, 7) : `${message.length}`)
      if (heard.length === 2) break
    }
    expect(heard).toEqual(['1 hello', '70000'])
    expect((await socket.closed).code).toBe(1000)
    await client.close()
  })

  it('shares a connection of HTTP/2 with requests', async () => {
    const client = await Http2Client.open({ port: platform.https, tls })
    expect(textOf(await client.request('/hello'))).toBe('Hello, world!\n')
    const back = client.tunnel('/echo')
    const next = framesOf(back)
    expect(await back.status).toBe(200)
    back.write(writeFrame(Opcode.TEXT, utf8('one'), { mask: Uint8Array.of(1, 2, 3, 4) }))
    expect(new TextDecoder().decode((await next()).payload)).toMatch(/^1 one echo-\d$/)
    // The stream keeps the connection here: others are lent.
    expect((await client.request('/hello')).container).toBe('hello-1')
    back.write(writeFrame(Opcode.CLOSE, EMPTY, { mask: new Uint8Array(4) }))
    expect((await next()).opcode).toBe(Opcode.CLOSE)
    await client.close()
  })
})

describe('server-sent events', () => {
  it('arrive one by one, over HTTP/1.1', async () => {
    const client = await Client.open({ port: platform.http })
    const other = await Client.open({ port: platform.http })
    const whole = client.request('/echo-raw')
    const heard = (): string => Buffer.concat(client.raw).toString()
    while (!heard().includes('data: one\n\n')) await once(client.socket, 'data')
    expect(heard()).not.toContain('two')
    await other.request('/echo-raw/go')
    expect(textOf(await whole)).toBe('data: one\n\ndata: two\n\n')
    await client.close()
    await other.close()
  })

  it('arrive one by one, over HTTP/2, on one connection', async () => {
    const client = await Http2Client.open({ port: platform.https, tls })
    let first!: () => void
    const begun = new Promise<void>(resolve => {
      first = resolve
    })
    const whole = client.request('/echo-raw', { onData: () => first() })
    await begun
    expect(textOf(await client.request('/echo-raw/go'))).toBe('gone')
    expect(textOf(await whole)).toBe('data: one\n\ndata: two\n\n')
    await client.close()
  })
})
