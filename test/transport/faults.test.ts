import { Duplex, PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { H1Exchange } from '../../src/http/h1/exchange.ts'
import { H1Server } from '../../src/http/h1/index.ts'
import { H1Pump } from '../../src/http/h1/pump.ts'
import { H1Serving } from '../../src/http/h1/serving.ts'
import { H2Exchange } from '../../src/http/h2/exchanges/exchange.ts'
import { H2Client, H2Server } from '../../src/http/h2/index.ts'
import { H2Serving } from '../../src/http/h2/serving.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { Session } from '../../src/tls13/index.ts'
import { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { secure } from '../../src/transport/secure.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import type { Transport, TransportHandlers } from '../../src/transport/transport.ts'
import { overDuplex } from '../../src/transport/transport.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { Escapes, Faults, InjectedFault } from '../support/faults.ts'
import { HandClock } from '../support/hand-clock.ts'
import { clientConfig, serverConfig } from '../support/pair.ts'

/** Calls of each conversation that throw, one after the other; all of them in the long run. */
const PLACES = process.env.HOTPOTATO_LONG ? Number.POSITIVE_INFINITY : 60

let clock = new HandClock()
const faults = new Faults()
const escapes = new Escapes()
const turn = (): Promise<void> => new Promise(resolve => setImmediate(() => setImmediate(resolve)))

beforeEach(() => {
  clock = new HandClock()
  escapes.start()
})
afterEach(() => {
  faults.stop()
  escapes.stop()
})

/**
 * Tries every place of a conversation. @param suffer has it, with what throws armed; gives what must be true
 * afterwards
 */
async function everywhere(suffer: () => Promise<boolean>): Promise<void> {
  faults.arm(0)
  expect(await suffer()).toBe(true)
  expect(faults.calls).toBeGreaterThan(10)
  const { calls } = faults
  const stride = Math.max(1, Math.floor(calls / PLACES))
  for (let at = 1; at <= calls; at += stride) {
    escapes.errors.length = 0
    faults.arm(at)
    const ended = await suffer()
    const where = `call ${at} of ${calls}, ${faults.thrown}`
    expect(escapes.errors, where).toEqual([])
    expect(ended, where).toBe(true)
  }
}

/** A transport in memory. */
class FakeCarrier implements Transport {
  queued = false
  readonly unsent = 0
  onDrain: (() => void) | undefined
  readonly sent: Uint8Array[] = []
  handlers: TransportHandlers | undefined
  read(handlers: TransportHandlers): void {
    this.handlers = handlers
  }
  pause(): void {}
  resume(): void {}
  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    for (const chunk of chunks) this.sent.push(chunk.slice())
    return this.queued ? 'queued' : 'flushed'
  }
  end(): void {}
  destroy(): void {
    this.handlers = undefined
    this.onDrain = undefined
  }
}

const app: HttpHandlers = {
  async request(request, response) {
    if (request.path === '/throws') throw new Error('on purpose')
    if (request.path === '/never') return
    if (request.path === '/small') {
      response.reply({ status: 200, body: 'small' })
      return
    }
    response.begin({ status: 200, headers: [], length: undefined })
    await response.write(new Uint8Array(100_000))
    request.content({
      data: async bytes => void (await response.write(bytes)),
      end: () => response.end(),
      broken: () => response.abort(),
    })
  },
}

const PIECES: Readonly<Record<string, () => Uint8Array[]>> = {
  'HTTP/1.1': () =>
    [
      'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
      '5\r\n12345\r\n0\r\n\r\n',
      'GET /small HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /throws HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /never HTTP/1.1\r\nHost: a\r\n\r\n',
    ].map(utf8),
  'HTTP/2'() {
    const client = new H2Client()
    const pieces = [client.takeOutput()]
    for (const path of ['/echo', '/small', '/throws', '/never']) {
      const id = client.request({ method: 'POST', scheme: 'http', authority: 'a', path }, false)
      client.write(id, utf8('12345'))
      pieces.push(client.takeOutput())
      if (path !== '/never') client.end(id)
      pieces.push(client.takeOutput())
    }
    return pieces
  },
}

describe('whatever throws over a served connection', () => {
  it.each(Object.entries(PIECES))('ends it alone: %s', { timeout: 600_000 }, async (_, pieces) => {
    for (const Watched of [H1Pump, H1Serving, H2Serving, H1Exchange, H2Exchange, H1Server, H2Server])
      faults.watch(Watched)
    await everywhere(async () => {
      const { at } = faults
      const transport = new FakeCarrier()
      // What throws before belongs to the caller of serveConnection.
      faults.arm(0)
      const served = serveConnection(faults.around(transport, 'Transport'), app, { encrypted: false, clock })
      faults.arm(at)
      let closed = 0
      void served.closed.then(() => closed++)
      const step = async (work: () => void): Promise<void> => {
        try {
          work()
        } catch (error) {
          if (error instanceof InjectedFault) escapes.errors.push(error)
        }
        await turn()
      }
      for (const piece of pieces()) await step(() => transport.handlers?.bytes(piece))
      await step(() => transport.onDrain?.())
      await step(() => clock.pass(70_000))
      await step(() => served.drain())
      await step(() => transport.handlers?.end())
      const { calls } = faults
      faults.arm(0)
      served.destroy()
      await turn()
      const neighbour = new FakeCarrier()
      const other = serveConnection(neighbour, app, { encrypted: false, clock })
      neighbour.handlers?.bytes(utf8('GET /small HTTP/1.1\r\nHost: a\r\n\r\n'))
      await turn()
      const answered = new TextDecoder().decode(concat(...neighbour.sent)).startsWith('HTTP/1.1 200')
      other.destroy()
      faults.calls = calls
      return closed === 1 && answered
    })
  })
})

/** The two ends of a pipe. */
function pipe(): [Duplex, Duplex] {
  const [there, back] = [new PassThrough(), new PassThrough()]
  return [Duplex.from({ readable: back, writable: there }), Duplex.from({ readable: there, writable: back })]
}

/** A client of ours says hello, and hears it again if nothing is wrong. */
async function hello(stream: Duplex): Promise<string> {
  const client = TlsDuplex.client(stream, clientConfig(), { handshakeTimeout: 0, clock })
  let heard = ''
  client.on('data', (bytes: Uint8Array) => {
    heard += Buffer.from(bytes).toString()
  })
  client.on('error', error => {
    heard = error.message
  })
  client.write('hello')
  for (let i = 0; i < 40 && heard === ''; i++) await turn()
  client.end()
  for (let i = 0; i < 20; i++) await turn()
  client.destroy()
  return heard
}

const KINDS: Readonly<Record<string, (stream: Duplex) => void>> = {
  TlsDuplex(stream) {
    const { at } = faults
    faults.arm(0)
    const server = TlsDuplex.server(stream, serverConfig(), { clock })
    faults.arm(at)
    server.on('error', () => {})
    server.on('data', (bytes: Uint8Array) => server.write(bytes))
    server.on('end', () => server.end())
  },
  secure(stream) {
    const { at } = faults
    faults.arm(0)
    const secured = secure(overDuplex(stream), serverConfig(), { clock })
    faults.arm(at)
    secured.then(
      transport =>
        transport.read({
          bytes: view => void transport.write([view.slice()]),
          end: () => transport.end(),
          error() {},
        }),
      () => {},
    )
  },
}

describe('whatever throws out of a TLS session', () => {
  it.each(Object.entries(KINDS))(
    'ends its connection alone: %s',
    { timeout: 600_000 },
    async (_, serveOn) => {
      faults.aroundMade(Session, 'server')
      await everywhere(async () => {
        const [near, far] = pipe()
        for (const stream of [near, far]) stream.on('error', () => {})
        serveOn(far)
        const heard = await hello(near)
        const { calls, at } = faults
        faults.arm(0)
        const [one, other] = pipe()
        for (const stream of [one, other]) stream.on('error', () => {})
        serveOn(other)
        const neighbour = await hello(one)
        faults.calls = calls
        clock.pass(20_000)
        return (at > 0 || heard === 'hello') && neighbour === 'hello'
      })
    },
  )
})
