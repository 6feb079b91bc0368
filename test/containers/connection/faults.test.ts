import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { Outlet } from '../../../src/containers/connection/outlet.ts'
import { Departure } from '../../../src/containers/move/departure.ts'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import { Calls } from '../../../src/containers/protocol/calls.ts'
import { FunctionCall } from '../../../src/containers/protocol/function-call.ts'
import { Http1 } from '../../../src/containers/protocol/http1.ts'
import { Http2 } from '../../../src/containers/protocol/http2.ts'
import { Loan } from '../../../src/containers/protocol/loan.ts'
import { SocketCall } from '../../../src/containers/socket/socket-call.ts'
import { Tunnel } from '../../../src/containers/socket/tunnel.ts'
import { WebSocket } from '../../../src/containers/socket/web-socket.ts'
import { H1Exchange } from '../../../src/http/h1/exchange.ts'
import { H1Server } from '../../../src/http/h1/index.ts'
import { H1Serving } from '../../../src/http/h1/serving.ts'
import { H2Exchange } from '../../../src/http/h2/exchanges/exchange.ts'
import { H2Server } from '../../../src/http/h2/index.ts'
import { H2Serving } from '../../../src/http/h2/serving.ts'
import { Opcode, WebSocketServer, writeFrame } from '../../../src/http/websocket/index.ts'
import { Session } from '../../../src/tls13/index.ts'
import { freshHttp } from '../../../src/transfer/parcel.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, FakeStream, freshConnection, get, responses } from '../../support/connection-scene.ts'
import { Escapes, Faults, InjectedFault } from '../../support/faults.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'
import { UPGRADE } from '../../support/upgrade.ts'

let clock = new HandClock()

const REFUSED = { state: 'owned', verdict: { outcome: 'refused', reason: 'suite', detail: 'no' } } as const
/** Calls of each conversation that throw, one after the other; all of them in the long run. */
const PLACES = process.env.HOTPOTATO_LONG ? Number.POSITIVE_INFINITY : 60

const faults = new Faults()
/** What came out of a connection that should have stayed in it. */
const escapes = new Escapes()

beforeEach(() => {
  clock = new HandClock()
  for (const Watched of [H1Server, H2Server, WebSocketServer, FunctionCall, Outlet, Departure])
    faults.watch(Watched)
  for (const Watched of [
    H1Serving,
    H1Exchange,
    Http1,
    Http2,
    WebSocket,
    H2Serving,
    H2Exchange,
    Calls,
    Loan,
    Tunnel,
    SocketCall,
  ])
    faults.watch(Watched)
  faults.aroundMade(Session, 'restore')
  escapes.start()
})
afterEach(() => {
  faults.stop()
  escapes.stop()
})

/** One client, whose connection may fail at any moment; it goes on as if nothing had happened. */
interface Victim {
  readonly host: FakeHost
  /** What is handed to its connection in the place of its stream. */
  readonly watched: (stream: FakeStream) => FakeStream
  readonly began: (connection: Connection) => void
  /** Does something that the end of the connection may make impossible. */
  step(work: () => void): Promise<void>
}

function fetching(): FakeHost {
  const host = new FakeHost(undefined, { clock })
  host.available.add('echo')
  host.module = {
    kind: 'fetch',
    file: 'test',
    fetch: async request => {
      if (request.url.endsWith('/fails')) throw new Error('on purpose')
      if (request.url.endsWith('/never')) await new Promise(() => {})
      return new Response(request.body ?? 'small')
    },
    webSocket: socket => ({
      message: async data => void (await socket.send(data)),
      freeze: () => ({}),
    }),
  }
  return host
}

const CHUNKED = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n'
const message = writeFrame(Opcode.TEXT, utf8('hello'), { mask: Uint8Array.of(1, 2, 3, 4) })

function plain({ host, watched, began }: Victim): { stream: FakeStream; connection: Connection } {
  const stream = new FakeStream()
  const fresh = { sessionId: new Uint8Array(16).fill(1), idleLeft: 30_000, inbound: utf8(get('/echo')) }
  const connection = new Connection(host, freshHttp(fresh), watched(stream))
  began(connection)
  connection.start()
  return { stream, connection }
}

/** Offers that were made, settled in turn: first a refusal, then a move. */
async function settle(
  victim: Victim,
  release: Parameters<FakeHost['offers'][0]['settle']>[0],
): Promise<void> {
  const offer = victim.host.offers.shift()
  if (offer === undefined) return
  await offer.frozen.catch(() => {})
  await victim.step(() => offer.settle(release))
}

