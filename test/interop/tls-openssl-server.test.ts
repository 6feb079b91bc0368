import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../../src/certificates/authority.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { type ConnectOptions, connect } from '../../src/tls13/io/net.ts'
import type { HandshakeMessage } from '../../src/tls13/messages.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import { hex } from '../../src/wire/index.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import {
  GROUPS,
  type GroupName,
  makeSetting,
  only,
  SAMPLE,
  type Setting,
  SUITES,
} from '../support/interop/setting.ts'

const PROVIDERS = [node, noble] as const
const HOUR = 3_600_000

let setting: Setting
/** Servers that turn lines around, one for each kind of certificate, for all tests. */
const shared: Partial<Record<KeyAlgorithm, Listening>> = {}
const running: OpenSsl[] = []
const clients: TlsDuplex[] = []

interface Listening {
  readonly s: OpenSsl
  readonly port: number
}

beforeAll(async () => {
  if (OPENSSL === undefined) return
  setting = await makeSetting()
  for (const name of KEY_ALGORITHMS) shared[name] = await listen(name, '-rev')
})
afterAll(async () => {
  for (const one of Object.values(shared)) await one.s.kill()
  setting?.remove()
})
afterEach(async () => {
  for (const one of clients.splice(0)) one.destroy()
  for (const one of running.splice(0)) await one.kill()
})

async function listen(name: KeyAlgorithm, ...args: string[]): Promise<Listening> {
  const identity = ['-cert', setting.file(name, 'crt'), '-key', setting.file(name, 'key')]
  const s = new OpenSsl(['s_server', '-accept', '127.0.0.1:0', ...identity, ...args])
  const [, port] = await s.says(/ACCEPT 127\.0\.0\.1:(\d+)/)
  return { s, port: Number(port) }
}

/** A server for one it. */
async function fresh(...args: string[]): Promise<Listening> {
  const one = await listen('p256', ...args)
  running.push(one.s)
  return one
}

function client(port: number, options: ConnectOptions = {}): TlsDuplex {
  const one = connect({ host: '127.0.0.1', port, ca: setting.ca, serverName: 'p256.local', ...options })
  clients.push(one)
  return one
}

/** The next line that comes. */
function line(connection: TlsDuplex): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    connection.once('error', reject)
    connection.on('data', function take(data) {
      text += data
      if (!text.endsWith('\n')) return
      connection.off('data', take).off('error', reject)
      resolve(text.trimEnd())
    })
  })
}

/** `s_server` serves one client at a time: it takes the next when this one has gone. */
async function leave(connection: TlsDuplex): Promise<void> {
  connection.resume().end()
  await once(connection, 'close')
  expect(connection.errored).toBeNull()
}

/** A ticket, from a connection that ends. */
async function ticket(connection: TlsDuplex): Promise<ResumptionTicket> {
  const [one] = await once(connection, 'session')
  await leave(connection)
  return one
}

async function turnsAround(connection: TlsDuplex): Promise<void> {
  connection.write('potato\n')
  expect(await line(connection)).toBe('otatop')
}

async function failure(connection: TlsDuplex): Promise<Error & { alert?: string; origin?: string }> {
  const [error] = await once(connection, 'error')
  return error
}

