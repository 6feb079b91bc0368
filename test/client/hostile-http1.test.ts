import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { Client, ClientError, type ClientOptions } from '../../src/client/index.ts'
import { kept } from '../support/kept.ts'
import { RawServer } from './raw-server.ts'

const servers: RawServer[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

async function saying(...args: Parameters<typeof RawServer.saying>): Promise<RawServer> {
  const server = await RawServer.saying(...args)
  servers.push(server)
  return server
}

async function starting(...args: Parameters<typeof RawServer.start>): Promise<RawServer> {
  const server = await RawServer.start(...args)
  servers.push(server)
  return server
}

/** What becomes of one GET with its content, by a client of its own, which leaves nothing open. */
async function outcome(server: RawServer, options: ClientOptions = {}, path = '/'): Promise<string> {
  const client = new Client(options)
  try {
    const response = await client.fetch(server.url + path)
    return `${response.status} ${await response.text()}`
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    return `${error.kind}: ${error.message}`
  } finally {
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
  }
}

const OK = 'HTTP/1.1 200 OK\r\n'
const bad = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const gzipped = (bytes: Uint8Array, more = ''): Uint8Array =>
  Buffer.concat([bad(`${OK}Content-Encoding: gzip\r\n${more}Content-Length: ${bytes.length}\r\n\r\n`), bytes])

const ANSWERS: Readonly<Record<string, readonly [answer: string | Uint8Array, outcome: RegExp]>> = {
  'no HTTP': ['SSH-2.0-OpenSSH_9.6\r\n', /^protocol: .*status line/],
  'a TLS alert': [bad('\x15\x03\x01\x00\x02\x02\x46'), /^protocol: .*not the beginning/],
  'a status of two digits': ['HTTP/1.1 20 OK\r\n\r\n', /^protocol: /],
  'a status below 100': ['HTTP/1.1 099 Low\r\n\r\n', /^protocol: a status below 100/],
  'a status of four digits': ['HTTP/1.1 1000 OK\r\n\r\n', /^protocol: .*status line/],
  'two lengths': [`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, /^protocol: /],
  'a length and chunks': [`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /^protocol: /],
  'a length that is none': [`${OK}Content-Length: -1\r\n\r\n`, /^protocol: /],
  'a chunk without a size': [`${OK}Transfer-Encoding: chunked\r\n\r\nx\r\n`, /^protocol: /],
  'a chunk longer than its size': [`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n`, /^protocol: /],
  'a field without a colon': [`${OK}nonsense\r\n\r\n`, /^protocol: /],
  'another protocol, unasked': ['HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', /^protocol: 101/],
  'more than was promised': [`${OK}Content-Length: 1\r\n\r\nab`, /^200 a$/],
  'no gzip': [gzipped(bad('not gzip at all')), /^protocol: content that is no gzip/],
  'half of gzip': [
    gzipped(gzipSync('hello hello hello').subarray(0, 20)),
    /^protocol: content that is no gzip/,
  ],
  'many codings': [gzipped(bad(''), 'Content-Encoding: br, gzip, br\r\n'), /^protocol: 4 content codings/],
  'an unknown coding': [`${OK}Content-Encoding: pack200\r\nContent-Length: 2\r\n\r\nab`, /^200 ab$/],
  'gzip of nothing, said of nothing': [`${OK}Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n`, /^200 $/],
  'a redirect to itself': [
    'HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n',
    /^protocol: more than 20/,
  ],
  'a redirect to no URL': ['HTTP/1.1 302 F\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n', /no URL/],
  'a redirect to a script': [
    'HTTP/1.1 302 F\r\nLocation: javascript:1\r\nContent-Length: 0\r\n\r\n',
    /javascript:/,
  ],
  'a redirect with credentials': [
    'HTTP/1.1 302 F\r\nLocation: http://a:b@c/\r\nContent-Length: 0\r\n\r\n',
    /credent/,
  ],
  'a redirect to nowhere': ['HTTP/1.1 302 F\r\nContent-Length: 2\r\n\r\nab', /^302 ab$/],
}

describe('over HTTP/1.1, a server that answers with', () => {
  it.each(Object.entries(ANSWERS))('%s', async (_, [answer, expected]) => {
    expect(await outcome(await saying(answer))).toMatch(expected)
  })

  it('a head without an end', async () => {
    const server = await starting(socket => {
      socket.write(OK)
      const more = (): void => {
        while (!socket.destroyed && socket.write(`X: ${'y'.repeat(1000)}\r\n`)) {}
      }
      socket.on('drain', more)
      more()
    })
    expect(await outcome(server)).toMatch(/^protocol: .*(bytes|fields)/)
  })

  it('interim responses without an end', async () => {
    const server = await starting(socket => {
      const more = (): void => {
        while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')) {}
      }
      socket.on('drain', more)
      socket.once('data', more)
    })
    expect(await outcome(server)).toBe('protocol: more than 32 interim responses')
  })

  it.each([600, 999])('the status %i, which is a failure, as undici and curl have it', async status => {
    const server = await saying(`HTTP/1.1 ${status} Denied\r\nLocation: /\r\nContent-Length: 2\r\n\r\nno`)
    const client = new Client()
    const response = await client.fetch(server.url)
    expect([response.status, response.ok, response.redirected]).toEqual([status, false, false])
    // A stream makes an object of Node's beneath, which knows no such status.
    expect(await new Response(response.body).text()).toBe('no')
    await client.close()
  })

  it('as much of a response as there is room for before any byte, and closes', async () => {
    const whole = `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: u\r\n\r\n`
    let most = 0
    const server = await starting(socket => {
      socket.once('data', () => socket.end(whole.slice(0, most)))
    })
    const outcomes = new Map<string, number>()
    const client = new Client()
    for (; most <= whole.length; most++) {
      const said = await client
        .fetch(server.url)
        .then(
          response => response.text(),
          (error: ClientError) => error.kind,
        )
        .catch((error: ClientError) => error.kind)
      outcomes.set(said, (outcomes.get(said) ?? 0) + 1)
    }
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
    expect([...outcomes]).toEqual([
      ['protocol', whole.length],
      ['hello', 1],
    ])
  })

  it('a reset, before and in the middle', async () => {
    for (const said of ['', OK, `${OK}Content-Length: 5\r\n\r\nhe`]) {
      const server = await starting(socket => {
        socket.once('data', () => socket.write(said, () => setTimeout(() => socket.resetAndDestroy(), 20)))
      })
      expect(await outcome(server)).toMatch(/^protocol: the connection broke/)
    }
  })

  it('nothing, or not enough, in time: each timeout by its name', async () => {
    const silent = await starting(socket => void socket.resume())
    const timeouts = { headers: 50, body: 50 }
    expect(await outcome(silent, { timeouts })).toBe('timeout: no response within 50 ms (timeouts.headers)')
    const stuck = await saying(`${OK}Content-Length: 5\r\n\r\nhe`)
    expect(await outcome(stuck, { timeouts })).toMatch(/\(timeouts.body\)$/)
    expect(await outcome(stuck, { timeouts: { total: 50 } })).toMatch(/\(timeouts.total\)$/)
    expect(await outcome(silent, { timeouts: { total: 50 } })).toMatch(/\(timeouts.total\)$/)
  })

  it('a bomb: no more is decoded than is taken', async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000))
    const server = await saying(gzipped(bomb))
    const client = new Client()
    const before = kept()
    const response = await client.fetch(server.url)
    const reader = response.body!.getReader()
    await reader.read()
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(kept() - before).toBeLessThan(20_000_000)
    await reader.cancel()
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
  })

  it('a response before it has read the request', async () => {
    const server = await starting(socket => {
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'))
    })
    const client = new Client()
    let stopped = false
    const body = new ReadableStream<Uint8Array>({
      pull: async controller => {
        await new Promise(resolve => setTimeout(resolve, 5))
        controller.enqueue(new Uint8Array(1000))
      },
      cancel() {
        stopped = true
      },
    })
    const response = await client.fetch(server.url, { method: 'POST', body })
    expect(`${response.status} ${await response.text()}`).toBe('413 no')
    await client.close()
    await server.quiet()
    expect([stopped, server.open]).toEqual([true, 0])
  })
})

describe('a connection that was kept', () => {
  it('is left for another one when the server has closed it just then', async () => {
    // The second request on each connection ends it.
    const server = await starting(socket => {
      socket.once('data', () => {
        socket.write(`${OK}Content-Length: 2\r\n\r\nok`)
        socket.once('data', () => socket.resetAndDestroy())
      })
    })
    const client = new Client()
    for (let i = 0; i < 5; i++) expect(await (await client.fetch(server.url)).text()).toBe('ok')
    expect(server.connections).toBe(5)
    const post = client.fetch(server.url, { method: 'POST', body: 'x' })
    await expect(post).rejects.toMatchObject({ kind: 'protocol' })
    await client.close()
  })

  it('is closed when it is idle, or sooner if the server says so', async () => {
    const server = await saying(`${OK}Keep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok`)
    const client = new Client()
    await (await client.fetch(server.url)).text()
    await server.quiet()
    expect(server.open).toBe(0)
    await client.close()
  })

  it('is not used when the server speaks out of turn', async () => {
    const server = await saying(`${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 5\r\n\r\nwrong`)
    const client = new Client()
    for (let i = 0; i < 3; i++) {
      expect(await (await client.fetch(server.url)).text()).toBe('ok')
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    await client.close()
  })
})
