import { beforeEach, describe, expect, it } from 'vitest'
import type { ResponseView } from '../../../src/http/message.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  FakeStream,
  freshConnection,
  get,
  inboundOf,
  REFUSED,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

/* How a connection ends: in order, broken, or after it was idle for too long. */

describe('the end of a connection', () => {
  it('answers everything that came before the client ended its side', async () => {
    const waiting: ((view: ResponseView) => void)[] = []
    const host = new FakeHost(() => new Promise(resolve => waiting.push(resolve)))
    const { stream } = freshConnection(host, get('/1') + get('/2') + get('/3'))
    stream.fin()
    for (let i = 0; i < 3; i++) {
      waiting[i]?.({ status: 200, body: String(i) })
      await turn()
    }
    expect(responses(stream.take(), 3).map(({ body }) => body)).toEqual(['0', '1', '2'])
    expect(host.ends).toEqual(['ended'])
  })

  it('takes a request to its container though the client has ended its side', async () => {
    const waiting: ((view: ResponseView) => void)[] = []
    const host = new FakeHost(() => new Promise(resolve => waiting.push(resolve)))
    const { stream } = freshConnection(host, get('/echo') + get('/hello'))
    stream.fin()
    waiting[0]!({ status: 204 })
    await turn()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['hello'])
  })

  it('drops a request that was cut off', () => {
    const host = new FakeHost()
    const { stream } = freshConnection(host, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
    stream.fin()
    expect(stream.take()).toHaveLength(0)
    expect(stream.closedBy).toBe('destroy')
    expect(host.ends).toEqual(['ended'])
  })

  it('survives a reset at any moment, once', async () => {
    const host = new FakeHost(() => new Promise(() => {}))
    for (const inbound of ['', 'GET', get('/'), get('/') + get('/hello')]) {
      const { stream } = freshConnection(host, inbound)
      await stream.reset()
    }
    expect(host.ends).toEqual(['ended', 'ended', 'ended', 'ended'])
  })

  it('survives a connection that breaks under an answer before a move', async () => {
    const host = new FakeHost()
    const stream = new FakeStream()
    stream.broken = true
    freshConnection(host, get('/echo') + get('/hello'), stream)
    await turn()
    expect(host.offers).toEqual([])
    expect(host.ends).toEqual(['ended'])
  })

  it('when told to drain: now if idle, otherwise after the response', async () => {
    const host = new FakeHost()
    const idle = freshConnection(host)
    idle.connection.drain()
    expect(idle.stream.finished).toBe(true)

    let release!: (view: ResponseView) => void
    host.module = {
      kind: 'raw',
      file: 'test',
      handle: () =>
        new Promise(resolve => {
          release = resolve
        }),
    }
    const busy = freshConnection(host, get('/') + get('/late'))
    busy.connection.drain()
    expect(busy.stream.finished).toBe(false)
    release({ status: 200, body: 'done' })
    await turn()
    expect(responses(busy.stream.take(), 1)[0]!.body).toBe('done')
    expect(busy.stream.finished).toBe(true)
  })

  it('when told to drain: to another container of the function, with half a request if any', async () => {
    const host = new FakeHost()
    host.available.add('echo')
    const { connection, stream } = freshConnection(host, 'GET /half')
    connection.drain(true)
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['echo'])
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(Buffer.from(inboundOf(application)).toString()).toBe('GET /half')
    host.offers[0]!.settle({ state: 'gone' })
    expect([host.ends, stream.sent]).toEqual([['moved'], []])
  })

  it('when told to drain and to move: after the response, and not in the middle of a request', async () => {
    let release!: (view: ResponseView) => void
    const host = new FakeHost(
      () =>
        new Promise(resolve => {
          release = resolve
        }),
    )
    host.available.add('echo')
    const { connection, stream } = freshConnection(host, get('/'))
    connection.drain(true)
    expect(host.offers).toEqual([])
    release({ status: 200, body: 'done' })
    await turn()
    expect(responses(stream.take(), 1)[0]!.body).toBe('done')
    expect(host.offers).toHaveLength(1)
  })

  it('when told to drain and to move, and no container takes it: in order, and once', () => {
    const host = new FakeHost()
    host.available.add('echo')
    const refused = freshConnection(host)
    refused.connection.drain(true)
    host.offers[0]!.settle(REFUSED)
    expect([refused.stream.finished, host.offers.length]).toEqual([true, 1])
    host.available.delete('echo')
    const alone = freshConnection(host)
    alone.connection.drain(true)
    expect(alone.stream.finished).toBe(true)
  })

  it('when told to stop: at once', () => {
    const host = new FakeHost(() => new Promise(() => {}))
    const { connection, stream } = freshConnection(host, get('/'))
    connection.stop()
    expect(stream.state).toBe('closed')
    expect(host.ends).toEqual(['ended'])
  })
})

