import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'
import { Duplex } from 'node:stream'
import { createServer as createNodeTlsServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALPN_PROTOCOLS } from '../../src/http/alpn.ts'
import type { HttpFault, HttpHandlers } from '../../src/http/serving.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { adopt } from '../../src/transfer/stream.ts'
import type { Served } from '../../src/transport/driver.ts'
import { secure } from '../../src/transport/secure.ts'
import { type ServeConnectionOptions, serveConnection } from '../../src/transport/serve.ts'
import { utf8 } from '../../src/wire/index.ts'
import { HandClock } from '../support/hand-clock.ts'
import { LONG } from '../support/long.ts'
import { Certificates, has, run } from '../support/tls-programs.ts'

const PIECES = 20
const PIECE = new Uint8Array(65_536).fill(0x70)
const LARGE = PIECES * PIECE.length

/** Everything that this suite asks for. */
const app: HttpHandlers = {
  request(request, response) {
    if (request.path === '/large') {
      void (async () => {
        response.begin({ status: 200, headers: [], length: LARGE })
        for (let i = 0; i < PIECES; i++) await response.write(PIECE)
        response.end()
      })()
    } else if (request.path === '/stream') {
      response.begin({ status: 200, headers: [], length: undefined })
      for (const part of ['one ', 'two ', 'three\n']) response.write(utf8(part))
      response.end()
    } else if (request.path === '/echo') {
      response.begin({ status: 200, headers: [], length: request.length })
      request.content({
        data: bytes => response.write(bytes),
        end: () => response.end(),
        broken: () => response.abort(),
      })
    } else if (request.path === '/throw') throw new Error('on purpose')
    else response.reply({ status: 200, body: `${request.version} ${request.method} ${request.target}\n` })
  },
}

let files: Certificates
const open = new Set<{ close(): void }>()

beforeAll(async () => {
  files = await Certificates.make()
})
afterAll(() => {
  for (const one of open) one.close()
  files.remove()
})

/** The streams that one dispatcher serves. */
const KINDS = {
  'our TLS': async () => {
    const certificates = [certificateFromPem(node, pem('localhost.crt'), pem('localhost.key'))]
    return listening(
      createTcpServer({ allowHalfOpen: true }, socket => {
        const config = { provider: node, certificates, alpn: [...ALPN_PROTOCOLS] }
        const stream = TlsDuplex.server(socket, config, { allowHalfOpen: true })
        stream.on('error', () => {})
        stream.once('secureConnect', () => serveConnection(stream, app))
      }),
    )
  },
  'a raw stream with our TLS': async () => {
    const certificates = [certificateFromPem(node, pem('localhost.crt'), pem('localhost.key'))]
    const config = { provider: node, certificates, alpn: [...ALPN_PROTOCOLS] }
    return listening(
      createTcpServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
        secure(adopt(socket), config, { clock: SYSTEM_CLOCK }).then(
          carrier => serveConnection(carrier, app),
          () => {},
        )
      }),
    )
  },
  "Node's TLS": async () =>
    listening(
      createNodeTlsServer(
        {
          cert: pem('localhost.crt'),
          key: pem('localhost.key'),
          ALPNProtocols: [...ALPN_PROTOCOLS],
          allowHalfOpen: true,
        },
        (stream: TLSSocket) => serveConnection(stream, app),
      ),
    ),
  'a plain socket': async () =>
    listening(createTcpServer({ allowHalfOpen: true }, socket => serveConnection(socket, app))),
  'a raw stream': async () =>
    listening(
      createTcpServer({ allowHalfOpen: true, pauseOnConnect: true }, socket =>
        serveConnection(adopt(socket), app),
      ),
    ),
} as const

function pem(name: string): string {
  return readFileSync(files.file(name), 'utf8')
}

