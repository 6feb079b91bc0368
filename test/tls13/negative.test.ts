import { describe, expect, it } from 'vitest'
import { TlsError } from '../../src/tls13/alert.ts'
import { certificateVerifyContent } from '../../src/tls13/authentication.ts'
import { NamedGroup, SignatureScheme } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { EXTENSIONS, readExtensions } from '../../src/tls13/extensions.ts'
import {
  decodeHandshake,
  encodeHandshake,
  HELLO_RETRY_REQUEST,
  type MessageOf,
} from '../../src/tls13/messages.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import { concat, EMPTY, fromHex, utf8 } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity } from '../support/identity.ts'
import { connectedPair, identity, outputOf, ticketSealer } from '../support/pair.ts'
import { type Reshape, type Row, reshape, twice, withBytes, without, withValue } from '../support/reshape.ts'
import { clientIn, clientScene, type Scene, type StateName, serverIn, serverScene } from '../support/scene.ts'

/*
 * What RFC 8446 forbids, a row each, for what is spoken here: no client certificates, no 0-RTT. What each
 * state may receive is in states.test.ts.
 */

const { x25519, secp256r1, secp384r1 } = NamedGroup
/** A group that nobody here has. */
const FFDHE2048 = 0x0100
/** A signature scheme that nobody here has. */
const ECDSA_SHA1 = 0x0203

interface Shaped extends Row {
  /** What the peer changes in its own messages; its transcript agrees with what it sends. */
  readonly shape: () => Reshape
  readonly subject?: () => Partial<ServerConfig> & Partial<ClientConfig>
  readonly peer?: () => Partial<ServerConfig> & Partial<ClientConfig>
}

type Hello = MessageOf<'client_hello'>

/** Changes the (first) ClientHello. */
const hello = (change: (message: Hello) => Partial<Hello>) =>
  reshape('client_hello', (message, turn) => (turn === 0 ? change(message) : {}))
/** Changes the ClientHello that answers a HelloRetryRequest. */
const secondHello = (change: (message: Hello) => Partial<Hello>) =>
  reshape('client_hello', (message, turn) => (turn === 1 ? change(message) : {}))
const sharesOf = (message: Hello) => readExtensions('CH', message.extensions).key_share!
const retried = () => ({ keyShares: [] })
const psk = (identities: number, ...binders: number[]) => ({
  identities: new Array(identities).fill({ identity: fromHex('0102'), obfuscatedTicketAge: 0 }),
  binders: binders.map(length => new Uint8Array(length)),
})

