import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { serving } from '../../src/http/alpn.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/index.ts'
import { H2Client } from '../../src/http/h2/index.ts'
import type { Field, ResponseView } from '../../src/http/message.ts'
import { header } from '../../src/http/message.ts'
import type {
  HttpHandlers,
  HttpRequest,
  HttpResponse,
  HttpTunnel,
  ServingContext,
} from '../../src/http/serving.ts'
import { DEFAULT_TIMERS } from '../../src/http/timers.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { bytes, text } from '../support/h1-messages.ts'

const UPGRADE: Field[] = [['Upgrade', 'x']]
const ASK = 'GET /t HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'

const says200 = () => ({ status: 200, body: 'all is well' })
const refuses = (): never => {
  throw new Error('no')
}
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** What the application sees of a tunnel. */
class Ear {
  heard: string[] = []
  tunnel: HttpTunnel | undefined
  busy: Promise<void> | undefined

  open(_request: HttpRequest, response: HttpResponse): void {
    this.tunnel = response.upgrade(UPGRADE, {
      data: piece => {
        this.heard.push(text(piece))
        return this.busy
      },
      end: () => this.heard.push('[end]'),
      broken: reason => this.heard.push(`[${reason.message}]`),
    })
  }
}

function scene(handlers: HttpHandlers, alpn: 'http/1.1' | 'h2' = 'http/1.1', tunnels = false) {
  const clock = { now: 0, wakes: 0 }
  const context: ServingContext = {
    handlers,
    timers: DEFAULT_TIMERS,
    now: () => clock.now,
    date: () => clock.now,
    wake: () => clock.wakes++,
    earlyBytes: () => 0,
    fault() {},
  }
  const one = serving(alpn, false, context, { http1: { ...DEFAULT_LIMITS, bodyBytes: 10, tunnels } })
  return { one, clock, sent: () => text(concat(...one.takeOutput())) }
}

