import { describe, expect, it } from 'vitest'
import { serveBorrowed } from '../../../src/containers/protocol/borrowed.ts'
import type { Context, RawResponse } from '../../../src/functions/contract.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import type { RequestView } from '../../../src/http/message.ts'
import { decodeLoanAnswer, encodeLoanAnswer, type LoanAnswer } from '../../../src/transfer/loans/loan.ts'
import { EMPTY, utf8 } from '../../../src/wire/index.ts'
import { FakeHost, freshConnection, get, turn } from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'

/*
 * What a function sends ahead of its response, and behind its content: where there is a place for it, and
 * where there is none.
 */

type Handle = (request: RequestView, context: Context) => RawResponse | Promise<RawResponse>
type Fetch = (request: Request, env: unknown, context: Context) => Response | Promise<Response>

function hostOf(module: { handle: Handle } | { fetch: Fetch }): FakeHost {
  const kind = 'handle' in module ? 'raw' : 'fetch'
  return Object.assign(new FakeHost(), { module: { kind, file: 'test', ...module } as FunctionModule })
}

/** What a client of HTTP/1.1 gets, as text. */
async function overHttp1(host: FakeHost, request = get('/echo')): Promise<string> {
  const { stream } = freshConnection(host, request)
  for (let i = 0; i < 5; i++) await turn()
  return stream.take().reduce((text, byte) => text + String.fromCharCode(byte), '')
}

/** What a client of HTTP/2 gets on one stream: statuses, content and trailers, in order. */
async function overHttp2(host: FakeHost, method = 'GET'): Promise<unknown[]> {
  const client = new Talker(false).arrive(host)
  const id = client.request('/echo', { method })
  client.flush()
  for (let i = 0; i < 5; i++) await turn()
  client.hear()
  const heard: unknown[] = []
  for (const event of client.events) {
    if (!('streamId' in event) || event.streamId !== id) continue
    if (event.type === 'informational' || event.type === 'response') heard.push(event.status)
    else if (event.type === 'data' && event.data.length > 0) heard.push(new TextDecoder().decode(event.data))
    else if (event.type === 'trailers') heard.push(Object.fromEntries(event.headers))
    else if (event.type === 'reset') heard.push('reset')
  }
  return heard
}

const withTrailers = (status: number, body?: string): Handle => {
  return () => ({ status, ...(body === undefined ? {} : { body }), trailers: [['x-sum', '7']] })
}

describe('trailers of a function', () => {
  it('follow content in chunks, or a stream of HTTP/2', async () => {
    expect(await overHttp1(hostOf({ handle: withTrailers(200, 'content') }))).toMatch(
      /^HTTP\/1.1 200 OK\r\n(?!.*content-length)[\s\S]*chunked[\s\S]*7\r\ncontent\r\n0\r\nx-sum: 7\r\n\r\n$/i,
    )
    expect(await overHttp2(hostOf({ handle: withTrailers(200, 'content') }))).toEqual([
      200,
      'content',
      { 'x-sum': '7' },
    ])
  })

  it('follow content that is empty, too', async () => {
    expect(await overHttp1(hostOf({ handle: withTrailers(200) }))).toMatch(/\r\n\r\n0\r\nx-sum: 7\r\n\r\n$/)
    expect(await overHttp2(hostOf({ handle: withTrailers(200) }))).toEqual([200, { 'x-sum': '7' }])
  })

  it.each([204, 304])('have no place behind %d', async status => {
    expect(await overHttp1(hostOf({ handle: withTrailers(status) }))).not.toContain('x-sum')
    expect(await overHttp2(hostOf({ handle: withTrailers(status) }))).toEqual([status])
  })

  it('have no place in the answer to HEAD, which says how long the content is', async () => {
    const head = await overHttp1(
      hostOf({ handle: withTrailers(200, 'content') }),
      'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    expect(head).toMatch(/content-length: 7/i)
    expect(head).not.toContain('x-sum')
    expect(await overHttp2(hostOf({ handle: withTrailers(200, 'content') }), 'HEAD')).toEqual([200])
  })

  it('of content that streams are asked for when it is over', async () => {
    const fetch = (): Fetch => (_request, _env, context) => {
      let count = 0
      context.trailers(async () => new Map([['x-count', String(count)]]))
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await turn()
            if (++count < 3) controller.enqueue(utf8(`${count}`))
            else controller.close()
          },
        }),
        { headers: { 'content-length': '2', trailer: 'x-count' } },
      )
    }
    const text = await overHttp1(hostOf({ fetch: fetch() }))
    expect(text).toMatch(/trailer: x-count[\s\S]*\r\n0\r\nx-count: 3\r\n\r\n$/)
    expect(text).not.toMatch(/content-length/i)
    expect(await overHttp2(hostOf({ fetch: fetch() }))).toEqual([200, '1', '2', { 'x-count': '3' }])
  })

  it.each(['content-length', 'Transfer-Encoding', 'not a token'])(
    'that must not be sent (%s) break the response off',
    async name => {
      const handle: Handle = () => ({ status: 200, body: 'content', trailers: [[name, '7']] })
      const host = hostOf({ handle })
      expect(await overHttp1(host)).not.toMatch(/\r\n0\r\n/)
      expect(host.ends).toHaveLength(1)
      expect(await overHttp2(hostOf({ handle }))).toContain('reset')
    },
  )

  it('leave the field Trailer out where none follow', async () => {
    const fetch = () => new Response('content', { headers: { trailer: 'x-sum' } })
    expect(await overHttp1(hostOf({ fetch }))).not.toMatch(/trailer/i)
  })

  it('come along when the request is lent', async () => {
    const request = { method: 'GET', target: '/', headers: [], host: 'a', path: '/', query: '', body: EMPTY }
    const place = { tls: false, hops: 0, requestIndex: 0, alpn: 'h2', serverName: 'a', remoteAddress: '::1' }
    const answer = await new Promise<LoanAnswer>(resolve => {
      const host = hostOf({
        handle: (request, context) => {
          context.inform(103, [['link', 'x']])
          return withTrailers(200, 'content')(request, context)
        },
      })
      serveBorrowed({ ...request, ...place }, host, '/', lent =>
        resolve(decodeLoanAnswer(encodeLoanAnswer(lent))),
      )
    })
    expect(answer).toMatchObject({ status: 200, trailers: [{ name: 'x-sum', value: '7' }] })
  })
})