const toServer: readonly Shaped[] = [
  {
    what: 'a ClientHello without supported_versions',
    section: '4.2.1',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: hello(m => without(m, 'supported_versions')),
  },
  {
    what: 'a ClientHello without any extensions',
    section: '4.1.2',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: hello(() => ({ extensions: [] })),
  },
  {
    what: 'supported_versions without TLS 1.3',
    section: '4.2.1',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: hello(m => withValue(m, 'CH', 'supported_versions', [0x0303, 0x0302])),
  },
  {
    what: 'an empty supported_versions',
    section: '4.2.1',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'supported_versions', fromHex('00'))),
  },
  {
    what: 'a compression method beside null',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: hello(() => ({ legacyCompressionMethods: fromHex('0001') })),
  },
  {
    what: 'compression without null',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: hello(() => ({ legacyCompressionMethods: fromHex('01') })),
  },
  {
    what: 'no cipher suite of ours',
    section: '4.1.1',
    alert: 'handshake_failure',
    origin: 'configuration',
    shape: hello(() => ({ cipherSuites: [0x1304, 0xc02f, 0x0a0a] })),
  },
  {
    what: 'supported_groups without key_share',
    section: '9.2',
    alert: 'missing_extension',
    shape: hello(m => without(m, 'key_share')),
  },
  {
    what: 'key_share without supported_groups',
    section: '9.2',
    // 4.2.8 would blame the share as well; 9.2 names the alert
    alert: 'missing_extension',
    shape: hello(m => without(m, 'supported_groups')),
  },
  {
    what: 'neither supported_groups nor key_share nor pre_shared_key',
    section: '9.2',
    alert: 'missing_extension',
    shape: hello(m => without(without(m, 'supported_groups'), 'key_share')),
  },
  {
    what: 'no signature_algorithms for a certificate',
    section: '4.2.3',
    alert: 'missing_extension',
    shape: hello(m => without(m, 'signature_algorithms')),
  },
  {
    what: 'an unusable PSK, and no signature_algorithms for a certificate',
    section: '4.2.3',
    alert: 'missing_extension',
    shape: hello(m => withValue(without(m, 'signature_algorithms'), 'CH', 'pre_shared_key', psk(1, 32))),
  },
  {
    what: 'no signature scheme of ours',
    section: '4.2.3',
    alert: 'handshake_failure',
    origin: 'configuration',
    shape: hello(m => withValue(m, 'CH', 'signature_algorithms', [ECDSA_SHA1])),
  },
  {
    what: 'an empty signature_algorithms',
    section: '4.2.3',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'signature_algorithms', fromHex('0000'))),
  },
  {
    what: 'no group of ours',
    section: '4.1.1',
    alert: 'handshake_failure',
    origin: 'configuration',
    shape: hello(m => ({
      ...withValue(withValue(m, 'CH', 'supported_groups', [FFDHE2048]), 'CH', 'key_share', []),
    })),
  },
  {
    what: 'an odd number of bytes in supported_groups',
    section: '4.2.7',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'supported_groups', fromHex('0003001d00'))),
  },
  {
    what: 'a key share for a group that is not in supported_groups',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: hello(m => withValue(m, 'CH', 'supported_groups', [secp256r1])),
  },
  {
    what: 'two key shares for one group',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: hello(m => withValue(m, 'CH', 'key_share', [...sharesOf(m), ...sharesOf(m)])),
  },
  ...(
    [
      ['an x25519 share of 31 bytes', x25519, '09'.repeat(31), '4.2.8.2'],
      ['an x25519 share of 33 bytes', x25519, '09'.repeat(33), '4.2.8.2'],
      ['an x25519 share that makes the secret all zeros', x25519, '00'.repeat(32), '7.4.2'],
      ['a P-256 share that is no point', secp256r1, `04${'11'.repeat(64)}`, '4.2.8.2'],
      ['a P-256 share in compressed form', secp256r1, `02${'11'.repeat(32)}`, '4.2.8.2'],
      ['the point at infinity as a P-256 share', secp256r1, '00', '4.2.8.2'],
      ['a P-384 share of the length of P-256', secp384r1, `04${'11'.repeat(64)}`, '4.2.8.2'],
    ] as const
  ).map(
    ([what, group, share, section]): Shaped => ({
      what,
      section,
      alert: 'illegal_parameter',
      shape: hello(m => withValue(m, 'CH', 'key_share', [{ group, keyExchange: fromHex(share) }])),
    }),
  ),
  {
    what: 'a key share without bytes',
    section: '4.2.8',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'key_share', fromHex('0004001d0000'))),
  },
  {
    what: 'an extension twice',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: hello(m => twice(m, 'supported_groups')),
  },
  {
    what: 'an unknown extension twice',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: hello(({ extensions }) => {
      const unknown = { extensionType: 0xfafa, extensionData: EMPTY }
      return { extensions: [unknown, ...extensions, unknown] }
    }),
  },
  {
    what: 'an extension that belongs into a CertificateRequest',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: hello(m => withBytes(m, 'oid_filters', fromHex('0000'))),
  },
  {
    what: 'bytes behind the value of an extension',
    section: '4.2',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'supported_versions', fromHex('02030400'))),
  },
  {
    what: 'pre_shared_key that is not the last extension',
    section: '4.2.11',
    alert: 'illegal_parameter',
    shape: hello(m => {
      const { extensions } = withValue(m, 'CH', 'pre_shared_key', psk(1, 32))
      return { extensions: [extensions.at(-1)!, ...extensions.slice(0, -1)] }
    }),
  },
  {
    what: 'pre_shared_key without psk_key_exchange_modes',
    section: '4.2.9',
    alert: 'missing_extension',
    shape: hello(m => withValue(without(m, 'psk_key_exchange_modes'), 'CH', 'pre_shared_key', psk(1, 32))),
  },
  {
    what: 'more identities than binders',
    section: '4.2.11',
    alert: 'illegal_parameter',
    shape: hello(m => withValue(m, 'CH', 'pre_shared_key', psk(2, 32))),
  },
  {
    what: 'more binders than identities',
    section: '4.2.11',
    alert: 'illegal_parameter',
    shape: hello(m => withValue(m, 'CH', 'pre_shared_key', psk(1, 32, 32))),
  },
  {
    what: 'a binder of 31 bytes',
    section: '4.2.11',
    alert: 'decode_error',
    shape: hello(m =>
      withBytes(m, 'pre_shared_key', fromHex(`00070001aa00000000${'0020'}1f${'00'.repeat(31)}`)),
    ),
  },
  {
    what: 'pre_shared_key without an identity',
    section: '4.2.11',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'pre_shared_key', fromHex(`0000${'0021'}20${'00'.repeat(32)}`))),
  },
  {
    what: 'an empty psk_key_exchange_modes',
    section: '4.2.9',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'psk_key_exchange_modes', fromHex('00'))),
  },
  {
    what: 'an empty cookie',
    section: '4.2.2',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'cookie', fromHex('0000'))),
  },
  {
    what: 'early_data with content',
    section: '4.2.10',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'early_data', fromHex('00000000'))),
  },
  {
    what: 'no protocol of ours in ALPN',
    section: 'RFC 7301, 3.2',
    alert: 'no_application_protocol',
    origin: 'configuration',
    shape: hello(m => withValue(m, 'CH', 'application_layer_protocol_negotiation', [utf8('spdy/1')])),
    subject: () => ({ alpn: ['h2', 'http/1.1'] }),
  },
  {
    what: 'an empty list in ALPN',
    section: 'RFC 7301, 3.1',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0000'))),
  },
  {
    what: 'an empty name in ALPN',
    section: 'RFC 7301, 3.1',
    alert: 'decode_error',
    shape: hello(m =>
      withBytes(m, 'application_layer_protocol_negotiation', fromHex('0004' + '026832' + '00')),
    ),
  },
  {
    what: 'a server name that is not ours',
    section: 'RFC 6066, 3',
    alert: 'unrecognized_name',
    origin: 'configuration',
    shape: hello(m => m),
    subject: () => ({ recognizes: name => name !== 'echo.local' }),
  },
  {
    what: 'an empty server_name',
    section: 'RFC 6066, 3',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'server_name', EMPTY)),
  },
  {
    what: 'an empty list of server names',
    section: 'RFC 6066, 3',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'server_name', fromHex('0000'))),
  },
  {
    what: 'an empty host name',
    section: 'RFC 6066, 3',
    alert: 'decode_error',
    shape: hello(m => withBytes(m, 'server_name', fromHex('0003000000'))),
  },
  {
    what: 'two host names',
    section: 'RFC 6066, 3',
    alert: 'illegal_parameter',
    shape: hello(m => {
      const name = { nameType: 0, hostName: utf8('echo.local') }
      return withValue(m, 'CH', 'server_name', [name, name])
    }),
  },
  ...['echo\0.local', 'echo local', 'écho.local', `${'a'.repeat(254)}`].map(
    (name): Shaped => ({
      what: `the server name ${JSON.stringify(name).slice(0, 20)}`,
      section: 'RFC 6066, 3',
      alert: 'illegal_parameter',
      shape: hello(m => withValue(m, 'CH', 'server_name', [{ nameType: 0, hostName: utf8(name) }])),
    }),
  ),
  {
    what: 'a second ClientHello with another server name',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: secondHello(m =>
      withValue(m, 'CH', 'server_name', [{ nameType: 0, hostName: utf8('other.local') }]),
    ),
    peer: retried,
  },
  {
    what: 'a second ClientHello without the server name',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: secondHello(m => without(m, 'server_name')),
    peer: retried,
  },
  {
    what: 'a second ClientHello with other cipher suites',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: secondHello(() => ({ cipherSuites: [0x1303] })),
    peer: retried,
  },
  {
    what: 'a second ClientHello with early_data',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: secondHello(m => withBytes(m, 'early_data', EMPTY)),
    peer: retried,
  },
  {
    what: 'a second ClientHello without the share that was asked for',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: secondHello(m => withValue(m, 'CH', 'key_share', [])),
    peer: retried,
  },
  {
    what: 'a second ClientHello with a share beside the one that was asked for',
    section: '4.1.2',
    alert: 'illegal_parameter',
    shape: secondHello(m => {
      const other = node.groups.find(({ id }) => id === secp256r1)!.generate(node.random)
      const shares = [...sharesOf(m), { group: secp256r1, keyExchange: other.keyExchange }]
      return withValue(m, 'CH', 'key_share', shares)
    }),
    peer: retried,
  },
  {
    what: 'a second ClientHello with a cookie that we did not send',
    section: '4.2.2',
    alert: 'illegal_parameter',
    shape: secondHello(m => withValue(m, 'CH', 'cookie', fromHex('c00c1e'))),
    peer: retried,
  },
  {
    what: 'a second ClientHello without our cookie',
    section: '4.2.2',
    alert: 'illegal_parameter',
    shape: secondHello(m => without(m, 'cookie')),
    subject: () => ({
      shape: reshape('hello_retry_request', m => withValue(m, 'HRR', 'cookie', fromHex('0a')))(),
    }),
    peer: retried,
  },
  {
    what: 'a second ClientHello without TLS 1.3',
    section: '4.1.2',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: secondHello(m => without(m, 'supported_versions')),
    peer: retried,
  },
  {
    what: "a client's Finished that does not fit",
    section: '4.4.4',
    alert: 'decrypt_error',
    shape: reshape('finished', ({ verifyData }) => ({ verifyData: verifyData.with(0, verifyData[0]! ^ 1) })),
  },
  {
    what: "a client's Finished of 31 bytes",
    section: '4.4.4',
    alert: 'decode_error',
    shape: reshape('finished', ({ verifyData }) => ({ verifyData: verifyData.slice(1) })),
  },
  {
    what: "a client's empty Finished",
    section: '4.4.4',
    alert: 'decode_error',
    shape: reshape('finished', () => ({ verifyData: EMPTY })),
  },
]

