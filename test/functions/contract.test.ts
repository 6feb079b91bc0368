import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Context } from '../../src/functions/contract.ts'
import { FunctionError, loadFunction } from '../../src/functions/load.ts'
import { fromResponseView, fromWebResponse, RequestError, toWebRequest } from '../../src/functions/web.ts'
import type { Field, RequestHead } from '../../src/http/message.ts'
import { isFunctionName } from '../../src/platform/function-name.ts'

const ORIGIN = { scheme: 'https', authority: 'fallback.local:8443' } as const
const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array)

function head(
  method: string,
  target: string,
  headers: readonly Field[] = [['Host', 'echo.local']],
): RequestHead {
  const [path = '', query = ''] = target.split('?')
  return { method, target, version: '1.1', headers, host: 'echo.local', path, query }
}

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-functions-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const load = (source: string, file = `f${Math.random().toString(36).slice(2)}.mjs`) => {
  writeFileSync(join(directory, file), source)
  return loadFunction(`./${file}`, directory)
}
const context = { functionName: 'x' } as Context
const request = new Request('http://x.local/')

describe('loadFunction', () => {
  it('loads the shipped functions by name', async () => {
    expect((await loadFunction('echo')).kind).toBe('fetch')
    expect((await loadFunction('hello')).kind).toBe('fetch')
    expect((await loadFunction('resize')).kind).toBe('fetch')
    expect((await loadFunction('echo-raw')).kind).toBe('raw')
  })

  it('calls fetch as a method, with request, environment and context', async () => {
    const loaded = await load(`export default new (class {
      word = 'mine'
      fetch(request, env, ctx) { return Response.json([this.word, request.method, env.A, ctx.functionName]) }
    })()`)
    const answer = loaded.kind === 'fetch' ? await loaded.fetch(request, { A: 'b' }, context) : undefined
    expect(await answer?.json()).toEqual(['mine', 'GET', 'b', 'x'])
  })

  it('calls a bare function with request and context', async () => {
    const loaded = await load(
      'export default async (request, ctx) => new Response(request.method + ctx.functionName)',
    )
    const answer = loaded.kind === 'fetch' ? await loaded.fetch(request, {}, context) : undefined
    expect(await answer?.text()).toBe('GETx')
  })

  it('calls a raw handler as a method', async () => {
    const loaded = await load('export default { status: 204, handle() { return { status: this.status } } }')
    const view = { ...head('GET', '/'), body: new Uint8Array() }
    expect(loaded.kind === 'raw' ? await loaded.handle(view, context) : undefined).toEqual({ status: 204 })
  })

  it('takes fetch where there is a handle too', async () => {
    expect((await load('export default { fetch() {}, handle() {} }')).kind).toBe('fetch')
  })

  it('leaves fields of an application alone, and those that are exports as well', async () => {
    const app = await load('class App { resume = 1; fetch() {} }\nexport default new App()')
    expect(app.resume).toBe(undefined)
    const both = 'export const resume = () => {}\nexport default { fetch() {}, resume }'
    expect((await load(both)).resume).toBeTypeOf('function')
  })

  const refusals: readonly [string, string, RegExp][] = [
    ['export const a = 1', 'wrong_export', /must have a default export of the shape/],
    ['export default 7', 'wrong_export', /default export/],
    ['export default null', 'wrong_export', /default export/],
    ['export default class { fetch() {} }', 'wrong_export', /default export/],
    ['export default { fetch: "no" }', 'wrong_export', /default export/],
    [
      'export default { fetch() {}, resume() {} }',
      'wrong_export',
      /: resume goes beside the default export: export const resume = …, or module.exports.resume = …$/,
    ],
    ['export default { fetch() {}, webSocket() {} }', 'wrong_export', /: webSocket goes beside the default/],
    ['export default {', 'unloadable', /cannot be loaded/],
    ['import "./nowhere.mjs"\nexport default { fetch() {} }', 'unloadable', /cannot be loaded.*nowhere/s],
    [
      'import "not-installed"',
      'unloadable',
      /Cannot find package 'not-installed'.*; npm install in its folder/,
    ],
    ['throw new Error("at once")', 'unloadable', /cannot be loaded: at once/],
  ]
  it.each(refusals)('refuses %j as %s', async (source, reason, message) => {
    const error = await load(source).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(FunctionError)
    expect(error).toMatchObject({ reason, message: expect.stringMatching(message) })
  })

  it('says which file is missing', async () => {
    await expect(loadFunction('nothing')).rejects.toMatchObject({
      reason: 'missing',
      message: expect.stringMatching(
        /^there is no function "nothing"; shipped are echo, echo-raw, files, hello, resize /,
      ),
    })
    await expect(loadFunction('./no.mjs', directory)).rejects.toMatchObject({ reason: 'missing' })
  })

  it.each(['', 'Echo', 'a b', '-a', 'a-', '_answers', 'x'.repeat(64), 'a\0.js'])(
    'refuses the name %j',
    async name => {
      await expect(loadFunction(name)).rejects.toMatchObject({ reason: 'invalid_name' })
    },
  )

  it('takes a directory for the module in it, and says if there is none', async () => {
    mkdirSync(join(directory, 'folder'))
    await expect(loadFunction('./folder', directory)).rejects.toMatchObject({
      reason: 'missing',
      message: expect.stringContaining('no handler.js, handler.mjs, handler.cjs, index.js'),
    })
    const text = 'export default () => new Response()'
    writeFileSync(join(directory, 'folder/index.mjs'), text)
    expect((await loadFunction('./folder', directory)).file).toBe(join(directory, 'folder/index.mjs'))
    writeFileSync(join(directory, 'folder/handler.mjs'), text)
    expect((await loadFunction('./folder', directory)).file).toBe(join(directory, 'folder/handler.mjs'))
  })

  it('knows the names that functions may have', () => {
    for (const name of ['a', '0', 'echo-raw', 'x'.repeat(63)]) expect(isFunctionName(name)).toBe(true)
    for (const name of ['', 'A', 'a.b', 'a_b', '-', 'a-', '../a', 'a\n', '__proto__'])
      expect(isFunctionName(name)).toBe(false)
  })
})