describe('an upgrade over HTTP/1.1', () => {
  it('leaves the connection to the application', async () => {
    const ear = new Ear()
    const { one, clock, sent } = scene({ request: (request, response) => ear.open(request, response) })
    one.receive(bytes(`${ASK}first`))
    expect(sent()).toBe('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')
    expect(ear.heard).toEqual([])
    await turn()
    expect(ear.heard).toEqual(['first'])
    ear.tunnel!.write(utf8('answer'))
    expect(sent()).toBe('answer')
    one.receive(bytes('GET / HTTP/1.1\r\n\r\n'))
    expect(ear.heard.at(-1)).toBe('GET / HTTP/1.1\r\n\r\n')
    clock.now = 1e9
    one.tick()
    expect(one.shouldClose).toBe(false)
    one.finish()
    expect(ear.heard.at(-1)).toBe('[end]')
    ear.tunnel!.write(utf8('bye'))
    ear.tunnel!.end()
    expect([sent(), one.shouldClose, one.aborted]).toEqual(['bye', true, false])
    expect(ear.tunnel!.write(utf8('too late'))).toBeUndefined()
    expect(sent()).toBe('')
  })

  it('holds the client back while the application is busy', async () => {
    const ear = new Ear()
    const { one } = scene({ request: (request, response) => ear.open(request, response) })
    let go = (): void => {}
    ear.busy = new Promise(resolve => {
      go = resolve
    })
    one.receive(bytes(`${ASK}1`))
    one.receive(bytes('2'))
    await turn()
    one.finish()
    expect([ear.heard, one.wantsInput]).toEqual([['1'], false])
    ear.busy = undefined
    go()
    await turn()
    expect(ear.heard).toEqual(['1', '2', '[end]'])
  })

  it('ends one way after the other, whichever is first', async () => {
    for (const first of ['client', 'application']) {
      const ear = new Ear()
      const { one, sent } = scene({ request: (request, response) => ear.open(request, response) })
      one.receive(bytes(ASK))
      sent()
      await turn()
      if (first === 'client') one.finish()
      ear.tunnel!.write(utf8('last'))
      ear.tunnel!.endOutput()
      ear.tunnel!.write(utf8('too late'))
      ear.tunnel!.endOutput()
      expect([sent(), one.shouldClose]).toEqual(['last', first === 'client'])
      if (first === 'client') continue
      expect([one.outputEnded, one.wantsInput]).toEqual([true, true])
      one.receive(bytes('and more'))
      expect(one.shouldClose).toBe(false)
      one.finish()
      expect([ear.heard, one.shouldClose, one.aborted]).toEqual([['and more', '[end]'], true, false])
    }
  })

  it('whose half is over can be ended all the same', async () => {
    const ear = new Ear()
    const { one } = scene({ request: (request, response) => ear.open(request, response) })
    one.receive(bytes(ASK))
    await turn()
    ear.tunnel!.endOutput()
    ear.tunnel!.end()
    expect([one.shouldClose, one.aborted]).toEqual([true, false])
  })

  it('ends with the stream', () => {
    const ear = new Ear()
    const { one } = scene({ request: (request, response) => ear.open(request, response) })
    one.receive(bytes(ASK))
    one.broken(new Error('reset'))
    expect([ear.heard, one.shouldClose]).toEqual([['[reset]'], true])
  })

  it('whose application throws is cut', async () => {
    const faults: string[] = []
    const { one } = scene({
      request: (_, response) =>
        void response.upgrade(UPGRADE, {
          data() {
            throw new Error('oh')
          },
          end() {},
          broken() {},
        }),
      error: fault => void faults.push(fault.reason) as undefined,
    })
    one.receive(bytes(`${ASK}x`))
    await turn()
    expect([one.shouldClose, one.aborted, faults]).toEqual([true, true, ['oh']])
  })

  it('that its application gives up is cut, and the application told, also when all is over', async () => {
    const faults: string[] = []
    const ear = new Ear()
    const { one } = scene({
      request: (request, response) => ear.open(request, response),
      error: fault => void faults.push(`${fault.kind} ${fault.reason}`) as undefined,
    })
    one.receive(bytes(ASK))
    await turn()
    ear.tunnel!.fail(new Error('oh'))
    expect([one.shouldClose, one.aborted, faults]).toEqual([true, true, ['application oh']])
    ear.tunnel!.fail(Object.create(null))
    expect(faults).toEqual(['application oh', 'application something that cannot be shown'])
  })

  it.each(['reply', 'begin'] as const)('is not granted to CONNECT by %s with 2xx', how => {
    const { one, sent } = scene(
      {
        request: (_, response) => {
          if (how === 'reply') response.reply({ status: 200, body: 'page' })
          else response.begin({ status: 204, headers: [], length: 0 })
        },
      },
      'http/1.1',
      true,
    )
    one.receive(bytes('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'))
    expect(sent()).toMatch(/^HTTP\/1\.1 501 /)
  })

  it.each([
    ['a handler that throws', true, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 500],
    ['a server without tunnels', false, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 501],
    ['a head that makes no sense', true, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nx y\r\n\r\n', 400],
  ])('is not granted to CONNECT by what error says with 2xx, after %s', (_, tunnels, asked, status) => {
    const { one, sent } = scene({ request: refuses, error: says200 }, 'http/1.1', tunnels)
    one.receive(bytes(asked))
    expect(sent()).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\nall is well$`))
  })

  it('is not given to those who did not ask, and may be refused', () => {
    const plain = scene({
      request: (_, response) => void response.upgrade(UPGRADE, { data() {}, end() {}, broken() {} }),
    })
    plain.one.receive(bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(plain.sent()).toMatch(/^HTTP\/1\.1 500 /)
    const refused = scene({
      request: ({ protocol }, response) => response.reply({ status: 404, body: String(protocol) }),
    })
    refused.one.receive(bytes(ASK))
    expect(refused.sent()).toMatch(/^HTTP\/1\.1 404 [\s\S]*\r\n\r\nx$/)
  })
})

describe('a CONNECT request over HTTP/2 (RFC 8441)', () => {
  function ask(handlers: HttpHandlers, protocol?: string) {
    const { one, clock } = scene(handlers, 'h2')
    const client = new H2Client()
    const seen: string[] = []
    const run = (): void => {
      for (let again = true; again; ) {
        const there = client.takeOutput()
        if (there.length > 0) one.receive(there)
        const back = concat(...one.takeOutput())
        if (back.length > 0) client.receive(back)
        for (let event = client.next(); event !== undefined; event = client.next()) {
          if (event.type === 'response') seen.push(String(event.status))
          if (event.type === 'data' && event.data.length > 0) seen.push(text(event.data))
          if (event.type === 'data' && event.endStream) seen.push('[end]')
          if (event.type === 'reset') seen.push('[reset]')
        }
        again = there.length > 0 || back.length > 0
      }
    }
    run()
    const head = { method: 'CONNECT', authority: 'a' }
    const id = client.request(
      protocol === undefined ? head : { ...head, scheme: 'https', path: '/t', protocol },
      false,
    )
    run()
    return { client, id, seen, run, clock, one }
  }

  it('is a tunnel as well', async () => {
    const ear = new Ear()
    const asked: (string | undefined)[] = []
    const { client, id, seen, run, clock, one } = ask(
      {
        request(request, response) {
          asked.push(request.protocol, request.path)
          ear.open(request, response)
        },
      },
      'websocket',
    )
    expect([asked, seen]).toEqual([['websocket', '/t'], ['200']])
    client.write(id, utf8('ping'))
    run()
    await turn()
    run()
    ear.tunnel!.write(utf8('pong'))
    run()
    clock.now = 1e9
    client.end(id)
    run()
    ear.tunnel!.end()
    run()
    expect([ear.heard, seen]).toEqual([
      ['ping', '[end]'],
      ['200', 'pong', '[end]'],
    ])
    expect(one.shouldClose).toBe(false)
  })

  it('ends one way after the other, whichever is first', async () => {
    for (const first of ['client', 'application']) {
      const ear = new Ear()
      const { client, id, seen, run } = ask(
        { request: (request, response) => ear.open(request, response) },
        'websocket',
      )
      await turn()
      const end = (): void => {
        ear.tunnel!.write(utf8('last'))
        ear.tunnel!.endOutput()
        ear.tunnel!.write(utf8('too late'))
        ear.tunnel!.endOutput()
        run()
      }
      if (first === 'application') end()
      client.write(id, utf8('and more'))
      client.end(id)
      run()
      await turn()
      if (first === 'client') end()
      expect([ear.heard, seen]).toEqual([
        ['and more', '[end]'],
        ['200', 'last', '[end]'],
      ])
      expect(client.openStreams).toBe(0)
    }
  })

  it('hears more in all than a request may have content', async () => {
    const ear = new Ear()
    const { client, id, seen, run } = ask(
      { request: (request, response) => ear.open(request, response) },
      'websocket',
    )
    for (const said of ['eight by', 'tes, and', ' more']) {
      client.write(id, utf8(said))
      run()
      await turn()
    }
    expect([ear.heard.join(''), seen]).toEqual(['eight bytes, and more', ['200']])
  })

  it.each(['reply', 'begin'] as const)('is not granted by %s with 2xx', how => {
    const { seen } = ask(
      {
        request: (_, response) => {
          if (how === 'reply') response.reply({ status: 200, body: 'page' })
          else response.begin({ status: 204, headers: [], length: undefined })
        },
      },
      'websocket',
    )
    expect(seen[0]).toBe('501')
  })

  it.each([
    ['a handler that throws', 'websocket', '500'],
    ['nothing that is spoken here', undefined, '501'],
  ])('is not granted by what error says with 2xx, after %s', (_, protocol, status) => {
    const { seen } = ask({ request: refuses, error: says200 }, protocol)
    expect(seen.slice(0, 3)).toEqual([status, 'all is well', '[end]'])
  })

  it.each([
    ['nothing', null],
    ['no status', {}],
    ['a field that is none', { status: 400, headers: [['x y', '']] }],
  ])('gets 500, and its connection goes on, where error says what cannot be sent: %s', (_, said) => {
    const { seen, one } = ask({ request: refuses, error: () => said as unknown as ResponseView })
    expect([seen[0], one.shouldClose]).toEqual(['500', false])
  })

  it('that its application gives up is reset, and the application told', async () => {
    const faults: string[] = []
    const ear = new Ear()
    const { seen, run } = ask(
      {
        request: (request, response) => ear.open(request, response),
        error: fault => void faults.push(`${fault.kind} ${fault.reason}`) as undefined,
      },
      'websocket',
    )
    await turn()
    ear.tunnel!.fail(new Error('oh'))
    run()
    expect([seen, faults]).toEqual([['200', '[reset]'], ['application oh']])
  })

  it('without a protocol gets 501, as over HTTP/1.1', () => {
    const { seen } = ask({
      request() {
        throw new Error('not to be asked')
      },
    })
    expect(seen[0]).toBe('501')
  })
})

/** The least of WebSocket (RFC 6455): gives whole frames back, unmasked, and closes when asked to. */
function echo(request: HttpRequest, response: HttpResponse): void {
  const key = header(request.headers, 'sec-websocket-key') ?? ''
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  let held = new Uint8Array(0)
  const tunnel = response.upgrade(
    [
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Accept', accept],
    ],
    {
      data(piece) {
        held = new Uint8Array(concat(held, piece))
        // Messages of this test have less than 126 bytes.
        while (held.length >= 6 && held.length >= 6 + (held[1]! & 0x7f)) {
          const length = held[1]! & 0x7f
          const mask = held.subarray(2, 6)
          const content = held.slice(6, 6 + length).map((byte, i) => byte ^ mask[i % 4]!)
          tunnel.write(concat(Uint8Array.of(held[0]!, length), content))
          if ((held[0]! & 0xf) === 8) tunnel.end()
          held = held.slice(6 + length)
        }
      },
      end: () => tunnel.end(),
      broken() {},
    },
  )
}

describe('a WebSocket', () => {
  const server = createServer({ allowHalfOpen: true }, socket => serveConnection(socket, { request: echo }))
  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => void server.close())

  it('of the ws package speaks with an application', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat`)
    await once(socket, 'open')
    for (const said of ['hello', '', 'x'.repeat(125)]) {
      socket.send(said)
      const [heard] = await once(socket, 'message')
      expect(String(heard)).toBe(said)
    }
    socket.close(1000, 'done')
    const [code] = await once(socket, 'close')
    expect(code).toBe(1000)
  })
})
