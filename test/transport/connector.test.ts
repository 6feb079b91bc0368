import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { H1Client } from '../../src/http/h1/index.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { createServer } from '../../src/tls13/io/net.ts'
import type { ConnectError, Connected, ConnectOptions } from '../../src/transport/connector.ts'
import { type Context, targetOf } from '../../src/transport/context.ts'
import { network } from '../../src/transport/network.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { text } from '../support/h1-messages.ts'

const app: HttpHandlers = {
  request: ({ path, version }, response) => response.reply({ status: 200, body: `${version} ${path}` }),
}

let files: Credentials
let net: Context
let plain = ''
let secure = ''
/** Takes connections, and says nothing. */
let silent = ''
const servers: Server[] = []

beforeAll(async () => {
  files = await credentials()
  const [cert, key, ca] = ['localhost.crt', 'localhost.key', 'ca.crt'].map(pem) as [string, string, string]
  net = network({ tls: { ca } })
  plain = `http://localhost:${await listening(createTcpServer(socket => void serveConnection(socket, app)))}`
  const tls = createServer(
    { cert, key, alpn: ['h2', 'http/1.1'] },
    stream => void serveConnection(stream, app),
  )
  secure = `https://localhost:${await listening(tls)}`
  silent = `https://localhost:${await listening(createTcpServer(socket => socket.on('error', () => {})))}`
})

afterAll(() => {
  for (const server of servers) server.close()
})

function pem(name: string): string {
  return readFileSync(files.file(name), 'utf8')
}

async function listening(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const connect = (url: string, options?: ConnectOptions) => net.connect(targetOf(url), options)

/** What it failed with. */
async function failure(work: Promise<Connected>): Promise<ConnectError> {
  return work.then(
    () => expect.fail('a connection'),
    (error: ConnectError) => error,
  )
}

/** One request by hand over HTTP/1.1, and all that comes of it until the server closes. */
function answer({ transport }: Connected, path: string): Promise<string> {
  const headers = [
    ['Host', 'localhost'],
    ['Connection', 'close'],
  ] as const
  const client = new H1Client()
  return new Promise((resolve, reject) => {
    let said = ''
    transport.read({
      bytes: view => {
        said += text(view)
      },
      end: () => {
        transport.end()
        resolve(said)
      },
      error: reject,
    })
    transport.write([client.request({ method: 'GET', target: path, headers })])
  })
}

describe('a connector', () => {
  it('reaches a plain server', async () => {
    const one = await connect(plain)
    expect([one.alpn, one.secure]).toEqual([undefined, false])
    expect(await answer(one, '/a')).toMatch(/200 OK[\s\S]*1\.1 \/a$/)
  })

  it('reaches a server over TLS, which has chosen what is spoken and shown whose it is', async () => {
    const one = await connect(secure, { alpn: ['http/1.1'] })
    expect([one.alpn, one.secure]).toEqual(['http/1.1', true])
    expect(one.certificateNames).toContain('localhost')
    expect(await answer(one, '/b')).toMatch(/200 OK[\s\S]*1\.1 \/b$/)
    const two = await connect(secure)
    expect(two.alpn).toBe('h2')
    two.transport.destroy()
  })

  it('sends what may come twice ahead of everything else', async () => {
    const early = new H1Client().request({
      method: 'GET',
      target: '/early',
      headers: [['Host', 'localhost']],
    })
    const one = await connect(secure, { alpn: ['http/1.1'], early })
    expect(await answer(one, '/then')).toMatch(/\/early[\s\S]*\/then$/)
  })

  it('says what went wrong', async () => {
    const { port } = new URL(plain)
    const wrongCertificate = await failure(net.connect({ ...targetOf(secure), serverName: 'other.example' }))
    expect([wrongCertificate.kind, wrongCertificate.message]).toEqual([
      'tls',
      expect.stringContaining('(wrong_name)'),
    ])
    expect((await failure(connect(`https://localhost:${port}`))).kind).toBe('tls')
    const refused = await failure(connect('http://localhost:1'))
    expect([refused.kind, refused.code]).toEqual(['connect', 'ECONNREFUSED'])
    expect((await failure(connect('http://no-such-name.invalid'))).kind).toBe('resolve')
    const foreign = await failure(connect('gopher://localhost'))
    expect([foreign.kind, foreign.message]).toEqual(['unsupported', expect.stringContaining('gopher://')])
  })

  it('gives up in time, and when it is told to', async () => {
    expect((await failure(connect(silent, { timeoutMs: 30 }))).kind).toBe('timeout')
    const control = new AbortController()
    const work = failure(connect(silent, { signal: control.signal }))
    control.abort('enough')
    const error = await work
    expect([error.kind, error.cause]).toEqual(['aborted', 'enough'])
    expect((await failure(connect(plain, { signal: AbortSignal.abort() }))).kind).toBe('aborted')
  })
})