describe('interim responses of a function', () => {
  const informing = (status: number, headers: [string, string][] = [['link', '</a>']]): Handle => {
    return (_request, context) => {
      context.inform(status, headers)
      return { status: 200, body: 'content' }
    }
  }

  it('go ahead of the response', async () => {
    const text = await overHttp1(hostOf({ handle: informing(103) }))
    expect(text).toMatch(/^HTTP\/1.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1.1 200 OK\r\n/)
    expect(await overHttp2(hostOf({ handle: informing(103) }))).toEqual([103, 200, 'content'])
  })

  it('are nothing for a client of HTTP/1.0', async () => {
    expect(await overHttp1(hostOf({ handle: informing(103) }), 'GET / HTTP/1.0\r\n\r\n')).toMatch(
      /^HTTP\/1.1 200/,
    )
  })

  it.each<[number, [string, string][]]>([
    [100, []],
    [101, []],
    [200, []],
    [103.5, []],
    [103, [['content-length', '5']]],
    [103, [['x', 'a\r\nb']]],
  ])('that must not be sent are refused to the function: %d %j', async (status, headers) => {
    expect(await overHttp1(hostOf({ handle: informing(status, headers) }))).toMatch(/^HTTP\/1.1 500/)
    expect((await overHttp2(hostOf({ handle: informing(status, headers) })))[0]).toBe(500)
  })

  it('are nothing behind the response, and no answer to the next request', async () => {
    const contexts: Context[] = []
    const answers: ((response: RawResponse) => void)[] = []
    const host = hostOf({
      handle: (_request, context) => {
        contexts.push(context)
        return new Promise(resolve => answers.push(resolve))
      },
    })
    const { stream } = freshConnection(host, get('/echo/1') + get('/echo/2'))
    answers[0]!({ status: 200, body: 'first' })
    await turn()
    expect(contexts).toHaveLength(2)
    stream.take()
    contexts[0]!.inform(103, [['link', 'late']])
    expect(stream.take()).toEqual(EMPTY)
    contexts[1]!.inform(103, [['link', 'in time']])
    expect(new TextDecoder().decode(stream.take())).toContain('in time')
  })

  it('are nothing to a client that is gone', async () => {
    let context: Context | undefined
    const host = hostOf({
      handle: (_request, given) => {
        context = given
        return new Promise(() => {})
      },
    })
    const { stream } = freshConnection(host, get('/echo'))
    await stream.reset()
    expect(() => context!.inform(103)).not.toThrow()
  })
})
