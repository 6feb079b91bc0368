import { beforeEach, describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { Context, FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import type { ResumableController } from '../../../src/functions/resumable.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import {
  type FakeHost,
  FakeStream,
  freshConnection,
  movedConnection,
  REFUSED,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'
import { eventually } from '../../support/platform.ts'
import { offered, ResponseHost } from '../../support/response-scene.ts'

/*
 * Requests that a function reads as a stream go on in another container, before and within their responses.
 */

/** Gives back what it was sent when it has come whole. */
const gathers = async (state: { text: string }, ctx: Context, { body }: Request): Promise<Response> => {
  ctx.freezes(() => state)
  const decoder = new TextDecoder()
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) state.text += decoder.decode(piece)
  return new Response(`${state.text} ${ctx.connection.container}`)
}
const gathering = {
  fetch: ((request, _env, ctx) => gathers({ text: '' }, ctx, request)) as FetchHandler['fetch'],
  resume: ((state, ctx, _env, request) => gathers(state as { text: string }, ctx, request)) as ResumeFunction,
}

/** Gives back each piece as it comes, in capitals, and counts the pieces. */
const shouts = (count: number, ctx: Context, { body }: Request): ReadableStream<Uint8Array> => {
  let pieces = count
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader()
  return ctx.resumable({
    async pull(controller) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) {
        controller.enqueue(`(${pieces})`)
        controller.close()
        return
      }
      pieces++
      controller.enqueue(new TextDecoder().decode(value).toUpperCase())
    },
    freeze: () => pieces,
  })
}
const shouting = {
  fetch: ((request, _env, ctx) => new Response(shouts(0, ctx, request))) as FetchHandler['fetch'],
  resume: ((state, ctx, _env, request) => shouts(state as number, ctx, request)) as ResumeFunction,
}

let hands: HandClock
beforeEach(() => {
  hands = new HandClock()
})
const hostOf = (
  { fetch, resume }: { fetch: FetchHandler['fetch']; resume?: ResumeFunction },
  name = 'echo-1',
) => new ResponseHost(fetch, resume, name, hands)

const CHUNKED = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const SIZED = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n'

describe.each([
  ['in chunks', CHUNKED, ['5\r\nhello\r\n', '6;x=y\r\n wor', 'ld\r\n0\r', '\n\r\n']],
  ['of a length', SIZED, ['hello', ' wo', 'rl', 'd']],
] as const)('a request %s over HTTP/1.1', (_, head, pieces) => {
  it('goes on being read elsewhere, to and fro', async () => {
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(gathering, name))
    let { connection, stream } = freshConnection(hosts[0]!, head)
    await turn()
    for (const [at, piece] of pieces.entries()) {
      stream.receive(utf8(piece))
      await turn()
      if (at === pieces.length - 1) break
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      const { offer, frozen, reports } = await offered(from!, connection)
      expect(decodeEnvelope(frozen).application.protocol).toBe('http1_upload')
      expect(stream.take()).toHaveLength(0)
      ;({ connection, stream } = movedConnection(to!, frozen))
      offer.settle({ state: 'gone' })
      expect(reports).toEqual(['moved'])
      await turn()
    }
    await turn()
    expect(responses(stream.take(), 1)).toMatchObject([{ status: 200, body: 'hello world echo-2' }])
    stream.receive(utf8(head + pieces.join('')))
    await turn()
    await turn()
    expect(responses(stream.take(), 1)).toMatchObject([{ body: 'hello world echo-2' }])
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
    expect(hosts.map(({ traffic }) => [traffic.inFlight, traffic.calls])).toEqual([
      [0, 0],
      [0, 2],
    ])
    expect(hosts.flatMap(({ lines }) => lines)).toHaveLength(2)
  })

  it('goes on while it is being answered', async () => {
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(shouting, name))
    let { connection, stream } = freshConnection(hosts[0]!, head)
    const heard: Uint8Array[] = []
    await turn()
    for (const [at, piece] of pieces.entries()) {
      stream.receive(utf8(piece))
      await turn()
      await turn()
      if (at === pieces.length - 1) break
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      const { offer, frozen } = await offered(from!, connection)
      heard.push(stream.take())
      expect(decodeEnvelope(frozen).application.protocol).toBe('http1_upload')
      ;({ connection, stream } = movedConnection(to!, frozen))
      offer.settle({ state: 'gone' })
      await turn()
    }
    for (let turns = 0; turns < 5; turns++) await turn()
    heard.push(stream.take())
    expect(responses(concat(...heard), 1)).toMatchObject([
      { status: 200, body: expect.stringMatching(/^HELLO WORLD\([34]\)$/) },
    ])
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
  })

  it('is answered where it is when it was refused, and the next one, too', async () => {
    const host = hostOf(gathering)
    const { connection, stream } = freshConnection(host, head + pieces[0])
    await turn()
    const { offer, reports } = await offered(host, connection)
    offer.settle(REFUSED)
    expect(reports).toEqual(['kept none of these'])
    stream.receive(utf8(pieces.slice(1).join('') + head + pieces.join('')))
    for (let turns = 0; turns < 6; turns++) await turn()
    const body = 'hello world echo-1'
    expect(responses(stream.take(), 2)).toMatchObject([{ body }, { body }])
  })
})

