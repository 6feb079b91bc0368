import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCookieSealer } from '../../src/tls13/cookie.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { type ConnectOptions, connect, createServer, type ServerOptions } from '../../src/tls13/io/net.ts'
import { fromHex, utf8 } from '../../src/wire/index.ts'
import { DAY, makeEntity, privateKeyPem } from '../support/certificates.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { makeSetting, type Setting } from '../support/interop/setting.ts'

/* Client certificates, external PSKs, early data and cookies, with peers that others have written. */

const PROVIDERS = [node, noble] as const
const CURL = versionOf('curl')?.split(' ').slice(0, 2).join(' ')
const CURL_NOTE = noteOf(CURL, 'curl', 'curl')

const KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
const PSK = { identity: utf8('potato'), key: fromHex(KEY) }
const PSK_ARGS = ['-psk', KEY, '-psk_identity', 'potato']

let setting: Setting
/** A certificate for clients, of an authority of its own: files and PEM. */
let person: { cert: string; key: string; certFile: string; keyFile: string; ca: string; caFile: string }
const running: OpenSsl[] = []
const open: Duplex[] = []
const closers: (() => unknown)[] = []

beforeAll(async () => {
  setting = await makeSetting()
  const from = Date.now() - DAY
  const to = Date.now() + DAY
  const authority = await makeEntity({ subject: 'people', authority: true, from, to })
  const entity = await makeEntity({
    subject: 'somebody',
    issuer: authority,
    purposes: ['1.3.6.1.5.5.7.3.2'],
    from,
    to,
  })
  const write = (name: string, text: string): string => {
    const path = join(setting.directory, name)
    writeFileSync(path, text)
    return path
  }
  const key = await privateKeyPem(entity)
  person = {
    cert: entity.pem,
    key,
    certFile: write('person.crt', entity.pem),
    keyFile: write('person.key', key),
    ca: authority.pem,
    caFile: write('people.crt', authority.pem),
  }
})
afterAll(() => setting.remove())
afterEach(async () => {
  for (const one of open.splice(0)) one.destroy()
  for (const one of running.splice(0)) await one.kill()
  for (const close of closers.splice(0)) close()
})

interface Listening {
  readonly port: number
  connection(): Promise<TlsDuplex>
  failure(): Promise<{ alert?: string }>
}

