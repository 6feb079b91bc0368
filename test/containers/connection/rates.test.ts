import { beforeEach, describe, expect, it } from 'vitest'
import { Rates } from '../../../src/containers/connection/rates.ts'
import { DEFAULT_TIMERS } from '../../../src/http/timers.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { ENVELOPE_EXTENSIONS } from '../../../src/transfer/extensions.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, freshConnection, movedConnection, responses } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

let clock = new HandClock()

/** Milliseconds between two bytes: three are more than the grace. */
const PAUSE = 12_000

beforeEach(() => {
  clock = new HandClock()
})

/** A container with another one of its function beside it. */
function paired(): FakeHost {
  const host = new FakeHost(({ body }) => ({ status: 200, body: `${body.length}` }), { clock })
  host.available.add('echo')
  return host
}

describe('content that comes by a byte now and then is too slow', () => {
  it.each([0, 1, 2])('over HTTP/1.1, however often its connection moves: %i times', async moves => {
    let host = paired()
    let { connection, stream } = freshConnection(
      host,
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n',
    )
    for (let turn = 0; turn < 3; turn++) {
      expect(stream.take()).toHaveLength(0)
      clock.pass(PAUSE)
      stream.receive(utf8('a'))
      if (turn >= moves) continue
      const source = host
      connection.drain(true)
      const frozen = await source.offers[0]!.frozen
      expect(decodeEnvelope(frozen).extensions.map(({ type }) => type)).toContain(
        ENVELOPE_EXTENSIONS.rates.type,
      )
      host = paired()
      ;({ connection, stream } = movedConnection(host, frozen))
      source.offers[0]!.settle({ state: 'gone' })
    }
    clock.pass(1)
    expect(responses(stream.take(), 1)).toMatchObject([
      { status: 408, headers: { 'x-hotpotato-error': 'request-rate-timeout', connection: 'close' } },
    ])
  })

  it.each([0, 1, 2])('over HTTP/2, on its stream: %i moves', async moves => {
    let host = paired()
    const client = new Talker(true).arrive(host)
    const slow = client.request('/echo/slow', { open: true })
    client.flush()
    for (let turn = 0; turn < 3; turn++) {
      clock.pass(PAUSE)
      client.http.write(slow, utf8('a'))
      client.flush()
      if (turn >= moves) continue
      const source = host
      client.connection.drain(true)
      const frozen = await source.offers[0]!.frozen
      host = paired()
      client.move(host, frozen)
      source.offers[0]!.settle({ state: 'gone' })
    }
    clock.pass(1)
    client.flush()
    expect(client.answers.get(slow)).toMatchObject({
      status: 408,
      headers: { 'x-hotpotato-error': 'request-rate-timeout' },
    })
    const next = client.request('/echo', { body: 'abc' })
    client.flush()
    expect(client.answers.get(next)).toMatchObject({ status: 200, body: '3' })
  })

  it('and not what is quick enough', () => {
    const { stream } = freshConnection(
      paired(),
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 28800\r\n\r\n',
    )
    for (let turn = 0; turn < 10; turn++) {
      clock.pass(PAUSE)
      stream.receive(new Uint8Array((PAUSE / 1000) * DEFAULT_TIMERS.rate!.bytesPerSecond))
    }
    expect(responses(stream.take(), 1)).toMatchObject([{ status: 200, body: '28800' }])
  })
})

it('what is known of streams that are not there any more does not travel on', () => {
  const rates = new Rates([1, 3, 5].map(streamId => ({ streamId, left: 10, counted: 0 })))
  rates.retain(new Set([3]))
  expect(rates.export()).toEqual([{ streamId: 3, left: 10, counted: 0 }])
  expect(rates.take(3)).toMatchObject({ left: 10 })
  expect([rates.take(3), rates.export()]).toEqual([undefined, []])
})
