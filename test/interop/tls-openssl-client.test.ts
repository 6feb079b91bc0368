import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { KeyAlgorithm } from '../../src/certificates/authority.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import type { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { createServer, type ServerOptions } from '../../src/tls13/io/net.ts'
import { hex } from '../../src/wire/index.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import {
  GROUPS,
  type GroupName,
  makeSetting,
  only,
  SAMPLE,
  type Setting,
} from '../support/interop/setting.ts'

const PROVIDERS = [node, noble] as const
/** What `s_client` calls the group that was used, and what it calls the signature. */
const TEMP_KEY: Record<GroupName, string> = { X25519: 'X25519', 'P-256': 'prime256v1', 'P-384': 'secp384r1' }
const SIGNATURE: Record<KeyAlgorithm, string> = {
  p256: 'ECDSA',
  p384: 'ECDSA',
  ed25519: 'ed25519',
  rsa: 'RSA-PSS',
}

let setting: Setting
const servers: Server[] = []
const running: OpenSsl[] = []

beforeAll(async () => {
  if (OPENSSL !== undefined) setting = await makeSetting()
})
afterAll(() => {
  for (const server of servers) server.close()
  setting?.remove()
})
afterEach(async () => {
  for (const one of running.splice(0)) await one.kill()
})

interface Listening {
  readonly port: number
  /** The next connection whose handshake is over, and the next one that fails. */
  connection(): Promise<TlsDuplex>
  failure(): Promise<Error & { alert?: string; code?: string; origin?: string }>
}

function echo(connection: TlsDuplex): void {
  connection.pipe(connection)
}

