import { describe, expect, it } from 'vitest'
import type { FunctionModule } from '../../../src/functions/module.ts'
import { ErrorCode } from '../../../src/http/h2/index.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, freshConnection, get, responses, turn } from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'

type Fetch = Extract<FunctionModule, { kind: 'fetch' }>['fetch']

function hostOf(fetch: Fetch, more: ConstructorParameters<typeof FakeHost>[1] = {}): FakeHost {
  const host = new FakeHost(undefined, more)
  host.module = { kind: 'fetch', file: 'test', fetch }
  return host
}

/** A response that has begun and gives what `next` says: a piece, the end (undefined), or what it throws. */
function beginning(
  next: () => Promise<Uint8Array | undefined>,
  headers: Record<string, string> = {},
): Response {
  let first = true
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    await turn()
    const piece = first ? utf8('begun') : await next()
    first = false
    if (piece === undefined) controller.close()
    else controller.enqueue(piece)
  }
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), { headers })
}

const never = () => new Promise<undefined>(() => {})

/** What goes wrong when a response has begun, and how much the client sends of its request by then. */
const KINDS: Readonly<Record<string, { readonly fetch: Fetch; readonly body: number }>> = {
  'more content than is allowed': { fetch: () => beginning(never), body: 30 },
  'content that stops': { fetch: () => beginning(never), body: 5 },
  'a function that fails': {
    fetch: () => beginning(() => Promise.reject(new Error('no more'))),
    body: 5,
  },
  'more than it promised': {
    fetch: () => beginning(async () => utf8('too much'), { 'content-length': '6' }),
    body: 5,
  },
  'less than it promised': {
    fetch: () => beginning(async () => undefined, { 'content-length': '60' }),
    body: 5,
  },
  'something that is no bytes': {
    fetch: () => beginning(async () => 7 as never),
    body: 5,
  },
}
/** Whose client says nothing more must not wait long, and the others not be in a hurry. */
const limitsOf = (kind: string) => ({
  timers: { 'request-body': kind === 'content that stops' ? 500 : 60_000 },
  http: { bodyBytes: 20 },
})

describe('a refusal after the response has begun ends', () => {
  it.each(Object.entries(KINDS))('its stream alone: %s', async (kind, { fetch, body }) => {
    const host = hostOf(
      (request, ...rest) => (request.method === 'POST' ? fetch(request, ...rest) : new Response('fine')),
      limitsOf(kind),
    )
    const client = new Talker(true).arrive(host)
    const id = client.request('/', { open: true })
    client.http.write(id, utf8('12345'))
    client.flush()
    const begun = () => client.answers.has(id) && client.answer(id).status !== 0
    while (!begun()) {
      await turn()
      client.hear()
    }
    if (body > 5) client.http.write(id, new Uint8Array(body - 5))
    client.flush()
    while (client.answer(id).reset === undefined) {
      await turn()
      client.flush()
    }
    expect(client.answer(id)).toMatchObject({ status: 200, ended: false, reset: ErrorCode.INTERNAL_ERROR })
    const next = client.request('/')
    client.flush()
    await turn()
    client.hear()
    expect(client.answer(next)).toMatchObject({ status: 200, body: 'fine' })
    expect(host.ends).toEqual([])
  })

  it.each(Object.entries(KINDS))('its HTTP/1.1 connection alone: %s', async (kind, { fetch, body }) => {
    const host = hostOf(fetch, limitsOf(kind))
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n'
    const { stream } = freshConnection(host, head)
    while (!Buffer.concat(stream.sent).includes('begun')) await turn()
    if (body > 5) stream.receive(utf8(`${(body - 5).toString(16)}\r\n${'x'.repeat(body - 5)}\r\n`))
    while (host.ends.length === 0 && !stream.finished) await turn()
    // The end of the content is missing, and the client can tell.
    expect(Buffer.concat(stream.sent).toString()).not.toMatch(/\r\n0\r\n\r\n$/)
    const other = freshConnection(new FakeHost(), get('/echo'))
    expect(responses(other.stream.take(), 1)[0]!.status).toBe(200)
  })

  it('nothing, where the function had given a length that its content does not have, and it is lent', () => {
    const host = new FakeHost()
    const client = new Talker(false).arrive(host)
    const own = client.request('/echo', { open: true })
    client.flush()
    const lent = client.request('/resize')
    client.flush()
    const other = client.request('/hello')
    client.flush()
    expect(own).toBe(1)
    // The rule that decides on a move needs time; a request of each makes the connection a shared one.
    const mine = client.request('/echo')
    client.flush()
    const loans = host.loans
    expect(loans.length).toBeGreaterThan(0)
    for (const { settle } of loans)
      settle({
        outcome: 'answered',
        status: 200,
        headers: [],
        length: 10,
        trailers: [],
        body: new Uint8Array(0),
      })
    client.hear()
    const answered = [lent, other].filter(id => client.answers.has(id))
    expect(answered.map(id => client.answer(id).status)).toEqual(answered.map(() => 500))
    expect(client.answer(mine).status).toBe(200)
  })
})