type ServerHello = MessageOf<'server_hello'>
type Retry = MessageOf<'hello_retry_request'>
type Encrypted = MessageOf<'encrypted_extensions'>
type Chain = MessageOf<'certificate'>

const serverHello = (change: (message: ServerHello) => Partial<ServerHello>) =>
  reshape('server_hello', change)
const retry = (change: (message: Retry) => Partial<Retry>) => reshape('hello_retry_request', change)
const encrypted = (change: (message: Encrypted) => Partial<Encrypted>) =>
  reshape('encrypted_extensions', change)
const chain = (change: (message: Chain) => Partial<Chain>) => reshape('certificate', change)
/** A server that must ask for another share. */
const asking = () => ({ provider: { ...node, groups: node.groups.filter(({ id }) => id === secp256r1) } })
const leafWith = (name: keyof typeof EXTENSIONS, extensionData: Uint8Array) => (m: Chain) => ({
  certificateList: m.certificateList.map(entry => ({
    ...entry,
    extensions: [{ extensionType: EXTENSIONS[name].type, extensionData }],
  })),
})

const toClient: readonly Shaped[] = [
  {
    what: 'a ServerHello with another legacy_version',
    section: '4.1.3',
    alert: 'illegal_parameter',
    shape: serverHello(() => ({ legacyVersion: 0x0304 })),
  },
  {
    what: 'a ServerHello of TLS 1.2',
    section: '4.2.1',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: serverHello(m => without(m, 'supported_versions')),
  },
  {
    what: 'a ServerHello of TLS 1.2 with the extensions of its time',
    section: '4.2.1',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: serverHello(() => ({
      legacySessionIdEcho: fromHex('aa'),
      cipherSuite: 0xc02f,
      extensions: [
        { extensionType: 0xff01, extensionData: fromHex('00') },
        { extensionType: 0, extensionData: EMPTY },
        { extensionType: 16, extensionData: fromHex('0003026832') },
      ],
    })),
  },
  {
    what: 'a ServerHello without extensions',
    section: '4.2.1',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: serverHello(() => ({ extensions: [] })),
  },
  ...(['444f574e47524401', '444f574e47524400'] as const).map(
    (mark): Shaped => ({
      what: `a ServerHello of TLS 1.2 whose random ends in ${mark}`,
      section: '4.1.3',
      alert: 'illegal_parameter',
      shape: serverHello(m => ({
        ...without(m, 'supported_versions'),
        random: concat(m.random.subarray(0, 24), fromHex(mark)),
      })),
    }),
  ),
  {
    what: 'a ServerHello that selects TLS 1.2 in supported_versions',
    section: '4.2.1',
    alert: 'illegal_parameter',
    shape: serverHello(m => withValue(m, 'SH', 'supported_versions', 0x0303)),
  },
  {
    what: 'a ServerHello with a list in supported_versions',
    section: '4.2.1',
    alert: 'decode_error',
    shape: serverHello(m => withBytes(m, 'supported_versions', fromHex('020304'))),
  },
  {
    what: 'a session id that is not echoed',
    section: '4.1.3',
    alert: 'illegal_parameter',
    shape: serverHello(() => ({ legacySessionIdEcho: EMPTY })),
  },
  {
    what: 'another session id',
    section: '4.1.3',
    alert: 'illegal_parameter',
    shape: serverHello(m => ({
      legacySessionIdEcho: m.legacySessionIdEcho.with(0, m.legacySessionIdEcho[0]! ^ 1),
    })),
  },
  {
    what: 'a cipher suite that was not offered',
    section: '4.1.3',
    alert: 'illegal_parameter',
    shape: serverHello(() => ({ cipherSuite: 0x1304 })),
  },
  {
    what: 'a compression method',
    section: '4.1.3',
    alert: 'illegal_parameter',
    shape: serverHello(() => ({ legacyCompressionMethod: 1 })),
  },
  {
    what: 'a ServerHello without key_share',
    section: '4.1.1',
    alert: 'missing_extension',
    shape: serverHello(m => without(m, 'key_share')),
  },
  {
    what: 'a key share for a group that we sent none for',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: secp256r1, keyExchange: fromHex(`04${'11'.repeat(64)}`) }),
    ),
  },
  {
    what: 'a key share for a group that we do not know',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: FFDHE2048, keyExchange: new Uint8Array(9) }),
    ),
  },
  {
    what: 'an x25519 share of 31 bytes',
    section: '4.2.8.2',
    alert: 'illegal_parameter',
    shape: serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: x25519, keyExchange: new Uint8Array(31).fill(9) }),
    ),
  },
  {
    what: 'an x25519 share that makes the secret all zeros',
    section: '7.4.2',
    alert: 'illegal_parameter',
    shape: serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: x25519, keyExchange: new Uint8Array(32) }),
    ),
  },
  {
    what: 'the key_share of a HelloRetryRequest in a ServerHello',
    section: '4.2.8',
    alert: 'decode_error',
    shape: serverHello(m => withBytes(m, 'key_share', fromHex('001d'))),
  },
  {
    what: 'pre_shared_key that was not offered',
    section: '4.2',
    alert: 'unsupported_extension',
    shape: serverHello(m => withValue(m, 'SH', 'pre_shared_key', 0)),
  },
  {
    what: 'the index of a PSK that was not offered',
    section: '4.2.11',
    alert: 'illegal_parameter',
    shape: serverHello(m => withValue(m, 'SH', 'pre_shared_key', 1)),
    subject: () => ({ resume: ticket() }),
    peer: () => ({ tickets: { sealer: ticketSealer() } }),
  },
  {
    what: 'a PSK with a cipher suite of another hash',
    section: '4.2.11',
    alert: 'illegal_parameter',
    shape: serverHello(m => withValue(m, 'SH', 'pre_shared_key', 0)),
    subject: () => ({ resume: ticket() }),
    peer: () => ({
      provider: { ...node, cipherSuites: node.cipherSuites.filter(({ id }) => id === 0x1302) },
    }),
  },
  {
    what: 'a PSK whose key the server does not have',
    section: '4.2.11',
    alert: 'bad_record_mac',
    shape: serverHello(m => withValue(m, 'SH', 'pre_shared_key', 0)),
    subject: () => ({ resume: ticket() }),
  },
  {
    what: 'an unknown extension in a ServerHello',
    section: '4.2',
    alert: 'unsupported_extension',
    shape: serverHello(m => withBytes(m, 0xff01, fromHex('00'))),
  },
  {
    what: 'the extension of a reserved number in a ServerHello',
    section: 'RFC 8701, 3.1',
    alert: 'unsupported_extension',
    shape: serverHello(m => withBytes(m, 0x1a1a, EMPTY)),
  },
  {
    what: 'an extension in a ServerHello that belongs into EncryptedExtensions',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: serverHello(m => withBytes(m, 'server_name', EMPTY)),
  },
  {
    what: 'an extension twice in a ServerHello',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: serverHello(m => twice(m, 'key_share')),
  },
  {
    what: 'a HelloRetryRequest that changes nothing',
    section: '4.1.4',
    alert: 'illegal_parameter',
    shape: retry(m => without(m, 'key_share')),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest for the group that we sent a share for',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: retry(m => withValue(m, 'HRR', 'key_share', x25519)),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest for a group that we did not name',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: retry(m => withValue(m, 'HRR', 'key_share', FFDHE2048)),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest without supported_versions',
    section: '4.1.4',
    alert: 'protocol_version',
    origin: 'configuration',
    shape: retry(m => without(m, 'supported_versions')),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest with another session id',
    section: '4.1.4',
    alert: 'illegal_parameter',
    shape: retry(() => ({ legacySessionIdEcho: fromHex('01') })),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest with a cipher suite that was not offered',
    section: '4.1.4',
    alert: 'illegal_parameter',
    shape: retry(() => ({ cipherSuite: 0x1305 })),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest with compression',
    section: '4.1.4',
    alert: 'illegal_parameter',
    shape: retry(() => ({ legacyCompressionMethod: 1 })),
    peer: asking,
  },
  {
    what: 'a HelloRetryRequest with an extension that was not offered',
    section: '4.2',
    alert: 'unsupported_extension',
    shape: retry(m => withBytes(m, 0xff01, EMPTY)),
    peer: asking,
  },
  {
    what: 'a ServerHello with another cipher suite than the HelloRetryRequest',
    section: '4.1.4',
    alert: 'illegal_parameter',
    shape: serverHello(() => ({ cipherSuite: 0x1303 })),
    peer: asking,
  },
  {
    what: 'a ServerHello with another group than the HelloRetryRequest',
    section: '4.2.8',
    alert: 'illegal_parameter',
    shape: serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: x25519, keyExchange: new Uint8Array(32).fill(9) }),
    ),
    peer: asking,
  },
  {
    what: 'EncryptedExtensions with something that was not offered',
    section: '4.2',
    alert: 'unsupported_extension',
    shape: encrypted(m => withBytes(m, 'record_size_limit', fromHex('4001'))),
  },
  {
    what: 'EncryptedExtensions with early_data that was not offered',
    section: '4.2.10',
    alert: 'unsupported_extension',
    shape: encrypted(m => withBytes(m, 'early_data', EMPTY)),
  },
  {
    what: 'EncryptedExtensions with an extension of the ServerHello',
    section: '4.3.1',
    alert: 'illegal_parameter',
    shape: encrypted(m => withBytes(m, 'supported_versions', fromHex('0304'))),
  },
  {
    what: 'EncryptedExtensions with signature_algorithms',
    section: '4.3.1',
    alert: 'illegal_parameter',
    shape: encrypted(m => withBytes(m, 'signature_algorithms', fromHex('00020807'))),
  },
  {
    what: 'EncryptedExtensions with an extension twice',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: encrypted(m => twice(m, 'server_name')),
  },
  {
    what: 'server_name with content in EncryptedExtensions',
    section: 'RFC 6066, 3',
    alert: 'decode_error',
    shape: encrypted(m => withBytes(m, 'server_name', fromHex('00'))),
  },
  {
    what: 'ALPN that was not offered',
    section: 'RFC 7301, 3.1',
    alert: 'unsupported_extension',
    shape: encrypted(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0003026832'))),
  },
  {
    what: 'a protocol that was not offered',
    section: 'RFC 7301, 3.1',
    alert: 'illegal_parameter',
    shape: encrypted(m => withBytes(m, 'application_layer_protocol_negotiation', fromHex('0003026832'))),
    subject: () => ({ alpn: ['http/1.1'] }),
  },
  {
    what: 'two protocols',
    section: 'RFC 7301, 3.1',
    alert: 'illegal_parameter',
    shape: encrypted(m =>
      withBytes(m, 'application_layer_protocol_negotiation', fromHex('0006026832026832')),
    ),
    subject: () => ({ alpn: ['h2'] }),
  },
  {
    what: 'a Certificate without certificates',
    section: '4.4.2.4',
    alert: 'decode_error',
    shape: chain(() => ({ certificateList: [] })),
  },
  {
    what: "a certificate_request_context in the server's Certificate",
    section: '4.4.2',
    alert: 'illegal_parameter',
    shape: chain(() => ({ certificateRequestContext: fromHex('01') })),
  },
  {
    what: 'a certificate extension that was not asked for',
    section: '4.4.2',
    alert: 'unsupported_extension',
    shape: chain(leafWith('status_request', fromHex('0100000101'))),
  },
  {
    what: 'a certificate extension that belongs elsewhere',
    section: '4.2',
    alert: 'illegal_parameter',
    shape: chain(leafWith('server_name', EMPTY)),
  },
  {
    what: 'a certificate that nobody trusts',
    section: '4.4.2.4',
    alert: 'unknown_ca',
    shape: chain(() => ({})),
    peer: () => ({ certificates: [certificateOf(ed25519Identity(99), node)] }),
  },
  {
    what: 'a certificate that the verifier finds expired',
    section: '4.4.2.4',
    alert: 'certificate_expired',
    shape: chain(() => ({})),
    subject: () => ({
      verify: () => {
        throw new TlsError('certificate_expired', 'peer', 'too late')
      },
    }),
  },
  {
    what: 'a verifier that breaks',
    section: '6.2',
    alert: 'internal_error',
    origin: 'local',
    shape: chain(() => ({})),
    subject: () => ({
      verify: () => {
        throw new RangeError('a bug')
      },
    }),
  },
  {
    what: 'a signature that does not fit',
    section: '4.4.3',
    alert: 'decrypt_error',
    shape: reshape('certificate_verify', ({ signature }) => ({
      signature: signature.with(3, signature[3]! ^ 1),
    })),
  },
  {
    what: 'an empty signature',
    section: '4.4.3',
    alert: 'decrypt_error',
    shape: reshape('certificate_verify', () => ({ signature: EMPTY })),
  },
  {
    what: 'a signature by another key',
    section: '4.4.3',
    alert: 'decrypt_error',
    shape: chain(({ certificateList: [entry] }) => ({
      certificateList: [{ ...entry!, certData: identity.publicKey }],
    })),
    peer: () => ({ certificates: [certificateOf(ed25519Identity(99), node)] }),
  },
  {
    what: 'the signature of a client',
    section: '4.4.3',
    alert: 'decrypt_error',
    shape: chain(() => ({})),
    peer: () => {
      const { chain, signers } = certificateOf(identity, node)
      // the same transcript under the other context string; the hash is the end of what is signed
      const sign = (content: Uint8Array) =>
        signers[0]!.sign!(certificateVerifyContent('client', content.slice(-32)))
      return { certificates: [{ chain, signers: [{ scheme: signers[0]!.scheme, sign }] }] }
    },
  },
  {
    what: 'a signature scheme that was not offered',
    section: '4.4.3',
    alert: 'illegal_parameter',
    shape: reshape('certificate_verify', () => ({ algorithm: ECDSA_SHA1 })),
  },
  {
    what: 'a signature scheme that TLS 1.3 does not have',
    section: '4.4.3',
    alert: 'illegal_parameter',
    shape: reshape('certificate_verify', () => ({ algorithm: SignatureScheme.rsa_pkcs1_sha256 })),
  },
  {
    what: 'a signature scheme that does not go with the key',
    section: '4.4.3',
    alert: 'decrypt_error',
    shape: reshape('certificate_verify', () => ({ algorithm: SignatureScheme.rsa_pss_rsae_sha256 })),
  },
  {
    what: "a server's Finished that does not fit",
    section: '4.4.4',
    alert: 'decrypt_error',
    shape: reshape('finished', ({ verifyData }) => ({
      verifyData: verifyData.with(31, verifyData[31]! ^ 1),
    })),
  },
  {
    what: "a server's Finished of 33 bytes",
    section: '4.4.4',
    alert: 'decode_error',
    shape: reshape('finished', ({ verifyData }) => ({ verifyData: concat(verifyData, fromHex('00')) })),
  },
  ...(
    [
      ['a ticket for more than seven days', '4.6.1', 'illegal_parameter', { ticketLifetime: 604_801 }],
      [
        'a ticket with an extension twice',
        '4.2',
        'illegal_parameter',
        { extensions: new Array(2).fill({ extensionType: 42, extensionData: new Uint8Array(4) }) },
      ],
      [
        'a ticket with an extension that belongs elsewhere',
        '4.2',
        'illegal_parameter',
        { extensions: [{ extensionType: 0, extensionData: EMPTY }] },
      ],
      [
        'a ticket with early_data of two bytes',
        '4.2.10',
        'decode_error',
        { extensions: [{ extensionType: 42, extensionData: new Uint8Array(2) }] },
      ],
    ] as const
  ).map(
    ([what, section, alert, change]): Shaped => ({
      what,
      section,
      alert,
      shape: reshape('new_session_ticket', () => change),
      peer: () => ({ tickets: { sealer: ticketSealer() } }),
    }),
  ),
]

