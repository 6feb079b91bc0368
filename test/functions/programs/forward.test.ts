import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { FetchHandler } from '../../../src/functions/contract.ts'
import { Forwarder } from '../../../src/functions/programs/forward.ts'
import {
  type Asked,
  type Calling,
  type Listener,
  throughFunction,
  throughNode,
} from '../../support/application.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** A function that sends all on to a server. */
async function forwarding(server: Server, buffers = false): Promise<FetchHandler & { reset(): void }> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const endpoint = { host: '127.0.0.1', port }
  const forwarder = new Forwarder(
    'app',
    {
      ready: () => endpoint,
      refused: async () => undefined,
      lives: async () => true,
    },
    buffers,
  )
  open.push(
    () => forwarder.reset(),
    () => server.close(),
  )
  return {
    fetch: (request, _env, context) => forwarder.fetch(request, context),
    reset: () => forwarder.reset(),
  }
}

/** A program that says these bytes to each request on each connection, and perhaps closes then. */
async function saying(answers: readonly (string | null)[]): Promise<{
  handler: FetchHandler
  heard: string[]
  sockets: Socket[]
}> {
  const heard: string[] = []
  const sockets: Socket[] = []
  let asked = 0
  const server = createServer(socket => {
    sockets.push(socket)
    open.push(() => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', bytes => {
      heard.push(bytes.toString('latin1'))
      const answer = answers[Math.min(asked++, answers.length - 1)]
      if (answer === null) socket.destroy()
      else socket.write(answer!)
    })
  })
  return { handler: await forwarding(server), heard, sockets }
}

const LARGE = 300_000
const post = (...pieces: string[]): Asked => ({ method: 'POST', target: '/x?y=z', pieces })

/** A listener, and what it is asked. */
type Case = readonly [name: string, listener: Listener, asked?: Asked]

const CASES: readonly Case[] = [
  ['a text', (_, response) => response.end('text')],
  ['nothing', (_, response) => response.end()],
  ['a status of its own', (_, response) => response.writeHead(418).end('pot')],
  ['204', (_, response) => response.writeHead(204).end()],
  ['304', (_, response) => response.writeHead(304, { etag: '"a"' }).end()],
  ['HEAD', (_, response) => response.writeHead(200, { 'content-length': 9 }).end(), { method: 'HEAD' }],
  [
    'fields of every kind',
    (_, response) => {
      response.setHeader('Vary', ['a', 'b']).setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('X-A', 'é')
      response.end(Buffer.from([0, 128, 255]))
    },
  ],
  [
    'pieces in chunks, over time',
    async (_, response) => {
      for (const piece of ['abc', 'de', 'f']) {
        response.write(piece)
        await turn()
      }
      response.end('last')
    },
  ],
  ['a large one', (_, response) => response.end('x'.repeat(LARGE))],
  [
    'trailers',
    (_, response) => {
      response.setHeader('trailer', 'x-sum')
      response.write('abc')
      response.addTrailers({ 'x-sum': '3' })
      response.end()
    },
  ],
  [
    'interim responses',
    (_, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.end('after')
    },
  ],
  ['what it was sent', (request, response) => request.pipe(response), post('ab', 'cd')],
  ['much of what it was sent', (request, response) => request.pipe(response), post('x'.repeat(LARGE), 'y')],
  [
    'method, target and some fields',
    ({ method, url, headers }, response) =>
      response.end(JSON.stringify([method, url, headers.host, headers.cookie, headers['x-two']])),
    {
      ...post('a'),
      headers: [
        ['Cookie', 'a=b'],
        ['X-Two', 'a, b'],
      ],
    },
  ],
  ['an answer before the content was read', (_, response) => response.end('early'), post('ab', 'cd')],
]

describe('what a program answers', () => {
  it.each(CASES.map(([name, listener, asked]) => ({ name, listener, asked })))(
    'reaches the client as it is: $name',
    async ({ listener, asked = {} }) => {
      const handler = await forwarding(createHttp(listener))
      const got = await throughFunction(handler, asked)
      const { headers, ...direct } = await throughNode(listener, {
        ...asked,
        headers: [['Host', 'app.local'], ...(asked.headers ?? [])],
      })
      expect(got).toEqual({ ...direct, headers })
    },
  )

  it('is asked for over one connection, again and again', async () => {
    const { handler, sockets } = await saying(['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'])
    for (let i = 0; i < 3; i++) expect((await throughFunction(handler)).body).toBe('hi')
    expect(sockets).toHaveLength(1)
  })

  it('gets content whole if it takes none in chunks', async () => {
    const listener: Listener = (request, response) => {
      const { 'content-length': length, 'transfer-encoding': coding } = request.headers
      response.setHeader('x-framing', `${length} ${coding}`)
      request.pipe(response)
    }
    for (const [buffers, framing] of [
      [true, '4 undefined'],
      [false, 'undefined chunked'],
    ] as const) {
      const handler = await forwarding(createHttp(listener), buffers)
      const got = await throughFunction(handler, post('ab', 'cd'))
      expect([got.body, got.headers.find(([name]) => name === 'x-framing')?.[1]]).toEqual(['abcd', framing])
    }
  })

  it('is told who asks, whatever the client says', async () => {
    const { handler, heard } = await saying(['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'])
    const headers = [
      ['X-Forwarded-For', '6.6.6.6'],
      ['X_Forwarded_For', '6.6.6.6'],
      ['x-real_ip', '6.6.6.6'],
      ['X_Own', 'stays'],
      ['Forwarded', 'for=6.6.6.6'],
      ['X-Call-Id', 'mine'],
      ['Connection', 'X-Secret, keep-alive'],
      ['X-Secret', 'of this hop'],
      ['Connection', 'X-Second-Secret'],
      ['X-Second-Secret', 'of this hop'],
      ['Proxy-Authorization', 'Basic x'],
      ['Upgrade', 'h2c'],
    ] as const
    await throughFunction(handler, { headers })
    const lines = heard[0]!.split('\r\n')
    expect(lines).toContain('X-Forwarded-For: 192.0.2.7')
    expect(lines).toContain('X-Forwarded-Host: app.local')
    expect(lines).toContain('X-Forwarded-Proto: https')
    expect(lines).toContain('X-Call-Id: mine')
    expect(lines).toContain('X_Own: stays')
    expect(heard[0]).not.toMatch(/6\.6\.6\.6|secret|basic|h2c/i)
  })
})