describe.skipIf(OPENSSL === undefined)(`our client talks to s_server of ${OPENSSL_NOTE}`, () => {
  describe.each(PROVIDERS)('provider $name', provider => {
    it.each(SAMPLE)('$suite, $group, $certificate', async ({ suite, group, certificate }) => {
      const connection = client(shared[certificate]!.port, {
        provider: only(provider, suite, [group]),
        serverName: `${certificate}.local`,
      })
      await turnsAround(connection)
      expect(connection.cipher).toBe(suite)
      await leave(connection)
    })

    it.each(Object.keys(GROUPS) as GroupName[])('HelloRetryRequest for %s', async group => {
      const others = (Object.keys(GROUPS) as GroupName[]).filter(one => one !== group)
      const strict = await fresh('-rev', '-groups', group)
      const hellos: HandshakeMessage[] = []
      const connection = client(strict.port, {
        provider: only(provider, undefined, [...others, group]),
        shape: message => {
          if (message.type === 'client_hello') hellos.push(message)
          return message
        },
      })
      await turnsAround(connection)
      expect(hellos).toHaveLength(2)
    })

    it.each(SUITES)('resumption with %s', async suite => {
      const one = only(provider, suite, ['X25519'])
      const resume = await ticket(client(shared.p256!.port, { provider: one }))
      const second = client(shared.p256!.port, { provider: one, resume })
      await turnsAround(second)
      expect(second.session.inspect().resumed).toBe(true)
      await leave(second)
      // A ticket of a resumed session is as good.
      const again = await ticket(client(shared.p256!.port, { provider: one, resume }))
      const third = client(shared.p256!.port, { provider: one, resume: again })
      await turnsAround(third)
      expect(third.session.inspect().resumed).toBe(true)
    })

    it('resumption after a HelloRetryRequest', async () => {
      const strict = await fresh('-rev', '-groups', 'P-384')
      const both = only(provider, undefined, ['X25519', 'P-384'])
      const resume = await ticket(client(strict.port, { provider: both }))
      const second = client(strict.port, { provider: both, resume })
      await turnsAround(second)
      expect(second.session.inspect().resumed).toBe(true)
    })

    it.each([
      ['K', true],
      ['k', false],
    ])('KeyUpdate of the server, command %s', async (command, requested) => {
      const { s, port } = await fresh()
      const connection = client(port, { provider })
      const updates: boolean[] = []
      connection.on('keyUpdate', update => updates.push(update))
      connection.write('one\n')
      await s.says(/^one$/m)
      const before = connection.session.trafficKeys()
      s.type(`${command}\n`)
      await once(connection, 'keyUpdate')
      s.type('two\n')
      expect(await line(connection)).toBe('two')
      connection.write('three\n')
      await s.says(/^three$/m)
      expect(updates).toEqual([requested])
      const after = connection.session.trafficKeys()
      expect(hex(after.read!.key)).not.toBe(hex(before.read!.key))
      expect(hex(after.write!.key) !== hex(before.write!.key)).toBe(requested)
    })

    it.each([true, false])('KeyUpdates of ours, requestPeer %s', async requestPeer => {
      const { s, port } = await fresh()
      const connection = client(port, { provider })
      const updates: boolean[] = []
      connection.on('keyUpdate', update => updates.push(update))
      await once(connection, 'secureConnect')
      for (const text of ['one', 'two', 'three']) {
        connection.updateKeys(requestPeer)
        connection.write(`${text}\n`)
        await s.says(new RegExp(`^${text}$`, 'm'))
        s.type(`not ${text}\n`)
        expect(await line(connection)).toBe(`not ${text}`)
      }
      expect(updates).toEqual(requestPeer ? [false, false, false] : [])
    })
  })

  it('a ticket of another server is passed over', async () => {
    const other = await fresh('-rev')
    const resume = await ticket(client(other.port))
    const second = client(shared.p256!.port, { resume })
    await turnsAround(second)
    expect(second.session.inspect().resumed).toBe(false)
  })

  it('ALPN', async () => {
    const { port } = await fresh('-rev', '-alpn', 'http/1.1,h2')
    const chosen = client(port, { alpn: ['h2', 'http/1.1'] })
    await turnsAround(chosen)
    expect(chosen.alpnProtocol).toBe('http/1.1')
    await leave(chosen)
    const unasked = client(port)
    await turnsAround(unasked)
    expect(unasked.alpnProtocol).toBeUndefined()
  })

  it('a server that would like to see a certificate takes our empty one', async () => {
    const connection = client((await fresh('-rev', '-verify', '1')).port)
    await turnsAround(connection)
  })

  it('a server that must see a certificate says so', async () => {
    const connection = client((await fresh('-rev', '-Verify', '1')).port)
    connection.resume()
    expect(await failure(connection)).toMatchObject({ alert: 'certificate_required', origin: 'peer' })
  })

  it.each([
    ['for another name', () => ({ serverName: 'other.local' }), 'bad_certificate', 'alert bad certificate'],
    ['of an unknown authority', () => ({ ca: setting.pem('rsa', 'crt') }), 'unknown_ca', 'alert unknown ca'],
    [
      'that has expired',
      () => ({ now: () => Date.now() + 100 * 24 * HOUR }),
      'certificate_expired',
      'alert certificate expired',
    ],
    [
      'that is not valid yet',
      () => ({ now: () => Date.now() - 2 * HOUR }),
      'certificate_expired',
      'alert certificate expired',
    ],
  ])('a certificate %s is refused, and the server learns why', async (_what, options, alert, heard) => {
    const { s, port } = await fresh()
    expect(await failure(client(port, options()))).toMatchObject({ alert })
    await s.says(heard)
  })

  it('the roots that come with Node do not vouch for our authority', async () => {
    const { ca: _ours, ...others } = { ca: '', host: '127.0.0.1', serverName: 'p256.local' }
    const connection = connect({ ...others, port: shared.p256!.port })
    clients.push(connection)
    expect(await failure(connection)).toMatchObject({ alert: 'unknown_ca' })
  })

  it('a server that speaks TLS 1.2 alone', async () => {
    const { port } = await fresh('-tls1_2')
    expect(await failure(client(port))).toMatchObject({ alert: 'protocol_version' })
  })

  it('nothing in common', async () => {
    const { port } = await fresh('-ciphersuites', 'TLS_AES_128_CCM_SHA256')
    expect(await failure(client(port))).toMatchObject({ alert: 'handshake_failure', origin: 'peer' })
  })

  it.each([
    ['ours', { compatibilityMode: false }, []],
    ["the server's", {}, ['-no_middlebox']],
  ])('without the middlebox compatibility mode, %s', async (_whose, options, args) => {
    const connection = client((await fresh('-rev', ...args)).port, options)
    await turnsAround(connection)
  })

  it('records that are padded, and records of one byte', async () => {
    const connection = client(shared.p256!.port, { padding: length => 256 - (length % 256) })
    await turnsAround(connection)
    for (const byte of 'slowly') {
      connection.write(byte)
      await new Promise(setImmediate)
    }
    connection.write('\n')
    expect(await line(connection)).toBe('ylwols')
  })

  it('close_notify of the server', async () => {
    const connection = client(shared.p256!.port)
    connection.write('CLOSE\n') // which -rev takes as an order
    connection.resume()
    await once(connection, 'close')
    expect(connection.errored).toBeNull()
    expect(connection.readableEnded).toBe(true)
  })

  it('a server that closes its socket without close_notify is a truncation', async () => {
    const { s, port } = await fresh()
    const connection = client(port)
    connection.write('one\n')
    await s.says(/^one$/m)
    connection.resume()
    s.type('q\n')
    expect(await failure(connection)).toMatchObject({ code: 'ERR_TLS_TRUNCATED' })
  })

  it('a server that is killed is a truncation', async () => {
    const { s, port } = await fresh()
    const connection = client(port)
    connection.write('one\n')
    await s.says(/^one$/m)
    connection.resume()
    const failed = failure(connection)
    await s.kill()
    expect(await failed).toMatchObject({ code: 'ERR_TLS_TRUNCATED' })
  })

  it('keying material is the same at both ends', async () => {
    const { s, port } = await fresh('-keymatexport', 'EXPORTER-potato', '-keymatexportlen', '40')
    const connection = client(port)
    await once(connection, 'secureConnect')
    const [, theirs] = await s.says(/Keying material: ([0-9A-F]{80})/)
    const ours = connection.session.exportKeyingMaterial('EXPORTER-potato', new Uint8Array(0), 40)
    expect(hex(ours).toUpperCase()).toBe(theirs)
  })
})
