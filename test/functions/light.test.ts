import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { installGlobals, prepare } from '../../src/web/globals.ts'
import { LightHeaders } from '../../src/web/headers.ts'
import { native } from '../../src/web/native.ts'
import { LightResponse } from '../../src/web/response.ts'

const NODES = { ...native() }
installGlobals()
prepare()
const OURS = { Request, Response, Headers, fetch }
type Web = typeof OURS

/** What came of it: a value, or the name of an error. */
async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error: (error as Error).name, type: error instanceof TypeError }
  }
}

/** The same on our classes and on Node's. */
async function same(run: (web: Web) => unknown): Promise<void> {
  expect(await outcome(() => run(OURS))).toEqual(await outcome(() => run(NODES)))
}

/** All that can be seen of a response without reading it. */
function seen(response: Response) {
  const { status, statusText, ok, type, url, redirected, bodyUsed } = response
  const at = { status, statusText, ok, type, url, redirected, bodyUsed, empty: response.body === null }
  return { ...at, headers: [...response.headers], cookies: response.headers.getSetCookie() }
}

const BYTES = Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d, 0xff)
/** Bodies of every kind, as functions because they are read once. */
const BODIES: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  'an empty text': () => '',
  text: () => 'täxt',
  JSON: () => '{"a":[1]}',
  'text with a byte order mark': () => '\ufeff{}',
  'half of a surrogate pair': () => 'a\ud800b',
  bytes: () => BYTES,
  'a part of bytes': () => BYTES.subarray(3, 5),
  'a Buffer': () => Buffer.from('buffered'),
  'no bytes': () => new Uint8Array(0),
  'an ArrayBuffer': () => BYTES.buffer,
  'a DataView': () => new DataView(BYTES.buffer, 3, 2),
  floats: () => Float32Array.of(1, 2),
  URLSearchParams: () => new URLSearchParams({ a: 'b c' }),
  'a Blob': () => new Blob(['blob'], { type: 'text/x' }),
  'a stream': () => new Blob(['streamed']).stream(),
  'a stream that is locked': () => {
    const stream = new Blob(['x']).stream()
    stream.getReader()
    return stream
  },
  'a number': () => 7,
  'a plain object': () => ({}),
  'a symbol': () => Symbol('x'),
  'shared memory': () => new Uint8Array(new SharedArrayBuffer(3)),
}
const INITS: Readonly<Record<string, () => unknown>> = {
  none: () => undefined,
  null: () => null,
  'a text': () => 'x',
  ...Object.fromEntries(
    [199, 200, 201, 204, 205, 304, 404, 599, 600, '404', 200.5, Number.NaN, 101, null].map(status => [
      `the status ${JSON.stringify(status)}`,
      () => ({ status }),
    ]),
  ),
  ...Object.fromEntries(
    ['', 'Fine', 'ü', 'a\nb', '\u0100', 7].map(statusText => [
      `the text ${JSON.stringify(statusText)}`,
      () => ({ statusText }),
    ]),
  ),
  'a record': () => ({ headers: { 'Content-Type': 'text/x', 'X-A': '1', 'x-a': '2' } }),
  pairs: () => ({
    headers: [
      ['set-cookie', 'a'],
      ['Set-Cookie', 'b'],
      ['b', 'c'],
    ],
  }),
  'a pair of three': () => ({ headers: [['a', 'b', 'c']] }),
  'a Map': () => ({ headers: new Map([['a', 'b']]) }),
  'a Headers': () => ({ headers: new Headers({ a: 'b' }) }),
  "Node's Headers": () => ({
    headers: new NODES.Headers([
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
    ]),
  }),
  'a name with a space': () => ({ headers: { 'a b': 'c' } }),
  'a value with a line end': () => ({ headers: { a: 'b\r\nc' } }),
  'a value with spaces around': () => ({ headers: { a: ' \tb ' } }),
  'a value that is a number': () => ({ headers: { a: 1 } }),
  'a value beyond bytes': () => ({ headers: { a: '\u0100' } }),
  'a symbol for a name': () => ({ headers: { [Symbol('a')]: 'b' } }),
  'headers null': () => ({ headers: null }),
  'headers that are a text': () => ({ headers: 'a' }),
  'another Response': () => new Response('x', { status: 201, headers: { a: 'b' } }),
}
const READS = ['text', 'json', 'arrayBuffer', 'blob', 'formData'] as const

async function read(message: Request | Response, how: (typeof READS)[number]): Promise<unknown> {
  const result: unknown = await message[how]()
  if (result instanceof ArrayBuffer) return [...new Uint8Array(result)]
  if (result instanceof Blob) return [result.type, await result.text()]
  return result instanceof FormData ? [...result] : result
}

