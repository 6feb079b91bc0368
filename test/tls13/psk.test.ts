import { describe, expect, it } from 'vitest'
import { CipherSuiteId, TLS13 } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { ExternalPsk } from '../../src/tls13/external-psk.ts'
import { ImportedIdentity, usablePsk } from '../../src/tls13/psk.ts'
import { decode, hex, utf8 } from '../../src/wire/index.ts'
import { connectedPair, createPair, type Pair, ticketSealer } from '../support/pair.ts'
import { providers } from '../support/providers.ts'
import { reshape, without, withValue } from '../support/reshape.ts'

const key = new Uint8Array(32).fill(9)
const psk: ExternalPsk = { identity: utf8('a potato'), key }
const imported: ExternalPsk = { ...psk, imported: { context: utf8('kitchen') } }
const none = { certificates: [] }
const alertOf = (events: Pair['serverEvents']) => events.findLast(({ type }) => type === 'alert')

describe.each(providers)('$name', provider => {
  const rows: readonly [string, ExternalPsk][] = [
    ['of 32 bytes', psk],
    ['of 16 bytes', { ...psk, key: new Uint8Array(16).fill(1) }],
    ['of 100 bytes', { ...psk, key: new Uint8Array(100).fill(1) }],
    ['for SHA-384', { ...psk, hash: 'sha384' }],
    ['that is imported', imported],
  ]
  it.each(rows)('an external PSK %s takes the place of a certificate', (_, one) => {
    const pair = connectedPair({ provider, psks: [one] }, { provider, psks: [one], ...none })
    expect(pair.serverEvents[0]).toMatchObject({ type: 'handshake_complete', resumed: true })
    const suite = pair.server.cipherSuite
    expect(suite?.endsWith('SHA384')).toBe(one.hash === 'sha384')
  })

  it.each(rows)('and does after a HelloRetryRequest, %s', (_, one) => {
    connectedPair({ provider, psks: [one], keyShares: [] }, { provider, psks: [one], ...none })
  })

  it('alone it is the whole key exchange, if both sides want that (psk_ke)', () => {
    const modes = { pskModes: ['psk_ke'] as const, psks: [psk] }
    let shared = false
    const pair = connectedPair(
      { provider, ...modes },
      {
        provider,
        ...modes,
        ...none,
        shape: message => {
          if (message.type === 'server_hello')
            shared = message.extensions.some(one => one.extensionType === 51)
          return message
        },
      },
    )
    expect(shared).toBe(false)
    expect(pair.client.exportKeyingMaterial('x', key, 32)).toEqual(
      pair.server.exportKeyingMaterial('x', key, 32),
    )
  })

  it('a resumption may be alone, too', () => {
    const sealer = ticketSealer(provider)
    const server = { provider, tickets: { sealer }, pskModes: ['psk_ke'] as const }
    const client = { provider, pskModes: ['psk_ke', 'psk_dhe_ke'] as const }
    const [ticket] = connectedPair(client, server).clientEvents.flatMap(event =>
      event.type === 'new_session_ticket' ? [event.ticket] : [],
    )
    const pair = connectedPair({ ...client, resume: ticket! }, server)
    expect(pair.serverEvents[0]).toMatchObject({ resumed: true })
  })
})

describe('where the two do not agree', () => {
  const rows: readonly [string, Partial<ClientConfig>, Partial<ServerConfig>][] = [
    ['on the identity', { psks: [{ ...psk, identity: utf8('another') }] }, { psks: [psk] }],
    ['on having any', { psks: [psk] }, {}],
    ['on the mode', { psks: [psk], pskModes: ['psk_ke'] }, { psks: [psk] }],
    ['on importing', { psks: [psk] }, { psks: [imported] }],
    [
      'on the context of the import',
      { psks: [imported] },
      { psks: [{ ...psk, imported: { context: key } }] },
    ],
  ]
  it.each(rows)('%s, there is a certificate instead', (_, client, server) => {
    const pair = connectedPair(client, server)
    expect(pair.serverEvents[0]).toMatchObject({ resumed: false })
  })

  it.each([
    ['on the key', { ...psk, key: new Uint8Array(32) }, psk],
    ['on the key that is imported', { ...imported, key: new Uint8Array(32) }, imported],
  ])('%s, the binder tells: decrypt_error', (_, mine, theirs) => {
    const pair = createPair({ psks: [mine] }, { psks: [theirs] })
    pair.settle()
    expect(alertOf(pair.serverEvents)).toMatchObject({ from: 'local', alert: 'decrypt_error' })
  })

  it('the second of several is found, and told by its number', () => {
    const other = { identity: utf8('first'), key: new Uint8Array(32).fill(3) }
    connectedPair({ psks: [other, psk] }, { psks: [psk], ...none })
  })
})

describe('what a server must not answer', () => {
  const select = (index: number) => reshape('server_hello', m => withValue(m, 'SH', 'pre_shared_key', index))
  const rows: readonly [string, Partial<ClientConfig>, Partial<ServerConfig>, string][] = [
    ['a PSK that was not offered', { psks: [psk] }, { psks: [psk], shape: select(1)() }, 'illegal_parameter'],
    ['a PSK where none was offered', {}, { shape: select(0)() }, 'unsupported_extension'],
    [
      'a PSK without a key share, which was not offered so',
      { psks: [psk] },
      { psks: [psk], shape: reshape('server_hello', m => without(m, 'key_share'))() },
      'missing_extension',
    ],
    [
      'a key share for a PSK that shall do alone',
      { psks: [psk], pskModes: ['psk_ke'] },
      {
        psks: [psk],
        pskModes: ['psk_ke'],
        shape: reshape('server_hello', m =>
          withValue(m, 'SH', 'key_share', { group: 29, keyExchange: new Uint8Array(32).fill(9) }),
        )(),
      },
      'illegal_parameter',
    ],
    [
      'a PSK and a suite of another hash',
      { psks: [psk] },
      {
        psks: [psk],
        shape: reshape('server_hello', () => ({ cipherSuite: CipherSuiteId.TLS_AES_256_GCM_SHA384 }))(),
      },
      'illegal_parameter',
    ],
  ]
  it.each(rows)('%s', (_, client, server, alert) => {
    const pair = createPair(client, server)
    pair.settle()
    expect(alertOf(pair.clientEvents)).toMatchObject({ from: 'local', alert })
  })
})

it('an imported identity is what RFC 9258 §4.1 says, one for each hash', () => {
  const [sha256, sha384] = node.cipherSuites.map(({ hash }) => hash)
  const [a, b] = [sha256!, sha384!].map(hash => usablePsk(imported, hash, sha256!)!)
  expect(decode(ImportedIdentity, a!.identity)).toEqual({
    externalIdentity: psk.identity,
    context: utf8('kitchen'),
    targetProtocol: TLS13,
    targetKdf: 1,
  })
  expect(decode(ImportedIdentity, b!.identity).targetKdf).toBe(2)
  expect([a!.psk.length, b!.psk.length]).toEqual([32, 48])
  expect(hex(a!.psk)).not.toBe(hex(key))
})
