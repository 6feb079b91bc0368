import { createServer } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { describe, expect, it } from 'vitest'
import { fromFetch } from '../../src/functions/adapters/fetch.ts'
import { fromNode } from '../../src/functions/adapters/node-http.ts'
import type { Context, FetchHandler } from '../../src/functions/contract.ts'

interface Call {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | ReadableStream<Uint8Array>
  /** What is left of the path; all of it by default. */
  readonly functionPath?: string
  readonly signal?: AbortSignal
}

/** Calls a function as a container does. */
async function call(handler: FetchHandler, path: string, options: Call = {}): Promise<Response> {
  const { method = 'GET', headers = {}, body, signal = new AbortController().signal } = options
  const init: RequestInit & { duplex: 'half' } = { method, headers, duplex: 'half' }
  if (body !== undefined) init.body = body
  const context = {
    callId: 'c-1',
    functionName: 'app',
    functionPath: options.functionPath ?? path.split('?')[0],
    signal,
    connection: { tls: true, serverName: 'app.local', remoteAddress: '192.0.2.7', hops: 0, requestIndex: 0 },
    waitUntil() {},
  } as unknown as Context
  return handler.fetch(new Request(`https://app.local${path}`, init), {}, context)
}

/** The same application, as each framework writes it. */
function applications(): [string, FetchHandler][] {
  const withExpress = express()
  withExpress.use(express.json())
  withExpress.get('/hello/:name', (request, response) => {
    response
      .set('x-who', request.params.name)
      .cookie('a', '1')
      .cookie('b', '2')
      .send(`hello ${request.params.name}`)
  })
  withExpress.post('/sum', (request, response) => {
    response.status(201).json({ sum: request.body.reduce((all: number, one: number) => all + one, 0) })
  })
  withExpress.get('/socket', (request, response) => {
    const { secure, ip, hostname, originalUrl, url } = request
    response.json({ secure, ip, hostname, originalUrl, url })
  })
  withExpress.get('/fail', () => {
    throw new Error('on purpose')
  })

  const withFastify = fastify()
  withFastify.get<{ Params: { name: string } }>('/hello/:name', (request, reply) =>
    reply
      .header('x-who', request.params.name)
      .header('set-cookie', ['a=1', 'b=2'])
      .send(`hello ${request.params.name}`),
  )
  withFastify.post<{ Body: number[] }>('/sum', (request, reply) =>
    reply.code(201).send({ sum: request.body.reduce((all, one) => all + one, 0) }),
  )
  withFastify.get('/socket', request => {
    const { protocol, ip, hostname, originalUrl, url } = request
    return { secure: protocol === 'https', ip, hostname, originalUrl, url }
  })
  withFastify.get('/fail', () => {
    throw new Error('on purpose')
  })

  const plain = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://x')
    const name = /^\/hello\/(.*)$/.exec(url.pathname)?.[1]
    const body: Buffer[] = []
    for await (const piece of request) body.push(piece)
    if (name !== undefined) {
      response.setHeader('x-who', name).setHeader('set-cookie', ['a=1', 'b=2'])
      response.setHeader('content-length', 6 + name.length).end(`hello ${name}`)
    } else if (url.pathname === '/sum') {
      const sum = JSON.parse(Buffer.concat(body).toString()).reduce(
        (all: number, one: number) => all + one,
        0,
      )
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ sum }))
    } else if (url.pathname === '/socket') {
      const socket = request.socket as unknown as { encrypted: boolean; remoteAddress: string }
      response.end(
        JSON.stringify({
          secure: socket.encrypted,
          ip: socket.remoteAddress,
          hostname: request.headers.host,
          originalUrl: (request as unknown as { originalUrl: string }).originalUrl,
          url: request.url,
        }),
      )
    } else if (url.pathname === '/fail') response.writeHead(500).end()
    else response.writeHead(404).end()
  })
  return [
    ['Express', fromNode(withExpress)],
    ['Fastify', fromNode(withFastify)],
    ['an http.Server', fromNode(plain)],
  ]
}

