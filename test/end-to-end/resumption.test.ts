import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import { select } from '../../src/tls13/crypto/selection.ts'
import { type ResumptionTicket, Session, type TlsError } from '../../src/tls13/index.ts'
import { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { connect } from '../../src/tls13/io/net.ts'
import { Platform } from '../support/platform.ts'
import { isInstalled, run } from '../support/programs.ts'

let platform: Platform
beforeAll(async () => {
  platform = await Platform.start({
    config: `
version: 1
tls: { tickets: { count: 1 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { replicas: 2 }
  hello: {}
`,
  })
})
afterAll(() => platform?.stop())

interface Visit {
  readonly container: string
  readonly resumed: boolean
  readonly ticket: ResumptionTicket | undefined
}

/** One request on a new connection. */
async function visit(resume?: ResumptionTicket, serverName = 'echo.local'): Promise<Visit> {
  const socket = connect({
    port: platform.https,
    host: '127.0.0.1',
    ca: platform.ca,
    serverName,
    ...(resume === undefined ? {} : { resume }),
  })
  let ticket: ResumptionTicket | undefined
  socket.once('session', one => {
    ticket = one
  })
  socket.write(`GET / HTTP/1.1\r\nHost: ${serverName}\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  const container = /x-hotpotato-container: (\S+)/.exec(text)?.[1] ?? text
  return { container, resumed: socket.session.inspect().resumed, ticket }
}

describe('tickets', () => {
  it('of one replica are good at the other', async () => {
    const first = await visit()
    expect(first.resumed).toBe(false)
    const places = new Set<string>()
    for (let attempt = 0; attempt < 6; attempt++) {
      const again = await visit(first.ticket)
      expect(again.resumed).toBe(true)
      places.add(again.container)
    }
    expect([...places].sort()).toEqual(['echo-1', 'echo-2'])
  })

  it('outlive the replica that issued them', async () => {
    const { container, ticket } = await visit()
    const issuer = await platform.member(container)
    await platform.kill(container)
    await platform.until(container, ({ pid, ready }) => ready && pid !== issuer.pid)
    const places = new Set<string>()
    for (let attempt = 0; attempt < 8 && places.size < 2; attempt++) {
      const again = await visit(ticket)
      expect(again.resumed).toBe(true)
      places.add(again.container)
    }
    expect([...places].sort()).toEqual(['echo-1', 'echo-2'])
  })

  it('of one function are worth nothing at another', async () => {
    const { ticket } = await visit()
    const elsewhere = await visit({ ...ticket!, serverName: 'hello.local' }, 'hello.local')
    expect(elsewhere).toMatchObject({ container: 'hello-1', resumed: false })
  })

  it.skipIf(!isInstalled('openssl', ['version']))(
    'are taken by openssl s_client (Debian package openssl)',
    async () => {
      const file = join(platform.directory, 'session')
      const client = (...args: string[]) =>
        run(
          'openssl',
          [
            ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', 'echo.local'],
            ...['-CAfile', join(platform.directory, 'certs', 'ca.crt'), '-ign_eof', ...args],
          ],
          'GET / HTTP/1.1\r\nHost: echo.local\r\nConnection: close\r\n\r\n',
        )
      await client('-sess_out', file)
      expect(readFileSync(file, 'utf8')).toContain('BEGIN SSL SESSION PARAMETERS')
      const { stdout } = await client('-sess_in', file)
      expect(stdout.toString()).toMatch(/^Reused, TLSv1\.3/m)
    },
  )
})

describe('the hybrid group', () => {
  it('is what a client gets that brings a share for it, though it brings a classic one, too', async () => {
    const provider = select(node)
    const [hybrid, x25519] = ['X25519MLKEM768', 'x25519'].map(
      name => provider.groups.find(group => group.name === name)!.id,
    )
    const secrets: string[] = []
    const socket = connect({
      port: platform.https,
      host: '127.0.0.1',
      ca: platform.ca,
      serverName: 'echo.local',
      provider,
      keyShares: [x25519!, hybrid!],
      onSecret: ({ name }) => secrets.push(name),
    })
    let hello = new Uint8Array(0)
    socket.stream.on('data', (bytes: Uint8Array) => {
      hello = Uint8Array.from([...hello, ...bytes])
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    expect(socket).toBeInstanceOf(TlsDuplex)
    expect(socket.session).toBeInstanceOf(Session)
    // ServerHello's key_share: extension 51, then the group, then 1120 bytes of share.
    const found = Buffer.from(hello).indexOf(
      Buffer.from([0, 51, 0x04, 0x64, hybrid! >> 8, hybrid! & 0xff, 0x04, 0x60]),
    )
    expect(found).toBeGreaterThan(0)
    socket.destroy()
  })

  it('can be left out', async () => {
    const classic = await Platform.start({
      config: 'version: 1\ntls: { groups: [secp384r1] }\nfunctions: { echo: {} }\n',
    })
    try {
      const socket = connect({
        port: classic.https,
        host: '127.0.0.1',
        ca: classic.ca,
        serverName: 'echo.local',
      })
      let hello = Buffer.alloc(0)
      socket.stream.on('data', (bytes: Buffer) => {
        hello = Buffer.concat([hello, bytes])
      })
      await new Promise<void>((resolve, reject) => {
        socket.once('secureConnect', resolve)
        socket.once('error', reject)
      })
      // HelloRetryRequest: secp384r1.
      expect(hello.indexOf(Buffer.from([0, 51, 0, 2, 0, 24]))).toBeGreaterThan(0)
      socket.destroy()
    } finally {
      await classic.stop()
    }
  })
})

describe('groups over finite fields', () => {
  it.each([
    ['ffdhe2048', 'is spoken'],
    ['ffdhe3072', 'is spoken'],
    ['ffdhe4096', 'is refused with handshake_failure: it would cost a container too much'],
    ['ffdhe8192', 'is refused with handshake_failure: it would cost a container too much'],
  ])('%s %s', async (name, what) => {
    const socket = connect({
      port: platform.https,
      host: '127.0.0.1',
      ca: platform.ca,
      serverName: 'echo.local',
      provider: select(node, { groups: [name] }),
    })
    const end = await new Promise<string>(resolve => {
      socket.once('secureConnect', () => resolve('is spoken'))
      socket.once('error', error => resolve(`is refused with ${(error as TlsError).alert}`))
    })
    socket.destroy()
    expect(what.startsWith(end)).toBe(true)
  })
})
