import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Context, RawHandler, RawResponse } from '../../../src/functions/contract.ts'
import { loadFunction } from '../../../src/functions/load.ts'
import { fromOpenFaaS, type OpenFaaSHandler } from '../../../src/functions/openfaas/handler.ts'
import type { Field, RequestView } from '../../../src/http/message.ts'
import { utf8 } from '../../../src/wire/index.ts'

/* Handlers as OpenFaaS's node templates have them. */

interface Asked {
  readonly method?: string
  readonly headers?: readonly Field[]
  readonly query?: string
  readonly body?: string | Uint8Array
}

const logged: unknown[] = []
const log = { error: (...all: unknown[]) => void logged.push(all) }

async function ask(handler: RawHandler, asked: Asked = {}) {
  const { method = 'POST', headers = [], query = '', body = '' } = asked
  const bytes = typeof body === 'string' ? utf8(body) : body
  const head = { method, target: '/function/f/a/b', version: '1.1', host: 'a', path: '/function/f/a/b' }
  const request = { ...head, headers, query, body: bytes } as RequestView
  const context = { functionPath: '/a/b', log } as unknown as Context
  const {
    status,
    headers: fields = [],
    body: content,
  } = (await handler.handle(request, context)) as RawResponse
  const text = content === undefined ? '' : Buffer.from(content).toString()
  return { status, headers: Object.fromEntries(fields), text }
}

const bodyOf = async (asked: Asked, environment: Record<string, string> = {}): Promise<unknown> => {
  let body: unknown
  const handler: OpenFaaSHandler = (event, context) => {
    body = event.body
    context.succeed()
  }
  await ask(fromOpenFaaS(handler, environment), asked)
  return body
}

