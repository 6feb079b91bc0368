import { beforeEach, describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { WebSocketFunction } from '../../../src/functions/web-socket.ts'
import { Opcode, readFrame, writeFrame } from '../../../src/http/websocket/index.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { FakeHost, REFUSED, turn } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

let clock: HandClock
beforeEach(() => {
  clock = new HandClock()
})

const MASK = Uint8Array.of(1, 2, 3, 4)
const say = (data: string, opcode: number = Opcode.TEXT): Uint8Array =>
  writeFrame(opcode, utf8(data), { mask: MASK })

/** Counts the messages of a socket, wherever it is, and those who were told of its end. */
function counting(ends: string[] = []): WebSocketFunction {
  return (socket, { connection, signal }, state = { count: 0 }) => {
    const mine = { ...(state as { count: number }) }
    signal.addEventListener('abort', () => ends.push(`aborted ${connection.container}`))
    return {
      message: data => void socket.send(`${++mine.count} ${data} ${connection.container}`),
      closed: code => void ends.push(`closed ${code} ${connection.container}`),
      freeze: () => mine,
    }
  }
}

function hostWith(webSocket: WebSocketFunction, container = 'echo-1'): FakeHost {
  const host = new FakeHost(undefined, { clock })
  host.module = { ...host.module, webSocket }
  host.available.add('echo')
  return Object.assign(host, { container })
}

/** Asks for a WebSocket. @returns its stream */
function ask(client: Talker, path = '/echo/chat'): number {
  const more = { method: 'CONNECT', protocol: 'websocket', open: true }
  const id = client.request(path, { ...more, headers: [['sec-websocket-version', '13']] })
  client.flush()
  expect(client.answer(id).status).toBe(200)
  return id
}

function tell(client: Talker, id: number, bytes: Uint8Array): void {
  expect(client.http.write(id, bytes)).toBe(bytes.length)
  client.flush()
}

/** What the server has said on a stream, as opcodes and texts. */
function heard(client: Talker, id: number): string[] {
  const found: string[] = []
  for (let rest = Buffer.from(client.answer(id).body, 'latin1') as Uint8Array; rest.length > 0; ) {
    const frame = readFrame(rest, false, 2 ** 24)
    if (frame === undefined) return [...found, `${rest.length} bytes`]
    const { opcode, payload } = frame
    if (opcode === Opcode.CLOSE) found.push(`close ${payload[0]! * 256 + payload[1]!}`)
    else found.push(opcode === Opcode.TEXT ? new TextDecoder().decode(payload) : `opcode ${opcode}`)
    rest = rest.subarray(frame.length)
  }
  return found
}

/** Has the connection offered. @returns the offer, what travels, and what was reported */
async function offer(client: Talker, from: FakeHost) {
  const reports: string[] = []
  client.connection.moveTo(
    new MoveOrder(2, ({ outcome, detail }) => reports.push(`${outcome} ${detail}`.trim())),
  )
  for (let turns = 0; turns < 4; turns++) await turn()
  const one = from.offers.at(-1)
  if (one === undefined) throw new Error(`it is not offered: ${reports.join()}`)
  const frozen = await one.frozen
  return { one, frozen, reports, application: decodeEnvelope(frozen).application }
}

async function move(client: Talker, from: FakeHost, to: FakeHost) {
  const { one, frozen, reports, application } = await offer(client, from)
  client.move(to, frozen)
  one.settle({ state: 'gone' })
  expect(reports).toEqual(['moved'])
  return application
}

describe.each([true, false])('a WebSocket on a stream of HTTP/2, with TLS: %s', tls => {
  it('moves to and fro with its connection, and those beside it, each with what it has frozen', async () => {
    const ends: string[] = []
    const hosts = ['echo-1', 'echo-2'].map(name => hostWith(counting(ends), name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const ids = [ask(client), ask(client), ask(client)]
    for (let at = 0; at < 4; at++) {
      ids.forEach((id, n) => {
        for (let told = 0; told <= n; told++) tell(client, id, say(`x${n}`))
      })
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      expect((await move(client, from!, to!)).protocol).toBe('http2_streams')
    }
    ids.forEach((id, n) => {
      const wanted = Array.from({ length: 4 * (n + 1) }, (_, count) => {
        const container = Math.floor(count / (n + 1)) % 2 === 0 ? 'echo-1' : 'echo-2'
        return `${count + 1} x${n} ${container}`
      })
      expect(heard(client, id)).toEqual(wanted)
    })
    expect(ends.filter(end => end.startsWith('closed'))).toEqual([])
    expect(ends).toHaveLength(12)
    // Moving adds nothing to what the client may send.
    tell(client, ids[0]!, writeFrame(Opcode.CLOSE, Uint8Array.of(3, 232), { mask: MASK }))
    expect(heard(client, ids[0]!).at(-1)).toBe('close 1000')
    expect(ends.at(-2)).toBe('aborted echo-1')
    expect(ends.at(-1)).toBe('closed 1000 echo-1')
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
  })

  it('takes along fragments, half frames, and what its client has not taken', async () => {
    const hosts = ['echo-1', 'echo-2'].map(name => hostWith(counting(), name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const [id, other] = [ask(client), ask(client)]
    const large = 'y'.repeat(200_000)
    const { consume } = client.http
    client.http.consume = () => {}
    tell(client, other, say(large))
    const fragment = writeFrame(Opcode.TEXT, utf8('Hel'), { mask: MASK, final: false })
    const rest = writeFrame(Opcode.CONTINUATION, utf8('lo'), { mask: MASK })
    tell(client, id, concat(fragment, rest.subarray(0, 3)))
    const application = await move(client, hosts[0]!, hosts[1]!)
    if (application.protocol !== 'http2_streams') throw new Error(application.protocol)
    expect(application.passengers).toMatchObject([
      { streamId: id, frozen: { kind: 'websocket', socket: { partial: { kind: 'text' } } } },
      { streamId: other, frozen: { kind: 'websocket' } },
    ])
    tell(client, id, rest.subarray(3))
    client.http.consume = consume
    for (const stream of [id, other]) client.http.consume(stream, client.answer(stream).body.length)
    client.flush()
    expect(heard(client, id)).toEqual(['1 Hello echo-2'])
    expect(heard(client, other)).toEqual([`1 ${large} echo-1`])
  })

  it('waits for the message that its function is at work on, and holds the others back', async () => {
    const release: (() => void)[] = []
    const slow: WebSocketFunction = (socket, { connection }) => ({
      async message(data) {
        await new Promise<void>(resolve => release.push(resolve))
        void socket.send(`${data} ${connection.container}`)
      },
      freeze: () => null,
    })
    const hosts = ['echo-1', 'echo-2'].map(name => hostWith(slow, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const id = ask(client)
    tell(client, id, concat(say('one'), say('two')))
    client.connection.drain(true)
    expect(hosts[0]!.offers).toEqual([])
    release[0]!()
    await turn()
    client.move(hosts[1]!, await hosts[0]!.offers[0]!.frozen)
    expect(release).toHaveLength(2)
    release[1]!()
    await turn()
    client.flush()
    expect(heard(client, id)).toEqual(['one echo-1', 'two echo-2'])
  })

  it('does not stop those beside it for long while its function is at work', async () => {
    const release: (() => void)[] = []
    const slow: WebSocketFunction = socket => ({
      async message(data) {
        if (data === 'slow') await new Promise<void>(resolve => release.push(resolve))
        void socket.send(String(data))
      },
      freeze: () => null,
    })
    const host = hostWith(slow)
    const client = new Talker(tls).arrive(host)
    const [id, other] = [ask(client, '/echo/slow'), ask(client)]
    tell(client, id, say('slow'))
    client.connection.moveTo(new MoveOrder(2, () => {}))
    tell(client, other, say('quick'))
    expect(heard(client, other)).toEqual([])
    clock.pass(300)
    client.hear()
    expect(heard(client, other)).toEqual(['quick'])
    expect(client.connection.describe(0).stays).toBe('the WebSocket /echo/slow of echo')
    expect(host.offers).toEqual([])
    release[0]!()
    await turn()
    clock.pass(1000)
    expect(host.offers).toHaveLength(1)
    client.move(hostWith(slow, 'echo-2'), await host.offers[0]!.frozen)
    tell(client, other, say('there'))
    expect([heard(client, id), heard(client, other)]).toEqual([['slow'], ['quick', 'there']])
  })

  it('waits for a client that takes nothing, without asking the clock again and again', async () => {
    const host = hostWith(counting())
    const client = new Talker(tls).arrive(host)
    const id = ask(client)
    client.stream.blocked = true
    client.http.write(id, say('x'))
    client.stream.receive(client.bytes())
    client.connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    clock.pass(2000)
    expect(host.offers).toEqual([])
    client.stream.drain()
    await turn()
    client.move(hostWith(counting(), 'echo-2'), await host.offers[0]!.frozen)
    expect(heard(client, id)).toEqual(['1 x echo-1'])
  })

  it('goes on where it was when it is refused, and its function is not told of an end', async () => {
    const ends: string[] = []
    const host = hostWith(counting(ends))
    const client = new Talker(tls).arrive(host)
    const id = ask(client)
    tell(client, id, say('x'))
    const { one } = await offer(client, host)
    one.settle(REFUSED)
    tell(client, id, say('y'))
    expect(heard(client, id)).toEqual(['1 x echo-1', '2 y echo-1'])
    expect(ends).toEqual(['aborted echo-1'])
  })

  it('takes its goodbye along that its client has not answered', async () => {
    const ends: string[] = []
    const closing: WebSocketFunction = (socket, { connection }) => ({
      message: () => socket.close(4001, 'enough'),
      closed: code => void ends.push(`closed ${code} ${connection.container}`),
      freeze: () => 0,
    })
    const hosts = ['echo-1', 'echo-2'].map(name => hostWith(closing, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const id = ask(client)
    tell(client, id, say('go'))
    await move(client, hosts[0]!, hosts[1]!)
    tell(client, id, concat(say('late'), writeFrame(Opcode.CLOSE, Uint8Array.of(15, 161), { mask: MASK })))
    expect([heard(client, id), ends]).toEqual([['close 4001'], ['closed 4001 echo-2']])
    client.http.end(id)
    client.flush()
    expect(client.answer(id).ended).toBe(true)
  })

  it('that is over, and whose last words wait for a window, keeps its connection no more', async () => {
    const large = 'z'.repeat(100_000)
    const last: WebSocketFunction = socket => ({
      message: () => void socket.send(large),
      freeze: () => 0,
    })
    const hosts = ['echo-1', 'echo-2'].map(name => hostWith(last, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const id = ask(client)
    const { consume } = client.http
    client.http.consume = () => {}
    tell(client, id, say('go'))
    tell(client, id, writeFrame(Opcode.CLOSE, Uint8Array.of(3, 232), { mask: MASK }))
    await move(client, hosts[0]!, hosts[1]!)
    client.http.consume = consume
    client.http.consume(id, client.answer(id).body.length)
    client.flush()
    expect(heard(client, id)).toEqual([large, 'close 1000'])
    expect(client.answer(id).ended).toBe(true)
  })

  it('whose function freezes what JSON cannot say keeps the connection, by its name', async () => {
    const broken: WebSocketFunction = socket => ({
      message: data => void socket.send(data),
      freeze: () => () => {},
    })
    const cyclic: WebSocketFunction = socket => {
      const state: { self?: unknown } = {}
      state.self = state
      return { message: data => void socket.send(data), freeze: () => state }
    }
    for (const [webSocket, stays] of [
      [broken, ''],
      [cyclic, 'the WebSocket /echo/chat of echo'],
    ] as const) {
      const host = hostWith(webSocket)
      const client = new Talker(tls).arrive(host)
      const id = ask(client)
      client.connection.moveTo(new MoveOrder(2, () => {}))
      await turn()
      expect(client.connection.describe(0).stays).toBe(stays)
      expect(host.offers).toHaveLength(stays === '' ? 1 : 0)
      if (stays === '') continue
      tell(client, id, say('on'))
      expect(heard(client, id)).toEqual(['on'])
    }
  })
})