describe('to a server', () => {
  it.each(titled(toServer))('%s', (_, { shape, alert, origin, subject, peer }) => {
    const { scene, peer: client } = serverScene(subject?.(), { ...peer?.(), shape: shape() })
    expectAlert(scene, client, alert, origin)
  })
})

describe('to a client', () => {
  it.each(titled(toClient))('%s', (_, { shape, alert, origin, subject, peer }) => {
    const { scene, peer: server } = clientScene(subject?.(), { ...peer?.(), shape: shape() })
    expectAlert(scene, server, alert, origin)
  })
})

interface Injected extends Row {
  readonly to: readonly ('server' | 'client')[]
  readonly in: readonly StateName[]
  /** What is sent, by a peer that seals as it should. */
  readonly bytes: (scene: Scene) => Uint8Array
}

const BOTH = ['server', 'client'] as const
/** Where records are not protected yet. */
const PLAIN = ['START', 'WAIT_SECOND_CLIENT_HELLO', 'WAIT_SH'] as const
/** Where they are. */
const SEALED = ['WAIT_FINISHED', 'CONNECTED', 'WAIT_EE', 'WAIT_CERT_CR', 'WAIT_CERT', 'WAIT_CV'] as const
const EVERYWHERE = [...PLAIN, ...SEALED]
const HALF_KEY_UPDATE = fromHex('180000')
const KEY_UPDATE = fromHex('1800000100')
const handshakeType = 22