describe('the event', () => {
  it('has method, path, query and headers as Node writes them', async () => {
    let seen: unknown
    await ask(
      fromOpenFaaS(async event => {
        seen = event
      }),
      {
        method: 'GET',
        query: 'a=1&b=x%20y&b=2&c[]=3',
        headers: [
          ['Host', 'a'],
          ['X-Two', '1'],
          ['x-two', '2'],
          ['Cookie', 'a=b'],
          ['cookie', 'c=d'],
        ],
      },
    )
    expect(seen).toEqual({
      body: {},
      method: 'GET',
      path: '/a/b',
      query: { a: '1', b: ['x y', '2'], c: ['3'] },
      headers: { host: 'a', 'x-two': '1, 2', cookie: 'a=b; c=d', 'content-type': 'text/plain' },
    })
  })

  it.each([
    ['text', { body: 'é' }, 'é'],
    [
      'JSON',
      { headers: [['Content-Type', 'application/json; charset=utf-8']], body: '{"a":[1]}' },
      { a: [1] },
    ],
    [
      'a form',
      { headers: [['content-type', 'application/x-www-form-urlencoded']], body: 'a=1&b=+' },
      { a: '1', b: ' ' },
    ],
    ['nothing', {}, {}],
    ['bytes of another kind', { headers: [['content-type', 'image/png']], body: 'x' }, {}],
  ] as const)('has %s as its body', async (_, asked, expected) => {
    expect(await bodyOf(asked)).toEqual(expected)
  })

  it('has the bytes as they came with RAW_BODY', async () => {
    const asked: Asked = { headers: [['content-type', 'application/json']], body: '{"a": 1}' }
    const body = await bodyOf(asked, { RAW_BODY: 'true' })
    expect(Buffer.isBuffer(body)).toBe(true)
    expect(String(body)).toBe('{"a": 1}')
  })

  it('has no member that a client could reach a prototype by', async () => {
    const body = await bodyOf({
      headers: [['content-type', 'application/x-www-form-urlencoded']],
      body: '__proto__=1&constructor=2',
    })
    expect(Object.keys(body as object)).toEqual(['__proto__', 'constructor'])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})

describe('a body that cannot be taken', () => {
  it('is answered with 400 or 413, and the function is not called', async () => {
    let calls = 0
    const handler = fromOpenFaaS(async () => calls++, { MAX_JSON_SIZE: '10b', MAX_RAW_SIZE: '0.01mb' })
    const json: readonly Field[] = [['content-type', 'application/json']]
    expect(await ask(handler, { headers: json, body: '{' })).toMatchObject({ status: 400 })
    expect(await ask(handler, { headers: json, body: '[1,2,3,4,5]' })).toMatchObject({ status: 413 })
    expect(await ask(handler, { body: 'x'.repeat(10_486) })).toMatchObject({ status: 413 })
    expect(calls).toBe(0)
    expect(await ask(handler, { body: 'x'.repeat(10_485) })).toMatchObject({ status: 200 })
  })

  it('has a size in the environment that is one', () => {
    expect(() => fromOpenFaaS(async () => {}, { MAX_RAW_SIZE: 'much' })).toThrow(
      /MAX_RAW_SIZE must be a size/,
    )
    expect(() => fromOpenFaaS('no' as unknown as OpenFaaSHandler)).toThrow(/takes a function/)
  })
})

describe('the context answers', () => {
  it('with a status, headers and a value, in a chain', async () => {
    const handler = fromOpenFaaS(async (_event, context) =>
      context
        .status(201)
        .headers({ 'X-A': 1, 'Set-Cookie': ['a=1', 'b=2'] })
        .succeed({ made: true }),
    )
    const { status, headers, text } = await ask(handler)
    expect({ status, text }).toEqual({ status: 201, text: '{"made":true}' })
    expect(headers).toMatchObject({ 'X-A': '1', 'content-type': 'application/json; charset=utf-8' })
  })

  it.each([
    ['a text', 'a text', 'text/html; charset=utf-8', 'a text'],
    ['a list', [1], 'application/json; charset=utf-8', '[1]'],
    ['bytes', Buffer.from('b'), 'application/octet-stream', 'b'],
    ['a number', 404, 'text/plain; charset=utf-8', '404'],
    ['nothing', undefined, undefined, ''],
  ])('with %s that is returned', async (_, value, type, text) => {
    const got = await ask(fromOpenFaaS(async () => value))
    expect([got.status, got.headers['content-type'], got.text]).toEqual([200, type, text])
  })

  it('by the kind of content that the function names', async () => {
    const handler = fromOpenFaaS((_event, context) =>
      context.headers({ 'Content-Type': 'text/css' }).succeed('a {}'),
    )
    expect((await ask(handler)).headers).toEqual({ 'Content-Type': 'text/css' })
  })

  it('by the callback, at once or later', async () => {
    const later: OpenFaaSHandler = (_event, context, callback) =>
      void setImmediate(() => {
        context.status(202)
        callback(undefined, { later: true })
      })
    expect(await ask(fromOpenFaaS(later))).toMatchObject({ status: 202, text: '{"later":true}' })
    const failing: OpenFaaSHandler = (_event, _context, callback) => callback(new Error('no'))
    expect(await ask(fromOpenFaaS(failing))).toMatchObject({ status: 500, text: 'Error: no' })
  })

  it('once: what comes after the first answer is nothing', async () => {
    const handler = fromOpenFaaS(async (_event, context) => {
      context.succeed('one')
      context.fail('two')
      return 'three'
    })
    expect(await ask(handler)).toMatchObject({ status: 200, text: 'one' })
  })

  it('with what went wrong: 500 unless a status was set, logged', async () => {
    logged.length = 0
    const thrown = fromOpenFaaS(() => {
      throw new TypeError('<b>')
    })
    expect(await ask(thrown)).toMatchObject({
      status: 500,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      text: 'TypeError: <b>',
    })
    expect(logged.length).toBe(1)
    const failed = fromOpenFaaS(async (_event, context) => context.status(404).fail('no such thing'))
    expect(await ask(failed)).toMatchObject({ status: 404, text: 'no such thing' })
    const bare = fromOpenFaaS(async (_event, context) => context.fail(Object.create(null)))
    expect(await ask(bare)).toMatchObject({ status: 500, text: 'something that cannot be shown' })
    const rejected = fromOpenFaaS(() => Promise.reject(new Error('later')))
    expect(await ask(rejected)).toMatchObject({ status: 500, text: 'Error: later' })
  })
})

describe('a folder of the template', () => {
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-openfaas-'))
    mkdirSync(join(directory, 'node_modules', 'shout'), { recursive: true })
    writeFileSync(join(directory, 'package.json'), '{ "name": "greeter", "main": "handler.js" }')
    writeFileSync(join(directory, 'node_modules/shout/index.js'), 'module.exports = s => s.toUpperCase()')
    writeFileSync(
      join(directory, 'handler.js'),
      `'use strict'
const shout = require('shout')
module.exports = async (event, context) =>
  context.status(200).headers({ 'x-kind': typeof event.body }).succeed(shout('hello ' + event.body))
`,
    )
    writeFileSync(join(directory, 'esm.mjs'), `export default async event => 'esm ' + event.body\n`)
    writeFileSync(join(directory, 'web.mjs'), `export default { fetch: () => new Response('web') }\n`)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('is loaded as it is, with a package and modules of its own', async () => {
    const module = await loadFunction(join(directory, 'handler.js'), undefined, 'node22')
    expect(module.kind).toBe('raw')
    const got = await ask(module as unknown as RawHandler, { body: 'you' })
    expect(got).toMatchObject({ status: 200, headers: { 'x-kind': 'string' }, text: 'HELLO YOU' })
  })

  it('may be an ES module, or a function of our own kind', async () => {
    const esm = await loadFunction(join(directory, 'esm.mjs'), undefined, 'node20')
    expect((await ask(esm as unknown as RawHandler, { body: 'x' })).text).toBe('esm x')
    expect((await loadFunction(join(directory, 'web.mjs'), undefined, 'node20')).kind).toBe('fetch')
  })

  it('is of our own kind where no template is named', async () => {
    expect((await loadFunction(join(directory, 'esm.mjs'))).kind).toBe('fetch')
  })
})
