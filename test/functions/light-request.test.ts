import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { toWebRequest } from '../../src/functions/web.ts'
import type { Field, RequestHead } from '../../src/http/message.ts'
import { installGlobals } from '../../src/web/globals.ts'
import { native } from '../../src/web/native.ts'
import { LightRequest } from '../../src/web/request.ts'
import { utf8 } from '../../src/wire/index.ts'

const NODES = { ...native() }
installGlobals()

const HEADERS: readonly Field[] = [
  ['Host', 'echo.local'],
  ['Content-Type', 'application/x-www-form-urlencoded'],
  ['X-A', '1'],
  ['x-a', '2'],
]

function head(method: string, target: string, headers = HEADERS): RequestHead {
  const [, path = '', query = ''] = /^([^?]*)\??(.*)$/.exec(target)!
  return { method, target, version: '1.1', headers, host: undefined, path, query }
}

const ORIGIN = { scheme: 'http', authority: 'localhost' } as const
type Content = Uint8Array | ReadableStream<Uint8Array> | undefined

/** A request of ours, and Node's of the same. */
function both(method: string, content: () => Content, target = '/a?b=c'): [Request, Request] {
  const init = { method, headers: HEADERS as never, body: content() as never, duplex: 'half' as const }
  const nodes = new NODES.Request(`http://echo.local${target}`, init)
  return [toWebRequest(head(method, target), content(), ORIGIN), nodes]
}

const CONTENTS: readonly [string, () => Content][] = [
  ['no content', () => undefined],
  ['bytes', () => utf8('a=b&c=d')],
  ['a stream', () => new Blob(['a=b&c=d']).stream() as ReadableStream<Uint8Array>],
]

const ATTRIBUTES = [
  'method',
  'url',
  'mode',
  'credentials',
  'cache',
  'redirect',
  'referrer',
  'integrity',
].concat('referrerPolicy', 'keepalive', 'destination', 'duplex', 'bodyUsed') as (keyof Request)[]

function seen(request: Request): unknown[] {
  return [...ATTRIBUTES.map(name => request[name]), [...request.headers], request.body === null]
}

/** The same done to both gives the same. */
async function same(
  content: () => Content,
  run: (request: Request, web: Pick<typeof NODES, 'Request'>) => unknown,
): Promise<void> {
  const [ours, nodes] = both('POST', content)
  const result = async (request: Request, web: Pick<typeof NODES, 'Request'>) => {
    try {
      return [await run(request, web)]
    } catch (error) {
      return (error as Error).name
    }
  }
  expect(await result(ours, { Request })).toEqual(await result(nodes, NODES))
}

describe.each(CONTENTS)('a request with %s', (_, content) => {
  it('shows what Node shows', async () => {
    await same(content, seen)
    await same(content, request => request.signal.aborted)
    // Node's remembers the spelling of names, for this alone.
    await same(content, request =>
      inspect(request)
        .toLowerCase()
        .replace(/signal: [\s\S]*/, ''),
    )
    await same(content, request => structuredClone(request))
    await same(content, request => structuredClone(request.headers))
  })

  it.each(['text', 'json', 'arrayBuffer', 'blob', 'formData'] as const)('is read by %s', async how => {
    await same(content, async request => {
      const result: unknown = await request[how]()
      const value = result instanceof FormData ? [...result] : result
      return [value instanceof Blob ? [value.type, await value.text()] : value, request.bodyUsed]
    })
    await same(content, async request => {
      await request.text()
      return [request.bodyUsed, await request[how]()]
    })
    await same(content, async request => {
      void request.body
      return request[how]()
    })
  })

  it('is cloned before it is read, and not after', async () => {
    await same(content, async request => {
      const clone = request.clone()
      clone.headers.set('x-a', '3')
      return [seen(request), seen(clone), await clone.text(), request.bodyUsed, await request.text()]
    })
    await same(content, async request => {
      await request.text()
      return seen(request.clone())
    })
  })

  it('becomes another by new Request', async () => {
    await same(content, async (request, web) => {
      request.headers.set('x-b', '4')
      const next = new web.Request(request)
      return [seen(next), request.bodyUsed, await next.text()]
    })
    await same(content, async (request, web) => {
      const next = new web.Request(request, { body: 'other', headers: { a: 'b' } })
      return [[...next.headers], request.bodyUsed, await next.text()]
    })
    await same(content, async (request, web) => {
      const next = new web.Request('http://b/', request)
      return [seen(next), await next.text()]
    })
    await same(content, async (request, web) => {
      await request.text()
      return seen(new web.Request(request))
    })
  })

  it('goes through fetch', async () => {
    const server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', piece => pieces.push(piece))
      request.on('end', () => response.end(`${request.headers['x-a']} ${Buffer.concat(pieces)}`))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    try {
      const host: Field = ['host', `127.0.0.1:${(server.address() as AddressInfo).port}`]
      const made = () => toWebRequest(head('POST', '/', [host, ['x-a', '1']]), content(), ORIGIN)
      const body = content() === undefined ? '' : 'a=b&c=d'
      expect(await (await fetch(made())).text()).toBe(`1 ${body}`)
      expect(await (await fetch(made(), { headers: { 'x-a': '2' } })).text()).toBe(`2 ${body}`)
      await expect(fetch(made(), { signal: AbortSignal.abort() })).rejects.toThrow('abort')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('a request', () => {
  it('is one of the class, and passes its signal on', () => {
    const controller = new AbortController()
    const caller = { signal: controller.signal }
    const request = toWebRequest(head('GET', '/'), undefined, { ...ORIGIN, caller })
    expect(LightRequest.is(request)).toBe(true)
    expect(request instanceof Request && request instanceof NODES.Request).toBe(true)
    expect(request.headers instanceof Headers).toBe(true)
    expect(request.constructor).toBe(Request)
    const [next, clone] = [new Request(request), request.clone()]
    controller.abort(new Error('gone'))
    expect([next.signal.aborted, clone.signal.aborted]).toEqual([true, true])
  })

  it.each([
    ...['/', '/a/b', '/a/../b', '/a/./b', '/..', '/%2e%2E/a', '/.a', '/a.', '/a//b', '//a', "/it's"],
    ...['/a b', '/ü', '/"<>', '/a?', '/a?b?c', "/a?it's", '/a?"<>', '/a?ü', '/a\\b', '/a|b', '/a[b]', '/%zz'],
  ])('for %s has the URL that Node gives', target => {
    const [ours, nodes] = both('GET', () => undefined, target)
    // The query that is empty has never been a part of it.
    expect(ours.url).toBe(nodes.url.replace(/\?$/, ''))
  })

  it.each(['ECHO.Local', 'a.b:80', 'a:8080', '127.1', '[::1]:80', 'xn--bcher-kva.example', 'a_b'])(
    'for the Host %s has the origin that Node gives',
    host => {
      const request = toWebRequest(head('GET', '/a', [['host', host]]), undefined, ORIGIN)
      expect(request.url).toBe(new NODES.Request(`http://${host}/a`).url)
    },
  )

  it.each(['get', 'Post', 'patch', 'PATCH', 'PROPFIND'])('keeps the method %s as Node does', method => {
    const [ours, nodes] = both(method, () => undefined)
    expect(ours.method).toBe(nodes.method)
  })
})