describe.each(applications())('%s', (_, app) => {
  it('answers, with its fields', async () => {
    const answer = await call(app, '/hello/you?x=y')
    expect([answer.status, await answer.text()]).toEqual([200, 'hello you'])
    expect(answer.headers.get('x-who')).toBe('you')
    expect(answer.headers.getSetCookie().map(one => one.split(';')[0])).toEqual(['a=1', 'b=2'])
    expect(answer.headers.get('content-length')).toBe('9')
  })

  it.each([
    ['whole', '[1,2,3]', { 'content-length': '7' }],
    ['in pieces', undefined, {}],
  ])('reads content that comes %s', async (_how, text, more: Record<string, string>) => {
    const pieces = ['[1,', '2,', '3]'].map(one => new TextEncoder().encode(one))
    const body =
      text ??
      new ReadableStream({ pull: one => (pieces.length > 0 ? one.enqueue(pieces.shift()) : one.close()) })
    const headers = { 'content-type': 'application/json', ...more }
    const answer = await call(app, '/sum', { method: 'POST', headers, body })
    expect([answer.status, await answer.json()]).toEqual([201, { sum: 6 }])
  })

  it('knows its client, and its place', async () => {
    const answer = await call(app, '/app/socket?q', { functionPath: '/socket' })
    expect(await answer.json()).toEqual({
      secure: true,
      ip: '192.0.2.7',
      hostname: 'app.local',
      originalUrl: '/app/socket?q',
      url: '/socket?q',
    })
  })

  it('answers HEAD without content', async () => {
    const answer = await call(app, '/hello/you', { method: 'HEAD' })
    expect([answer.status, answer.body, answer.headers.get('content-length')]).toEqual([200, null, '9'])
  })

  it('has its own 404 and 500', async () => {
    expect((await call(app, '/nothing')).status).toBe(404)
    expect((await call(app, '/fail')).status).toBe(500)
    expect((await call(app, '/hello/again')).status).toBe(200)
  })

  it('serves many calls at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_one, i) => call(app, `/hello/${i}`)))
    const bodies = await Promise.all(answers.map(answer => answer.text()))
    expect(bodies).toEqual(bodies.map((_one, i) => `hello ${i}`))
  })
})

