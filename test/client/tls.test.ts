import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createSecureServer, type Http2ServerResponse } from 'node:http2'
import { createServer as createNodeServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { Client, type ClientOptions } from '../../src/client/index.ts'
import { createServer } from '../../src/tls13/io/net.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { context, nodeTls, tcp } from '../../src/transport/index.ts'
import { network } from '../../src/transport/network.ts'
import { serveConnection } from '../../src/transport/serve.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-client-'))
const certificates = [{ name: 'wide', hosts: ['localhost', 'one.test', '*.two.test'] }]
await makeCertificates({ directory, certificates, now: Date.now() })
const pem = (name: string): string => readFileSync(join(directory, name), 'utf8')
const identity = { cert: pem('wide.crt'), key: pem('wide.key') }
const tls = { ca: pem('ca.crt') }
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(directory, { recursive: true })
})

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

describe('TLS', () => {
  it('is resumed on the next connection', async () => {
    const server = createNodeServer(identity, (request, response) => {
      response.setHeader('connection', 'close')
      response.end(String((request.socket as TLSSocket).isSessionReused()))
    })
    const url = `https://localhost:${await listening(server)}`
    const client = new Client({ tls })
    const said: string[] = []
    for (let i = 0; i < 3; i++) said.push(await (await client.fetch(url)).text())
    expect(said).toEqual(['false', 'true', 'true'])
    await client.close()
  })

  it('fails by its name where the authority is another one', async () => {
    const port = await listening(createNodeServer(identity, (_, response) => response.end()))
    const client = new Client()
    await expect(client.fetch(`https://localhost:${port}`)).rejects.toMatchObject({
      kind: 'tls',
      code: 'unknown_ca',
    })
    await client.close()
  })
})

describe.each(['http/1.1', 'h2'] as const)('early data over %s', alpn => {
  /** A server of ours, which takes early data; what came so, 425 or not. */
  async function early(tooEarly: boolean, method = 'GET'): Promise<string[]> {
    const said: string[] = []
    const server = createServer({ ...identity, alpn: [alpn], earlyData: { maximum: 16_384 } }, stream => {
      const app = {
        request: (request: { early: boolean; method: string }, response: { reply(view: object): void }) => {
          said.push(`${request.method} ${request.early ? 'early' : 'late'}`)
          const refused = tooEarly && request.early
          response.reply({ status: refused ? 425 : 200, headers: [['connection', 'close']], body: 'ok' })
        },
      }
      serveConnection(stream, app as never, { timers: { 'keep-alive': 20 } })
    })
    const url = `https://localhost:${await listening(server)}`
    const client = new Client({ tls, earlyData: true, timeouts: { idle: 1 } })
    for (let i = 0; i < 2; i++) {
      const response = await client.fetch(url, { method })
      expect([response.status, await response.text()]).toEqual([200, 'ok'])
      // The connection is not kept.
      await new Promise(resolve => setTimeout(resolve, alpn === 'h2' ? 1100 : 50))
    }
    await client.close()
    return said
  }

  it('is what a safe request is, where the server takes it', async () => {
    expect(await early(false)).toEqual(['GET late', 'GET early'])
    expect(await early(false, 'DELETE')).toEqual(['DELETE late', 'DELETE late'])
  })

  it('is sent again when the server says that it is too early (425)', async () => {
    expect(await early(true)).toEqual(['GET late', 'GET early', 'GET late'])
  })
})

