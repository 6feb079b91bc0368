import { describe, expect, it } from 'vitest'

import { Connection } from '../../../src/containers/connection/connection.ts'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import { Opcode, writeFrame } from '../../../src/http/websocket/index.ts'
import { Session } from '../../../src/tls13/index.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'

import {
  FakeHost,
  FakeStream,
  freshConnection,
  get,
  inboundOf,
  movedConnection,
  responses,
  TARGET,
  turn,
} from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'
import { clientConfig } from '../../support/pair.ts'
import { StepLoop } from '../../support/step-loop.ts'
import { THROUGH_MOVES } from '../../support/through-moves.ts'
import { UPGRADE } from '../../support/upgrade.ts'

/** What comes in tiny pieces keeps no other client waiting, and costs no more than its bytes. */

function steppingHost(handle?: ConstructorParameters<typeof FakeHost>[0]) {
  const host = new FakeHost(handle, { http: { requests: 1_000_000, headBytes: 4096 } })
  const loop = new StepLoop()
  host.loop = loop
  return { host, loop }
}

const COUNT = 200
/**
 * Requests at a time, and pieces of one byte. Where everything moves, each is many moves of all that waits.
 */
const STREAMS = THROUGH_MOVES ? 16 : 100
const PIECES = THROUGH_MOVES ? 500 : 5000
const pipe = Array.from({ length: COUNT }, (_, i) => get(`/${i}`)).join('')
const expected = Array.from({ length: COUNT }, (_, i) => `GET /${i}`)
const bodies = (bytes: Uint8Array, count = COUNT): string[] => responses(bytes, count).map(({ body }) => body)

describe('a connection that has much to do', () => {
  it('lets others have their turns, and loses nothing', () => {
    const { host, loop } = steppingHost()
    const busy = freshConnection(host)
    busy.stream.receive(utf8(pipe))
    const first = bodies(busy.stream.take())
    expect(first.length).toBeLessThan(COUNT / 4)
    expect(busy.stream.paused).toBe(true)
    const other = freshConnection(host, get('/other'))
    expect(bodies(other.stream.take(), 1)).toEqual(['GET /other'])
    const answers = [...first]
    let turns = 0
    for (; answers.length < COUNT && turns < 1000; turns++) {
      loop.turn()
      answers.push(...bodies(busy.stream.take()))
    }
    expect(answers).toEqual(expected)
    expect(turns).toBeGreaterThan(4)
    loop.turn()
    expect(busy.stream.paused).toBe(false)
    busy.stream.receive(utf8(get('/last')))
    expect(bodies(busy.stream.take(), 1)).toEqual(['GET /last'])
  })

  it('says goodbye behind the last answer when the client has ended its side', () => {
    const { host, loop } = steppingHost()
    const { stream } = freshConnection(host)
    stream.receive(utf8(pipe))
    stream.fin()
    expect(stream.finished).toBe(false)
    for (let turns = 0; !stream.finished && turns < 1000; turns++) loop.turn()
    expect(bodies(stream.take())).toEqual(expected)
    expect(loop.waiting).toBe(0)
  })

  it('moves in the middle of it, with what it has not looked at', async () => {
    const { host, loop } = steppingHost()
    host.available.add('echo')
    const { connection, stream } = freshConnection(host)
    stream.receive(utf8(pipe))
    const served = bodies(stream.take())
    connection.drain(true)
    for (let turns = 0; turns < 1000 && host.offers.length === 0; turns++) loop.turn()
    served.push(...bodies(stream.take()))
    expect(served.length).toBeLessThan(COUNT)
    const frozen = await host.offers[0]!.frozen
    expect(loop.waiting).toBe(0)
    const target = new FakeHost(undefined, { http: { requests: 1_000_000 } })
    const { stream: next } = movedConnection(target, frozen)
    expect([...served, ...bodies(next.take())]).toEqual(expected)
  })

  it('is served on here when another container does not take it', async () => {
    const { host, loop } = steppingHost()
    host.available.add('echo')
    const { connection, stream } = freshConnection(host)
    stream.receive(utf8(pipe))
    connection.moveTo(new MoveOrder(TARGET, () => {}))
    for (let turns = 0; turns < 1000 && host.offers.length === 0; turns++) loop.turn()
    await host.offers[0]!.frozen
    host.offers[0]!.settle({ state: 'owned', verdict: undefined })
    for (let turns = 0; turns < 1000 && loop.waiting > 0; turns++) loop.turn()
    expect(bodies(stream.take())).toEqual(expected)
  })

  it('ends in the middle of it without a trace', async () => {
    const { host, loop } = steppingHost()
    const { stream } = freshConnection(host)
    stream.receive(utf8(pipe))
    await stream.reset()
    expect(host.ends).toEqual(['ended'])
    expect(loop.waiting).toBe(0)
    loop.turn()
  })

  it.each([false, true])('over HTTP/2, TLS %j', tls => {
    const { host, loop } = steppingHost()
    const client = new Talker(tls).arrive(host)
    const ids = Array.from({ length: STREAMS }, (_, i) => client.request(`/${i}`))
    client.flush()
    const done = (): number => ids.filter(id => client.answers.get(id)?.ended).length
    expect(done()).toBeLessThan(STREAMS)
    for (let turns = 0; turns < 1000 && done() < ids.length; turns++) {
      loop.turn()
      client.hear()
    }
    expect(ids.map(id => client.answers.get(id)!.body)).toEqual(ids.map((_, i) => `GET /${i}`))
  })
})