const injected: readonly Injected[] = [
  {
    what: 'a record of an unknown type',
    section: '5',
    alert: 'unexpected_message',
    to: BOTH,
    in: EVERYWHERE,
    bytes: () => fromHex('1803030001ff'),
  },
  {
    what: 'the first byte of something that is not TLS',
    section: '5',
    alert: 'unexpected_message',
    to: BOTH,
    in: EVERYWHERE,
    bytes: () => utf8('G'),
  },
  {
    what: 'a record that is longer than allowed, as soon as its header is there',
    section: '5.1',
    alert: 'record_overflow',
    to: BOTH,
    in: PLAIN,
    bytes: () => fromHex('1603034001'),
  },
  {
    what: 'a protected record that is longer than allowed, as soon as its header is there',
    section: '5.2',
    alert: 'record_overflow',
    to: BOTH,
    in: SEALED,
    bytes: () => fromHex('1703034101'),
  },
  {
    what: 'a protected record with 2^14 + 1 bytes of content',
    section: '5.2',
    alert: 'record_overflow',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.writer()(23, new Uint8Array(2 ** 14 + 1).fill(1)),
  },
  {
    what: 'a protected record that padding makes too long',
    section: '5.4',
    alert: 'record_overflow',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.writer()(23, new Uint8Array(2 ** 14).fill(1), 1),
  },
  {
    what: 'an empty handshake record',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: EVERYWHERE,
    bytes: scene => scene.writer()(handshakeType, EMPTY),
  },
  {
    what: 'an empty protected alert',
    section: '5.4',
    alert: 'unexpected_message',
    to: BOTH,
    in: SEALED,
    bytes: scene => scene.writer()(21, EMPTY),
  },
  ...['02', '022800', '01000100'].map(
    (content): Injected => ({
      what: `an alert of ${content.length / 2} bytes`,
      section: '6',
      alert: 'decode_error',
      to: BOTH,
      in: EVERYWHERE,
      bytes: scene => scene.writer()(21, fromHex(content)),
    }),
  ),
  {
    what: 'a record of padding alone',
    section: '5.4',
    alert: 'unexpected_message',
    to: BOTH,
    in: SEALED,
    bytes: scene => scene.writer()(0, EMPTY, 16),
  },
  {
    what: 'a protected record of a type that does not exist',
    section: '5.2',
    alert: 'unexpected_message',
    to: BOTH,
    in: SEALED,
    bytes: scene => scene.writer()(24, fromHex('01')),
  },
  {
    what: 'a protected record with a wrong tag',
    section: '5.2',
    alert: 'bad_record_mac',
    to: BOTH,
    in: SEALED,
    bytes: scene => flipped(scene.writer()(handshakeType, KEY_UPDATE), -1),
  },
  {
    what: 'a protected record with a changed header',
    section: '5.2',
    alert: 'bad_record_mac',
    to: BOTH,
    in: SEALED,
    bytes: scene => flipped(scene.writer()(handshakeType, KEY_UPDATE), 2),
  },
  {
    what: 'a protected record shorter than its tag',
    section: '5.2',
    alert: 'bad_record_mac',
    to: BOTH,
    in: SEALED,
    bytes: () => fromHex(`170303000f${'00'.repeat(15)}`),
  },
  {
    what: 'an empty protected record',
    section: '5.2',
    alert: 'bad_record_mac',
    to: BOTH,
    in: SEALED,
    bytes: () => fromHex('1703030000'),
  },
  {
    what: 'a record for the second time',
    section: '5.3',
    alert: 'bad_record_mac',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => {
      const record = scene.writer()(23, fromHex('01'))
      return concat(record, record)
    },
  },
  {
    what: 'records in another order',
    section: '5.3',
    alert: 'bad_record_mac',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => {
      const seal = scene.writer()
      const first = seal(23, fromHex('01'))
      return concat(seal(23, fromHex('02')), first)
    },
  },
  {
    what: 'a protected record before there are keys',
    section: '5',
    alert: 'unexpected_message',
    to: BOTH,
    in: PLAIN,
    bytes: () => fromHex(`1703030020${'aa'.repeat(32)}`),
  },
  {
    what: 'a handshake record without protection',
    section: '5',
    alert: 'unexpected_message',
    to: BOTH,
    in: SEALED,
    bytes: () => concat(fromHex('1603030005'), KEY_UPDATE),
  },
  {
    what: 'an alert without protection on an established connection',
    section: '6',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: () => fromHex('15030300020100'),
  },
  {
    what: 'a ChangeCipherSpec before the first ClientHello',
    section: '5',
    alert: 'unexpected_message',
    to: ['server'],
    in: ['START'],
    bytes: () => fromHex('140303000101'),
  },
  {
    what: 'a ChangeCipherSpec after the handshake',
    section: '5',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: () => fromHex('140303000101'),
  },
  ...['1403030000', '140303000100', '140303000102', '14030300020101'].map(
    (record): Injected => ({
      what: `a ChangeCipherSpec of ${record.slice(10) || 'nothing'}`,
      section: '5',
      alert: 'unexpected_message',
      to: BOTH,
      in: ['WAIT_SH', 'WAIT_SECOND_CLIENT_HELLO', 'WAIT_EE', 'WAIT_FINISHED'],
      bytes: () => fromHex(record),
    }),
  ),
  {
    what: 'a protected ChangeCipherSpec',
    section: '5',
    alert: 'unexpected_message',
    to: BOTH,
    in: SEALED,
    bytes: scene => scene.writer()(20, fromHex('01')),
  },
  {
    what: 'a ChangeCipherSpec inside a handshake message',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['WAIT_SECOND_CLIENT_HELLO', 'WAIT_SH', 'WAIT_EE', 'WAIT_FINISHED'],
    bytes: scene => concat(scene.writer()(handshakeType, HALF_KEY_UPDATE), fromHex('140303000101')),
  },
  {
    what: 'application data inside a handshake message',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => {
      const seal = scene.writer()
      return concat(seal(handshakeType, HALF_KEY_UPDATE), seal(23, fromHex('01')))
    },
  },
  {
    what: 'an alert inside a handshake message',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: EVERYWHERE,
    bytes: scene => {
      const seal = scene.writer()
      return concat(seal(handshakeType, HALF_KEY_UPDATE), seal(21, fromHex('0100')))
    },
  },
  {
    what: 'another message behind a KeyUpdate in its record',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.handshake(KEY_UPDATE, KEY_UPDATE),
  },
  {
    what: 'half a message behind a KeyUpdate in its record',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.handshake(KEY_UPDATE, HALF_KEY_UPDATE),
  },
  {
    what: 'another message behind a Finished in its record',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['WAIT_FINISHED'],
    bytes: scene => withBehind(scene, KEY_UPDATE),
  },
  {
    what: 'half a message behind the hello in its record',
    section: '5.1',
    alert: 'unexpected_message',
    to: BOTH,
    in: ['START', 'WAIT_SH'],
    bytes: scene => withBehind(scene, HALF_KEY_UPDATE),
  },
  {
    what: 'a record under the old key behind a KeyUpdate',
    section: '4.6.3',
    alert: 'bad_record_mac',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => {
      const seal = scene.writer()
      return concat(seal(handshakeType, KEY_UPDATE), seal(23, fromHex('01')))
    },
  },
  {
    what: 'an unknown request in a KeyUpdate',
    section: '4.6.3',
    alert: 'illegal_parameter',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.handshake(fromHex('1800000102')),
  },
  {
    what: 'an empty KeyUpdate',
    section: '4.6.3',
    alert: 'decode_error',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.handshake(fromHex('18000000')),
  },
  {
    what: 'a KeyUpdate of two bytes',
    section: '4.6.3',
    alert: 'decode_error',
    to: BOTH,
    in: ['CONNECTED'],
    bytes: scene => scene.handshake(fromHex('180000020000')),
  },
  {
    what: 'an empty ticket',
    section: '4.6.1',
    alert: 'decode_error',
    to: ['client'],
    in: ['CONNECTED'],
    bytes: scene => scene.handshake(fromHex(`0400000d${'00'.repeat(8)}00${'0000'}${'0000'}`)),
  },
  {
    what: 'a handshake message beyond our limit, as soon as its header is there',
    section: '4',
    alert: 'decode_error',
    to: BOTH,
    in: EVERYWHERE,
    bytes: scene => scene.handshake(fromHex('0b010001')),
  },
  {
    what: 'bytes behind the extensions of a ClientHello',
    section: '4.1.2',
    alert: 'decode_error',
    to: ['server'],
    in: ['START'],
    bytes: scene => withMessage(scene, message => concat(message, fromHex('00'))),
  },
  {
    what: 'a ClientHello that ends within an extension',
    section: '4.1.2',
    alert: 'decode_error',
    to: ['server'],
    in: ['START', 'WAIT_SECOND_CLIENT_HELLO'],
    bytes: scene => withMessage(scene, message => message.slice(0, -1)),
  },
  {
    what: 'a session id of 33 bytes',
    section: '4.1.2',
    alert: 'decode_error',
    to: ['server'],
    in: ['START'],
    // behind version and random: the length, 32 bytes, and one more
    bytes: scene =>
      withMessage(scene, m =>
        concat(m.slice(0, 34), fromHex('21'), m.slice(35, 67), fromHex('00'), m.slice(67)),
      ),
  },
  {
    what: 'no cipher suites at all',
    section: '4.1.2',
    alert: 'decode_error',
    to: ['server'],
    in: ['START'],
    bytes: scene => withMessage(scene, m => concat(m.slice(0, 67), fromHex('0000'), m.slice(67 + 2 + 6))),
  },
  {
    what: 'no compression methods at all',
    section: '4.1.2',
    alert: 'decode_error',
    to: ['server'],
    in: ['START'],
    bytes: scene => withMessage(scene, m => concat(m.slice(0, 75), fromHex('00'), m.slice(77))),
  },
  {
    what: 'bytes behind the extensions of a ServerHello',
    section: '4.1.3',
    alert: 'decode_error',
    to: ['client'],
    in: ['WAIT_SH'],
    bytes: scene => withMessage(scene, message => concat(message, fromHex('00'))),
  },
  ...(
    [
      ['a HelloRetryRequest with a whole key share', '4.2.8', 'decode_error', 'key_share', '0017000104'],
      ['a HelloRetryRequest with an empty cookie', '4.2.2', 'decode_error', 'cookie', '0000'],
      [
        'a HelloRetryRequest with an extension of EncryptedExtensions',
        '4.2',
        'illegal_parameter',
        'supported_groups',
        '0002001d',
      ],
    ] as const
  ).map(
    ([what, section, alert, extension, data]): Injected => ({
      what,
      section,
      alert,
      to: ['client'],
      in: ['WAIT_SH'],
      bytes: scene => retryRequest(scene, m => withBytes(m, extension, fromHex(data))),
    }),
  ),
  {
    what: 'a Certificate whose lengths disagree',
    section: '4.4.2',
    alert: 'decode_error',
    to: ['client'],
    in: ['WAIT_CERT_CR'],
    bytes: scene => scene.handshake(fromHex('0b000005' + '0000000301')),
  },
  {
    what: 'an empty certificate',
    section: '4.4.2',
    alert: 'decode_error',
    to: ['client'],
    in: ['WAIT_CERT_CR'],
    bytes: scene => scene.handshake(fromHex('0b000009' + '00000005' + '0000000000')),
  },
  {
    what: 'a CertificateRequest with a context',
    section: '4.3.2',
    alert: 'illegal_parameter',
    to: ['client'],
    in: ['WAIT_CERT_CR'],
    bytes: scene => scene.handshake(fromHex('0d00000c' + '01aa' + '0008' + '000d000400020807')),
  },
  {
    what: 'a CertificateRequest without signature_algorithms',
    section: '4.3.2',
    alert: 'missing_extension',
    to: ['client'],
    in: ['WAIT_CERT_CR'],
    bytes: scene => scene.handshake(fromHex('0d000007' + '00' + '0004' + '00050000')),
  },
  {
    what: 'a CertificateRequest without extensions',
    section: '4.3.2',
    alert: 'decode_error',
    to: ['client'],
    in: ['WAIT_CERT_CR'],
    bytes: scene => scene.handshake(fromHex('0d000003' + '00' + '0000')),
  },
  {
    what: 'a second CertificateRequest',
    section: '4.3.2',
    alert: 'unexpected_message',
    to: ['client'],
    in: ['WAIT_CERT'],
    bytes: scene => scene.handshake(fromHex('0d00000b' + '00' + '0008' + '000d000400020807')),
  },
]