/** A server of ours that answers with what it hears. */
async function ourServer(
  options: Partial<ServerOptions> = {},
  serve: (connection: TlsDuplex) => void = connection => connection.pipe(connection),
): Promise<Listening> {
  const certificates = setting.certificates(options.provider ?? node)
  const server = createServer({ certificates, ...options }, connection => {
    open.push(connection)
    server.emit('secure', connection)
    serve(connection)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return {
    port: (server.address() as AddressInfo).port,
    connection: async () => (await once(server, 'secure'))[0],
    failure: async () => (await once(server, 'tlsClientError'))[0],
  }
}

function ourClient(port: number, options: ConnectOptions = {}): TlsDuplex {
  const one = connect({ host: '127.0.0.1', port, ca: setting.ca, serverName: 'p256.local', ...options })
  open.push(one)
  return one
}

function sClient(port: number, ...args: readonly string[]): OpenSsl {
  const one = new OpenSsl([
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-servername',
    'p256.local',
    '-CAfile',
    setting.caFile,
    ...args,
  ])
  running.push(one)
  return one
}

async function sServer(...args: readonly string[]): Promise<{ s: OpenSsl; port: number }> {
  const identity = ['-cert', setting.file('p256', 'crt'), '-key', setting.file('p256', 'key')]
  const s = new OpenSsl(['s_server', '-accept', '127.0.0.1:0', ...identity, ...args])
  running.push(s)
  const [, port] = await s.says(/ACCEPT 127\.0\.0\.1:(\d+)/)
  return { s, port: Number(port) }
}

const subjectOf = (der: Uint8Array | undefined) => der && new X509Certificate(der).subject

async function turnsAround(connection: TlsDuplex): Promise<void> {
  connection.write('potato\n')
  let text = ''
  while (!text.endsWith('\n')) text += (await once(connection, 'data'))[0]
  expect(text).toBe('otatop\n')
}

async function echoes(s: OpenSsl): Promise<void> {
  s.type('hello\n')
  // not always at the start of a line: what it prints of a ticket may stand before
  await s.says(/hello$/m)
}

describe.skipIf(OPENSSL === undefined)(`s_client of ${OPENSSL_NOTE} and our server`, () => {
  describe.each(PROVIDERS)('provider $name', provider => {
    const asking = (more: object = {}): Partial<ServerOptions> => ({
      provider,
      clientCertificates: { ca: person.ca, ...more },
    })
    const showing = () => ['-cert', person.certFile, '-key', person.keyFile]

    it('a client certificate that is required, and shown', async () => {
      const { port, connection } = await ourServer(asking())
      const accepted = connection()
      await echoes(sClient(port, ...showing()))
      expect(subjectOf((await accepted).peerCertificate)).toBe('CN=somebody')
    })

    it('required, and not shown', async () => {
      const { port, failure } = await ourServer(asking())
      const failed = failure()
      const s = sClient(port)
      expect((await failed).alert).toBe('certificate_required')
      await s.says('certificate required')
    })

    it('wished for, and not shown', async () => {
      const { port, connection } = await ourServer(asking({ required: false }))
      const accepted = connection()
      await echoes(sClient(port))
      expect((await accepted).peerCertificate).toBeUndefined()
    })

    it('asked for after the handshake', async () => {
      const { port, connection } = await ourServer(asking({ postHandshake: true }))
      const accepted = connection()
      const s = sClient(port, '-enable_pha', ...showing())
      const one = await accepted
      expect(one.peerCertificate).toBeUndefined()
      const shown = once(one, 'clientCertificate')
      one.requestCertificate()
      expect(subjectOf((await shown)[0])).toBe('CN=somebody')
      await echoes(s)
    })

    it('kept by a resumption', async () => {
      const { port, connection } = await ourServer(asking())
      const file = join(setting.directory, `known-${provider.name}`)
      const first = sClient(port, ...showing(), '-sess_out', file)
      await echoes(first)
      await first.type('Q\n').exit()
      const accepted = connection()
      const second = sClient(port, '-sess_in', file)
      await second.says('Reused, TLSv1.3')
      const one = await accepted
      expect(subjectOf(one.peerCertificate)).toBe('CN=somebody')
      await echoes(second)
    })

    it('an external PSK', async () => {
      const { port, connection } = await ourServer({ provider, psks: [PSK] })
      const accepted = connection()
      const s = sClient(port, ...PSK_ARGS)
      await echoes(s)
      expect((await accepted).session.inspect().resumed).toBe(true)
    })

    it('a cookie', async () => {
      const cookies = createCookieSealer(provider, new Uint8Array(16))
      const { port } = await ourServer({ provider, cookies })
      const s = sClient(port, '-msg')
      await echoes(s)
      expect(s.output.match(/>>> .*ClientHello/g)).toHaveLength(2)
    })

    it.each([
      ['taken', { maximum: 1000 }, 'accepted'],
      ['not taken', undefined, 'rejected'],
    ] as const)('early data that is %s', async (_, earlyData, verdict) => {
      const { createTicketKey, createTicketSealer } = await import('../../src/tls13/ticket.ts')
      const { createReplayStore } = await import('../../src/tls13/replay.ts')
      const tickets = { sealer: createTicketSealer(provider, [createTicketKey(provider)]) }
      const replay = createReplayStore()
      const generous = await ourServer({ provider, tickets, earlyData: { maximum: 1000, replay } })
      const file = join(setting.directory, `early-${provider.name}-${verdict}`)
      const first = sClient(generous.port, '-sess_out', file)
      await echoes(first)
      await first.type('Q\n').exit()
      const hello = join(setting.directory, 'early.txt')
      writeFileSync(hello, 'early bird\n')
      const other = await ourServer({
        provider,
        tickets,
        ...(earlyData === undefined ? {} : { earlyData: { ...earlyData, replay } }),
      })
      const accepted = other.connection()
      const s = sClient(other.port, '-sess_in', file, '-early_data', hello)
      await s.says(`Early data was ${verdict}`)
      const one = await accepted
      if (verdict === 'accepted') await s.says(/^early bird$/m)
      expect(one.earlyBytes).toBe(verdict === 'accepted' ? 11 : 0)
      await echoes(s)
    })
  })
})

describe.skipIf(OPENSSL === undefined)(`our client and s_server of ${OPENSSL_NOTE}`, () => {
  describe.each(PROVIDERS)('provider $name', provider => {
    const showing = () => ({ provider, cert: person.cert, key: person.key })

    it('a client certificate that is required, and shown', async () => {
      const { s, port } = await sServer(
        '-rev',
        '-Verify',
        '2',
        '-CAfile',
        person.caFile,
        '-verify_return_error',
      )
      await turnsAround(ourClient(port, showing()))
      await s.says('CN = somebody')
    })

    it('required, and not shown', async () => {
      const { port } = await sServer('-rev', '-Verify', '2', '-CAfile', person.caFile, '-verify_return_error')
      const [error] = await once(ourClient(port, { provider }), 'error')
      expect(error.alert).toBe('certificate_required')
    })

    it('wished for, and not shown', async () => {
      const { port } = await sServer('-rev', '-verify', '2', '-CAfile', person.caFile)
      await turnsAround(ourClient(port, { provider }))
    })

    it('asked for after the handshake', async () => {
      const { s, port } = await sServer('-CAfile', person.caFile, '-msg')
      const one = ourClient(port, { ...showing(), postHandshakeAuth: true })
      one.resume()
      await once(one, 'secureConnect')
      one.write('ready\n')
      await s.says(/^ready$/m)
      s.type('c\n')
      await s.says(/>>> .*CertificateRequest/)
      await s.says(/<<< .*Certificate\n/)
      await s.says(/<<< .*CertificateVerify/)
      await s.says(/<<< .*Finished/)
      one.write('still here\n')
      await s.says(/^still here$/m)
    })

    it('an external PSK', async () => {
      const { port } = await sServer('-rev', ...PSK_ARGS)
      const one = ourClient(port, { provider, psks: [PSK] })
      await turnsAround(one)
      expect(one.session.inspect().resumed).toBe(true)
    })

    it.each([
      ['taken', ['-early_data'], true],
      ['not taken', [], false],
    ] as const)('early data that is %s', async (_, args, taken) => {
      const { s, port } = await sServer('-early_data', '-max_early_data', '1000')
      const first = ourClient(port, { provider })
      first.resume()
      const [ticket] = await once(first, 'session')
      first.end()
      await once(first, 'close')
      expect(ticket.maxEarlyData).toBe(1000)
      // a server that already has a different key for its tickets takes neither ticket nor data
      const other = taken ? { s, port } : await sServer(...args)
      const second = ourClient(other.port, { provider, resume: ticket, earlyData: true })
      second.resume()
      expect(second.sendEarly(utf8('early bird\n'))).toBe(11)
      const [accepted] = await once(second, 'earlyData')
      expect(accepted).toBe(taken)
      if (taken) await other.s.says(/early bird/)
      second.write('late\n')
      await other.s.says(/^late$/m)
    })
  })
})

describe('node:tls', () => {
  it('its client shows our server a certificate', async () => {
    const { port, connection } = await ourServer({ clientCertificates: { ca: person.ca } })
    const accepted = connection()
    const one = tls.connect({
      host: '127.0.0.1',
      port,
      ca: setting.ca,
      servername: 'p256.local',
      cert: person.cert,
      key: person.key,
    })
    open.push(one)
    one.write('hello')
    expect(String((await once(one, 'data'))[0])).toBe('hello')
    expect(subjectOf((await accepted).peerCertificate)).toBe('CN=somebody')
  })

  it('our client shows its server a certificate', async () => {
    const server = tls.createServer(
      {
        cert: setting.pem('p256', 'crt'),
        key: setting.pem('p256', 'key'),
        ca: person.ca,
        requestCert: true,
        rejectUnauthorized: true,
      },
      socket => {
        open.push(socket)
        socket.on('error', () => {})
        socket.end(`hello, ${socket.getPeerCertificate().subject.CN}`)
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => server.close())
    const one = ourClient((server.address() as AddressInfo).port, { cert: person.cert, key: person.key })
    expect(String((await once(one, 'data'))[0])).toBe('hello, somebody')
  })
})

describe.skipIf(CURL === undefined)(`${CURL_NOTE} and our server`, () => {
  const answer = (connection: TlsDuplex): void => {
    connection.once('data', () => {
      const name = subjectOf(connection.peerCertificate) ?? 'nobody'
      connection.end(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`)
    })
  }

  it.each([
    ['with --cert', true, 0, 'CN=somebody'],
    ['without', false, 56, ''],
  ] as const)('%s', async (_, shown, code, body) => {
    const { port } = await ourServer({ clientCertificates: { ca: person.ca } }, answer)
    const args = ['--silent', '--cacert', setting.caFile, '--resolve', `p256.local:${port}:127.0.0.1`]
    const identity = shown ? ['--cert', person.certFile, '--key', person.keyFile] : []
    const curl = spawn('curl', [...args, ...identity, `https://p256.local:${port}/`])
    let text = ''
    curl.stdout.on('data', data => {
      text += data
    })
    const [exit] = await once(curl, 'close')
    expect([exit, text]).toEqual([code, body])
  })
})
