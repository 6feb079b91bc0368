import { mkdtempSync, openAsBlob, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { FetchHandler } from '../../../src/functions/contract.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { installGlobals } from '../../../src/web/globals.ts'
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

/*
 * Which kinds of a body that the web knows go along with their connection, without a word of the function's
 * author: those whose content is there.
 */

installGlobals()

/**
 * More than windows let through and less than may go along, no multiple of anything, and ASCII, which a
 * client of tests reads as text.
 */
const BYTES = new Uint8Array(900_001).map((_, at) => 97 + (at % 25))
const TEXT = new TextDecoder().decode(BYTES)

const place = mkdtempSync(join(tmpdir(), 'hotpotato-bodies-'))
const file = join(place, 'file')
writeFileSync(file, BYTES)

const form = (): FormData => {
  const made = new FormData()
  made.append('field', 'value')
  made.append('file', new File([BYTES], 'a.txt', { type: 'text/plain' }))
  return made
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < BYTES.length; at += 10_000) {
    await turn()
    yield BYTES.slice(at, at + 10_000)
  }
}

const bytesStream = (): ReadableStream<Uint8Array> => {
  const from = pieces()
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const { done, value } = await from.next()
      if (done) controller.close()
      else controller.enqueue(value as Uint8Array<ArrayBuffer>)
    },
  }) as ReadableStream<Uint8Array>
}

type Made = () => Response | Promise<Response>

const cloned = (
  body: ConstructorParameters<typeof Response>[0],
  which: 'the clone' | 'the original',
): Response => {
  const response = new Response(body)
  const clone = response.clone()
  return which === 'the clone' ? clone : response
}

/** What goes along, and the bytes that it is. */
const KNOWN: readonly [string, Made, string?][] = [
  ['a text', () => new Response(TEXT)],
  ['an ArrayBuffer', () => new Response(BYTES.slice().buffer)],
  ['a typed array', () => new Response(BYTES)],
  [
    'a view of other numbers',
    () => new Response(new Uint16Array(BYTES.slice(0, 900_000).buffer)),
    TEXT.slice(0, -1),
  ],
  ['a DataView', () => new Response(new DataView(BYTES.buffer, 1)), TEXT.slice(1)],
  ['search parameters', () => new Response(new URLSearchParams({ a: TEXT })), `a=${TEXT}`],
  ['JSON', () => Response.json({ a: TEXT }), JSON.stringify({ a: TEXT })],
  ['a Blob', () => new Response(new Blob([BYTES]))],
  [
    'a Blob of several',
    () => new Response(new Blob([TEXT.slice(0, 7), BYTES, new Blob([TEXT])])),
    TEXT.slice(0, 7) + TEXT + TEXT,
  ],
  ['a part of a Blob', () => new Response(new Blob([BYTES]).slice(5, 850_000)), TEXT.slice(5, 850_000)],
  ['a File', () => new Response(new File([BYTES], 'a.txt'))],
  ['a file of the disk', async () => new Response(await openAsBlob(file))],
  ['the clone of a Blob', () => cloned(new Blob([BYTES]), 'the clone')],
  ['a Blob that was cloned', () => cloned(new Blob([BYTES]), 'the original')],
  ['the body of another Response', () => new Response(new Response(new Blob([BYTES])).body)],
  [
    'a Blob beyond 1 MiB, when less is left',
    () => new Response(new Blob([BYTES, BYTES, BYTES, BYTES])),
    TEXT.repeat(4),
  ],
]

/** What is made while it goes out. */
const UNKNOWN: readonly [string, Made, string?][] = [
  ['a stream', () => new Response(ReadableStream.from(pieces()) as never)],
  ['a stream of bytes', () => new Response(bytesStream())],
  ['an async iterable', () => new Response(pieces() as never)],
  ['the clone of a stream', () => cloned(bytesStream(), 'the clone')],
]

function hostOf(made: Made, container = 'echo-1'): FakeHost {
  const host = new FakeHost(undefined, { clock: new HandClock() })
  const fetch: FetchHandler['fetch'] = () => made()
  host.module = { kind: 'fetch', file: 'test', fetch }
  host.available.add('echo')
  return Object.assign(host, { container })
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
  // A disk may have to be read.
  await new Promise(resolve => setTimeout(resolve, 1))
}

/** Whether the connection has been offered in the middle of its response. */
const inItsMiddle = (frozen: Uint8Array): boolean =>
  ['http1_response', 'http2_responses'].includes(decodeEnvelope(frozen).application.protocol)

/** A client of HTTP/1.1 that takes what it gets when it is told to, while its connection is to move. */
async function overHttp1(made: Made) {
  const host = hostOf(made)
  const stream = new FakeStream()
  stream.blocked = true
  const { connection } = freshConnection(host, get('/echo'), stream)
  await turns(20)
  connection.moveTo(new MoveOrder(2, () => {}))
  while (host.offers.length === 0) {
    stream.drain()
    stream.blocked = true
    await turns(4)
  }
  const parts = [stream.take()]
  const [offer] = host.offers
  stream.drain()
  const frozen = await offer!.frozen
  parts.push(stream.take())
  const next = movedConnection(hostOf(made, 'echo-2'), frozen)
  offer!.settle({ state: 'gone' })
  await turns(200)
  parts.push(next.stream.take())
  const [answer] = responses(concat(...parts), 1)
  return { moved: inItsMiddle(frozen), answer: answer!, logged: host.logged }
}