it('a request whose client waits for 100 (Continue) is told so once', async () => {
  const hosts = ['echo-1', 'echo-2'].map(name => hostOf(gathering, name))
  const head = SIZED.replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n')
  const first = freshConnection(hosts[0]!, head)
  await turn()
  expect(new TextDecoder().decode(first.stream.take())).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  const { offer, frozen } = await offered(hosts[0]!, first.connection)
  const { stream } = movedConnection(hosts[1]!, frozen)
  offer.settle({ state: 'gone' })
  stream.receive(utf8('hello world'))
  await turn()
  await turn()
  const text = new TextDecoder().decode(stream.take())
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(text).not.toMatch(/connection: close/i)
})

it('a function that is at work with a piece is waited for, and what came meanwhile goes along', async () => {
  const release: (() => void)[] = []
  const slow = async (bytes: number, ctx: Context, { body }: Request): Promise<Response> => {
    let count = bytes
    ctx.freezes(() => count)
    for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
      await new Promise<void>(resolve => release.push(resolve))
      count += piece.length
    }
    return new Response(String(count))
  }
  const slowly = {
    fetch: ((request, _env, ctx) => slow(0, ctx, request)) as FetchHandler['fetch'],
    resume: ((state, ctx, _env, request) => slow(state as number, ctx, request)) as ResumeFunction,
  }
  const hosts = ['echo-1', 'echo-2'].map(name => hostOf(slowly, name))
  const { connection, stream } = freshConnection(hosts[0]!, `${SIZED}hello`)
  await turn()
  connection.moveTo(new MoveOrder(2, () => {}))
  stream.receive(utf8(' wo'))
  await turn()
  expect([release.length, hosts[0]!.offers]).toEqual([1, []])
  release[0]!()
  for (let turns = 0; turns < 4; turns++) await turn()
  // What it had not got it does not get any more.
  expect([release.length, hosts[0]!.offers.length]).toEqual([1, 1])
  const frozen = await hosts[0]!.offers[0]!.frozen
  const { application } = decodeEnvelope(frozen)
  expect(application).toMatchObject({ unread: utf8(' wo'), call: { status: 0, state: utf8('5') } })
  const target = movedConnection(hosts[1]!, frozen).stream
  target.receive(utf8('rld'))
  for (let turns = 0; turns < 4; turns++) {
    release.at(-1)!()
    await turn()
  }
  expect(responses(target.take(), 1)).toMatchObject([{ body: '11' }])
})

describe('a request stays that could not be read on elsewhere', () => {
  const reads: FetchHandler['fetch'] = async request => new Response(await request.text())
  it.each<[string, FetchHandler['fetch'], ResumeFunction | undefined]>([
    ['whose function does not freeze', reads, gathering.resume],
    ['whose function has no `resume`', gathering.fetch, undefined],
    [
      'whose function has answered and reads on',
      request => {
        void request.text()
        return new Response('x'.repeat(70_000))
      },
      gathering.resume,
    ],
    [
      'whose function freezes what cannot be carried',
      (request, _env, ctx) => {
        ctx.freezes(() => 'x'.repeat(2 ** 21))
        return new Response(request.body).text().then(text => new Response(text))
      },
      gathering.resume,
    ],
    // What they have read is in no state: elsewhere it would be missing.
    ...(['text', 'json', 'arrayBuffer', 'blob', 'formData'] as const).map(
      (how): [string, FetchHandler['fetch'], ResumeFunction] => [
        `whose function has it read whole (${how})`,
        (request, _env, ctx) => {
          ctx.freezes(() => 1)
          return request[how]().then(
            () => new Response(),
            () => new Response(),
          )
        },
        gathering.resume,
      ],
    ),
    [
      'whose function reads a clone of it',
      (request, _env, ctx) => {
        ctx.freezes(() => 1)
        return Promise.all([request.clone().text(), request.text()]).then(([text]) => new Response(text))
      },
      gathering.resume,
    ],
    [
      'whose function has it read whole within a response that freezes',
      (request, _env, ctx) => {
        const pull = async (controller: ResumableController) => {
          controller.enqueue(await request.text())
          controller.close()
        }
        return new Response(ctx.resumable({ pull, freeze: () => 1 }))
      },
      shouting.resume,
    ],
  ])('%s', async (_, fetch, resume) => {
    const host = hostOf({ fetch, ...(resume && { resume }) })
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, `${SIZED}hello`, stream)
    await turn()
    connection.moveTo(new MoveOrder(2, () => {}))
    const seen = () => {
      const { stays, phase } = connection.describe(0)
      const { offers, logged } = host
      return { stays, phase, offers: offers.length, sent: stream.sent.length, unsent: stream.unsent, logged }
    }
    await eventually(() => seen().stays !== '' || undefined, 'it does not stay').catch(() => {})
    for (let turns = 0; turns < 4; turns++) await turn()
    const { stays, ...rest } = seen()
    expect(stays, JSON.stringify(rest)).toMatch(/^POST \/echo of echo \(call /)
    expect(rest.offers).toBe(0)
    stream.drain()
    stream.receive(utf8(' world'))
    for (let turns = 0; turns < 4; turns++) await turn()
    stream.drain()
    expect(responses(stream.take(), 1)).toHaveLength(1)
  })
})