const SERVER_STATES: readonly StateName[] = [
  'START',
  'WAIT_SECOND_CLIENT_HELLO',
  'WAIT_FINISHED',
  'CONNECTED',
]
const CLIENT_STATES: readonly StateName[] = [
  'WAIT_SH',
  'WAIT_EE',
  'WAIT_CERT_CR',
  'WAIT_CERT',
  'WAIT_CV',
  'WAIT_FINISHED',
  'CONNECTED',
]

describe.each(BOTH)('to a %s, in the middle', role => {
  const states = role === 'server' ? SERVER_STATES : CLIENT_STATES
  const rows = injected
    .filter(row => row.to.includes(role))
    .flatMap(row => states.filter(state => row.in.includes(state)).map(state => ({ ...row, state })))

  it.each(titled(rows))('%s', (_, { state, bytes, alert, origin = 'peer' }) => {
    const scene = role === 'server' ? serverIn(state) : clientIn(state)
    const result = scene.provoke(bytes(scene))
    expect(result.alert).toBe(alert)
    expect(result.events.at(-1)).toMatchObject({
      type: 'alert',
      from: 'local',
      alert,
      error: { alert, origin },
    })
    expect(scene.subject.closed).toBe(true)
  })
})

describe('a second HelloRetryRequest', () => {
  it('§4.1.4: is unexpected_message', () => {
    const { scene, peer } = clientScene({}, asking())
    const retryRequest = scene.genuine
    scene.subject.receive(retryRequest)
    outputOf(scene.subject)
    expect(peer.closed).toBe(false)
    expect(scene.provoke(retryRequest).alert).toBe('unexpected_message')
  })
})

