import { once } from 'node:events'
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
} from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { H2Client, type H2Event } from '../../../src/http/h2/index.ts'
import type { Field } from '../../../src/http/message.ts'
import { type HttpHandlers, wholeContent } from '../../../src/http/serving.ts'
import { serveConnection } from '../../../src/transport/serve.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { moved } from '../../support/h2-frames.ts'

/*
 * Requests and responses made by chance, several at once on one connection whose tables fill up:
 * what one side says by our code, the other one reads by Node's, and the other way round. Our client moves
 * after every piece that comes.
 */

const RUNS = { numRuns: process.env.HOTPOTATO_LONG ? 400 : 25 }

const name = fc.constantFrom('x-a', 'x-b', 'accept-language', 'user-agent', 'x-long-name-of-a-field', 'etag')
const value = fc.oneof(
  fc.constantFrom('', 'y', 'text/html; charset=utf-8', 'again and again the same', '"quoted, with commas"'),
  fc.string({ unit: fc.constantFrom(...' !~:;,="abcXYZ019'), maxLength: 60 }).map(text => text.trim()),
)
const fields = fc.uniqueArray(fc.tuple(name, value), { maxLength: 5, selector: ([one]) => one })
const content = fc
  .array(fc.oneof(fc.nat(300), fc.nat(40_000)), { maxLength: 3 })
  .map(sizes => sizes.map((size, i) => new Uint8Array(size).map((_, at) => at * 7 + i)))
const one = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'X-OWN'),
  path: fc.constantFrom('/', '/a/b?c=d&e', '/%20', "/!$&'()*+,;=:@-._~", '/?'),
  fields,
  content,
  trailers: fc.uniqueArray(fc.tuple(fc.constantFrom('x-sum', 'x-end'), value), {
    maxLength: 2,
    selector: ([key]) => key,
  }),
  answer: fc.record({ status: fc.constantFrom(200, 201, 204, 304, 404, 500), fields, content }),
})
type One = typeof one extends fc.Arbitrary<infer T> ? T : never
const several = fc.array(one, { minLength: 1, maxLength: 4 })

const bodiless = (method: string): boolean => method === 'GET' || method === 'HEAD' || method === 'DELETE'
const sent = ({ method, content: pieces }: One): Uint8Array =>
  bodiless(method) ? concat() : concat(...pieces)
const expectedBody = ({ method, answer }: One): Uint8Array =>
  method === 'HEAD' || answer.status === 204 || answer.status === 304 ? concat() : concat(...answer.content)
const digest = (bytes: Uint8Array): string =>
  `${bytes.length}:${bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7)}`
const record = (list: readonly Field[]): Record<string, string> => Object.fromEntries(list)
/** Those of the names, as they arrived. */
const among = (got: IncomingHttpHeaders | Record<string, string>, list: readonly Field[]) =>
  Object.fromEntries(list.map(([key]) => [key, got[key]]))

