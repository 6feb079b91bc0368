import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import type { HttpFault, HttpRequest, HttpResponse } from '../../src/http/serving.ts'
import {
  alpn,
  type ConnectionFailure,
  http,
  https,
  keep,
  nodeTlsServer,
  type Server,
  serve,
  type Transport,
  tcp,
} from '../../src/transport/index.ts'
import { credentials } from '../support/credentials.ts'

/** What users do who have no compiler: it is said at once, is answered, and ends no process. */

const running: Server[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop(0)
})

const request = (_: unknown, response: HttpResponse): void => response.reply({ status: 200 })

describe('a server', () => {
  const place = { port: 0, request }
  const wrong: readonly [says: string, start: () => Promise<Server>][] = [
    ['transport:', () => serve({ request } as never)],
    ['request:', () => http({ port: 0 } as never)],
    ['port:', () => http({ request } as never)],
    ['tls:', () => https({ ...place, tls: undefined } as never)],
    ['tls:', () => alpn({ ...place } as never)],
    ['alpn:', () => serve({ transport: tcp.listen({ port: 0 }), request, alpn: 'h2' } as never)],
    ['alpn:', () => serve({ transport: tcp.listen({ port: 0 }), request, alpn: ['h3'] })],
    ['alpn:', () => serve({ transport: tcp.listen({ port: 0 }), request, alpn: [] })],
    ['graceMs', () => http({ ...place, graceMs: 'x' } as never)],
    ['handshakeMs', () => http({ ...place, handshakeMs: -1 })],
    ['stall', () => http({ ...place, stall: Number.NaN })],
    ['timers.headers', () => http({ ...place, timers: { headers: 'x' } } as never)],
    ['timers.header:', () => http({ ...place, timers: { header: 5 } } as never)],
    ['timers.rate.grace', () => http({ ...place, timers: { rate: { bytesPerSecond: 1 } } } as never)],
    ['limits.bodyBytes:', () => http({ ...place, limits: { bodyBytes: 5 } } as never)],
    ['limits.http1.headBytes', () => http({ ...place, limits: { http1: { headBytes: '1' } } } as never)],
    ['limits.http1.requests', () => http({ ...place, limits: { http1: { requests: undefined } } } as never)],
    ['limits.http2:', () => http({ ...place, limits: { http2: 7 } } as never)],
    ['limits.http2.budgets.resets', () => http({ ...place, limits: { http2: { budgets: {} } } } as never)],
    ['memory', () => http({ ...place, memory: 1e6 } as never)],
    ['trusted:', () => http({ ...place, proxyProtocol: {} } as never)],
    ['trusted:', () => http({ ...place, proxyProtocol: { trusted: '10.0.0.1' } } as never)],
  ]
  it.each(wrong)('does not start with options that make no sense: %s', async (says, start) => {
    const started = start()
    await expect(started).rejects.toThrow(TypeError)
    await expect(started).rejects.toThrow(says)
  })

  it('that is to stop by what makes no sense says so, and can be stopped then', async () => {
    const server = await http(place)
    for (const graceMs of ['x', {}, -1, Number.NaN])
      await expect(server.stop(graceMs as never)).rejects.toThrow('graceMs is no number of milliseconds')
    await server.stop()
  })

  it('with a few limits of its own has the others by default', async () => {
    const server = await http({ ...place, limits: { http1: { bodyBytes: 5 }, http2: { frameSize: 20_000 } } })
    running.push(server)
    const socket = connect(server.address.port!, '127.0.0.1')
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)
    const [said] = await once(socket, 'data')
    expect(String(said)).toMatch(/^HTTP\/1\.1 431 /)
    socket.destroy()
  })

  it('whose TLS is rejected with what cannot be shown ends one connection, and no process', async () => {
    const failures: string[] = []
    const told = new Promise<void>(resolve => {
      void http({
        ...place,
        tls: () => () => Promise.reject(Object.create(null)),
        failed: ({ stage, error }: ConnectionFailure) => {
          failures.push(`${stage}: ${error.message}`)
          resolve()
        },
      } as never).then(server => {
        running.push(server)
        connect(server.address.port!, '127.0.0.1').on('error', () => {})
      })
    })
    await told
    expect(failures).toEqual(['handshake: something that cannot be shown'])
  })

  it('shares its signal with many others', async () => {
    const warnings: Error[] = []
    const warned = (warning: Error): void => void warnings.push(warning)
    process.on('warning', warned)
    const { signal, abort } = bound(new AbortController())
    const servers = await Promise.all(Array.from({ length: 15 }, () => http({ ...place, signal })))
    await new Promise(resolve => setTimeout(resolve, 10))
    abort()
    await Promise.all(servers.map(({ closed }) => closed))
    expect(warnings).toEqual([])
    process.off('warning', warned)
  })
})

function bound(control: AbortController): { readonly signal: AbortSignal; abort(): void } {
  return { signal: control.signal, abort: () => control.abort() }
}

type Handler = (request: HttpRequest, response: HttpResponse) => unknown

