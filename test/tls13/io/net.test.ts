import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import {
  type AddressInfo,
  connect as connectSocket,
  createServer as createSocketServer,
  type Server,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { noble } from '../../../src/tls13/crypto/noble.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { TlsDuplex } from '../../../src/tls13/io/duplex.ts'
import { type ConnectOptions, connect, createServer, type ServerOptions } from '../../../src/tls13/io/net.ts'
import { certificateFromPem } from '../../../src/tls13/io/pem.ts'
import { type Entity, makeEntity, privateKeyPem, TODAY } from '../../support/certificates.ts'

let entity: Entity
let key: string
let directory: string
const servers: Server[] = []
const clients: TlsDuplex[] = []
const now = () => TODAY

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-net-'))
  entity = await makeEntity({
    subject: 'server',
    names: [
      { type: 'dns', value: 'localhost' },
      { type: 'dns', value: 'echo.local' },
      { type: 'ip', value: '127.0.0.1' },
    ],
  })
  key = await privateKeyPem(entity)
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(() => {
  vi.unstubAllEnvs()
  for (const client of clients.splice(0)) client.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function echo(options: Partial<ServerOptions> = {}): Promise<{ server: Server; port: number }> {
  const server = createServer({ cert: entity.pem, key, now, ...options }, connection => {
    connection.pipe(connection)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

function client(options: ConnectOptions): TlsDuplex {
  const one = connect({ ca: entity.pem, now, ...options })
  clients.push(one)
  return one
}

async function says(connection: TlsDuplex, text: string): Promise<string> {
  connection.write(text)
  return String((await once(connection, 'data'))[0])
}

it('host names and addresses', async () => {
  const { port } = await echo()
  const byName = client({ port })
  expect(await says(byName, 'potato')).toBe('potato')
  expect(byName.servername).toBe('localhost')
  const byAddress = client({ host: '127.0.0.1', port })
  expect(await says(byAddress, 'potato')).toBe('potato')
  expect(byAddress.servername).toBeUndefined()
  const other = client({ host: '127.0.0.1', serverName: 'echo.local', port })
  expect(await says(other, 'potato')).toBe('potato')
  expect(other.servername).toBe('echo.local')
})

it('a certificate for another host is refused, by name and by address', async () => {
  const { port } = await echo()
  for (const options of [{ serverName: 'resize.local' }, { host: '127.0.0.2' }]) {
    const refused = client({ host: '127.0.0.1', port, ...options, stream: connectSocket(port, '127.0.0.1') })
    const [error] = await once(refused, 'error')
    expect(error).toMatchObject({ alert: 'bad_certificate', reason: 'wrong_name' })
  }
  const careless = client({ port, serverName: 'resize.local', checkName: false })
  expect(await says(careless, 'potato')).toBe('potato')
})

it('over a Unix socket, and with another provider', async () => {
  const { server } = await echo({ provider: noble })
  server.close()
  const path = join(directory, 'socket')
  server.listen(path)
  await once(server, 'listening')
  expect(await says(client({ path, provider: noble }), 'potato')).toBe('potato')
})

it('tickets are there unless refused', async () => {
  const generous = await echo()
  const first = client({ port: generous.port })
  const [resume] = await once(first, 'session')
  const second = client({ port: generous.port, resume })
  expect(await says(second, 'again')).toBe('again')
  expect(second.session.inspect().resumed).toBe(true)

  const mean = await echo({ tickets: false })
  const third = client({ port: mean.port })
  const session = vi.fn()
  third.on('session', session)
  expect(await says(third, 'once')).toBe('once')
  expect(session).not.toHaveBeenCalled()
})

it('a client that is no TLS client is reported, and the server goes on', async () => {
  const { server, port } = await echo()
  const stranger = connectSocket(port, '127.0.0.1', () => stranger.write('GET / HTTP/1.1\r\n\r\n'))
  const [error, connection] = await once(server, 'tlsClientError')
  expect(error.name).toBe('TlsError')
  expect(connection.destroyed).toBe(true)
  expect(await says(client({ port }), 'potato')).toBe('potato')
  stranger.destroy()
})

it('a client that vanishes in the middle does not end the process', async () => {
  const { server, port } = await echo()
  const one = client({ port })
  await says(one, 'potato')
  ;(one.stream as ReturnType<typeof connectSocket>).resetAndDestroy()
  one.on('error', () => {})
  const [error] = await once(server, 'tlsClientError')
  expect(['ECONNRESET', 'ERR_TLS_TRUNCATED']).toContain(error.code)
})

it('a port where no process listens', async () => {
  const { server, port } = await echo()
  server.close()
  const [error] = await once(client({ host: '127.0.0.1', port }), 'error')
  expect(error.code).toBe('ECONNREFUSED')
})

it('options that make no sense', () => {
  expect(() => connect({})).toThrow(TypeError)
  expect(() => createServer({}, () => {})).toThrow(/certificate/)
  expect(() => createServer({ cert: entity.pem }, () => {})).toThrow(/go together/)
  expect(() => createServer({ cert: 'nothing', key }, () => {})).toThrow(/no PEM certificate/)
  expect(() => createServer({ cert: entity.pem, key: 'nothing' }, () => {})).toThrow(/private key/)
})

describe('options that no hello can hold are a TypeError, and', () => {
  const text = new Uint8Array(1)
  const cases: Record<string, [Partial<ConnectOptions>, RegExp]> = {
    'an empty server name': [{ serverName: '' }, /^"" is not a host name$/],
    'an ALPN name of 300 bytes': [{ alpn: ['a'.repeat(300)] }, /^alpn: "a{20}…" has 300 bytes/],
    'an ALPN name of 256 bytes in 128 letters': [{ alpn: ['é'.repeat(128)] }, /^alpn: .* has 256 bytes/],
    'an empty ALPN name': [{ alpn: ['h2', ''] }, /^alpn: "" has 0 bytes/],
    'too many ALPN names': [{ alpn: Array(300).fill('a'.repeat(250)) }, /^alpn: the names make 75300 bytes/],
    'an ALPN text': [{ alpn: 'h2' as unknown as string[] }, /^alpn: is a list/],
    'an empty PSK identity': [
      { psks: [{ identity: new Uint8Array(0), key: text }] },
      /^psks: an identity has/,
    ],
    'a PSK identity of 65536 bytes': [
      { psks: [{ identity: new Uint8Array(65_536), key: text }] },
      /^psks: an identity has 1 to 65535 bytes, not 65536$/,
    ],
    'PSKs that are too much together': [
      { psks: Array(3).fill({ identity: new Uint8Array(30_000), key: text }) },
      /^no ClientHello can be written: /,
    ],
    'an empty PSK': [{ psks: [{ identity: text, key: new Uint8Array(0) }] }, /^psks: a key has at least/],
    'a context of 65536 bytes': [
      { psks: [{ identity: text, key: text, imported: { context: new Uint8Array(65_536) } }] },
      /^psks: the context/,
    ],
    'no PSK mode': [{ pskModes: [] }, /^pskModes: /],
    'a group that there is not': [{ keyShares: [1] }, /^keyShares: provider node has no group 1$/],
    'a group twice': [{ keyShares: [29, 29] }, /^keyShares: one group twice$/],
    'a number that is none': [{ delegatedCredentials: [70_000] }, /^delegatedCredentials: 70000 is no/],
    'a record limit that is none': [{ recordSizeLimit: Number.NaN }, /^recordSizeLimit: /],
    'less than no time': [{ handshakeTimeout: -1 }, /^handshakeTimeout: /],
  }
  it.each(Object.entries(cases))('%s: nothing is dialled, and a stream is destroyed', async (_, one) => {
    const [options, message] = one
    const dialled = vi.fn()
    const listener = createSocketServer(dialled)
    servers.push(listener)
    await once(listener.listen(0, '127.0.0.1'), 'listening')
    const { port } = listener.address() as AddressInfo
    const given: ConnectOptions = {
      host: '127.0.0.1',
      serverName: 'localhost',
      port,
      ca: entity.pem,
      ...options,
    }
    expect(() => connect(given)).toThrow(TypeError)
    expect(() => connect(given)).toThrow(message)
    const stream = new PassThrough()
    expect(() => connect({ ...given, stream })).toThrow(message)
    expect(stream.destroyed).toBe(true)
    await once(connectSocket(port, '127.0.0.1').end(), 'connect')
    await vi.waitFor(() => expect(dialled).toHaveBeenCalled())
    expect(dialled).toHaveBeenCalledTimes(1)
  })

  it.each(['now', 'random', 'shape'])('what %s throws leaves no stream open', name => {
    const fails = () => {
      throw new Error(name)
    }
    const stream = new PassThrough()
    expect(() => connect({ stream, ca: entity.pem, [name]: fails })).toThrow(name)
    expect(stream.destroyed).toBe(true)
  })

  it('a server says so when it is made', () => {
    const own = { cert: entity.pem, key }
    expect(() => createServer({ ...own, alpn: [''] }, () => {})).toThrow(/^alpn: /)
    expect(() => createServer({ ...own, recordSizeLimit: 1 }, () => {})).toThrow(/^recordSizeLimit: /)
    expect(() => createServer({ ...own, handshakeTimeout: -1 }, () => {})).toThrow(/^handshakeTimeout: /)
    const psks = [{ identity: new Uint8Array(0), key: text }]
    expect(() => createServer({ ...own, psks }, () => {})).toThrow(/^psks: /)
  })
})

it('a key that belongs to another certificate', async () => {
  const other = await privateKeyPem(await makeEntity({ subject: 'other' }))
  expect(() => certificateFromPem(node, entity.pem, other)).toThrow(/not the one/)
})

it('secrets are written to the file that an option or SSLKEYLOGFILE names, for its owner alone', async () => {
  const ours = join(directory, 'client.keys')
  const theirs = join(directory, 'server.keys')
  const { port } = await echo({ keyLogFile: theirs })
  vi.stubEnv('SSLKEYLOGFILE', ours)
  const one = client({ port })
  await says(one, 'potato')
  const lines = (path: string) => readFileSync(path, 'utf8').trim().split('\n').toSorted()
  expect(lines(ours)).toHaveLength(5)
  expect(lines(ours)).toEqual(lines(theirs))
  for (const line of lines(ours)) expect(line).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64}$/)
  expect(statSync(ours).mode & 0o777).toBe(0o600)

  await says(client({ port }), 'again')
  expect(lines(ours)).toHaveLength(10)
})

it('no secrets are kept unless the caller asks', async () => {
  vi.stubEnv('SSLKEYLOGFILE', '')
  const { port } = await echo()
  const one = client({ port })
  await says(one, 'potato')
  expect(one.session.inspect().clientRandom).toBeUndefined()
})

it.each(['/dev/full', '/nonexistent/keys', '/tmp'])(
  'a key log file that cannot be written (%s) is warned of once, and costs no connection',
  async path => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { port } = await echo({ keyLogFile: path })
    vi.stubEnv('SSLKEYLOGFILE', path)
    await says(client({ port }), 'potato')
    await says(client({ port }), 'again')
    expect(warning.mock.calls).toEqual([[expect.stringContaining(`the key log ${path} is not written: `)]])
    warning.mockRestore()
  },
)

describe('client certificates', () => {
  let authority: Entity
  let person: { cert: string; key: string }
  let serverOnly: { cert: string; key: string }
  beforeAll(async () => {
    authority = await makeEntity({ subject: 'people', authority: true })
    const entity = await makeEntity({
      subject: 'somebody',
      issuer: authority,
      purposes: ['1.3.6.1.5.5.7.3.2'],
    })
    person = { cert: entity.pem, key: await privateKeyPem(entity) }
    const server = await makeEntity({
      subject: 'a server',
      issuer: authority,
      purposes: ['1.3.6.1.5.5.7.3.1'],
    })
    serverOnly = { cert: server.pem, key: await privateKeyPem(server) }
  })

  it('are asked for, checked against an authority, and shown', async () => {
    const { server, port } = await echo({ clientCertificates: { ca: authority.pem } })
    const made = once(server, 'tlsConnection') as Promise<[TlsDuplex]>
    const one = client({ port, ...person })
    expect(await says(one, 'hello')).toBe('hello')
    expect(one.peerCertificate).toEqual(entity.der)
    const [theirs] = await made
    expect(new X509Certificate(theirs.peerCertificate!).subject).toBe('CN=somebody')
  })

  it.each([
    ['none', () => ({}), 'certificate_required', 'no_certificate'],
    ['one for servers', () => serverOnly, 'unsupported_certificate', 'wrong_certificate_purpose'],
    ['one of another authority', () => ({ cert: entity.pem, key }), 'unknown_ca', 'untrusted_issuer'],
  ])('of the wrong kind are refused: %s', async (_, shown, alert, reason) => {
    const { server, port } = await echo({ clientCertificates: { ca: authority.pem } })
    const failed = once(server, 'tlsClientError')
    const one = client({ port, ...shown() })
    one.on('error', () => {})
    const [error] = await failed
    expect(error).toMatchObject({ alert, reason })
  })

  it('after the handshake', async () => {
    const seen: unknown[] = []
    const server = createServer(
      {
        cert: entity.pem,
        key,
        now,
        clientCertificates: { ca: authority.pem, postHandshake: true },
      },
      connection => {
        connection.on('clientCertificate', certificate => {
          seen.push(certificate)
          connection.end('hello, somebody')
        })
        connection.resume().requestCertificate()
      },
    )
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const one = client({
      port: (server.address() as AddressInfo).port,
      postHandshakeAuth: true,
      ...person,
    })
    expect(String((await once(one, 'data'))[0])).toBe('hello, somebody')
    expect(seen).toHaveLength(1)
    expect(seen[0]).toBeInstanceOf(Uint8Array)
  })

  it('need an authority to trust', () => {
    expect(() => createServer({ cert: entity.pem, key, clientCertificates: {} }, () => {})).toThrow(TypeError)
  })
})

describe('early data', () => {
  it('is sent with the hello, told apart, and read in its place; the second time it is refused', async () => {
    const bytes: number[] = []
    const server = createServer(
      { cert: entity.pem, key, now, earlyData: { maximum: 100_000 } },
      connection => {
        bytes.push(connection.earlyBytes)
        connection.pipe(connection)
      },
    )
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const first = client({ port })
    const [ticket] = await once(first, 'session')
    // more than a stream holds back at once
    const large = new Uint8Array(60_000).fill(7)
    const second = client({ port, resume: ticket, earlyData: true })
    expect(second.sendEarly(large)).toBe(60_000)
    second.end('late')
    const heard: Buffer[] = []
    second.on('data', data => heard.push(data))
    const [accepted] = await once(second, 'earlyData')
    await once(second, 'end')
    expect(accepted).toBe(true)
    expect(Buffer.concat(heard).length).toBe(60_004)
    expect(Buffer.concat(heard).subarray(-4).toString()).toBe('late')
    expect(bytes).toEqual([0, 60_000])
  })

  it('needs a store where others have the tickets, too', () => {
    const sealer = { seal: () => new Uint8Array(1), open: () => undefined }
    const options = { cert: entity.pem, key, earlyData: { maximum: 1 }, tickets: { sealer } }
    expect(() => createServer(options, () => {})).toThrow(TypeError)
  })
})

it('questions are asked of the owner, while the stream below waits', async () => {
  const entityCertificate = certificateFromPem(node, entity.pem, key)
  const remote = {
    chain: entityCertificate.chain,
    signers: entityCertificate.signers.map(({ scheme }) => ({ scheme })),
  }
  const server = createServer({ certificates: [remote], now }, connection => connection.pipe(connection))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.on('tlsConnection', (connection: TlsDuplex) => {
    connection.on('question', (id, question) => {
      const signer = entityCertificate.signers.find(({ scheme }) => scheme === question.scheme)!
      setImmediate(() =>
        connection.answer(id, { kind: 'signature', signature: signer.sign!(question.content) }),
      )
    })
  })
  expect(await says(client({ port: (server.address() as AddressInfo).port }), 'signed elsewhere')).toBe(
    'signed elsewhere',
  )
})