async function listening(server: Server): Promise<number> {
  open.add(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe
  .skipIf(!has('curl'))
  .each(Object.entries(KINDS).map(([kind, start], place) => [kind, start, place] as const))(
  'over %s, to curl (Debian package curl)',
  (kind, start, place) => {
    let port = 0
    const secure = kind.endsWith('TLS')
    const url = (path: string) => `${secure ? 'https' : 'http'}://localhost:${port}${path}`
    const curl = (...args: string[]) => run('curl', ['-sS', '--cacert', files.file('ca.crt'), ...args])
    const VERSIONS = [
      ['--http1.0', '1.0'],
      ['--http1.1', '1.1'],
      [secure ? '--http2' : '--http2-prior-knowledge', '2'],
    ] as const
    /** All in a long run; in a short one the kinds of streams take turns. */
    const turn = <T>(versions: readonly T[]): readonly T[] =>
      LONG ? versions : [versions[place % versions.length]!]

    beforeAll(async () => {
      port = await start()
    })

    it.each(turn(VERSIONS))('%s: small, streamed and large answers', async (flag, version) => {
      // One by one: curl 7.88 cannot use a connection with prior knowledge twice, with any server.
      expect((await curl(flag, url('/a?b'))).stdout).toBe(`${version} GET /a?b\n`)
      expect((await curl(flag, url('/stream'))).stdout).toBe('one two three\n')
      const large = await curl(flag, url('/large'))
      expect(large.stdout.length).toBe(LARGE)
      expect(large.stdout === 'p'.repeat(LARGE)).toBe(true)
    })

    it.each(turn(VERSIONS.slice(1)))('%s: content comes back while it goes', async flag => {
      const file = files.file('body')
      writeFileSync(file, Buffer.alloc(2_000_000, 'potato '))
      const { stdout } = await curl(flag, '--data-binary', `@${file}`, url('/echo'))
      expect(stdout === readFileSync(file, 'latin1')).toBe(true)
    })

    it.each(turn(VERSIONS))('%s: HEAD, and a fault', async flag => {
      expect((await curl(flag, '-I', url('/a'))).stdout).toMatch(/content-length: \d/i)
      expect((await curl(flag, '-i', url('/throw'))).stdout).toMatch(/^HTTP\/\S+ 500[\s\S]*problem\+json/)
    })

    it.skipIf(!has('nghttp'))('many at once, to nghttp (Debian package nghttp2-client)', async () => {
      const { stdout } = await run('nghttp', ['-m', '10', '--no-dep', url('/large')])
      expect(stdout.length).toBe(10 * LARGE)
    })
  },
)

/** A served socket and its client. */
async function pair(
  handlers: HttpHandlers,
  options?: ServeConnectionOptions,
): Promise<{ client: Socket; served: Served }> {
  let served: Served | undefined
  const server = createTcpServer({ allowHalfOpen: true }, socket => {
    served = serveConnection(socket, handlers, options)
  })
  const client = connect({ port: await listening(server), host: '127.0.0.1', allowHalfOpen: true })
  await once(client, 'connect')
  while (served === undefined) await new Promise(resolve => setImmediate(resolve))
  return { client, served }
}

async function all(client: Socket): Promise<string> {
  let text = ''
  for await (const piece of client.setEncoding('latin1')) text += piece
  return text
}

describe('a connection', () => {
  it('whose client has said its last word gets its answer, and ends', async () => {
    const { client, served } = await pair({
      request: (_, response) => void setTimeout(() => response.reply({ status: 200, body: 'late' }), 20),
    })
    client.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await all(client)).toMatch(/late$/)
    await served.closed
  })

  it('whose response breaks off is closed without an end', async () => {
    const { client, served } = await pair({
      request(_, response) {
        response.begin({ status: 200, headers: [], length: undefined })
        response.write(utf8('part'))
        setTimeout(() => response.abort(), 20)
      },
    })
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await all(client)).toMatch(/4\r\npart\r\n$/)
    await served.closed
  })

  it('that the client resets tells the application', async () => {
    let gone: (reason: Error) => void = () => {}
    const reason = new Promise<Error>(resolve => {
      gone = resolve
    })
    let asked: () => void = () => {}
    const asking = new Promise<void>(resolve => {
      asked = resolve
    })
    const { client, served } = await pair({
      request(_, response) {
        response.onGone = gone
        asked()
      },
    })
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await asking
    client.resetAndDestroy()
    expect(await reason).toBeInstanceOf(Error)
    await served.closed
  })

  it('is drained', async () => {
    const { client, served } = await pair(app)
    served.drain()
    expect(await all(client)).toBe('')
    client.end()
    await served.closed
  })

  it('that is idle for too long is closed, and one whose head does not come is answered first', async () => {
    const faults: HttpFault[] = []
    const handlers: HttpHandlers = { ...app, error: fault => void faults.push(fault) as undefined }
    const idle = await pair(handlers, { timers: { 'keep-alive': 1 } })
    expect(await all(idle.client)).toBe('')
    const slow = await pair(handlers, { timers: { headers: 1 } })
    slow.client.write('GET /')
    expect(await all(slow.client)).toMatch(/^HTTP\/1\.1 408 [\s\S]*headers-timeout/)
    expect(faults.map(fault => fault.timer)).toEqual(['headers'])
    for (const { client } of [idle, slow]) client.end()
  })

  it('whose client has closed its side lasts as long as it is given something', async () => {
    const clock = new HandClock()
    let give: (last: boolean) => void = () => {}
    const { client, served } = await pair(
      {
        request(_, response) {
          response.begin({ status: 200, headers: [], length: undefined })
          give = last => void response.write(utf8(last ? 'last' : 'more'))
          give(false)
        },
      },
      { clock },
    )
    client.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    let text = ''
    for (let pieces = 1; pieces <= 5; pieces++) {
      while (text.split('more').length <= pieces) text += String((await once(client, 'data'))[0])
      // Three times as long as a client is kept that is given nothing.
      clock.pass(20_000)
      give(pieces === 5)
    }
    while (!text.includes('last')) text += String((await once(client, 'data'))[0])
    let over = false
    void served.closed.then(() => {
      over = true
    })
    while (!over) {
      clock.pass(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(text).not.toMatch(/0\r\n\r\n$/)
  })

  it('whose client takes a long answer slowly is not given up, though it has closed its side', async () => {
    const clock = new HandClock()
    const body = new Uint8Array(16_000_000)
    const { client, served } = await pair(
      { request: (_, response) => response.reply({ status: 200, body }) },
      { clock },
    )
    client.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let length = 0
    for await (const piece of client) {
      length += (piece as Buffer).length
      // In all longer than `keep-alive`, after which a client that is given nothing would be gone.
      clock.pass(Math.ceil((piece as Buffer).length / 300))
    }
    expect(length).toBeGreaterThan(body.length)
    await served.closed
  })

  it('whose client takes a long answer slowly is not taken for one that takes nothing', async () => {
    const clock = new HandClock()
    const body = new Uint8Array(32_000_000)
    const { client, served } = await pair(
      { request: (_, response) => response.reply({ status: 200, body }) },
      { clock, stall: 16_000 },
    )
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let length = 0
    for await (const piece of client) {
      length += (piece as Buffer).length
      // In all twice as long as `stall`, and the answer was written at once.
      clock.pass(Math.ceil((piece as Buffer).length / 1000))
    }
    expect(length).toBeGreaterThan(body.length)
    client.destroy()
    await served.closed
  })

  it('whose client takes nothing is given up', async () => {
    const clock = new HandClock()
    const endless: HttpHandlers = {
      request(_, response) {
        let gone = false
        response.onGone = () => {
          gone = true
        }
        response.begin({ status: 200, headers: [], length: undefined })
        void (async () => {
          while (!gone) await response.write(PIECE)
        })()
      },
    }
    const { client, served } = await pair(endless, { clock, stall: 1000 })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise(resolve => setTimeout(resolve, 100))
    clock.pass(2000)
    await served.closed
    client.destroy()
  })

  it('that is destroyed is closed at once', async () => {
    const { client, served } = await pair(app)
    served.destroy()
    await served.closed
    expect(await all(client)).toBe('')
    client.destroy()
  })

  it('over a Duplex that fails does not end the process', async () => {
    const stream = new Duplex({
      read() {},
      write: (_chunk, _encoding, callback) => callback(new Error('broken')),
    })
    const served = serveConnection(stream, app)
    stream.push('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await served.closed
    expect(stream.destroyed).toBe(true)
    const dead = new Duplex({ read() {}, write() {} }).destroy()
    await serveConnection(dead, app).closed
  })

  it('may not be served as what is not HTTP', () => {
    const stream = new Duplex({ read() {}, write() {} })
    expect(() => serveConnection(stream, app, { alpn: 'smtp' })).toThrow(TypeError)
  })
})
