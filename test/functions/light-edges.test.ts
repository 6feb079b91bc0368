import { describe, it } from 'vitest'
import { same, type Web } from '../support/web-classes.ts'

/** Questions of the public tests of fetch that are asked of one call each: ours and Node's answer alike. */

const SOME = { foo: '2', baz: '1', BAR: '0', quux: '3' }

/** What comes of going through fields while a step changes them. */
function gone(web: Web, change: (headers: Headers, name: string) => void): string[] {
  const headers = new web.Headers(SOME)
  const seen: string[] = []
  for (const [name, value] of headers) {
    seen.push(name, value)
    if (seen.length < 40) change(headers, name)
  }
  return seen
}

/** The outcome for each of some inputs: a value, or the name of the error. */
function each<T>(inputs: readonly T[], run: (input: T) => unknown): unknown[] {
  return inputs.map(input => {
    try {
      return run(input)
    } catch (error) {
      return (error as Error).name
    }
  })
}

const post = (web: Web, body: unknown, more: object = {}) =>
  new web.Request('http://a/', { method: 'POST', body, ...more } as never)

describe('fields that change while they are gone through', () => {
  const changes: Record<string, (headers: Headers, name: string) => void> = {
    'one ahead goes': headers => headers.delete('foo'),
    'one behind goes': (headers, name) => name === 'baz' && headers.delete('bar'),
    'one ahead comes': (headers, name) => name === 'baz' && headers.append('X-yZ', '4'),
    'one behind comes': (headers, name) => name === 'baz' && headers.append('abc', '-1'),
    'a cookie more': (headers, name) => name === 'foo' && headers.append('Set-Cookie', 'a=b'),
  }
  it.each(Object.entries(changes))('%s', async (_, change) => {
    await same(web => gone(web, change))
  })

  it('have an iterator as the web has it', async () => {
    const array = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))
    for (const how of ['keys', 'values', 'entries'] as const)
      await same(web => {
        const iterator = new web.Headers({ a: 'b' })[how]()
        const prototype = Object.getPrototypeOf(iterator)
        const { value, ...flags } = Object.getOwnPropertyDescriptor(prototype, 'next')!
        const tag = Object.prototype.toString.call(iterator)
        return [Object.getPrototypeOf(prototype) === array, typeof value, flags, tag]
      })
  })

  it('are what an iterator of their own says', async () => {
    await same(web => {
      const headers = Object.assign(new web.Headers({ a: 'b' }), {
        *[Symbol.iterator]() {
          yield ['own', 'field']
        },
      })
      return [...new web.Headers(headers)]
    })
  })

  it('refuse names and values beyond Latin-1', async () => {
    for (const how of ['get', 'has', 'delete', 'set', 'append'] as const)
      await same(web =>
        (new web.Headers() as never as Record<string, (...all: string[]) => 0>)[how]!('Ā', 'x'),
      )
    for (const how of ['set', 'append'] as const) await same(web => new web.Headers()[how]('x', 'Ā'))
  })
})

describe('a request made of another', () => {
  it('takes its body, and what fails takes nothing', async () => {
    await same(web => {
      const first = post(web, 'x')
      const body = first.body
      const next = new web.Request(first)
      return [first.bodyUsed, first.body === body, next.bodyUsed]
    })
    await same(web => {
      const first = post(web, 'x')
      return [new web.Request(first, { body: 'y' }).bodyUsed, first.bodyUsed]
    })
    await same(web => {
      const first = post(web, 'x')
      return [each(['GET', 'CONNECT', 'HEAD'], method => new web.Request(first, { method })), first.bodyUsed]
    })
  })

  it('holds the stream that it is given, and wants its duplex said', async () => {
    const make = () => new ReadableStream({})
    await same(web => {
      const body = make()
      return post(web, body, { duplex: 'half' }).body === body
    })
    for (const body of [null, 'x', new Uint8Array(3), new Blob([])])
      for (const duplex of ['half', 'full']) await same(web => post(web, body, { duplex }).method)
    await same(web => post(web, make()).method)
    await same(web => {
      const body = make()
      body.getReader()
      return post(web, body, { duplex: 'half' }).method
    })
  })

  it('keeps the fields of the first, or has those that it is given', async () => {
    await same(web => {
      const first = new web.Request('http://a/', { headers: [['Content-Type', 'potato']] })
      const bare = new web.Request(first, { headers: [] })
      return [new web.Request(first).headers.get('content-type'), bare.headers.has('content-type')]
    })
  })

  it('has its method judged', async () => {
    const methods = ['get', 'patch', 'Post', 'delete', 'TRACE', 'x y', '']
    await same(web => each(methods, method => new web.Request('http://a/', { method }).method))
    await same(web => each(['http://u:p@a/', 'a', 'http://a/b#c'], url => new web.Request(url).url))
  })
})

