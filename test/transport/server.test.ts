import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { keep } from '../../src/transport/keep.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { tlsServer } from '../../src/transport/kinds/tls.ts'
import type { ConnectionFailure, Server } from '../../src/transport/server.ts'
import { alpn, http, https, type ServiceOptions } from '../../src/transport/services.ts'
import { utf8 } from '../../src/wire/index.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { has, run } from '../support/tls-programs.ts'

let files: Credentials
const servers: Server[] = []

beforeAll(async () => {
  files = await credentials()
})
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.stop(0)))
})

const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const own = () => ({ cert: pem('localhost.crt'), key: pem('localhost.key') })

const hello: Pick<ServiceOptions, 'request'> = {
  request: ({ version, path }, response) => response.reply({ status: 200, body: `${version} ${path}` }),
}

async function started(server: Promise<Server>): Promise<number> {
  const one = await server
  servers.push(one)
  return one.address.port!
}

/** Everything that a server says to some bytes, until it closes. */
async function said(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(bytes)
  const pieces: Buffer[] = []
  for await (const piece of socket) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

describe('services', () => {
  it.skipIf(!has('curl'))('http, https and alpn speak what curl asks for (Debian package curl)', async () => {
    const plain = await started(http({ port: 0, ...hello }))
    const one = await started(https({ port: 0, tls: own(), ...hello }))
    const any = await started(alpn({ port: 0, tls: own(), ...hello }))
    const curl = async (...args: string[]) =>
      (await run('curl', ['-sS', '--cacert', files.file('ca.crt'), ...args])).stdout
    expect(await curl(`http://localhost:${plain}/a`)).toBe('1.1 /a')
    expect(await curl('--http2', `https://localhost:${one}/b`)).toBe('1.1 /b')
    expect(await curl('--http2', `https://localhost:${any}/c`)).toBe('2 /c')
    expect(await curl('--http1.0', `https://localhost:${any}/d`)).toBe('1.0 /d')
  })

  it('say what is wrong before they take a connection', async () => {
    const port = await started(http({ port: 0, ...hello }))
    await expect(http({ port, ...hello })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(https({ port: 0, tls: {}, ...hello })).rejects.toThrow(TypeError)
    const proxyProtocol = { trusted: ['127.0.0.1/33'] }
    await expect(http({ port: 0, proxyProtocol, ...hello })).rejects.toThrow('127.0.0.1/33')
  })

  it('tell handlers whose connection it is', async () => {
    const seen: unknown[] = []
    const port = await started(
      http({
        port: 0,
        request(_, response, { peer, local, secure }) {
          seen.push(peer.address, local.port, secure)
          response.reply({ status: 204 })
        },
        error: ({ kind }, { peer }) => void seen.push(kind, peer.address) as undefined,
      }),
    )
    await said(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\nrubbish\r\n\r\n')
    expect(seen).toEqual(['127.0.0.1', port, false, 'client', '127.0.0.1'])
  })
})

it('another certificate is for new connections, while those that are there go on', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-another-'))
  await makeCertificates({ directory, certificates: [{ name: 'localhost' }], now: Date.now() })
  const [cert, key] = ['crt', 'key'].map(kind => readFileSync(join(directory, `localhost.${kind}`), 'utf8'))
  rmSync(directory, { recursive: true })
  const all = ['h2', 'http/1.1']
  let protect = tlsServer(own())(all)
  const port = await started(
    alpn({
      port: 0,
      ...hello,
      tls:
        () =>
        (...one) =>
          protect(...one),
    }),
  )
  const open = async () => {
    const session = connectHttp2(`https://localhost:${port}`, { rejectUnauthorized: false })
    await once(session, 'connect')
    const shown = (session.socket as TLSSocket).getPeerX509Certificate()!.fingerprint256
    const asked = async (): Promise<number> => {
      const [fields] = await once(session.request({ ':path': '/a' }).resume(), 'response')
      return fields[':status']
    }
    return { session, shown, asked }
  }
  const before = await open()
  protect = tlsServer({ cert: cert!, key: key! })(all)
  const after = await open()
  const known = [pem('localhost.crt'), cert!].map(text => new X509Certificate(text).fingerprint256)
  expect([before.shown, after.shown]).toEqual(known)
  expect([await before.asked(), await after.asked()]).toEqual([200, 200])
  for (const { session } of [before, after]) session.destroy()
})

describe('stopping', () => {
  /** A server whose only response waits. */
  async function waiting(graceMs?: number) {
    const control = new AbortController()
    let finish = (): void => {}
    let asked = (): void => {}
    const arrived = new Promise<void>(resolve => {
      asked = resolve
    })
    const server = await http({
      port: 0,
      signal: control.signal,
      ...(graceMs === undefined ? {} : { graceMs }),
      request(_, response) {
        finish = () => response.reply({ status: 200, body: 'late' })
        asked()
      },
    })
    servers.push(server)
    const socket = connect({ port: server.address.port!, host: '127.0.0.1' })
    socket.on('error', () => {}).write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    let answer = ''
    socket.on('data', piece => {
      answer += piece
    })
    await arrived
    return { server, socket, stop: () => control.abort(), finish: () => finish(), answer: () => answer }
  }

  it('lets requests end, takes no more connections, and is over then', async () => {
    const { server, socket, stop, finish, answer } = await waiting()
    const { port } = server.address
    stop()
    const late = connect({ port: port!, host: '127.0.0.1' })
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(server.connections).toBe(1)
    finish()
    await once(socket, 'close')
    await server.closed
    expect(answer()).toMatch(/late$/)
    expect(server.connections).toBe(0)
  })

  it('cuts what takes longer than the grace', async () => {
    const { server, socket, stop, answer } = await waiting(20)
    stop()
    await Promise.all([once(socket, 'close'), server.closed])
    expect(answer()).toBe('')
  })

  it('ends connections that wait for a request, and those in their handshakes with the grace', async () => {
    const server = await alpn({ port: 0, tls: own(), graceMs: 20, ...hello })
    const session = connectHttp2(`https://localhost:${server.address.port}`, { ca: pem('ca.crt') })
    await once(session, 'connect')
    const silent = connect({ port: server.address.port!, host: '127.0.0.1' })
    await once(silent, 'connect')
    await Promise.all([once(session, 'close'), once(silent.resume(), 'close'), server.stop()])
    expect(server.connections).toBe(0)
  })

  it('is at once for a signal that has been given before', async () => {
    const server = await http({ port: 0, signal: AbortSignal.abort(), ...hello })
    await server.closed
  })
})

describe('what goes wrong beside requests', () => {
  it('is told with its stage, and ends one connection alone', async () => {
    const failures: ConnectionFailure[] = []
    const port = await started(
      alpn({
        port: 0,
        tls: own(),
        failed(failure) {
          failures.push(failure)
          throw new Error('must not matter')
        },
        ...hello,
      }),
    )
    await said(port, 'GET / HTTP/1.1\r\n\r\n')
    expect(failures.map(({ stage, peer }) => [stage, peer?.address])).toEqual([['handshake', '127.0.0.1']])
    const session = connectHttp2(`https://localhost:${port}`, { ca: pem('ca.crt') })
    await once(session, 'connect')
    session.close()
  })
})

describe('a connection that a handler keeps', () => {
  let target: Socket[] = []
  let targetPort = 0
  const echo = createTcpServer(socket => {
    target.push(socket.on('error', () => {}))
    socket.pipe(socket)
  })

  beforeAll(async () => {
    echo.listen(0, '127.0.0.1')
    await once(echo, 'listening')
    targetPort = (echo.address() as { port: number }).port
  })
  afterAll(() => {
    echo.close()
    for (const socket of target) socket.destroy()
    target = []
  })

  /** A CONNECT proxy, and a server of a protocol of its own. */
  const proxy: Omit<ServiceOptions, 'port'> = {
    tunnels: true,
    async request({ method, target: to, protocol }, response) {
      if (protocol === 'shout') {
        const one = keep(response, [['Upgrade', 'shout']])
        const bytes = (view: Uint8Array): void =>
          void one.write([utf8(Buffer.from(view).toString().toUpperCase())])
        one.read({ bytes, end: () => one.end(), error() {} })
        return
      }
      if (method !== 'CONNECT') return response.reply({ status: 404 })
      const [host, port] = to.split(':') as [string, string]
      const way = { scheme: 'tcp', host, port: Number(port) }
      const { network } = await import('../../src/transport/network.ts')
      const there = (await network().over('tcp', tcp).connect(way)).transport
      const here = keep(response)
      for (const [from, onto] of [
        [here, there],
        [there, here],
      ] as const) {
        onto.onDrain = () => from.resume()
        from.read({
          bytes: view => {
            if (onto.write([view.slice()]) === 'queued') from.pause()
          },
          end: () => onto.end(),
          error: () => onto.destroy(),
        })
      }
    },
  }

  it('is a proxy’s, over HTTP/1.1: CONNECT', async () => {
    const port = await started(http({ port: 0, ...proxy }))
    const asked = httpRequest({ port, method: 'CONNECT', path: `127.0.0.1:${targetPort}` })
    asked.end()
    const [answer, socket] = (await once(asked, 'connect')) as [{ statusCode: number }, Socket]
    expect(answer.statusCode).toBe(200)
    const large = Buffer.alloc(300_000, 'x')
    socket.write(large)
    let length = 0
    for await (const piece of socket) {
      length += piece.length
      if (length === large.length) break
    }
    expect(length).toBe(large.length)
  })

  it('is a proxy’s, over HTTP/2: a stream of it', async () => {
    const port = await started(alpn({ port: 0, tls: own(), ...proxy }))
    const session = connectHttp2(`https://localhost:${port}`, { ca: pem('ca.crt') })
    const stream = session.request({ ':method': 'CONNECT', ':authority': `127.0.0.1:${targetPort}` })
    const [fields] = await once(stream, 'response')
    expect(fields[':status']).toBe(200)
    stream.write('hello')
    const [piece] = await once(stream, 'data')
    expect(String(piece)).toBe('hello')
    session.destroy()
  })

  it('speaks what Upgrade asks for', async () => {
    const port = await started(http({ port: 0, ...proxy }))
    const headers = { connection: 'upgrade', upgrade: 'shout' }
    const asked = httpRequest({ port, headers })
    asked.end()
    const [answer, socket] = (await once(asked, 'upgrade')) as [{ statusCode: number }, Socket]
    expect(answer.statusCode).toBe(101)
    socket.write('quietly')
    const [piece] = await once(socket, 'data')
    expect(String(piece)).toBe('QUIETLY')
    socket.end()
    await once(socket, 'close')
  })

  it('is not to be had where there are no tunnels', async () => {
    const port = await started(http({ port: 0, ...hello }))
    expect(await said(port, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')).toMatch(/^HTTP\/1\.1 501 /)
  })

  it('needs a host and a port', async () => {
    const port = await started(http({ port: 0, ...proxy }))
    for (const to of ['a', 'a:', '/', 'http://a:1/', 'a:70000'])
      expect(await said(port, `CONNECT ${to} HTTP/1.1\r\nHost: a\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /)
  })
})