describe('a program that breaks the rules', () => {
  const WHOLE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
  const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-field\r\n\r\n'

  it.each<readonly [string, string | null, number]>([
    ['closes instead', null, 502],
    ['says rubbish', 'rubbish\r\n\r\n', 502],
    ['has a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, 502],
    [
      'has too many fields',
      `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${'X-Field: value\r\n'.repeat(20_000)}\r\n`,
      502,
    ],
    ['has a status that is none', 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n', 502],
    [
      'switches protocols unasked',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      502,
    ],
    [
      'says how long its content is twice',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi',
      502,
    ],
    ['informs without end', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1000), 502],
  ])('%s', async (_, answer, status) => {
    const { handler } = await saying([answer])
    const got = await throughFunction(handler, post('a'))
    expect([got.status, got.end]).toEqual([status, 'whole'])
    expect(got.headers).toContainEqual(['x-hotpotato-error', 'program-failed'])
    expect(got.interim.length).toBeLessThanOrEqual(32)
  })

  it.each([
    ['closes in the middle', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
    ['has trailers without end', `${CHUNKED}0\r\n${'X-Field: value\r\n'.repeat(20_000)}`],
    ['says a chunk that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
  ])('%s: the client sees that it broke off', async (_, answer) => {
    const { handler, sockets } = await saying([answer])
    const got = throughFunction(handler)
    while (sockets.length === 0) await wait(5)
    await wait(20)
    sockets[0]!.end()
    expect(await got).toMatchObject({ status: 200, end: 'cut' })
  })

  it('answers twice: the second answer is not given to the next client', async () => {
    const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
    const { handler, sockets } = await saying([WHOLE + evil, WHOLE])
    for (let i = 0; i < 3; i++) {
      const got = await throughFunction(handler)
      expect(got.body).toBe('hi')
    }
    // The first connection was given up.
    expect(sockets.length).toBeGreaterThan(1)
    expect(sockets[0]!.destroyed || sockets[0]!.readableEnded).toBe(true)
  })

  it('says something while it is not asked: the next client does not hear it', async () => {
    const { handler, sockets } = await saying([WHOLE])
    expect((await throughFunction(handler)).body).toBe('hi')
    await turn()
    const closed = once(sockets[0]!, 'close')
    sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    await closed
    expect((await throughFunction(handler)).body).toBe('hi')
  })

  it('never answers: when the client is gone, so is its connection', async () => {
    const { handler, sockets, heard } = await saying([''])
    let calling: Calling | undefined
    const lines: unknown[] = []
    const begun = (call: Calling): void => {
      calling = call
    }
    const got = throughFunction(handler, {}, begun, (...entry) => void lines.push(entry))
    while (heard.length === 0) await wait(5)
    const closed = once(sockets[0]!, 'close')
    calling!.cancel(new Error('the client is gone'))
    await closed
    await got
    await turn()
    // That is no fault of its own.
    expect(lines).toEqual([])
  })

  it('closes a connection that it was to be asked on: what may be repeated is', async () => {
    const { handler } = await saying([WHOLE, null, WHOLE])
    expect((await throughFunction(handler)).body).toBe('hi')
    expect((await throughFunction(handler)).body).toBe('hi')
    const { handler: other } = await saying([WHOLE, null, WHOLE])
    expect((await throughFunction(other)).body).toBe('hi')
    expect((await throughFunction(other, post('a'))).status).toBe(502)
  })

  it('writes without end: no more of it is held than the client has room for', async () => {
    let written = 0
    function* endless(): Generator<Buffer> {
      for (;;) {
        written += 65_536
        yield Buffer.alloc(65_536)
      }
    }
    const server = createHttp((_, response) => void Readable.from(endless()).pipe(response))
    const handler = await forwarding(server)
    const context = {
      functionPath: '/',
      callId: 'x',
      connection: { tls: false },
      signal: new AbortController().signal,
    }
    const response = await handler.fetch(new Request('http://app.local/'), {}, context as never)
    const reader = response.body!.getReader()
    await reader.read()
    await wait(200)
    // What the sockets' buffers of the kernel hold, and no more.
    expect(written).toBeLessThan(16_000_000)
    await reader.cancel()
  })
})