describe('a response', () => {
  it('of JSON is encoded as JSON is, and fails as that does', async () => {
    const circular: { itself?: unknown } = {}
    circular.itself = circular
    const values = [null, 'x', '\u{1d306}', '\udf06\ud834', { foo: 'bar' }, undefined, Symbol('a'), circular]
    for (const value of values) await same(web => web.Response.json(value).text())
    await same(web =>
      web.Response.json({
        get foo() {
          throw new RangeError('its own')
        },
      }),
    )
    const inits = [{ status: 400 }, { statusText: 'foo' }, { headers: { 'content-type': 'foo/bar' } }]
    for (const init of [...inits, { status: 204 }, { status: 304 }])
      await same(web => {
        const { status, statusText, headers } = web.Response.json('x', init)
        return [status, statusText, [...headers]]
      })
  })

  it('that redirects, or is an error, says so', async () => {
    for (const status of [301, 302, 303, 307, 308, 200, 304])
      await same(web => {
        const response = web.Response.redirect('http://a/ü', status as 302)
        return [response.status, [...response.headers], response.type, response.ok, response.redirected]
      })
    await same(web => {
      const { type, status, ok, body, statusText, headers } = web.Response.error()
      return [type, status, ok, body, statusText, [...headers]]
    })
    await same(web => web.Response.error().headers.append('a', 'b'))
  })

  it('has its status and its reason judged', async () => {
    const statuses = [0, 100, 199, 200.5, '201', 600, 1000, Number.NaN, 204, 205, 304]
    await same(web => each(statuses, status => new web.Response('x', { status } as never).status))
    const reasons = ['\n', 'Ā', 'é', '\t x', '\0']
    await same(web => each(reasons, statusText => new web.Response('', { statusText }).statusText))
  })

  it('has a body of any kind of memory, as it was when it was given', async () => {
    const kinds = [Int8Array, Uint8ClampedArray, Float32Array, Float64Array]
    for (const Kind of kinds)
      await same(async web => (await new web.Response(new Kind(2)).arrayBuffer()).byteLength)
    await same(async web => {
      const bytes = new Uint8Array([65, 66])
      const response = new web.Response(new DataView(bytes.buffer, 1, 1))
      bytes[1] = 90
      return response.text()
    })
  })

  it('is text as UTF-8 has it', async () => {
    const cases = [[0xef, 0xbb, 0xbf, 0x31], [0xff, 0x41], []]
    for (const how of ['text', 'json'] as const)
      for (const bytes of cases) await same(web => new web.Response(new Uint8Array(bytes))[how]())
    await same(async web => [...new Uint8Array(await new web.Response('\ud800x').arrayBuffer())])
  })

  it('is read into memory of its reader', async () => {
    for (const body of ['hello', new Blob(['hello'])])
      await same(async web => {
        const reader = new web.Response(body).body!.getReader({ mode: 'byob' })
        const { value } = await reader.read(new Uint8Array(3))
        return Buffer.from(value!).toString()
      })
  })

  it('can be of a class that is derived', async () => {
    await same(async web => {
      class Derived extends web.Response {
        get more(): number {
          return 1
        }
      }
      const response = new Derived('x')
      return [await response.text(), response.more, response instanceof web.Response]
    })
  })
})
