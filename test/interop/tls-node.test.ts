import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { type ConnectOptions, connect, createServer, type ServerOptions } from '../../src/tls13/io/net.ts'
import { keyLogLine } from '../../src/tls13/key-log.ts'
import { hex, utf8 } from '../../src/wire/index.ts'
import {
  GROUPS,
  type GroupName,
  MATRIX,
  makeSetting,
  only,
  type Setting,
  SUITES,
} from '../support/interop/setting.ts'

/* `node:tls` has no call for a KeyUpdate, in either role; that part is tried with OpenSSL's own tools. */

const PROVIDERS = [node, noble] as const
const CURVE: Record<GroupName, string> = { X25519: 'X25519', 'P-256': 'prime256v1', 'P-384': 'secp384r1' }

let setting: Setting
const open: Duplex[] = []
const closers: (() => void)[] = []

beforeAll(async () => {
  setting = await makeSetting()
})
afterAll(() => setting.remove())
afterEach(() => {
  for (const one of open.splice(0)) one.destroy()
  for (const close of closers.splice(0)) close()
})

interface Listening<Connection> {
  readonly port: number
  connection(): Promise<Connection>
}

/** A server of ours that answers with what it hears. */
async function ourServer(options: Partial<ServerOptions> = {}): Promise<Listening<TlsDuplex>> {
  const certificates = setting.certificates(options.provider ?? node)
  const server = createServer({ certificates, ...options }, connection => {
    server.emit('secure', connection)
    connection.pipe(connection)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return {
    port: (server.address() as AddressInfo).port,
    connection: async () => (await once(server, 'secure'))[0],
  }
}

/** A server of Node's that answers with what it hears. */
async function nodeServer(
  options: tls.TlsOptions = {},
): Promise<Listening<tls.TLSSocket> & { server: tls.Server }> {
  const identity = { cert: setting.pem('p256', 'crt'), key: setting.pem('p256', 'key') }
  const server = tls.createServer({ ...identity, ...options }, connection => connection.pipe(connection))
  server.on('secureConnection', connection => connection.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return {
    server,
    port: (server.address() as AddressInfo).port,
    connection: async () => (await once(server, 'secureConnection'))[0],
  }
}

function nodeClient(port: number, options: tls.ConnectionOptions = {}): tls.TLSSocket {
  const one = tls.connect({ host: '127.0.0.1', port, ca: setting.ca, servername: 'p256.local', ...options })
  open.push(one)
  return one
}

function ourClient(port: number, options: ConnectOptions = {}): TlsDuplex {
  const one = connect({ host: '127.0.0.1', port, ca: setting.ca, serverName: 'p256.local', ...options })
  open.push(one)
  return one
}

async function echoes(connection: Duplex, text = 'potato'): Promise<void> {
  let heard = ''
  const whole = new Promise<void>((resolve, reject) => {
    connection.once('error', reject)
    connection.on('data', function take(data) {
      heard += data
      if (heard.length < text.length) return
      connection.off('data', take).off('error', reject)
      resolve()
    })
  })
  connection.write(text)
  await whole
  expect(heard).toBe(text)
}

/** Everything up to the end. */
async function collect(stream: Duplex): Promise<string> {
  let text = ''
  stream.on('data', data => {
    text += data
  })
  await once(stream, 'end')
  return text
}

describe.each(PROVIDERS)('node:tls talks to our server, provider $name', provider => {
  it.each(MATRIX)('$suite, $group, $certificate', async ({ suite, group, certificate }) => {
    const { port } = await ourServer({ provider: only(provider, suite, [group]) })
    const servername = `${certificate}.local`
    const connection = nodeClient(port, { servername })
    await once(connection, 'secureConnect')
    expect(connection.authorized).toBe(true)
    expect(connection.getCipher().standardName).toBe(suite)
    expect(connection.getPeerCertificate().subject.CN).toBe(certificate)
    await echoes(connection)
  })

  it.each(SUITES)('resumption with %s', async suite => {
    const server = await ourServer({ provider: only(provider, suite, ['X25519']) })
    const first = nodeClient(server.port)
    const [session] = await once(first, 'session')
    first.end()
    const connected = server.connection()
    const second = nodeClient(server.port, { session })
    await echoes(second)
    expect(second.isSessionReused()).toBe(true)
    expect((await connected).session.inspect().resumed).toBe(true)
  })
})

describe.each(PROVIDERS)('our client talks to node:tls, provider $name', provider => {
  it.each(MATRIX)('$suite, $group, $certificate', async ({ suite, group, certificate }) => {
    const { port } = await nodeServer({
      cert: setting.pem(certificate, 'crt'),
      key: setting.pem(certificate, 'key'),
      ecdhCurve: CURVE[group],
    })
    const connection = ourClient(port, {
      provider: only(provider, suite, [group]),
      serverName: `${certificate}.local`,
    })
    await echoes(connection)
    expect(connection.cipher).toBe(suite)
  })

  it.each(Object.keys(GROUPS) as GroupName[])('HelloRetryRequest for %s', async group => {
    const others = (Object.keys(GROUPS) as GroupName[]).filter(one => one !== group)
    const { port } = await nodeServer({ ecdhCurve: CURVE[group] })
    let hellos = 0
    const connection = ourClient(port, {
      provider: only(provider, undefined, [...others, group]),
      shape: message => {
        if (message.type === 'client_hello') hellos++
        return message
      },
    })
    await echoes(connection)
    expect(hellos).toBe(2)
  })

  it.each(SUITES)('resumption with %s', async suite => {
    const server = await nodeServer()
    const one = only(provider, suite, ['X25519'])
    const first = ourClient(server.port, { provider: one })
    const [resume] = await once(first, 'session')
    const connected = server.connection()
    const second = ourClient(server.port, { provider: one, resume })
    await echoes(second)
    expect(second.session.inspect().resumed).toBe(true)
    expect((await connected).isSessionReused()).toBe(true)
  })
})

it('ALPN, in both roles', async () => {
  const ours = await ourServer({ alpn: ['h2', 'http/1.1'] })
  const theirClient = nodeClient(ours.port, { ALPNProtocols: ['http/1.1', 'h2'] })
  await once(theirClient, 'secureConnect')
  expect(theirClient.alpnProtocol).toBe('h2')

  const theirs = await nodeServer({ ALPNProtocols: ['h2', 'http/1.1'] })
  const ourOne = ourClient(theirs.port, { alpn: ['http/1.1', 'h2'] })
  await once(ourOne, 'secureConnect')
  expect(ourOne.alpnProtocol).toBe('h2')
})

it('a client of ours that is asked for a certificate has none', async () => {
  const { port } = await nodeServer({ requestCert: true, rejectUnauthorized: false })
  await echoes(ourClient(port))
})

it('large messages, in both roles', async () => {
  const text = 'potato '.repeat(200_000)
  await echoes(nodeClient((await ourServer()).port), text)
  await echoes(ourClient((await nodeServer()).port), text)
})

describe('ends', () => {
  it('half-close: their client asks and ends, our server answers afterwards', async () => {
    const server = createServer(
      { certificates: setting.certificates(node), allowHalfOpen: true },
      async connection => connection.end(`you said ${await collect(connection)}`),
    )
    closers.push(() => server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    // Node's types forget that tls.connect hands this on to net.connect.
    const halfOpen = { allowHalfOpen: true } as tls.ConnectionOptions
    const client = nodeClient((server.address() as AddressInfo).port, halfOpen)
    client.end('potato')
    expect(await collect(client)).toBe('you said potato')
  })

  it('half-close: our client asks and ends, their server answers afterwards', async () => {
    const server = tls.createServer(
      {
        cert: setting.pem('p256', 'crt'),
        key: setting.pem('p256', 'key'),
        allowHalfOpen: true,
      } as tls.TlsOptions,
      async connection => connection.end(`you said ${await collect(connection)}`),
    )
    closers.push(() => server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = ourClient((server.address() as AddressInfo).port)
    client.end('potato')
    expect(await collect(client)).toBe('you said potato')
    if (!client.closed) await once(client, 'close')
    expect(client.errored).toBeNull()
  })

  it('their end is the end here too', async () => {
    const server = await ourServer()
    const connected = server.connection()
    const client = nodeClient(server.port)
    await echoes(client)
    client.end()
    const connection = await connected
    await once(connection, 'close')
    expect(connection.errored).toBeNull()
  })

  it('a client that is destroyed is reported, and the server goes on', async () => {
    const server = await ourServer()
    const connected = server.connection()
    const client = nodeClient(server.port)
    await echoes(client)
    const connection = await connected
    const failed = new Promise<Error & { code?: string }>(resolve => connection.once('error', resolve))
    client.destroy()
    expect(['ERR_TLS_TRUNCATED', 'ECONNRESET']).toContain((await failed).code)
    await echoes(nodeClient(server.port))
  })
})

describe('refusals', () => {
  it('their client does not trust our certificate', async () => {
    const { port } = await ourServer()
    const [error] = await once(nodeClient(port, { ca: setting.pem('rsa', 'crt') }), 'error')
    expect(error.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })

  it('our client does not trust their certificate, and they are told', async () => {
    const { server, port } = await nodeServer()
    const told = once(server, 'tlsClientError')
    const [error] = await once(ourClient(port, { ca: setting.pem('rsa', 'crt') }), 'error')
    expect(error).toMatchObject({ name: 'TlsError', alert: 'unknown_ca' })
    expect((await told)[0].code).toBe('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')
  })

  it('TLS 1.2 alone, in both roles', async () => {
    const ours = await ourServer()
    const [theirs] = await once(nodeClient(ours.port, { maxVersion: 'TLSv1.2' }), 'error')
    expect(theirs.code).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')

    const old = await nodeServer({ maxVersion: 'TLSv1.2' })
    const [error] = await once(ourClient(old.port), 'error')
    expect(error).toMatchObject({ alert: 'protocol_version' })
  })

  it('a name that our server does not know', async () => {
    const { port } = await ourServer({ recognizes: name => name !== 'p256.local' })
    const [error] = await once(nodeClient(port), 'error')
    expect(error.code).toBe('ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
  })
})

describe.each(SUITES)('what both ends derive, %s', suite => {
  const provider = only(node, suite, ['X25519'])
  const LABEL = 'EXPORTER-potato'
  const CONTEXTS = [new Uint8Array(0), utf8('context')]

  it('keying material, our server', async () => {
    const server = await ourServer({ provider })
    const connected = server.connection()
    const theirs = nodeClient(server.port)
    await echoes(theirs)
    const ours = (await connected).session
    for (const context of CONTEXTS) {
      const expected = theirs.exportKeyingMaterial(77, LABEL, Buffer.from(context)).toString('hex')
      expect(hex(ours.exportKeyingMaterial(LABEL, context, 77))).toBe(expected)
    }
  })

  it('keying material, our client', async () => {
    const server = await nodeServer()
    const connected = server.connection()
    const client = ourClient(server.port, { provider })
    await echoes(client)
    const theirs = await connected
    for (const context of CONTEXTS) {
      const expected = theirs.exportKeyingMaterial(77, LABEL, Buffer.from(context)).toString('hex')
      expect(hex(client.session.exportKeyingMaterial(LABEL, context, 77))).toBe(expected)
    }
  })

  it('key log lines, our server', async () => {
    const lines: string[] = []
    const server = await ourServer({ provider, onSecret: recorder(lines) })
    const theirs = nodeClient(server.port)
    const expected: string[] = []
    theirs.on('keylog', line => expected.push(line.toString().trim()))
    await echoes(theirs)
    expect(lines.toSorted()).toEqual(expected.toSorted())
    expect(lines).toHaveLength(5)
  })

  it('key log lines, our client', async () => {
    const { server, port } = await nodeServer()
    const expected: string[] = []
    server.on('keylog', line => expected.push(line.toString().trim()))
    const client = ourClient(port, { provider, keyLog: true })
    const lines: string[] = []
    client.on('keylog', line => lines.push(line))
    await echoes(client)
    expect(lines.toSorted()).toEqual(expected.toSorted())
    expect(lines).toHaveLength(5)
  })
})

function recorder(lines: string[]): NonNullable<ServerOptions['onSecret']> {
  return (exposed, clientRandom) => {
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) lines.push(line)
  }
}