describe('a listener', () => {
  it('streams, at the pace of the reader', async () => {
    let written = 0
    const app = fromNode(async (_request, response) => {
      const piece = Buffer.alloc(16_384, 'x')
      for (let i = 0; i < 200; i++) {
        written++
        if (!response.write(piece)) await new Promise(resolve => response.once('drain', resolve))
      }
      response.end()
    })
    const answer = await call(app, '/')
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(written).toBeLessThan(50)
    expect((await answer.arrayBuffer()).byteLength).toBe(200 * 16_384)
  })

  it('echoes while the request comes', async () => {
    const app = fromNode((request, response) => request.pipe(response))
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const [answer] = await Promise.all([
      call(app, '/', { method: 'POST', body: readable }),
      writer.write(Uint8Array.of(1)),
    ])
    const reader = answer.body!.getReader()
    expect((await reader.read()).value).toEqual(Uint8Array.of(1))
    await writer.write(Uint8Array.of(2, 3))
    expect((await reader.read()).value).toEqual(Uint8Array.of(2, 3))
    await writer.close()
    expect((await reader.read()).done).toBe(true)
  })

  it('that throws or rejects fails its call, not the process', async () => {
    const thrown = fromNode(() => {
      throw new Error('at once')
    })
    await expect(call(thrown, '/')).rejects.toThrow('at once')
    const rejected = fromNode(async () => {
      await null
      throw new Error('later')
    })
    await expect(call(rejected, '/')).rejects.toThrow('later')
    const cut = fromNode((_request, response) => {
      response.write('part')
      setImmediate(() => response.destroy())
    })
    await expect(call(cut, '/').then(answer => answer.text())).rejects.toThrow(
      'before its answer was complete',
    )
    const silent = fromNode((request: { socket: { destroy(): void } }) => request.socket.destroy())
    await expect(call(silent, '/')).rejects.toThrow('before its answer was complete')
  })

  it('hears when the client is gone, and when its answer is not wanted', async () => {
    const heard: string[] = []
    const app = fromNode((request, response) => {
      response.on('close', () => heard.push(response.writableFinished ? 'finished' : 'closed'))
      if (request.url === '/stream') response.write('x')
    })
    const controller = new AbortController()
    const waiting = call(app, '/', { signal: controller.signal })
    await new Promise(resolve => setImmediate(resolve))
    controller.abort(new Error('the client is gone'))
    await expect(waiting).rejects.toThrow('the client is gone')
    const streaming = await call(app, '/stream')
    await streaming.body!.cancel()
    await new Promise(resolve => setImmediate(resolve))
    expect(heard).toEqual(['closed', 'closed'])
    await expect(call(app, '/', { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
  })

  it('may set a timeout, as on a socket', async () => {
    const app = fromNode((_request, response) => {
      response.setTimeout(10, () => response.writeHead(503).end('too slow'))
    })
    const answer = await call(app, '/')
    expect([answer.status, await answer.text()]).toEqual([503, 'too slow'])
  })

  it('gets no fields about the connection, and Expect is none of its business', async () => {
    const app = fromNode((request, response) => response.end(JSON.stringify(request.headers)))
    const headers = {
      connection: 'keep-alive',
      'keep-alive': '1',
      upgrade: 'x',
      expect: '100-continue',
      'x-y': 'z',
    }
    const seen = (await (await call(app, '/', { headers })).json()) as Record<string, string>
    expect(seen).toMatchObject({ host: 'app.local', 'x-y': 'z' })
    expect(Object.keys(seen)).not.toEqual(expect.arrayContaining(['upgrade', 'expect', 'keep-alive']))
  })

  it('sees all of the path if it likes', async () => {
    const app = fromNode((request, response) => response.end(request.url), { mount: 'keep' })
    expect(await (await call(app, '/app/x?y', { functionPath: '/x' })).text()).toBe('/app/x?y')
  })

  it('must be one', async () => {
    await expect(call(fromNode({} as never), '/')).rejects.toThrow(TypeError)
    await expect(call(fromNode(createServer()), '/')).rejects.toThrow('no listener')
  })
})

describe('Hono', () => {
  const app = new Hono()
  app.get('/hello/:name', one => one.text(`hello ${one.req.param('name')}`))
  app.post('/sum', async one =>
    one.json({ sum: ((await one.req.json()) as number[]).reduce((all, next) => all + next, 0) }),
  )
  app.get('/events', one =>
    streamSSE(one, async stream => {
      for (let i = 0; i < 3; i++) await stream.writeSSE({ data: String(i) })
    }),
  )

  it('is a function as it is', async () => {
    const handler = app as unknown as FetchHandler
    expect(await (await call(handler, '/hello/you')).text()).toBe('hello you')
    const body = '[1,2]'
    expect(await (await call(handler, '/sum', { method: 'POST', body })).json()).toEqual({ sum: 3 })
    const events = await call(handler, '/events')
    expect(events.headers.get('content-type')).toContain('text/event-stream')
    expect(await events.text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n')
  })

  it('stands at the root of its function with fromFetch', async () => {
    const handler = fromFetch(app)
    const at = async (path: string, functionPath: string, more: Call = {}) =>
      (await call(handler, path, { ...more, functionPath })).text()
    expect(await at('/app/hello/you', '/hello/you')).toBe('hello you')
    expect(await at('/hello/you', '/hello/you')).toBe('hello you')
    expect(await at('/function/app/sum', '/sum', { method: 'POST', body: '[3,4]' })).toBe('{"sum":7}')
    expect((await call(handler, '/app', { functionPath: '/' })).status).toBe(404)
    expect(() => fromFetch({} as never)).toThrow(TypeError)
  })

  it('hears of the client that is gone through the same signal', async () => {
    const controller = new AbortController()
    const handler = fromFetch({
      fetch: request => new Response(String(request.signal === controller.signal)),
    })
    const request = new Request('https://app.local/app/x')
    Object.defineProperty(request, 'signal', { get: () => controller.signal, configurable: true })
    const context = { functionPath: '/x' } as Context
    expect(await (await handler.fetch(request, {}, context)).text()).toBe('true')
  })
})
