import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import type { HttpRequest, HttpResponse } from '../../src/http/serving.ts'
import {
  type Connector,
  context,
  keep,
  MemoryHub,
  memory,
  nodeTls,
  nodeTlsServer,
  type Server,
  serve,
  type Transport,
  tcp,
  tls,
  unix,
} from '../../src/transport/index.ts'
import { utf8 } from '../../src/wire/index.ts'
import { type Credentials, credentials } from '../support/credentials.ts'

/** What one end of a protocol hears, and when the other has ended its half. */
class Ear {
  heard = ''
  readonly ended: Promise<void>

  constructor(transport: Transport) {
    this.ended = new Promise((resolve, reject) =>
      transport.read({
        bytes: view => {
          this.heard += Buffer.from(view).toString()
        },
        end: resolve,
        error: reject,
      }),
    )
    this.ended.catch(() => {})
    transport.resume()
  }
}

const PATIENT = 'x'.repeat(100_000)

/** A protocol in which one side says all and ends its half, and only then the other answers and ends. */
async function first(transport: Transport): Promise<string> {
  const ear = new Ear(transport)
  transport.write([utf8(PATIENT)])
  transport.end()
  await ear.ended
  return ear.heard
}

async function second(transport: Transport): Promise<void> {
  const ear = new Ear(transport)
  await ear.ended
  transport.write([utf8(`${ear.heard.length} `), utf8(PATIENT)])
  transport.end()
}

const ANSWER = `${PATIENT.length} ${PATIENT}`

let files: Credentials
const servers: Server[] = []
/** What the servers have heard where they were first. */
const heard: string[] = []
const ways: Record<string, Connector> = {}

function request({ protocol, path }: HttpRequest, response: HttpResponse): void {
  if (protocol !== 'half' && protocol !== 'websocket') {
    response.reply({ status: 426 })
    return
  }
  const transport = keep(response, [['Upgrade', protocol]])
  if (path === '/second') void second(transport)
  else void first(transport).then(said => heard.push(said))
}

beforeAll(async () => {
  files = await credentials()
  const hub = new MemoryHub()
  const own = { cert: files.pem('localhost.crt'), key: files.pem('localhost.key') }
  const trust = { tls: { ca: files.pem('ca.crt') } }
  const path = files.file('half.sock')
  const at = async (options: Parameters<typeof serve>[0]): Promise<number> => {
    const server = await serve(options)
    servers.push(server)
    return server.address.port ?? 0
  }
  /** To a server on that port, whatever the URL says. */
  const to = (port: number): typeof tcp => ({
    ...tcp,
    connect: (target, ...rest) => tcp.connect({ ...target, host: '127.0.0.1', port }, ...rest),
  })
  const plain = await at({ transport: tcp.listen({ port: 0 }), request })
  const ours = await at({ transport: tcp.listen({ port: 0 }), request, tls: own })
  const nodes = await at({ transport: tcp.listen({ port: 0 }), request, tls: nodeTlsServer(own) })
  await at({ transport: unix.listen({ path }), request })
  await at({ transport: memory.listen({ hub, name: 'localhost' }), request })
  ways.tcp = context().over('http', to(plain))
  ways['our TLS'] = context().over('https', tls(to(ours)), trust)
  ways['node:tls'] = context().over('https', nodeTls(to(nodes)), trust)
  ways['a Unix socket'] = context().over('http', unix, { path })
  ways.memory = context().over('http', memory, { hub })
})
afterAll(() => Promise.all(servers.map(server => server.stop(0))))

const VERSIONS = {
  tcp: ['http/1.1'],
  'our TLS': ['http/1.1', 'h2'],
  'node:tls': ['http/1.1', 'h2'],
  'a Unix socket': ['http/1.1'],
  memory: ['http/1.1'],
} as const

const descriptors = (): number => readdirSync('/proc/self/fd').length

describe.each(Object.entries(VERSIONS))('another protocol over %s', (name, versions) => {
  it.each(versions.map(version => [version]))('%s: each side ends its half alone', async version => {
    const before = descriptors()
    // Over HTTP/2 our servers have tunnels for nothing else (RFC 8441).
    const protocol = version === 'h2' ? 'websocket' : 'half'
    const scheme = name.includes('tls') || name.includes('TLS') ? 'https' : 'http'
    const client = new Client({ connector: ways[name]! })
    for (let turn = 0; turn < 5; turn++) {
      const there = await client.upgrade(`${scheme}://localhost/second`, protocol, { version })
      expect(there.version).toBe(version)
      expect((await first(there.transport)) === ANSWER).toBe(true)
      there.transport.destroy()
      const back = await client.upgrade(`${scheme}://localhost/first`, protocol, { version })
      await second(back.transport)
      while (heard.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
      expect(heard.shift() === ANSWER).toBe(true)
      back.transport.destroy()
    }
    const refused = client.upgrade(`${scheme}://localhost/`, 'whole', { version })
    await expect(refused).rejects.toMatchObject({
      kind: 'protocol',
      cause: { status: version === 'h2' ? 501 : 426 },
    })
    await client.close()
    const open = (): number => servers.reduce((sum, { connections }) => sum + connections, 0)
    for (let tries = 0; tries < 20_000 && (open() > 0 || descriptors() > before); tries++)
      await new Promise(resolve => setTimeout(resolve, 5))
    expect(open()).toBe(0)
    expect(descriptors()).toBeLessThanOrEqual(before)
  })
})

it('a stream with another protocol stays, and goes on, when its client is released', async () => {
  const client = new Client({ connector: ways['our TLS']! })
  const { transport } = await client.upgrade('https://localhost/second', 'websocket', { version: 'h2' })
  const stayed: string[] = []
  expect(await client.release((_, why) => stayed.push(why))).toEqual([])
  expect(stayed).toEqual(['one of its streams speaks another protocol'])
  expect((await first(transport)) === ANSWER).toBe(true)
})