describe.each(['HTTP/1.1', 'HTTP/2'])('a handler, over %s', version => {
  /** What a client gets of it, and what the server hears. */
  async function outcome(handler: Handler): Promise<readonly [status: number, faults: readonly string[]]> {
    const files = await credentials()
    const faults: string[] = []
    const tls = nodeTlsServer({ cert: files.pem('localhost.crt'), key: files.pem('localhost.key') })
    const server = await serve({
      transport: tcp.listen({ port: 0 }),
      tls,
      alpn: [version === 'HTTP/2' ? 'h2' : 'http/1.1'],
      request: handler as () => void,
      error: ({ kind, reason }: HttpFault) => {
        faults.push(`${kind}: ${reason}`)
        return undefined
      },
      failed: ({ stage, error }) => void faults.push(`${stage}: ${error.message}`),
    })
    running.push(server)
    const client = new Client({ tls: { ca: files.pem('ca.crt') }, timeouts: { headers: 3000 } })
    const response = await client.fetch(`https://localhost:${server.address.port}/`, {
      method: 'POST',
      body: 'abc',
    })
    await response.text()
    await client.close()
    return [response.status, faults]
  }

  const anything = (value: unknown): never => value as never
  const wrong: readonly [what: string, handler: Handler, reason: string][] = [
    ['a body that is a number', (_, to) => to.reply({ status: 200, body: anything(5) }), 'number, not'],
    ['a body that is an object', (_, to) => to.reply({ status: 200, body: anything({}) }), 'object, not'],
    ['an interim response with 200', (_, to) => to.inform(200, []), 'interim'],
    ['what cannot be shown', () => Promise.reject(Object.create(null)), 'something that cannot be shown'],
    ['a promise of another library, rejected', () => rejected(new Error('later')), 'later'],
    ['what throws when it is looked at', () => trap(), 'a trap'],
  ]
  it.each(wrong)('that gives %s: the client has an answer', async (_, handler, reason) => {
    const [status, faults] = await outcome(handler)
    expect([status, faults.length]).toEqual([500, 1])
    expect(faults[0]).toContain(reason)
  })

  it('that gives a number where text belongs has it written down', async () => {
    const handler: Handler = (_, to) => to.reply({ status: 200, headers: [['x', anything(7)]] })
    expect(await outcome(handler)).toEqual([200, []])
  })

  it('that writes text where bytes belong is told so, before anything else goes out', async () => {
    const thrown: unknown[] = []
    const handler: Handler = (_, to) => {
      to.begin({ status: 200, headers: [], length: undefined })
      try {
        void to.write(anything('text'))
      } catch (error) {
        thrown.push(error)
      }
      to.end()
    }
    expect(await outcome(handler)).toEqual([200, []])
    expect(thrown).toEqual([new TypeError('content of type string, not Uint8Array')])
  })

  it('that gives back something else than a promise when it hears of content goes on', async () => {
    const parts: Uint8Array[] = []
    const handler: Handler = (asked, to) =>
      asked.content({
        data: bytes => parts.push(bytes) as never,
        end: () => to.reply({ status: 200 }),
        broken: () => {},
      })
    expect(await outcome(handler)).toEqual([200, []])
    expect(Buffer.concat(parts).toString()).toBe('abc')
  })
})

describe('handlers of a connection that was kept', () => {
  const fails = (): never => {
    throw new Error('mine')
  }
  const nothing = (): void => {}
  const ALL = { bytes: nothing, end: nothing, error: nothing }
  it.each([
    ['bytes', (kept: Transport) => kept.read({ ...ALL, bytes: fails })],
    ['end', (kept: Transport) => kept.read({ ...ALL, end: fails })],
    [
      'error',
      (kept: Transport) => {
        kept.read({ ...ALL, error: fails })
        kept.write([new Uint8Array(20_000_000)])
      },
    ],
    ['bytes, later', (kept: Transport) => void setTimeout(() => kept.read({ ...ALL, bytes: fails }), 50)],
    [
      'onDrain',
      (kept: Transport) => {
        kept.onDrain = fails
        kept.write([new Uint8Array(20_000_000)])
      },
    ],
  ])('that throw end it, and not the process, and are heard of: %s', async (what, does) => {
    const faults: string[] = []
    const uncaught: unknown[] = []
    const note = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtException', note).on('unhandledRejection', note)
    const server = await http({
      port: 0,
      tunnels: true,
      request: (_, response) => does(keep(response)),
      error: ({ kind, reason }) => void faults.push(`${kind}: ${reason}`) as undefined,
    })
    running.push(server)
    const socket = connect(server.address.port!, '127.0.0.1')
    socket.on('error', nothing).resume().write('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nabc')
    setTimeout(() => (what === 'error' ? socket.resetAndDestroy() : socket.end()), 20)
    await once(socket, 'close')
    await new Promise(resolve => setTimeout(resolve, 100))
    process.off('uncaughtException', note).off('unhandledRejection', note)
    expect(uncaught).toEqual([])
    expect(faults).toEqual(['application: mine'])
  })
})

describe('functions that are told of faults', () => {
  it.each(['throw', 'are rejected'])('and %s end no process, and the client has its answer', async how => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    const fails = (): never => {
      if (how === 'throw') throw new Error('mine')
      return Promise.reject(new Error('mine')) as never
    }
    const broken = (): never => {
      throw new Error('broken')
    }
    const server = await http({ port: 0, request: broken, error: fails, failed: fails })
    running.push(server)
    const client = new Client()
    expect((await client.fetch(`http://127.0.0.1:${server.address.port}/`)).status).toBe(500)
    await client.close()
    await new Promise(resolve => setTimeout(resolve, 20))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
})

/** As other libraries have them. */
function rejected(error: Error): object {
  // biome-ignore lint/suspicious/noThenProperty: it is what is tried
  return { then: (_: unknown, reject: (error: Error) => void) => reject(error) }
}

function trap(): object {
  return Object.defineProperty({}, 'then', {
    get() {
      throw new Error('a trap')
    },
  })
}