/** What is said between clients and containers, for the faults to strike anywhere in. */
const CONVERSATIONS: Readonly<Record<string, (victim: Victim) => Promise<void>>> = {
  async 'HTTP/1.1'(victim) {
    const { stream, connection } = plain(victim)
    await victim.step(() => stream.receive(utf8(`${CHUNKED}`)))
    await victim.step(() => {
      stream.blocked = true
      stream.receive(utf8(`5\r\n12345\r\n0\r\n\r\n${get('/fails')}`))
    })
    await victim.step(() => stream.drain())
    await victim.step(() => stream.receive(utf8(get('/resize'))))
    await settle(victim, REFUSED)
    await victim.step(() => connection.moveTo(new MoveOrder(2, () => {})))
    await settle(victim, REFUSED)
    await victim.step(() => stream.receive(utf8(get('/echo/never'))))
    await victim.step(() => clock.pass(70_000))
    await victim.step(() => stream.fin())
  },
  async 'a move over HTTP/1.1'(victim) {
    const { stream, connection } = plain(victim)
    await victim.step(() =>
      stream.receive(utf8('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n')),
    )
    await victim.step(() => connection.drain(true))
    await settle(victim, { state: 'gone' })
  },
  async 'a reset'(victim) {
    const { stream } = plain(victim)
    await victim.step(() => stream.receive(utf8(CHUNKED)))
    await victim.step(() => void stream.reset())
  },
  async 'a WebSocket'(victim) {
    const { stream, connection } = plain(victim)
    await victim.step(() => stream.receive(utf8(get('/echo', UPGRADE))))
    await victim.step(() => stream.receive(message))
    await victim.step(() => clock.pass(16_000))
    await victim.step(() => connection.moveTo(new MoveOrder(2, () => {})))
    await settle(victim, REFUSED)
    await victim.step(() => stream.receive(message))
    await victim.step(() => connection.drain(false))
  },
  'HTTP/2': victim => overHttp2(victim, false),
  'HTTP/2 over TLS': victim => overHttp2(victim, true),
}

async function overHttp2(victim: Victim, tls: boolean): Promise<void> {
  const client = new Talker(tls, victim.watched)
  await victim.step(() => void client.arrive(victim.host, true, victim.began))
  const ask = (...given: Parameters<Talker['request']>) =>
    victim.step(() => {
      client.request(...given)
      client.flush()
    })
  await ask('/echo/fails')
  await ask('/echo', { open: true, body: 'hello' })
  await victim.step(() => {
    client.http.end(3)
    client.flush()
  })
  await ask('/resize')
  await victim.step(() => clock.pass(100))
  await settle(victim, REFUSED)
  await ask('/echo/never')
  await ask('/resize')
  await victim.step(() => clock.pass(100))
  for (const loan of victim.host.loans.splice(0))
    await victim.step(() =>
      loan.settle({
        outcome: 'answered',
        status: 200,
        headers: [],
        length: 1,
        trailers: [],
        body: utf8('x'),
      }),
    )
  await ask('/echo', {
    method: 'CONNECT',
    protocol: 'websocket',
    open: true,
    headers: [['sec-websocket-version', '13']],
  })
  await victim.step(() => clock.pass(70_000))
  await victim.step(() => client.connection.drain(false))
}

/** Lets promises go on. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(() => setImmediate(resolve)))

/** Has one conversation in which one call throws. @returns how its connection ended */
async function suffer(
  conversation: (victim: Victim) => Promise<void>,
  at: number,
): Promise<{ readonly host: FakeHost; readonly calls: number }> {
  const host = fetching()
  let connection: Connection | undefined
  escapes.errors.length = 0
  faults.arm(0)
  await conversation({
    host,
    watched: stream => faults.around(stream, 'ByteStream'),
    // What throws before is an arrival that fails, which is the host's to refuse.
    began: one => {
      connection = one
      faults.arm(at)
    },
    async step(work) {
      try {
        work()
      } catch (error) {
        // The client may well notice; the connection's callers may not.
        if (error instanceof InjectedFault) escapes.errors.push(error)
      }
      await turn()
    },
  })
  const { calls } = faults
  faults.arm(0)
  connection?.stop()
  clock.pass(10_000)
  await turn()
  return { host, calls }
}

describe('whatever throws', () => {
  it.each(Object.entries(CONVERSATIONS))(
    'ends its connection alone: %s',
    { timeout: 600_000 },
    async (_, conversation) => {
      const { calls } = await suffer(conversation, 0)
      const neighbours = fetching()
      const stride = Math.max(1, Math.floor(calls / PLACES))
      let failed = 0
      for (let at = 1; at <= calls; at += stride) {
        const { host } = await suffer(conversation, at)
        const where = `call ${at} of ${calls}`
        expect(escapes.errors, where).toEqual([])
        // Once, whatever else happens.
        expect(host.ends, where).toHaveLength(1)
        const said = host.logged.filter(([, text]) => text === 'a connection failed and is being closed')
        expect(said, where).toHaveLength(host.ends[0] === 'failed' ? 1 : 0)
        if (host.ends[0] === 'failed') failed++
        host.module = neighbours.module
        const { stream } = freshConnection(host, get('/echo'))
        for (let i = 0; i < 3; i++) await turn()
        expect(responses(stream.take(), 1)[0]!.status, where).toBe(200)
      }
      // On a machine that is busy fewer of the calls are reached: it is enough that some were.
      expect(failed).toBeGreaterThan(0)
    },
  )
})