describe('toWebRequest', () => {
  it('has method, URL, fields and body', async () => {
    const headers: Field[] = [
      ['Host', 'Echo.local:8443'],
      ['X-Twice', 'a'],
      ['x-twice', 'b'],
    ]
    const request = toWebRequest(
      head('POST', '/echo/a%20b?c=d&e', headers),
      new Uint8Array([104, 105]),
      ORIGIN,
    )
    expect(request.method).toBe('POST')
    expect(request.url).toBe('https://echo.local:8443/echo/a%20b?c=d&e')
    expect(request.headers.get('x-twice')).toBe('a, b')
    expect(await request.text()).toBe('hi')
  })

  it('takes a stream for a body', async () => {
    const body = new Blob(['streamed']).stream() as ReadableStream<Uint8Array>
    expect(await toWebRequest(head('PUT', '/'), body, ORIGIN).text()).toBe('streamed')
  })

  it('leaves out a body that fetch cannot have', () => {
    expect(toWebRequest(head('GET', '/'), new Uint8Array(3), ORIGIN).body).toBeNull()
  })

  it("gives the caller's signal, which it does not ask for before the function does", () => {
    const { signal } = new AbortController()
    const asked = vi.fn(() => signal)
    const caller = Object.defineProperty({}, 'signal', { get: asked }) as { readonly signal: AbortSignal }
    const request = toWebRequest(head('GET', '/'), undefined, { ...ORIGIN, caller })
    expect(asked).not.toHaveBeenCalled()
    expect(request.signal).toBe(signal)
  })

  it.each([
    ['//other.example/a', 'https://echo.local//other.example/a'],
    ['/@other.example', 'https://echo.local/@other.example'],
    ['http://other.example/', 'https://echo.local/'],
    ['*', 'https://echo.local/'],
  ])('makes of the target %s the URL %s', (target, url) => {
    expect(toWebRequest(head('OPTIONS', target), undefined, ORIGIN).url).toBe(url)
  })

  it('uses the fallback where there is no Host', () => {
    expect(toWebRequest(head('GET', '/a', []), undefined, ORIGIN).url).toBe('https://fallback.local:8443/a')
  })

  it.each([
    ['GET', 'a b', 400],
    ['GET', '300.1.1.1', 400],
    ['GET', 'user:word@echo.local', 400],
    ['TRACE', 'echo.local', 501],
  ])('refuses %s with the Host %s', (method, host, status) => {
    const make = () => toWebRequest(head(method, '/', [['host', host]]), undefined, ORIGIN)
    expect(make).toThrow(RequestError)
    expect(make).toThrow(expect.objectContaining({ status }))
  })
})