describe('a PSK binder that does not fit', () => {
  const resuming = () => {
    const { scene } = serverScene({ tickets: { sealer: ticketSealer() } }, { resume: ticket() })
    return scene
  }

  it('§4.2.11: is decrypt_error', () => {
    const scene = resuming()
    expect(scene.provoke(flipped(scene.genuine, -1)).alert).toBe('decrypt_error')
  })

  it('§4.2.11.2: so is one over another hello', () => {
    const scene = resuming()
    // the last byte of the client's random
    expect(scene.provoke(flipped(scene.genuine, 5 + 4 + 2 + 31)).alert).toBe('decrypt_error')
  })

  it('and without a change the same hello resumes', () => {
    const scene = resuming()
    expect(scene.provoke(scene.genuine)).toMatchObject({ events: [], alert: undefined })
    expect(scene.subject.inspect().resumed).toBe(true)
  })
})

it('the table is as long as it should be', () => {
  const injections = injected.flatMap(row => row.to.map(role => `${role}: ${row.what}`))
  expect(toServer.length).toBeGreaterThanOrEqual(55)
  expect(toClient.length).toBeGreaterThanOrEqual(60)
  expect(injections.length).toBeGreaterThanOrEqual(80)
  for (const names of [toServer.map(row => row.what), toClient.map(row => row.what), injections]) {
    expect(new Set(names).size).toBe(names.length)
  }
})