/** The same over HTTP/2, where windows are closed. */
async function overHttp2(made: Made) {
  const host = hostOf(made)
  const client = new Talker(true).arrive(host)
  const id = client.request('/echo')
  const consume = client.http.consume.bind(client.http)
  const kept: [number, number][] = []
  client.http.consume = (...one) => void kept.push(one)
  client.flush()
  await turns(20)
  client.connection.moveTo(new MoveOrder(2, () => {}))
  while (host.offers.length === 0) {
    await turns(4)
    if (host.offers.length > 0) break
    for (const one of kept.splice(0, 2)) consume(...one)
    client.flush()
  }
  const [offer] = host.offers
  const frozen = await offer!.frozen
  client.move(hostOf(made, 'echo-2'), frozen)
  offer!.settle({ state: 'gone' })
  client.http.consume = consume
  for (const one of kept) consume(...one)
  for (let i = 0; i < 100; i++) {
    client.flush()
    await turns(2)
  }
  return { moved: inItsMiddle(frozen), answer: client.answer(id), logged: host.logged }
}

describe.each(KNOWN)('%s', (_, made, text = TEXT) => {
  it('goes along over HTTP/1.1', async () => {
    const { moved, answer, logged } = await overHttp1(made)
    expect({ moved, logged }).toEqual({ moved: true, logged: [] })
    expect(answer.body === text).toBe(true)
    expect(answer.headers['content-length']).toBe(String(text.length))
  })

  it('goes along over HTTP/2', async () => {
    const { moved, answer, logged } = await overHttp2(made)
    expect({ moved, logged }).toEqual({ moved: true, logged: [] })
    expect(answer).toMatchObject({ ended: true, reset: undefined })
    expect(answer.body === text).toBe(true)
    expect(answer.headers['content-length']).toBe(String(text.length))
  })
})

it('a form goes along', async () => {
  for (const over of [overHttp1, overHttp2]) {
    const { moved, answer } = await over(() => new Response(form()))
    expect(moved).toBe(true)
    const read = await new Response(utf8(answer.body), {
      headers: { 'content-type': answer.headers['content-type']! },
    }).formData()
    expect(read.get('field')).toBe('value')
    expect((await (read.get('file') as File).text()) === TEXT).toBe(true)
  }
})

describe.each(UNKNOWN)('%s', (_, made, text = TEXT) => {
  it('is finished where it is', async () => {
    for (const { moved, answer } of [await overHttp1(made), await overHttp2(made)]) {
      expect(moved).toBe(false)
      expect(answer.body === text).toBe(true)
    }
  })
})

describe('a Blob', () => {
  const answerTo = async (made: Made, method = 'GET') => {
    const host = hostOf(made)
    const { stream } = freshConnection(host, get('/echo').replace('GET', method))
    await turns(40)
    const sent = stream.take()
    return { text: new TextDecoder().decode(sent), ...responses(sent, 1, method)[0]!, host, stream }
  }

  it('is told of to HEAD, and not read', async () => {
    let read = 0
    const blob = new Blob([BYTES], { type: 'text/x' })
    Object.defineProperty(blob, 'arrayBuffer', { value: () => void read++ })
    const { headers, text } = await answerTo(() => new Response(blob), 'HEAD')
    expect(headers).toMatchObject({ 'content-length': String(BYTES.length), 'content-type': 'text/x' })
    expect(text).toMatch(/\r\n\r\n$/)
    expect(read).toBe(0)
  })

  it('may be empty', async () => {
    const { headers, body } = await answerTo(() => new Response(new Blob([])))
    expect([headers['content-length'], body]).toEqual(['0', ''])
  })

  it('of a file that changes under it breaks off, and is not told of as whole', async () => {
    const changing = join(place, 'changing')
    writeFileSync(changing, BYTES)
    const host = hostOf(async () => new Response(await openAsBlob(changing)))
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, get('/echo'), stream)
    await turns(40)
    await new Promise(resolve => setTimeout(resolve, 20))
    writeFileSync(changing, 'another')
    for (let i = 0; i < 40; i++) {
      stream.drain()
      await turns(4)
    }
    expect(stream.take().length).toBeLessThan(BYTES.length)
    expect(stream.state).toBe('closed')
    expect(host.logged).toHaveLength(1)
  })

  it('stays as long as more than 1 MiB is left, by its name', async () => {
    const made = () => new Response(new Blob([BYTES, BYTES]))
    const host = hostOf(made)
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, get('/echo'), stream)
    await turns(40)
    connection.moveTo(new MoveOrder(2, () => {}))
    await turns(4)
    expect(connection.describe(0).stays).toMatch(/^GET \/echo of echo/)
    expect(host.offers).toEqual([])
  })

  it('with trailers stays', async () => {
    const host = new FakeHost(undefined, { clock: new HandClock() })
    const fetch: FetchHandler['fetch'] = (_request, _env, ctx) => {
      ctx.trailers([['x-sum', '1']])
      return new Response(new Blob([BYTES]))
    }
    host.module = { kind: 'fetch', file: 'test', fetch }
    const { stream } = freshConnection(host, get('/echo'))
    await turns(100)
    expect(new TextDecoder().decode(stream.take().slice(-40))).toMatch(/x-sum: 1\r\n\r\n$/)
  })
})