describe('Response', () => {
  it.each(Object.keys(BODIES))('is made of %s as by Node, with any init', async body => {
    for (const init of Object.values(INITS))
      await same(web => seen(new web.Response(BODIES[body]!() as string, init() as ResponseInit)))
  })

  it.each(Object.keys(BODIES))('with %s is read as by Node, once', async body => {
    for (const how of READS) {
      for (const before of [false, true]) {
        await same(async web => {
          const response = new web.Response(BODIES[body]!() as string)
          if (before) void response.body
          const first = await outcome(() => read(response, how))
          const { bodyUsed } = response
          return [
            first,
            bodyUsed,
            await outcome(() => response.text()),
            await outcome(() => response.clone()),
          ]
            .map(one => ((one as { value?: unknown }).value instanceof Object ? 'an object' : one))
            .concat([JSON.stringify(first)])
        })
      }
    }
  })

  it.each(Object.keys(BODIES))('with %s is cloned as by Node', async body => {
    await same(async web => {
      const response = new web.Response(BODIES[body]!() as string, { headers: { a: 'b' }, status: 201 })
      const clone = response.clone()
      clone.headers.set('a', 'c')
      return [seen(response), seen(clone), await clone.text(), response.bodyUsed, await response.text()]
    })
  })

  it('has json, redirect and error as Node', async () => {
    for (const data of [{ a: 1 }, 'x', null, undefined, 1n, () => {}]) {
      for (const init of Object.values(INITS)) {
        await same(async web => {
          const response = web.Response.json(data, init() as ResponseInit)
          return [seen(response), await response.text()]
        })
      }
    }
    for (const url of ['http://a/b c', '/relative', '', undefined, new URL('http://a/')]) {
      for (const status of [undefined, 301, 307, 200, 304]) {
        await same(web => {
          const response = web.Response.redirect(url as string, status as 302)
          return [seen(response), response.body]
        })
      }
    }
    await same(web => web.Response.redirect('http://a/', 302).headers.set('a', 'b'))
    await same(web => web.Response.redirect('http://a/', 302).headers.delete('a'))
    await same(web => seen(web.Response.error()))
    await same(web => structuredClone(new web.Response('x')))
    await same(web => (web.Response as unknown as () => void)())
  })

  it('keeps what its body was when the memory changes', async () => {
    await same(web => {
      const bytes = Uint8Array.of(97, 98)
      const response = new web.Response(bytes)
      bytes[0] = 120
      return response.text()
    })
  })

  it('is one of the class, as Node is, and of those derived from it', () => {
    class Derived extends Response {
      readonly extra = 1
    }
    const [ours, nodes, derived] = [new Response('x'), new NODES.Response('x'), new Derived('x')]
    expect(LightResponse.is(ours)).toBe(true)
    for (const one of [ours, nodes, derived]) expect(one instanceof Response).toBe(true)
    expect([ours instanceof Derived, derived instanceof Derived]).toEqual([false, true])
    expect([ours.constructor, nodes.constructor]).toEqual([Response, Response])
    expect(Object.prototype.toString.call(ours)).toBe('[object Response]')
    expect([Response.name, Response.length]).toEqual(['Response', 0])
    expect(Object.keys(ours)).toEqual([])
  })
})

describe('Headers', () => {
  const name = fc.constantFrom('a', 'A', 'b', 'Set-Cookie', 'cookie', 'x y', '', 'content-type', 'ü')
  const value = fc.constantFrom(
    '1',
    '2',
    '',
    ' padded ',
    'a\nb',
    '\u0100',
    'ü',
    7 as never,
    undefined as never,
  )
  const step = fc.oneof(
    fc.tuple(fc.constantFrom('append', 'set'), name, value),
    fc.tuple(fc.constantFrom('delete', 'get', 'has'), name),
    fc.constant(['getSetCookie'] as const),
    fc.constant(['append', 'a'] as const),
    fc.constant(['get'] as const),
  )

  it('does what Node does, step by step', () => {
    const trace = (headers: Headers, steps: readonly (readonly unknown[])[]): unknown[] =>
      steps.map(([method, ...all]) => {
        try {
          return [Reflect.apply(headers[method as 'get'], headers, all as [string]), [...headers]]
        } catch (error) {
          return [(error as Error).name, [...headers]]
        }
      })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        expect(trace(new Headers(), steps)).toEqual(trace(new NODES.Headers(), steps))
      }),
      { numRuns: 1000 },
    )
  })

  it('reads fields as they came as Node reads them', () => {
    const fields = [
      ['Host', 'a'],
      ['Cookie', 'a=1'],
      ['cookie', 'b=2'],
      ['X-A', '1'],
      ['x-a', '2'],
    ] as const
    const [ours, nodes] = [new LightHeaders([], fields), new NODES.Headers(fields as never)]
    for (const name of ['host', 'HOST', 'cookie', 'x-A', 'none'])
      expect([ours.get(name), ours.has(name)]).toEqual([nodes.get(name), nodes.has(name)])
    ours.append('x-a', '3')
    nodes.append('x-a', '3')
    expect([...ours]).toEqual([...nodes])
  })

  it('goes through fields that change meanwhile as Node does', async () => {
    await same(web => {
      const headers = new web.Headers({ a: '1', b: '2', c: '3' })
      const met: unknown[] = []
      for (const [name] of headers) {
        met.push(name)
        if (name === 'a') headers.delete('b')
        if (name === 'c') headers.append('d', '4')
      }
      headers.forEach((value, name, all) => void met.push([value, name, all === headers]))
      return [met, [...headers.keys()], [...headers.values()], Object.prototype.toString.call(headers.keys())]
    })
    await same(web => new web.Headers({ a: 'b' }).forEach(undefined as never))
    await same(web => [...new web.Headers(new web.Headers({ a: 'b' }))])
    expect([...new NODES.Headers(new Headers({ a: 'b' }))]).toEqual([['a', 'b']])
    expect(new NODES.Headers() instanceof Headers).toBe(true)
    expect(new Headers() instanceof Headers).toBe(true)
  })
})