function titled<R extends Row & { readonly state?: string }>(rows: readonly R[]): [string, R][] {
  return rows.map(row => {
    const where = row.state === undefined ? '' : `${row.state}, `
    return [`§${row.section}: ${where}${row.what} → ${row.alert}`, row]
  })
}

/** Runs the handshake until the subject answers with an alert. */
function expectAlert(
  scene: Scene,
  peer: ReturnType<typeof serverScene>['peer'],
  alert: string,
  origin: Row['origin'] = 'peer',
): void {
  for (let turn = 0; turn < 4; turn++) {
    const { alert: sent, events, output } = scene.provoke(scene.genuine)
    const last = events.at(-1)
    if (last?.type === 'alert') {
      expect(sent).toBe(alert)
      expect(last).toMatchObject({ from: 'local', alert, error: { alert, origin } })
      expect(events.filter(event => event.type === 'alert').length).toBe(1)
      expect(scene.subject.closed).toBe(true)
      return
    }
    peer.receive(output)
    scene.genuine = outputOf(peer)
  }
  throw new Error('no alert')
}

/** The first ticket of an earlier connection. */
function ticket(): ResumptionTicket {
  const { clientEvents } = connectedPair({}, { tickets: { sealer: ticketSealer() } })
  const event = clientEvents.find(({ type }) => type === 'new_session_ticket')
  if (event?.type !== 'new_session_ticket') throw new Error('no ticket')
  return event.ticket
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, bytes.at(at)! ^ 1)
}

/** The first record of the peer, with more bytes behind its message. */
function withBehind(scene: Scene, more: Uint8Array): Uint8Array {
  const { subject, genuine } = scene
  const { read } = subject.trafficKeys()
  if (read === undefined) return recordWith(concat(firstFragment(genuine), more))
  return scene.handshake(openedFirst(scene), more)
}

/** The unprotected message that the peer would send, its body changed and its length made to fit. */
function withMessage(scene: Scene, change: (body: Uint8Array) => Uint8Array): Uint8Array {
  const message = firstFragment(scene.genuine)
  const body = change(message.slice(4))
  return recordWith(concat(message.slice(0, 2), Uint8Array.of(body.length >> 8, body.length & 0xff), body))
}

/** The hello of the server, turned into a HelloRetryRequest for P-256. */
function retryRequest(scene: Scene, change: (message: Retry) => Partial<Retry>): Uint8Array {
  const hello = decodeHandshake(firstFragment(scene.genuine)) as ServerHello
  const random = fromHex(HELLO_RETRY_REQUEST)
  const { extensions } = withBytes(hello, 'key_share', fromHex('0017'))
  const retry: Retry = { ...hello, type: 'hello_retry_request', random, extensions }
  return recordWith(encodeHandshake({ ...retry, ...change(retry) }))
}

function firstFragment(genuine: Uint8Array): Uint8Array {
  const start = genuine.findIndex((byte, at) => byte === handshakeType && (at === 0 || genuine[0] === 20))
  const length = (genuine[start + 3]! << 8) | genuine[start + 4]!
  return genuine.slice(start + 5, start + 5 + length)
}

function recordWith(fragment: Uint8Array): Uint8Array {
  return concat(fromHex('160303'), Uint8Array.of(fragment.length >> 8, fragment.length & 0xff), fragment)
}

/** The content of the first protected record that the peer would send. */
function openedFirst(scene: Scene): Uint8Array {
  return scene.open(scene.genuine.subarray(scene.genuine[0] === 20 ? 6 : 0))
}