describe('one connection for several hosts', () => {
  /** All hosts are here, whatever their names. */
  const here = network({ tls })
  const connector: Connector = {
    connect: (target, options) =>
      here.connect({ ...target, host: '127.0.0.1', serverName: target.host }, options),
    routeOf: target => here.routeOf(target),
  }

  /** Connections and answers of three hosts in turn. */
  async function ask(
    answers: (host: string, response: Http2ServerResponse) => void,
    options: ClientOptions = {},
    signal?: AbortSignal,
  ) {
    let connections = 0
    const server = createSecureServer(identity, (request, response) => {
      answers(request.authority.replace(/:.*/, ''), response)
    })
    server.on('session', () => connections++)
    const port = await listening(server as unknown as Server)
    const client = new Client({ connector, lookup: async () => ['127.0.0.1'], ...options })
    const said: string[] = []
    for (const host of ['one.test', 'a.two.test', 'b.two.test']) {
      const init = host === 'a.two.test' ? { signal } : {}
      const answer = client.fetch(`https://${host}:${port}/`, init).then(
        async response => `${response.status} ${await response.text()}`,
        (error: Error) => error.message,
      )
      said.push(await answer)
    }
    await client.close()
    return { connections, said }
  }

  it('is used where certificate and address are theirs, too', async () => {
    const { connections, said } = await ask((host, response) => response.end(host))
    expect([connections, said]).toEqual([1, ['200 one.test', '200 a.two.test', '200 b.two.test']])
  })

  it('is not used where their address is another one', async () => {
    const { connections } = await ask((host, response) => response.end(host), {
      lookup: async () => ['127.0.0.2'],
    })
    expect(connections).toBe(3)
  })

  it('is not used where the host is reached in another way, or the way does not say', async () => {
    const routes: (Connector['routeOf'] | undefined)[] = [({ host }) => host, undefined]
    for (const routeOf of routes) {
      const { connect } = connector
      const other = routeOf === undefined ? { connect } : { connect, routeOf }
      const { connections, said } = await ask((host, response) => response.end(host), { connector: other })
      expect([connections, said.length]).toEqual([3, 3])
    }
  })

  it('is not used where its certificate was not checked', async () => {
    const ways = [
      network({ tls: { verify: verifier({ ...tls, checkName: false }) } }),
      network({ tls: { ...tls, checkName: false } }),
      context().over('https', nodeTls(tcp), { tls: { rejectUnauthorized: false } }),
    ]
    for (const way of ways) {
      const open: Connector = {
        connect: (target, options) =>
          way.connect({ ...target, host: '127.0.0.1', serverName: target.host }, options),
        routeOf: target => way.routeOf(target),
      }
      const { connections } = await ask((host, response) => response.end(host), { connector: open })
      expect(connections).toBe(3)
    }
  })

  it('is done without where the look-up fails, and its time is that of `connect`', async () => {
    const fails = (): never => {
      throw new Error('no name server')
    }
    const { connections } = await ask((host, response) => response.end(host), { lookup: fails })
    expect(connections).toBe(3)
    const { said } = await ask((host, response) => response.end(host), {
      lookup: host => (host === 'a.two.test' ? new Promise(() => {}) : Promise.resolve(['127.0.0.1'])),
      timeouts: { connect: 1000 },
    })
    const late = 'no address for a.two.test within 1000 ms (timeouts.connect)'
    expect(said).toEqual(['200 one.test', late, '200 b.two.test'])
  })

  it('may be given up while it is looked for', async () => {
    const control = new AbortController()
    const { said } = await ask(
      (host, response) => response.end(host),
      {
        lookup: async host => {
          if (host !== 'a.two.test') return ['127.0.0.1']
          setTimeout(() => control.abort(new Error('no more')), 20)
          return new Promise(() => {})
        },
      },
      control.signal,
    )
    expect(said).toEqual(['200 one.test', 'no more', '200 b.two.test'])
  })

  it('is left for one of their own when the server says that it is misdirected (421)', async () => {
    let misdirected = 0
    const seen = new Map<unknown, string>()
    const { connections, said } = await ask((host, response) => {
      const { session } = response.stream
      const first = seen.get(session) ?? host
      seen.set(session, first)
      if (first === host) response.end(host)
      else {
        misdirected++
        response.writeHead(421).end()
      }
    })
    expect(said).toEqual(['200 one.test', '200 a.two.test', '200 b.two.test'])
    expect([connections, misdirected]).toEqual([3, 2])
  })
})