describe('tiny pieces of content', () => {
  const chunks = `${'1\r\na\r\n'.repeat(PIECES)}0\r\n\r\n`
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

  it('are few for a function that reads them as a stream, and for its client', async () => {
    const host = new FakeHost()
    let pieces = 0
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: async request => {
        const counted = new TransformStream<Uint8Array, Uint8Array>({
          transform(piece, controller) {
            pieces++
            controller.enqueue(piece)
          },
        })
        return new Response(request.body!.pipeThrough(counted))
      },
    }
    const { stream } = freshConnection(host)
    stream.receive(utf8(post + chunks))
    const { sent, writes } = await lastChunk(stream)
    expect(responses(sent, 1, 'POST')[0]!.body).toBe('a'.repeat(PIECES))
    expect(pieces).toBeLessThan(40)
    expect(writes).toBeLessThan(200)
  })

  it('that a function writes go out together, the first at once', async () => {
    const host = new FakeHost()
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: async () => {
        const body = new ReadableStream({
          start(controller) {
            for (let i = 0; i < PIECES; i++) controller.enqueue(Uint8Array.of(0x61))
            controller.close()
          },
        })
        return new Response(body)
      },
    }
    const { stream } = freshConnection(host, get('/'))
    const { sent: answer, writes } = await lastChunk(stream)
    expect(new TextDecoder().decode(answer)).toMatch(/\r\n\r\n1\r\na\r\n/)
    expect(responses(answer, 1)[0]!.body).toBe('a'.repeat(PIECES))
    expect(writes).toBeLessThan(PIECES / 10)
  })

  it('in records of one byte are ended by an alert when there are too many', () => {
    const host = new FakeHost(undefined)
    const tls = { ...host.tls, tinyRecords: { burst: PIECES / 5, perSecond: 0 } }
    Object.assign(host, { tls })
    const client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
    const stream = new FakeStream()
    const inbound = concat(...client.takeOutput())
    new Connection(
      host,
      freshTls({ sessionId: new Uint8Array(16), idleLeft: 30_000, inbound }),
      stream,
    ).start()
    client.receive(stream.take())
    stream.receive(concat(...client.takeOutput()))
    client.send(utf8(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${PIECES}\r\n\r\n`))
    for (let i = 0; i < PIECES; i++) client.send(Uint8Array.of(0x61))
    stream.receive(concat(...client.takeOutput()))
    const events = client.receive(stream.take())
    expect(events.at(-1)).toMatchObject({ type: 'alert', from: 'peer', alert: 'unexpected_message' })
    expect(stream.finished).toBe(true)
  })
})

describe('a WebSocket', () => {
  const mask = Uint8Array.of(1, 2, 3, 4)
  const frame = (opcode: number, text: string, final = true) =>
    writeFrame(opcode, utf8(text), { final, mask })

  function open() {
    const host = new FakeHost()
    let heard = 0
    host.module = {
      ...host.module,
      webSocket: socket => ({
        message: data => {
          heard++
          void socket.send(data)
        },
        freeze: () => 1,
      }),
    }
    const scene = freshConnection(host, get('/', UPGRADE))
    scene.stream.take()
    return { host, ...scene, heard: () => heard }
  }

  it('whose client does not read is not heard, and moves nowhere, until it reads', () => {
    const { connection, stream, heard } = open()
    stream.blocked = true
    const message = 'x'.repeat(1000)
    const sent = concat(...Array.from({ length: 1000 }, () => frame(Opcode.TEXT, message)))
    stream.receive(sent)
    expect(heard()).toBeLessThan(200)
    expect(stream.paused).toBe(true)
    expect(connection.protocol.quiet).toBe(false)
    for (let i = 0; i < 1000 && heard() < 1000; i++) stream.drain()
    expect(heard()).toBe(1000)
    expect(stream.paused).toBe(false)
  })

  it('answers the last of many pings, and nothing piles up', () => {
    const { stream } = open()
    stream.blocked = true
    stream.receive(concat(...Array.from({ length: 5000 }, (_, i) => frame(Opcode.PING, String(i)))))
    stream.drain()
    const pongs = new TextDecoder().decode(stream.take())
    expect(pongs.length).toBeLessThan(100)
    expect(pongs.endsWith('4999')).toBe(true)
  })

  it('ends with 1008 after too many frames that say nothing', () => {
    const { stream, heard } = open()
    stream.receive(frame(Opcode.BINARY, '', false))
    const nothing = frame(Opcode.CONTINUATION, '', false)
    const many = concat(...Array.from({ length: 10_000 }, () => nothing))
    for (let i = 0; i < 12 && !stream.finished; i++) stream.receive(many)
    expect(stream.finished).toBe(true)
    expect([...stream.take().subarray(0, 4)]).toEqual([0x88, expect.any(Number), 1008 >> 8, 1008 & 0xff])
    expect(heard()).toBe(0)
  })
})

it('what waits in a moved connection is what had not been looked at', async () => {
  const { host, loop } = steppingHost()
  host.available.add('echo')
  const { connection, stream } = freshConnection(host)
  stream.receive(utf8(pipe))
  const served = bodies(stream.take()).length
  connection.drain(true)
  for (let turns = 0; turns < 1000 && host.offers.length === 0; turns++) loop.turn()
  const more = bodies(stream.take()).length
  const { application } = decodeEnvelope(await host.offers[0]!.frozen)
  const rest = new TextDecoder().decode(inboundOf(application))
  expect(rest.split('GET ').length - 1).toBe(COUNT - served - more)
})

/** All that is sent up to the last chunk of a response, and in how many writes; in 200 turns at most. */
async function lastChunk(stream: FakeStream): Promise<{ sent: Uint8Array; writes: number }> {
  let sent: Uint8Array = EMPTY
  let writes = 0
  for (let turns = 0; turns < 200 && !new TextDecoder().decode(sent).endsWith('0\r\n\r\n'); turns++) {
    await turn()
    writes += stream.sent.length
    sent = concat(sent, stream.take())
  }
  return { sent, writes }
}