async function listen(
  provider: CryptoProvider,
  options: Partial<ServerOptions> = {},
  serve: (connection: TlsDuplex) => void = echo,
): Promise<Listening> {
  const certificates = setting.certificates(provider)
  const server = createServer({ provider, certificates, ...options }, connection => {
    server.emit('secure', connection)
    serve(connection)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connection: async () => (await once(server, 'secure'))[0],
    failure: async () => (await once(server, 'tlsClientError'))[0],
  }
}

function client(port: number, name: KeyAlgorithm, ...args: string[]): OpenSsl {
  const host = `${name}.local`
  const trust = ['-CAfile', setting.caFile, '-verify_return_error', '-verify_hostname', host]
  const one = new OpenSsl([
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-servername',
    host,
    ...trust,
    ...args,
  ])
  running.push(one)
  return one
}

/**
 * Tickets stand before the echo, so when that is there they are written to the `-sess_out` file; then it
 * quits.
 */
async function takeTickets(s: OpenSsl): Promise<void> {
  s.type('hello\n')
  await s.says(/^hello$/m)
  await s.type('Q\n').exit()
  expect(s.output.match(/New Session Ticket arrived/g)).toHaveLength(2)
}

describe.skipIf(OPENSSL === undefined)(`s_client of ${OPENSSL_NOTE} talks to our server`, () => {
  describe.each(PROVIDERS)('provider $name', provider => {
    let server: Listening
    beforeAll(async () => {
      server = await listen(provider, { alpn: ['h2', 'http/1.1'] })
    })

    it.each(SAMPLE)('$suite, $group, $certificate', async ({ suite, group, certificate }) => {
      const s = client(server.port, certificate, '-ciphersuites', suite, '-groups', group)
      await s.says(`Peer signature type: ${SIGNATURE[certificate]}`)
      await s.says(TEMP_KEY[group])
      await s.says(`New, TLSv1.3, Cipher is ${suite}`)
      await s.says('Verify return code: 0 (ok)')
      s.type('hello\n')
      await s.says(/^hello$/m)
      s.type('Q\n')
      expect(await s.exit()).toBe(0)
    })

    it.each(Object.keys(GROUPS) as GroupName[])('HelloRetryRequest for %s', async group => {
      const offered = (Object.keys(GROUPS) as GroupName[]).filter(one => one !== group)
      const strict = await listen(only(provider, undefined, [group]))
      const s = client(strict.port, 'p256', '-groups', [...offered, group].join(':'), '-msg')
      const connection = await strict.connection()
      await s.says(TEMP_KEY[group])
      s.type('hello\n')
      await s.says(/^hello$/m)
      expect(s.output.match(/>>> .*ClientHello/g)).toHaveLength(2)
      expect(s.output.match(/<<< .*ServerHello/g)).toHaveLength(2)
      expect(connection.session.connected).toBe(true)
    })

    it('resumption, with the ticket of a session before', async () => {
      const file = join(setting.directory, `session-${provider.name}`)
      const first = client(server.port, 'p256', '-sess_out', file)
      await takeTickets(first)
      const second = client(server.port, 'p256', '-sess_in', file)
      const connection = await server.connection()
      await second.says('Reused, TLSv1.3')
      second.type('hello\n')
      await second.says(/^hello$/m)
      expect(connection.session.inspect().resumed).toBe(true)
    })

    it('resumption after a HelloRetryRequest', async () => {
      const file = join(setting.directory, `session-hrr-${provider.name}`)
      const strict = await listen(only(provider, undefined, ['P-384']))
      const groups = ['-groups', 'X25519:P-384']
      const first = client(strict.port, 'p256', '-sess_out', file, ...groups)
      await takeTickets(first)
      const second = client(strict.port, 'p256', '-sess_in', file, ...groups)
      await second.says('Reused, TLSv1.3')
      second.type('hello\n')
      await second.says(/^hello$/m)
    })

    it('a ticket of another server is passed over', async () => {
      const file = join(setting.directory, `session-other-${provider.name}`)
      const other = await listen(provider)
      const first = client(other.port, 'p256', '-sess_out', file)
      await takeTickets(first)
      const second = client(server.port, 'p256', '-sess_in', file)
      await second.says('New, TLSv1.3')
      second.type('hello\n')
      await second.says(/^hello$/m)
    })

    it.each([
      ['K', true],
      ['k', false],
    ])('KeyUpdate of the client, command %s', async (command, requested) => {
      const s = client(server.port, 'p256')
      const connection = await server.connection()
      const before = connection.session.trafficKeys()
      const updates: boolean[] = []
      connection.on('keyUpdate', update => updates.push(update))
      s.type('one\n')
      await s.says(/^one$/m)
      s.type(`${command}\n`)
      await s.says('KEYUPDATE')
      s.type('two\n')
      await s.says(/^two$/m)
      expect(updates).toEqual([requested])
      const after = connection.session.trafficKeys()
      expect(hex(after.read!.key)).not.toBe(hex(before.read!.key))
      expect(hex(after.write!.key) !== hex(before.write!.key)).toBe(requested)
    })

    it.each([true, false])('KeyUpdate of ours, requestPeer %s', async requestPeer => {
      const s = client(server.port, 'p256', '-msg')
      const connection = await server.connection()
      const updates: boolean[] = []
      connection.on('keyUpdate', update => updates.push(update))
      s.type('one\n')
      await s.says(/^one$/m)
      connection.updateKeys(requestPeer)
      s.type('two\n')
      await s.says(/^two$/m)
      s.type('three\n')
      await s.says(/^three$/m)
      expect(s.output.match(/<<< .*KeyUpdate/g)).toHaveLength(1)
      // OpenSSL answers, and asks for nothing itself.
      expect(updates).toEqual(requestPeer ? [false] : [])
    })
  })

  it('ALPN: our order decides', async () => {
    const server = await listen(node, { alpn: ['h2', 'http/1.1'] })
    const s = client(server.port, 'p256', '-alpn', 'http/1.1,h2')
    const connection = await server.connection()
    await s.says('ALPN protocol: h2')
    expect(connection.alpnProtocol).toBe('h2')
    const none = client(server.port, 'p256', '-alpn', 'gopher')
    await none.says('tlsv1 alert no application protocol')
  })

  it('a server name picks the certificate; an unknown one is refused', async () => {
    const server = await listen(node, { recognizes: name => name === 'ed25519.local' })
    const known = client(server.port, 'ed25519')
    await known.says('CN = ed25519')
    const failed = server.failure()
    const unknown = client(server.port, 'p256')
    await unknown.says(/unrecognized name/)
    expect(await failed).toMatchObject({ alert: 'unrecognized_name', origin: 'configuration' })
  })

  it('a client that speaks TLS 1.2 alone', async () => {
    const server = await listen(node)
    const failed = server.failure()
    const s = client(server.port, 'p256', '-tls1_2')
    await s.says('alert protocol version')
    expect(await failed).toMatchObject({ alert: 'protocol_version' })
  })

  it.each([
    ['a cipher suite', ['-ciphersuites', 'TLS_AES_128_CCM_SHA256']],
    ['a group: one that must be named', ['-groups', 'ffdhe8192']],
    ['a signature scheme', ['-sigalgs', 'ECDSA+SHA512']],
  ])('nothing in common: %s', async (_what, args) => {
    const server = await listen(node)
    const failed = server.failure()
    const s = client(server.port, 'p256', '-tls1_3', ...args)
    await s.says('alert handshake failure')
    expect(await failed).toMatchObject({ alert: 'handshake_failure', origin: 'configuration' })
  })

  it('no middlebox compatibility mode', async () => {
    const server = await listen(node)
    const s = client(server.port, 'p256', '-no_middlebox', '-msg')
    s.type('hello\n')
    await s.says(/^hello$/m)
    expect(s.output).not.toContain('ChangeCipherSpec')
    const usual = client(server.port, 'p256', '-msg')
    usual.type('hello\n')
    await usual.says(/^hello$/m)
    expect(usual.output.match(/>>> .*ChangeCipherSpec/g)).toHaveLength(1)
  })

  it('a client that refuses our certificate', async () => {
    const server = await listen(node)
    const failed = server.failure()
    const s = client(server.port, 'p256', '-verify_hostname', 'somebody.else')
    await s.says('verify error')
    expect(await failed).toMatchObject({ alert: 'bad_certificate', origin: 'peer' })
  })

  it('close_notify of the client ends the connection without an error', async () => {
    const server = await listen(node)
    const s = client(server.port, 'p256')
    const connection = await server.connection()
    s.type('Q\n')
    await once(connection, 'close')
    expect(connection.errored).toBeNull()
    expect(connection.readableEnded).toBe(true)
  })

  it('a client that is killed is a truncation', async () => {
    const server = await listen(node)
    const s = client(server.port, 'p256')
    const connection = await server.connection()
    s.type('hello\n')
    await s.says(/^hello$/m)
    const failed = server.failure()
    await s.kill()
    expect(await failed).toMatchObject({ code: 'ERR_TLS_TRUNCATED' })
    expect(connection.destroyed).toBe(true)
  })

  it('close_notify of ours ends the client', async () => {
    const server = await listen(node, {}, connection => connection.end('bye\n'))
    const s = client(server.port, 'p256')
    await s.says(/^bye$/m)
    expect(await s.exit()).toBe(0)
  })

  it('a large answer arrives whole', async () => {
    const line = `${'potato '.repeat(9)}\n`
    const server = await listen(node, {}, connection => connection.end(line.repeat(20_000)))
    const s = client(server.port, 'p256', '-quiet')
    await s.exit()
    expect(s.output.split(line).length - 1).toBe(20_000)
  })

  it('a long message of many records arrives whole', async () => {
    const server = await listen(node)
    const s = client(server.port, 'p256', '-quiet')
    const text = `${'0123456789abcde'.repeat(20_000)}\nend of message\n`
    s.type(text)
    await s.says('end of message')
    expect(s.output).toContain('0123456789abcde'.repeat(20_000))
  })

  it('a certificate of many kilobytes spans several records', async () => {
    const chain = [setting.pem('p256', 'crt'), ...Array<string>(40).fill(setting.ca)]
    const server = await listen(node, { certificates: [], cert: chain, key: setting.pem('p256', 'key') })
    const s = client(server.port, 'p256')
    s.type('hello\n')
    await s.says(/^hello$/m)
    expect(s.output).toContain('Verify return code: 0 (ok)')
  })

  it('keying material is the same at both ends', async () => {
    const server = await listen(node)
    const s = client(server.port, 'p256', '-keymatexport', 'EXPORTER-potato', '-keymatexportlen', '40')
    const connection = await server.connection()
    const [, theirs] = await s.says(/Keying material: ([0-9A-F]{80})/)
    const ours = connection.session.exportKeyingMaterial('EXPORTER-potato', new Uint8Array(0), 40)
    expect(hex(ours).toUpperCase()).toBe(theirs)
  })

  it('key logs are the same at both ends', async () => {
    const file = join(setting.directory, 'client.keys')
    const server = await listen(node, { keyLogFile: join(setting.directory, 'server.keys') })
    const s = client(server.port, 'p256', '-keylogfile', file)
    s.type('hello\n')
    await s.says(/^hello$/m)
    await s.type('Q\n').exit()
    const lines = (path: string) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(line => line !== '' && !line.startsWith('#'))
        .toSorted()
    expect(lines(join(setting.directory, 'server.keys'))).toEqual(lines(file))
    expect(lines(file)).toHaveLength(5)
  })
})