describe('time', () => {
  let clock: HandClock
  beforeEach(() => {
    clock = new HandClock()
  })

  it('closes a connection that is idle for too long', () => {
    const host = new FakeHost(undefined, { timers: { 'keep-alive': 1000 }, clock })
    const { stream } = freshConnection(host, get('/'))
    clock.pass(900)
    stream.receive(utf8(get('/')))
    clock.pass(900)
    expect(stream.finished).toBe(false)
    clock.pass(101)
    expect(stream.finished).toBe(true)
  })

  it('does not let single bytes of a head keep it open', () => {
    const host = new FakeHost(undefined, { timers: { headers: 1000 }, clock })
    const { stream } = freshConnection(host)
    for (const letter of 'GET / HTTP/1.') {
      clock.pass(100)
      if (!stream.finished) stream.receive(utf8(letter))
    }
    expect(stream.finished).toBe(true)
  })

  it('does not count the time that the function takes', async () => {
    let release!: (view: ResponseView) => void
    const host = new FakeHost(
      () =>
        new Promise(resolve => {
          release = resolve
        }),
      { timers: { 'keep-alive': 1000 }, clock },
    )
    const { stream } = freshConnection(host, get('/'))
    clock.pass(5000)
    expect(stream.finished).toBe(false)
    release({ status: 204 })
    await turn()
    clock.pass(999)
    expect(stream.finished).toBe(false)
    clock.pass(2)
    expect(stream.finished).toBe(true)
  })

  it.each([false, true])(
    'gives up a response that gives nothing to a client that has closed its side; HTTP/2: %s',
    async http2 => {
      let give!: ReadableStreamDefaultController<Uint8Array>
      const reasons: unknown[] = []
      const start = (controller: typeof give): void => {
        give = controller
      }
      const host = new FakeHost(undefined, { timers: { 'keep-alive': 1000 }, clock })
      const cancel = (reason: unknown): void => void reasons.push(reason)
      const fetch = () => new Response(new ReadableStream<Uint8Array>({ start, cancel }))
      host.module = { kind: 'fetch', file: 'test', fetch }
      const talker = new Talker(false)
      talker.request('/echo')
      const { stream } = http2 ? talker.arrive(host) : freshConnection(host, get('/echo'))
      await turn()
      stream.fin()
      // It waits for what comes, as long as anything does.
      for (let n = 0; n < 4; n++) {
        clock.pass(900)
        give.enqueue(utf8('some'))
        await turn()
      }
      expect([stream.finished, stream.closedBy, host.ends]).toEqual([false, undefined, []])
      clock.pass(2001)
      expect([host.ends, stream.state === 'open']).toEqual([['ended'], false])
      expect(reasons).toMatchObject([
        { message: expect.stringMatching(/^the client has closed its side, and/) },
      ])
    },
  )

  it('waits for a response that has not begun, as the function may take its time', () => {
    const host = new FakeHost(() => new Promise(() => {}), { timers: { 'keep-alive': 1000 }, clock })
    const { stream } = freshConnection(host, get('/'))
    stream.fin()
    clock.pass(5000)
    expect(host.ends).toEqual([])
  })

  it('takes the time that is left along', async () => {
    const host = new FakeHost(undefined, { timers: { 'keep-alive': 1000 }, clock })
    const { stream } = freshConnection(host)
    clock.pass(600)
    stream.receive(utf8(get('/hello')))
    expect(decodeEnvelope(await host.offers[0]!.frozen).idleLeft).toBe(400)
  })

  /** A client that takes nothing of its responses until the test says so. */
  function slowReader(requests: string) {
    const host = new FakeHost(() => ({ status: 200, body: 'x'.repeat(1000) }), {
      timers: { 'keep-alive': 1000 },
      clock,
    })
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, requests, stream)
    return { host, stream }
  }

  it.each(['', 'Connection: close\r\n'])('leaves a slow reader its response as long as it reads %j', more => {
    const { stream } = slowReader(get('/', more))
    for (let i = 0; i < 50; i++) {
      clock.pass(900)
      stream.drain(20)
    }
    expect(stream.state).toBe('open')
    stream.drain()
    expect(responses(stream.take(), 1)[0]!.body).toHaveLength(1000)
    clock.pass(5000)
    expect(stream.state).toBe('closed')
  })

  it.each(['', 'Connection: close\r\n'])('closes on a reader that takes nothing %j', more => {
    const { host, stream } = slowReader(get('/', more))
    clock.pass(2500)
    expect(stream.state).toBe('closed')
    expect(host.ends).toEqual(['ended'])
  })

  it('closes on a reader that takes nothing while its connection is to move', async () => {
    const { host, stream } = slowReader(get('/echo') + get('/hello'))
    expect(stream.state).toBe('lifting')
    clock.pass(2500)
    await turn()
    expect(stream.state).toBe('closed')
    expect(host.ends).toEqual(['ended'])
  })
})