describe('what our client sends, Node’s server reads', () => {
  let server: Http2Server
  let port: number
  /** By the path of a case: `/N/…`. */
  let cases: readonly One[] = []
  let seen: { method: string; path: string; fields: object; body: string; trailers: object }[] = []

  beforeAll(async () => {
    server = createServer()
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const index = Number(headers['x-case'])
      const { answer, fields: wanted, trailers } = cases[index]!
      const parts: Uint8Array[] = []
      let got: IncomingHttpHeaders = {}
      stream.on('trailers', list => {
        got = list
      })
      stream.on('data', (part: Uint8Array) => parts.push(part))
      stream.on('error', () => {})
      stream.on('end', () => {
        seen[index] = {
          method: headers[':method']!,
          path: headers[':path']!,
          fields: among(headers, wanted),
          body: digest(concat(...parts)),
          trailers: among(got, trailers),
        }
        stream.respond({ ':status': answer.status, ...record(answer.fields) })
        if (stream.writable) for (const piece of answer.content) stream.write(piece)
        stream.end()
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterAll(() => void server.close())

  it('and our client reads its answer', async () => {
    await fc.assert(
      fc.asyncProperty(several, async all => {
        cases = all
        seen = []
        const got = await askOurs(port, all)
        for (const [i, asked] of all.entries()) {
          const trailers = bodiless(asked.method) ? [] : asked.trailers
          expect(seen[i]).toEqual({
            method: asked.method,
            path: asked.path,
            fields: record(asked.fields),
            body: digest(sent(asked)),
            trailers: { ...among({}, asked.trailers), ...record(trailers) },
          })
          expect(got[i]).toEqual({
            status: asked.answer.status,
            fields: record(asked.answer.fields),
            body: digest(expectedBody(asked)),
          })
        }
      }),
      RUNS,
    )
  })
})

/** Asks all at once, on one connection. @returns the answers, in the order of the requests */
async function askOurs(port: number, all: readonly One[]) {
  const socket = connectTcp(port, '127.0.0.1')
  let client = new H2Client()
  const answers = new Map<number, { status: number; fields: object; parts: Uint8Array[] }>()
  const unsent = new Map<number, { left: Uint8Array; trailers: readonly Field[] }>()
  const ids: number[] = []
  let open = all.length
  const push = (id: number): void => {
    const rest = unsent.get(id)
    if (rest === undefined) return
    rest.left = rest.left.subarray(client.write(id, rest.left))
    if (rest.left.length > 0) return
    unsent.delete(id)
    client.end(id, rest.trailers.length > 0 ? rest.trailers : undefined)
  }
  for (const [i, asked] of all.entries()) {
    const head = { method: asked.method, scheme: 'http', authority: 'a', path: asked.path }
    const id = client.request(
      { ...head, headers: [['x-case', String(i)], ...asked.fields] },
      bodiless(asked.method),
    )
    ids.push(id)
    if (!bodiless(asked.method)) unsent.set(id, { left: sent(asked), trailers: asked.trailers })
    push(id)
  }
  const on = (event: H2Event): void => {
    if (event.type === 'error') throw new Error(event.reason)
    if (event.type === 'reset') throw new Error(`stream ${event.streamId} was reset: ${event.code}`)
    if (event.type === 'drain') push(event.streamId)
    if (event.type === 'response') {
      const asked = all[ids.indexOf(event.streamId)]!
      const list = record(event.headers)
      answers.set(event.streamId, {
        status: event.status,
        fields: among(list, asked.answer.fields),
        parts: [],
      })
    }
    if (event.type === 'data') {
      answers.get(event.streamId)!.parts.push(event.data)
      client.consume(event.streamId, event.data.length)
    }
    if ((event.type === 'response' || event.type === 'data') && event.endStream) open--
  }
  const flush = (): void => {
    for (let bytes = client.takeOutput(); bytes.length > 0; bytes = client.takeOutput()) {
      socket.write(bytes)
      for (let event = client.next(); event !== undefined; event = client.next()) on(event)
    }
  }
  flush()
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => (open === 0 ? resolve() : reject(new Error(`${open} answers are missing`))))
    socket.on('data', piece => {
      try {
        client.receive(new Uint8Array(piece))
        for (let event = client.next(); event !== undefined; event = client.next()) on(event)
        flush()
        if (open === 0) socket.end()
        else client = new H2Client(undefined, moved(client.export()))
      } catch (error) {
        reject(error)
        socket.destroy()
      }
    })
  })
  return ids.map(id => {
    const { parts, ...answer } = answers.get(id)!
    return { ...answer, body: digest(concat(...parts)) }
  })
}

describe('what Node’s client sends, our server reads', () => {
  let server: Server
  let url: string
  let cases: readonly One[] = []
  let seen: object[] = []
  const app: HttpHandlers = {
    async request(request, response) {
      const list = record(request.headers)
      const index = Number(list['x-case'])
      const { answer, fields: wanted } = cases[index]!
      const body = await wholeContent(request)
      const { method, target } = request
      seen[index] = { method, path: target, fields: among(list, wanted), body: digest(body) }
      response.begin({ status: answer.status, headers: answer.fields, length: undefined })
      for (const piece of answer.content) await response.write(piece)
      response.end()
    },
  }

  beforeAll(async () => {
    server = createTcpServer(socket => void serveConnection(socket, app)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  it('and Node’s client reads our answer', async () => {
    await fc.assert(
      fc.asyncProperty(several, async all => {
        cases = all
        seen = []
        const session = connect(url)
        const got = await Promise.all(all.map((asked, i) => askNode(session, asked, i)))
        session.close()
        for (const [i, asked] of all.entries()) {
          const { method, path } = asked
          expect(seen[i]).toEqual({ method, path, fields: record(asked.fields), body: digest(sent(asked)) })
          expect(got[i]).toEqual({
            status: asked.answer.status,
            fields: record(asked.answer.fields),
            body: digest(expectedBody(asked)),
          })
        }
      }),
      RUNS,
    )
  })
})

async function askNode(session: ClientHttp2Session, asked: One, index: number) {
  const { method, path } = asked
  const stream = session.request(
    { ':method': method, ':path': path, 'x-case': String(index), ...record(asked.fields) },
    { endStream: bodiless(method) },
  )
  const parts: Uint8Array[] = []
  let head: IncomingHttpHeaders & { ':status'?: number | undefined } = {}
  stream.on('response', got => {
    head = got
  })
  stream.on('data', (part: Uint8Array) => parts.push(part))
  if (!bodiless(method)) {
    for (const piece of asked.content) stream.write(piece)
    stream.end()
  }
  await once(stream, 'close')
  return { status: head[':status'], fields: among(head, asked.answer.fields), body: digest(concat(...parts)) }
}

it('the pieces of the tests tell contents apart', () => {
  expect(digest(utf8('ab'))).not.toBe(digest(utf8('ba')))
})
