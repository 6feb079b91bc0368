import { beforeEach, describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { SocketContext, SocketHandlers, WebSocketFunction } from '../../../src/functions/web-socket.ts'
import type { Field } from '../../../src/http/message.ts'
import { Opcode, readFrame, writeFrame } from '../../../src/http/websocket/index.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  FakeStream,
  freshConnection,
  get,
  movedConnection,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'
import { UPGRADE } from '../../support/upgrade.ts'

let clock: HandClock
beforeEach(() => {
  clock = new HandClock()
})

const ASK = UPGRADE.replace('Connection: ', 'Connection: keep-alive, ')
const say = (data: string, opcode: number = Opcode.TEXT): Uint8Array =>
  writeFrame(opcode, utf8(data), { mask: Uint8Array.of(1, 2, 3, 4) })

/** Counts the messages of a socket, wherever it is. */
const counting: WebSocketFunction = (socket, _context, state = { count: 0 }) => {
  const mine = state as { count: number }
  return {
    message: data => void socket.send(`${++mine.count} ${data}`),
    freeze: () => mine,
  }
}

/** The same, and it cannot say what another container has to know. */
const rooted: WebSocketFunction = (socket, _context) => {
  let count = 0
  return { message: data => void socket.send(`${++count} ${data}`) }
}

/** @param quietMilliseconds that requests wait for the connection to leave; then they are lent */
function hostWith(
  webSocket: WebSocketFunction,
  protocols: readonly string[] = [],
  quietMilliseconds = 600_000,
): FakeHost {
  const host = new FakeHost(undefined, { clock, quietMilliseconds })
  host.module = { ...host.module, webSocket, webSocketProtocols: protocols }
  return host
}

/** What the server has said since the handshake, as opcodes and texts. */
function said(bytes: Uint8Array): string[] {
  const found: string[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const frame = readFrame(rest, false, 2 ** 24)!
    const { opcode, payload } = frame
    if (opcode === Opcode.CLOSE) found.push(`close ${payload[0]! * 256 + payload[1]!}`)
    else found.push(opcode === Opcode.TEXT ? new TextDecoder().decode(payload) : `opcode ${opcode}`)
    rest = rest.subarray(frame.length)
  }
  return found
}

function open(host: FakeHost, more = '', path = '/echo/chat') {
  const { connection, stream } = freshConnection(host, get(path, ASK + more))
  const answer = new TextDecoder().decode(stream.take())
  return { connection, stream, answer }
}

describe('a WebSocket', () => {
  it('is opened as RFC 6455 §1.3 has it, and what came behind the request counts', () => {
    const host = hostWith(counting)
    const stream = new FakeStream()
    const { connection } = freshConnection(host, '', stream)
    stream.receive(concat(utf8(get('/echo', ASK)), say('early')))
    const bytes = stream.take()
    const text = new TextDecoder('latin1').decode(bytes)
    expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
    expect(text).toMatch(/sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i)
    expect(text).toMatch(/x-hotpotato-container: echo-1\r\n/)
    expect(said(bytes.subarray(text.indexOf('\r\n\r\n') + 4))).toEqual(['1 early'])
    expect(connection.describe(0)).toMatchObject({ requests: 1 })
  })

  it('is not opened by another function than the one that its path names', () => {
    const host = Object.assign(hostWith(counting), {
      namesNone: () => true,
      functionNames: new Set(['echo']),
    })
    expect(open(host, '', '/function/missing').answer).toMatch(/^HTTP\/1\.1 404 [\s\S]*is called missing/)
    expect(open(host, '', '/async-function/echo').answer).toMatch(/^HTTP\/1\.1 501 /)
    expect(open(host, '', '/chat').answer).toMatch(/^HTTP\/1\.1 101 /)
  })

  it('gives the function its messages one after the other', async () => {
    const release: (() => void)[] = []
    const host = hostWith(socket => ({
      async message(data) {
        await new Promise<void>(resolve => release.push(resolve))
        socket.send(String(data))
      },
    }))
    const { stream } = open(host)
    stream.receive(concat(say('one'), say('two')))
    expect(release).toHaveLength(1)
    for (let i = 0; i < 2; i++) {
      release[i]!()
      await turn()
    }
    expect(said(stream.take())).toEqual(['one', 'two'])
  })

  it.each(['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'])(
    'is not opened behind content (%j)',
    more => {
      const host = hostWith(counting)
      expect(open(host, more).answer).toMatch(/^HTTP\/1\.1 400 /)
      expect(host.logged).toEqual([])
    },
  )

  it('tells the function about itself, and about its end', () => {
    let seen: SocketContext | undefined
    const ends: unknown[] = []
    const host = hostWith(
      (socket, context) => {
        seen = context
        expect(socket.protocol).toBe('two')
        return { closed: (code, reason) => void ends.push([code, reason]) }
      },
      ['two', 'three'],
    )
    const { stream, answer } = open(host, 'Sec-WebSocket-Protocol: one, three, two\r\n', '/echo/chat?room=1')
    expect(answer).toMatch(/sec-websocket-protocol: two\r\n/i)
    expect(seen).toMatchObject({ functionPath: '/chat', request: { query: 'room=1' } })
    const bye = concat(Uint8Array.of(3, 232), utf8('bye'))
    stream.receive(writeFrame(Opcode.CLOSE, bye, { mask: new Uint8Array(4) }))
    expect(ends).toEqual([[1000, 'bye']])
    expect(seen!.signal.aborted).toBe(true)
    expect(said(stream.take())).toEqual(['close 1000'])
    expect(stream.finished).toBe(true)
  })

  it('whose client goes away is over with 1006', async () => {
    const ends: unknown[] = []
    const host = hostWith(() => ({ closed: code => void ends.push(code) }))
    const [one, two] = [open(host), open(host)]
    one.stream.fin()
    await two.stream.reset()
    expect(ends).toEqual([1006, 1006])
  })

  it('is closed with 1011 when the function fails', async () => {
    const failing: WebSocketFunction[] = [
      () => {
        throw new Error('at once')
      },
      () => ({
        message: () => {
          throw new Error('sync')
        },
      }),
      () => ({ message: () => Promise.reject(new Error('async')) }),
    ]
    for (const webSocket of failing) {
      const host = hostWith(webSocket)
      const { connection, stream } = freshConnection(host, get('/', ASK))
      stream.receive(say('x'))
      await turn()
      const bytes = stream.take()
      const end = new TextDecoder('latin1').decode(bytes).indexOf('\r\n\r\n') + 4
      expect(said(bytes.subarray(end))).toEqual(['close 1011'])
      expect(host.logged).toHaveLength(1)
      connection.stop()
    }
  })

  it.each([
    ['another version', ASK.replace('13', '8'), 426],
    ['a key that is none', ASK.replace('dGhlIHNhbXBsZSBub25jZQ==', 'short'), 400],
  ])('is refused to %s', (_, fields, status) => {
    const { stream } = freshConnection(hostWith(counting), get('/', fields))
    expect(responses(stream.take(), 1)[0]!.status).toBe(status)
  })

  it('is passed over by functions that know none, and moves to its owner before it is opened', async () => {
    const plain = new FakeHost(undefined, { clock })
    expect(responses(freshConnection(plain, get('/', ASK)).stream.take(), 1)[0]!.status).toBe(200)
    const host = hostWith(counting)
    freshConnection(host, get('/hello', ASK))
    const target = Object.assign(hostWith(counting), { functionName: 'hello', container: 'hello-1' })
    const { stream } = movedConnection(target, await host.offers[0]!.frozen)
    expect(new TextDecoder().decode(stream.take())).toMatch(/^HTTP\/1\.1 101 /)
  })
})

describe('a WebSocket that moves', () => {
  function leaving(webSocket: WebSocketFunction) {
    const host = hostWith(webSocket)
    host.available.add('echo')
    return { host, ...open(host) }
  }

  it('goes on between messages, with what its function froze and half a message', async () => {
    const { host, connection, stream } = leaving(counting)
    stream.receive(say('a'))
    expect(said(stream.take())).toEqual(['1 a'])
    const half = say('whole')
    stream.receive(half.subarray(0, 5))
    connection.drain(true)
    const frozen = await host.offers[0]!.frozen
    host.offers[0]!.settle({ state: 'gone' })
    const moved = movedConnection(hostWith(counting), frozen)
    moved.stream.receive(half.subarray(5))
    expect(said(moved.stream.take())).toEqual(['2 whole'])
    expect(moved.connection.describe(0)).toMatchObject({ hops: 1, requests: 1 })
  })

  it('waits for the message that is with the function, and leaves the next one unread', async () => {
    let release!: () => void
    const signals: AbortSignal[] = []
    const { host, connection, stream } = leaving((socket, context) => {
      signals.push(context.signal)
      const handlers: SocketHandlers = {
        async message(data) {
          await new Promise<void>(resolve => {
            release = resolve
          })
          socket.send(`late ${data}`)
        },
        freeze: () => undefined,
      }
      return handlers
    })
    stream.receive(concat(say('one'), say('two')))
    connection.drain(true)
    expect(host.offers).toEqual([])
    release()
    await turn()
    expect(said(stream.take())).toEqual(['late one'])
    expect(signals[0]!.aborted).toBe(true)
    const moved = movedConnection(hostWith(counting), await host.offers[0]!.frozen)
    expect(said(moved.stream.take())).toEqual(['1 two'])
  })

  it('stays where it is if no container takes it, and goes on with what it froze', async () => {
    const { host, connection, stream } = leaving(counting)
    stream.receive(say('a'))
    stream.take()
    connection.moveTo(new MoveOrder(7, () => {}))
    await host.offers[0]!.frozen
    host.offers[0]!.settle({
      state: 'owned',
      verdict: { outcome: 'refused', reason: 'draining', detail: 'x' },
    })
    stream.receive(say('b'))
    expect(said(stream.take())).toContain('2 b')
  })

  it.each([
    ['does not freeze', () => ({})],
    [
      'fails to freeze',
      () => ({
        freeze: () => {
          throw new Error('no')
        },
      }),
    ],
    ['freezes too much', () => ({ freeze: () => 'x'.repeat(1_048_576) })],
    ['freezes what JSON cannot say', () => ({ freeze: () => 1n })],
  ] as const)('does not if its function %s; then it is closed with 1001', (_, webSocket) => {
    const { host, connection, stream } = leaving(webSocket as WebSocketFunction)
    connection.drain(true)
    expect(host.offers).toEqual([])
    expect(said(stream.take())).toEqual(['close 1001'])
    stream.receive(writeFrame(Opcode.CLOSE, Uint8Array.of(3, 233), { mask: new Uint8Array(4) }))
    expect(stream.finished).toBe(true)
    expect(host.ends).toEqual([])
    stream.fin()
    expect(host.ends).toEqual(['ended'])
  })

  it('stays, and goes on, when it is to move to a certain container and its function does not freeze', () => {
    const { host, connection, stream } = leaving(socket => ({ message: data => void socket.send(data) }))
    const reports: string[] = []
    connection.moveTo(new MoveOrder(7, ({ outcome, detail }) => reports.push(`${outcome}: ${detail}`)))
    expect(reports).toEqual(['kept: the function of its WebSocket does not freeze'])
    stream.receive(say('on'))
    expect(said(stream.take())).toEqual(['on'])
    expect(host.offers).toEqual([])
  })

  it('finds out only when its function is done that it cannot be frozen', async () => {
    let done = (): void => {}
    const { host, connection, stream } = leaving(socket => ({
      message: async data => {
        await new Promise<void>(resolve => {
          done = resolve
        })
        void socket.send(data)
      },
      freeze: () => 1n,
    }))
    const reports: string[] = []
    stream.receive(say('one'))
    connection.moveTo(new MoveOrder(7, ({ outcome }) => reports.push(outcome)))
    stream.receive(say('two'))
    expect(reports).toEqual([])
    done()
    await turn()
    expect(reports).toEqual(['kept'])
    expect(said(stream.take())).toEqual(['one'])
    done()
    await turn()
    expect(said(stream.take())).toEqual(['two'])
    expect(host.offers).toEqual([])
  })
})

describe('a WebSocket on a stream of HTTP/2', () => {
  /** Asks for one. @returns its stream's id */
  function ask(
    client: Talker,
    headers: readonly Field[] = [['sec-websocket-version', '13']],
    path = '/echo/chat',
  ) {
    const id = client.http.request(
      { method: 'CONNECT', protocol: 'websocket', scheme: client.scheme, authority: 'a', path, headers },
      false,
    )
    client.flush()
    return id
  }
  const tell = (client: Talker, id: number, bytes: Uint8Array): void => {
    client.http.write(id, bytes)
    client.flush()
  }
  /** What was said on a stream. */
  const heard = (client: Talker, id: number) =>
    said(new Uint8Array(Buffer.from(client.answer(id).body, 'latin1')))

  it('is opened by CONNECT, and shares the connection with requests and other WebSockets', () => {
    const client = new Talker(true).arrive(hostWith(counting, ['chat']))
    const one = ask(client, [
      ['sec-websocket-version', '13'],
      ['sec-websocket-protocol', 'chat'],
    ])
    const two = ask(client)
    expect(client.answer(one)).toMatchObject({ status: 200, headers: { 'sec-websocket-protocol': 'chat' } })
    tell(client, one, say('a'))
    tell(client, two, concat(say('b'), say('c')))
    const request = client.request('/echo')
    client.flush()
    expect(client.answer(request).status).toBe(200)
    expect(heard(client, one)).toEqual(['1 a'])
    expect(heard(client, two)).toEqual(['1 b', '2 c'])
  })

  it('hears messages that are larger than the window of its stream', () => {
    const lengths: number[] = []
    const host = hostWith(() => ({ message: data => void lengths.push(data.length) }))
    const client = new Talker(true).arrive(host)
    const id = ask(client)
    const message = say('a'.repeat(3 * host.limits.http2.streamWindow))
    for (let at = 0, turns = 0; at < message.length && turns < 1000; turns++) {
      at += client.http.write(id, message.subarray(at, at + 16_384))
      client.flush()
    }
    expect(lengths).toEqual([3 * host.limits.http2.streamWindow])
  })

  it('ends with the closing handshake, or with its stream', () => {
    const ends: number[] = []
    const host = hostWith(() => ({ closed: code => void ends.push(code) }))
    const client = new Talker(true).arrive(host)
    const [orderly, reset, cut] = [ask(client), ask(client), ask(client)]
    tell(client, orderly, writeFrame(Opcode.CLOSE, Uint8Array.of(3, 232), { mask: new Uint8Array(4) }))
    expect(client.answer(orderly).ended).toBe(true)
    client.http.reset(reset)
    client.http.end(cut)
    client.flush()
    expect(ends).toEqual([1000, 1006, 1006])
    expect(client.answer(cut).ended).toBe(true)
  })

  it('is refused where the function knows none, in another version, and for another protocol', () => {
    const client = new Talker(true).arrive(new FakeHost(undefined, { clock }))
    expect(client.answer(ask(client)).status).toBe(501)
    const other = new Talker(true).arrive(hostWith(counting))
    expect(other.answer(ask(other, [['sec-websocket-version', '8']])).status).toBe(426)
    const id = other.http.request(
      { method: 'CONNECT', protocol: 'connect-udp', scheme: 'https', authority: 'a', path: '/' },
      false,
    )
    other.flush()
    expect(other.answer(id).status).toBe(501)
  })

  it('moves before it is opened, and stays after that if its function does not freeze', async () => {
    const host = hostWith(rooted)
    const client = new Talker(true).arrive(host)
    const id = ask(client, undefined, '/hello/chat')
    const target = Object.assign(hostWith(rooted), { functionName: 'hello', container: 'hello-1' })
    target.available = new Set(['hello', 'echo'])
    client.move(target, await host.offers[0]!.frozen)
    tell(client, id, say('x'))
    expect(heard(client, id)).toEqual(['1 x'])
    const reports: string[] = []
    client.connection.moveTo(new MoveOrder(7, ({ outcome, detail }) => reports.push(`${outcome}: ${detail}`)))
    expect(reports).toEqual(['kept: the WebSocket /hello/chat of hello cannot move'])
    tell(client, id, say('y'))
    expect(heard(client, id)).toEqual(['1 x', '2 y'])
    expect(target.offers).toEqual([])
  })

  it('is closed if it cannot go when its connection leaves, which goes on with the rest', async () => {
    const host = hostWith(rooted)
    host.available.add('echo')
    const client = new Talker(true).arrive(host)
    const id = ask(client)
    client.connection.drain(true)
    client.hear()
    expect(heard(client, id)).toEqual(['close 1001'])
    const held = client.request('/echo')
    client.flush()
    expect(host.offers).toEqual([])
    tell(client, id, writeFrame(Opcode.CLOSE, Uint8Array.of(3, 233), { mask: new Uint8Array(4) }))
    expect(host.offers).toHaveLength(1)
    client.move(new FakeHost(undefined, { clock }), await host.offers[0]!.frozen)
    expect(client.answer(held).status).toBe(200)
    client.http.end(id)
    client.flush()
    expect([client.answer(id).ended, client.closed]).toEqual([true, false])
  })

  it('is not waited for too long by what else is on a connection that leaves: that is lent', async () => {
    const host = hostWith(rooted, [], 0)
    host.available.add('echo')
    const client = new Talker(true).arrive(host)
    const id = ask(client)
    client.connection.drain(true)
    const held = client.request('/echo')
    client.flush()
    tell(client, id, writeFrame(Opcode.CLOSE, Uint8Array.of(3, 233), { mask: new Uint8Array(4) }))
    expect([host.loans.length, host.offers]).toEqual([1, []])
    const answer = { status: 200, headers: [], length: undefined, body: utf8('lent'), trailers: [] }
    host.loans[0]!.settle({ outcome: 'answered', ...answer })
    client.hear()
    expect(client.answer(held).body).toBe('lent')
    expect(host.offers).toHaveLength(1)
    client.move(new FakeHost(undefined, { clock }), await host.offers[0]!.frozen)
    client.http.end(id)
    client.flush()
    expect([client.answer(id).ended, client.closed]).toEqual([true, false])
  })

  it('says goodbye when the container has to go', () => {
    const client = new Talker(true).arrive(hostWith(counting))
    const id = ask(client)
    client.connection.drain()
    client.hear()
    expect(heard(client, id)).toEqual(['close 1001'])
    tell(client, id, writeFrame(Opcode.CLOSE, Uint8Array.of(3, 233), { mask: new Uint8Array(4) }))
    client.http.end(id)
    client.flush()
    expect([client.answer(id).ended, client.closed]).toEqual([true, true])
  })

  it('lets a function wait for a client that reads slowly', async () => {
    let sent: Promise<void> | undefined
    const host = hostWith(socket => ({
      message() {
        sent = socket.send('x'.repeat(1_500_000))
      },
    }))
    const client = new Talker(true).arrive(host)
    const id = ask(client)
    const consume = client.http.consume
    client.http.consume = () => {}
    tell(client, id, say('go'))
    let taken = false
    sent?.then(() => {
      taken = true
    })
    await turn()
    expect([sent === undefined, taken]).toEqual([false, false])
    client.http.consume = consume
    client.http.consume(id, 262_144)
    client.flush()
    await turn()
    expect([taken, client.answer(id).body.length]).toEqual([true, 1_500_010])
  })
})

describe('a quiet WebSocket', () => {
  it('is asked now and then whether its client is there, and ended when there is no answer', () => {
    const host = hostWith(counting)
    const { stream } = open(host)
    for (let i = 0; i < 5; i++) {
      clock.pass(16_000)
      expect(said(stream.take())).toEqual(['opcode 9'])
      stream.receive(say('', Opcode.PONG))
    }
    clock.pass(50_000)
    expect(said(stream.take()).at(-1)).toBe('close 1001')
    expect(stream.finished).toBe(true)
  })
})