describe.each([true, false])('over HTTP/2, with TLS: %s', tls => {
  async function move(client: Talker, from: FakeHost, to: FakeHost): Promise<string> {
    const { offer, frozen, reports } = await offered(from, client.connection)
    client.move(to, frozen)
    offer.settle({ state: 'gone' })
    expect(reports).toEqual(['moved'])
    return decodeEnvelope(frozen).application.protocol
  }

  it('requests that are being read move with all others, and their windows are what they were', async () => {
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(gathering, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const ids = [1, 2, 3].map(() => client.request('/echo', { open: true }))
    client.flush()
    await turn()
    const piece = 'x'.repeat(60_000)
    for (let at = 0; at < 12; at++) {
      for (const id of ids) expect(client.http.write(id, utf8(piece))).toBe(piece.length)
      client.flush()
      await turn()
      client.flush()
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      expect(await move(client, from!, to!)).toBe('http2_streams')
      await turn()
      client.flush()
    }
    for (const id of ids) client.http.end(id)
    for (let turns = 0; turns < 30; turns++) {
      client.flush()
      await turn()
    }
    for (const id of ids) {
      expect(client.answer(id)).toMatchObject({ status: 200, ended: true })
      expect(client.answer(id).body === `${piece.repeat(12)} echo-1`).toBe(true)
    }
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
  })

  it('takes along what has come of a request whole, and its function has not read', async () => {
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(shouting, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const id = client.request('/echo', { open: true })
    client.flush()
    await turn()
    client.stream.blocked = true
    const piece = 'y'.repeat(30_000)
    for (let at = 0; at < 6; at++) {
      client.http.write(id, utf8(piece))
      client.stream.receive(client.bytes())
      await turn()
    }
    client.http.end(id)
    client.stream.receive(client.bytes())
    await turn()
    const moving = offered(hosts[0]!, client.connection)
    client.stream.drain()
    const { offer, frozen } = await moving
    client.move(hosts[1]!, frozen)
    offer.settle({ state: 'gone' })
    for (let turns = 0; turns < 20; turns++) {
      client.flush()
      await turn()
    }
    expect(client.answer(id).ended).toBe(true)
    expect(client.answer(id).body.replace(/\(\d+\)$/, '') === piece.toUpperCase().repeat(6)).toBe(true)
  })

  it('a request that is being read and answered moves', async () => {
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(shouting, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const id = client.request('/echo', { open: true })
    for (const [at, piece] of ['hel', 'lo ', 'wor', 'ld'].entries()) {
      client.http.write(id, utf8(piece))
      client.flush()
      for (let turns = 0; turns < 3; turns++) await turn()
      client.hear()
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      expect(await move(client, from!, to!)).toBe('http2_streams')
    }
    client.http.end(id)
    client.flush()
    for (let turns = 0; turns < 4; turns++) await turn()
    client.hear()
    expect(client.answer(id)).toMatchObject({ status: 200, body: 'HELLO WORLD(4)', ended: true })
  })
})

it('what a function has read counts for it, but no more than it may freeze if it does', async () => {
  const held = async (freezes: boolean): Promise<number> => {
    const fetch: FetchHandler['fetch'] = async ({ body }, _env, ctx) => {
      if (freezes) ctx.freezes(() => 0)
      for await (const _piece of body as unknown as AsyncIterable<Uint8Array>);
      return new Response('it was read')
    }
    const host = hostOf({ fetch })
    const { connection, stream } = freshConnection(host, CHUNKED)
    await turn()
    for (let n = 0; n < 40; n++) {
      stream.receive(utf8(`10000\r\n${'x'.repeat(65_536)}\r\n`))
      await turn()
    }
    return connection.protocol.held
  }
  expect(await held(false)).toBeGreaterThanOrEqual(40 * 65_536)
  expect(await held(true)).toBeLessThan(2 ** 20 + 65_536)
})