describe('fromWebResponse', () => {
  it('gives small bodies whole, with their length', async () => {
    const taken = await fromWebResponse(
      new Response('hello', { status: 201, headers: { 'X-A': 'b' } }),
      'GET',
    )
    expect(taken).toMatchObject({ status: 201, length: 5 })
    expect(taken.headers).toContainEqual(['x-a', 'b'])
    expect(text(taken.body)).toBe('hello')
  })

  it('joins what is there at once', async () => {
    const body = new ReadableStream({
      start(controller) {
        for (const word of ['a', 'b', 'c']) controller.enqueue(new TextEncoder().encode(word))
        controller.close()
      },
    })
    const taken = await fromWebResponse(new Response(body), 'GET')
    expect([text(taken.body), taken.length]).toEqual(['abc', 3])
  })

  it('keeps a body that takes its time as a stream, in order and whole', async () => {
    let count = 0
    const body = new ReadableStream({
      async pull(controller) {
        if (count > 0) await new Promise(settle => setTimeout(settle, 5))
        if (count++ < 5) controller.enqueue(Uint8Array.of(0x30 + count))
        else controller.close()
      },
    })
    const taken = await fromWebResponse(new Response(body, { headers: { 'content-length': '5' } }), 'GET')
    expect(taken.body).toBeInstanceOf(ReadableStream)
    expect(taken.length).toBe(5)
    expect(await new Response(taken.body as ReadableStream).text()).toBe('12345')
  })

  it('does not wait for a first byte that does not come', async () => {
    let cancelled: unknown
    const body = new ReadableStream({
      cancel(reason) {
        cancelled = reason
      },
    })
    const taken = await fromWebResponse(new Response(body), 'GET')
    expect(taken.length).toBeUndefined()
    await (taken.body as ReadableStream).cancel('gone')
    expect(cancelled).toBe('gone')
  })

  it('does not collect a body that never ends', async () => {
    let pulled = 0
    const body = new ReadableStream({
      pull: controller => controller.enqueue(Uint8Array.of(pulled++ & 0xff)),
    })
    const taken = await fromWebResponse(new Response(body), 'GET')
    expect(taken.body).toBeInstanceOf(ReadableStream)
    const reader = (taken.body as ReadableStream<Uint8Array>).getReader()
    for (let i = 0; i < 100; i++) expect((await reader.read()).value).toEqual(Uint8Array.of(i))
    expect(pulled).toBeLessThan(200)
  })

  it('passes on an error in the middle of a stream', async () => {
    let started = false
    const body = new ReadableStream({
      async pull(controller) {
        if (started) await new Promise(settle => setTimeout(settle, 5))
        if (started) controller.error(new Error('broke'))
        else controller.enqueue(Uint8Array.of(1))
        started = true
      },
    })
    const taken = await fromWebResponse(new Response(body), 'GET')
    await expect(new Response(taken.body as ReadableStream).arrayBuffer()).rejects.toThrow()
  })

  it('keeps Set-Cookie fields apart and drops what is about the connection', async () => {
    const headers = new Headers({
      ...{
        connection: 'close, X-Private',
        'x-private': '1',
        'transfer-encoding': 'chunked',
        'keep-alive': '5',
      },
      ...{ upgrade: 'x', te: 'y', trailer: 'z', 'content-length': '99', 'x-kept': 'k' },
    })
    headers.append('set-cookie', 'a=1; Path=/')
    headers.append('set-cookie', 'b=2')
    const taken = await fromWebResponse(new Response(null, { headers }), 'GET')
    expect(taken.headers).toEqual([
      ['x-kept', 'k'],
      ['set-cookie', 'a=1; Path=/'],
      ['set-cookie', 'b=2'],
    ])
    expect(taken).toMatchObject({ body: undefined, length: 0 })
  })

  it('believes the length of an absent body only where it says what GET would give', async () => {
    const declared = () => new Response(null, { headers: { 'content-length': '99' } })
    expect((await fromWebResponse(declared(), 'GET')).length).toBe(0)
    expect((await fromWebResponse(declared(), 'HEAD')).length).toBe(99)
    expect((await fromWebResponse(new Response(null), 'HEAD')).length).toBeUndefined()
    const notModified = new Response(null, { status: 304, headers: { 'content-length': '99' } })
    expect((await fromWebResponse(notModified, 'GET')).length).toBe(99)
    expect(
      (await fromWebResponse(new Response('four', { headers: { 'content-length': '99' } }), 'GET')).length,
    ).toBe(4)
  })

  const wrong: readonly [string, () => unknown | Promise<unknown>][] = [
    ['nothing', () => undefined],
    ['text', () => 'text'],
    ['a plain object', () => ({ status: 200, body: 'x' })],
    ['Response.error()', () => Response.error()],
    [
      'a body that is locked',
      () => {
        const response = new Response('x')
        response.body!.getReader()
        return response
      },
    ],
    [
      'a body of text chunks',
      () => new Response(new ReadableStream({ start: c => c.enqueue('text' as never) })),
    ],
  ]
  it.each(wrong)('refuses %s', async (_, make) => {
    await expect(fromWebResponse((await make()) as Response, 'GET')).rejects.toThrow(TypeError)
  })
})

describe('fromResponseView', () => {
  it('gives text as UTF-8 and bytes as they are, never a Buffer', () => {
    expect(fromResponseView({ status: 200, body: 'ü' }, 'GET')).toMatchObject({
      body: Uint8Array.of(0xc3, 0xbc),
      length: 2,
    })
    const { body } = fromResponseView({ status: 200, body: Buffer.from('abc') }, 'GET')
    expect(Object.getPrototypeOf(body)).toBe(Uint8Array.prototype)
    expect(text(body)).toBe('abc')
    expect(fromResponseView({ status: 204 }, 'GET')).toEqual({
      status: 204,
      headers: [],
      body: undefined,
      length: 0,
    })
  })

  it.each([{ status: 99 }, { status: 101 }, { status: 200.5 }, { status: '200' }, { status: 200, body: 7 }])(
    'refuses %j',
    view => {
      expect(() => fromResponseView(view as never, 'GET')).toThrow(TypeError)
    },
  )
})
