import { describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import { CARRIED_REQUEST_BYTES } from '../../../src/containers/move/policy.ts'
import type { RequestView } from '../../../src/http/message.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  freshConnection,
  get,
  inboundOf,
  movedConnection,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'

const REFUSED = {
  state: 'owned',
  verdict: { outcome: 'refused', reason: 'suite', detail: 'no' },
} as const
const CHUNKED = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

const lengthOf = ({ method, body }: RequestView) => ({ status: 200, body: `${method} ${body.length}` })

/** A container with another one of its function beside it. */
function pairedHost(container = 'echo-1'): FakeHost {
  const host = new FakeHost(lengthOf)
  host.available.add('echo')
  return Object.assign(host, { container })
}

describe('a request whose content still comes', () => {
  it.each(['drain', 'move'])('moves when no function has begun with it: by %s', async how => {
    const host = pairedHost()
    const { connection, stream } = freshConnection(host, `${get('/echo')}${CHUNKED}5\r\nHel`)
    expect(responses(stream.take(), 1)).toHaveLength(1)
    const reports: string[] = []
    if (how === 'drain') connection.drain(true)
    else connection.moveTo(new MoveOrder(2, ({ outcome }) => reports.push(outcome)))
    const frozen = await host.offers[0]!.frozen
    const { application } = decodeEnvelope(frozen)
    expect(application.requestsServed).toBe(1)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(`${CHUNKED}5\r\nHel`)
    const target = movedConnection(pairedHost('echo-2'), frozen).stream
    host.offers[0]!.settle({ state: 'gone' })
    expect(reports).toEqual(how === 'drain' ? [] : ['moved'])
    target.receive(utf8(`lo\r\n0\r\n\r\n${get('/echo')}`))
    expect(responses(target.take(), 2)).toMatchObject([
      { body: 'POST 5', headers: { 'x-hotpotato-container': 'echo-2', 'x-hotpotato-hops': '1' } },
      { body: 'GET 0' },
    ])
    expect(stream.take()).toHaveLength(0)
  })

  it.each(['drain', 'move'])('stays when it was refused, and is answered here: by %s', async how => {
    const host = pairedHost()
    const { connection, stream } = freshConnection(host, `${CHUNKED}5\r\nHel`)
    if (how === 'drain') connection.drain(true)
    else connection.moveTo(new MoveOrder(2, () => {}))
    await host.offers[0]!.frozen
    host.offers[0]!.settle(REFUSED)
    stream.receive(utf8('lo\r\n0\r\n\r\n'))
    expect(responses(stream.take(), 1)[0]!.body).toBe('POST 5')
    // Who drains goes when it has been answered.
    expect(stream.finished).toBe(how === 'drain')
  })

  it('is answered where it is when there is no other container', () => {
    const host = new FakeHost(lengthOf)
    const { connection, stream } = freshConnection(host, `${CHUNKED}5\r\nHel`)
    connection.drain(true)
    expect(stream.finished).toBe(false)
    stream.receive(utf8('lo\r\n0\r\n\r\n'))
    expect(responses(stream.take(), 1)[0]!.body).toBe('POST 5')
    expect(stream.finished).toBe(true)
  })

  it('stays when a function reads it as a stream: that has begun', async () => {
    const host = pairedHost()
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: async request => new Response(String((await request.arrayBuffer()).byteLength)),
    }
    const { connection, stream } = freshConnection(host, `${CHUNKED}5\r\nHel`)
    connection.drain(true)
    expect(host.offers).toEqual([])
    stream.receive(utf8('lo\r\n0\r\n\r\n'))
    await turn()
    await turn()
    expect(responses(stream.take(), 1)[0]!.body).toBe('5')
    expect(host.offers).toHaveLength(1)
  })

  it('stays when it is large, until it has been answered', () => {
    const host = pairedHost()
    const { connection, stream } = freshConnection(host, '')
    const length = CARRIED_REQUEST_BYTES + 1
    stream.receive(utf8(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${length + 1}\r\n\r\n`))
    stream.receive(new Uint8Array(length))
    connection.drain(true)
    expect(host.offers).toEqual([])
    stream.receive(new Uint8Array(1))
    expect(responses(stream.take(), 1)[0]!.body).toBe(`POST ${length + 1}`)
    expect(host.offers).toHaveLength(1)
  })

  it('moves over HTTP/2 with all others of its kind, and the windows are what they were', async () => {
    const host = pairedHost()
    const client = new Talker(true).arrive(host)
    const piece = 'x'.repeat(50_000)
    const first = client.request('/echo', { body: piece, open: true })
    const second = client.request('/echo', { body: 'abc', open: true })
    client.flush()
    client.connection.drain(true)
    const frozen = await host.offers[0]!.frozen
    expect(decodeEnvelope(frozen).application.requestsServed).toBe(0)
    client.move(pairedHost('echo-2'), frozen)
    for (let i = 0; i < 9; i++) {
      expect(client.http.write(first, utf8(piece))).toBeGreaterThan(0)
      client.flush()
    }
    client.http.end(first)
    client.http.write(second, utf8('def'))
    client.http.end(second)
    client.flush()
    const sent = 10 * piece.length
    expect(client.answer(first)).toMatchObject({
      body: `POST ${sent}`,
      headers: { 'x-hotpotato-container': 'echo-2' },
    })
    expect(client.answer(second).body).toBe('POST 6')
  })

  it('is answered here over HTTP/2 when no container takes the connection', async () => {
    const host = pairedHost()
    const client = new Talker(true).arrive(host)
    const id = client.request('/echo', { body: 'abc', open: true })
    client.flush()
    client.connection.drain(true)
    await host.offers[0]!.frozen
    host.offers[0]!.settle(REFUSED)
    client.http.write(id, utf8('def'))
    client.http.end(id)
    client.flush()
    expect(client.answer(id)).toMatchObject({
      status: 200,
      body: 'POST 6',
      headers: { 'x-hotpotato-hops': '0' },
    })
  })

  it('stays over HTTP/2 while another function is at work', async () => {
    const host = pairedHost()
    let answer!: () => void
    host.module = {
      kind: 'raw',
      file: 'test',
      handle: request =>
        request.method === 'GET'
          ? new Promise(resolve => {
              answer = () => resolve({ status: 200 })
            })
          : lengthOf(request),
    }
    const client = new Talker(true).arrive(host)
    client.request('/echo')
    const id = client.request('/echo', { body: 'abc', open: true })
    client.flush()
    client.connection.drain(true)
    expect(host.offers).toEqual([])
    answer()
    await turn()
    expect(host.offers).toHaveLength(1)
    client.move(pairedHost('echo-2'), await host.offers[0]!.frozen)
    client.http.end(id)
    client.flush()
    expect(client.answer(id).body).toBe('POST 3')
  })
})
