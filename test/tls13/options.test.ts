import { describe, expect, it } from 'vitest'
import type { CertificateVerifier, Trusted } from '../../src/tls13/authentication.ts'
import { isGrease, SignatureScheme } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import { createCookieSealer } from '../../src/tls13/cookie.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { delegate } from '../../src/tls13/delegated.ts'
import { readExtensions } from '../../src/tls13/extensions.ts'
import { brotli, zlib } from '../../src/tls13/io/compression.ts'
import { decodeHandshake, type HandshakeMessage, type MessageOf } from '../../src/tls13/messages.ts'
import { Session } from '../../src/tls13/session.ts'
import { concat, EMPTY, fromHex, utf8 } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, newIdentity, trusting } from '../support/identity.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  dataOf,
  identity,
  joined,
  NOW,
  outputOf,
  recordsOf,
  serverConfig,
} from '../support/pair.ts'
import { providers } from '../support/providers.ts'
import { type Reshape, reshape, withBytes, withValue } from '../support/reshape.ts'
import { Scene } from '../support/scene.ts'

const lastAlert = (events: readonly SessionEvent[]) => events.findLast(({ type }) => type === 'alert')

/** Looks at the messages that one side sends. */
function watching(): { shape: Reshape; sent: HandshakeMessage[] } {
  const sent: HandshakeMessage[] = []
  return {
    sent,
    shape: message => {
      sent.push(message)
      return message
    },
  }
}

describe('certificate compression (RFC 8879)', () => {
  const long = concat(identity.publicKey, new Uint8Array(2000))
  const certificates = () => [{ ...certificateOf(identity, node), chain: [long] }]
  const verify = () => ({ publicKey: identity.publicKey })

  it.each([
    ['zlib', zlib],
    ['brotli', brotli],
  ])('%s shortens what the server shows', (_, one) => {
    const { sent, shape } = watching()
    const { client } = connectedPair(
      { verify, certificateCompression: [zlib, brotli] },
      { certificates: certificates(), certificateCompression: [one], shape },
    )
    const compressed = sent.find(message => message.type === 'compressed_certificate')
    if (compressed?.type !== 'compressed_certificate') throw new Error('not compressed')
    expect([compressed.algorithm, compressed.compressedCertificateMessage.length < 300]).toEqual([
      one.algorithm,
      true,
    ])
    expect(client.peerCertificate).toEqual(long)
  })

  it('and what the client shows', () => {
    const { sent, shape } = watching()
    const { server } = connectedPair(
      { certificates: certificates(), certificateCompression: [zlib], shape },
      { clientCertificates: { verify }, certificateCompression: [zlib] },
    )
    expect(sent.some(({ type }) => type === 'compressed_certificate')).toBe(true)
    expect(server.peerCertificate).toEqual(long)
  })

  it('is not used with a peer that does not know it', () => {
    const { sent, shape } = watching()
    connectedPair({ verify, certificateCompression: [brotli] }, { certificateCompression: [zlib], shape })
    expect(sent.some(({ type }) => type === 'compressed_certificate')).toBe(false)
  })

  const change = (
    changed: (m: MessageOf<'compressed_certificate'>) => Partial<MessageOf<'compressed_certificate'>>,
  ) => reshape('compressed_certificate', changed)
  const rows: readonly [string, () => Reshape, string, Partial<ClientConfig>?][] = [
    ['with another algorithm', change(() => ({ algorithm: 3 })), 'illegal_parameter'],
    [
      'with a length too long',
      change(m => ({ uncompressedLength: m.uncompressedLength + 1 })),
      'bad_certificate',
    ],
    [
      'with a length too short',
      change(m => ({ uncompressedLength: m.uncompressedLength - 1 })),
      'bad_certificate',
    ],
    ['of nothing', change(() => ({ uncompressedLength: 0 })), 'bad_certificate'],
    ['beyond the bound', change(() => ({ uncompressedLength: 70_000 })), 'bad_certificate'],
    ['beyond a bound of ours', () => m => m, 'bad_certificate', { handshakeMessageLimit: 2000 }],
    [
      'that does not expand',
      change(m => ({ compressedCertificateMessage: m.compressedCertificateMessage.subarray(1) })),
      'bad_certificate',
    ],
    [
      'of something else',
      change(() => ({
        uncompressedLength: 4,
        compressedCertificateMessage: zlib.compress(Uint8Array.of(1, 2, 3, 4)),
      })),
      'bad_certificate',
    ],
  ]
  it.each(rows)('%s is refused', (_, shape, alert, client) => {
    const pair = createPair(
      { verify, certificateCompression: [zlib], ...client },
      { certificates: certificates(), certificateCompression: [zlib], shape: shape() },
    )
    pair.settle()
    expect(lastAlert(pair.clientEvents)).toMatchObject({ from: 'local', alert })
  })
})

describe('record_size_limit (RFC 8449)', () => {
  const largest = (bytes: Uint8Array) => Math.max(...recordsOf(bytes).map(record => record.length - 5 - 16))

  it.each([63, 64, 1000, 16384])('of %i bytes is kept by the peer, in both directions', limit => {
    const pair = createPair({ recordSizeLimit: limit }, { recordSizeLimit: limit })
    const { client, server } = pair
    server.receive(outputOf(client))
    const flight = outputOf(server)
    const [, ...encrypted] = recordsOf(flight).filter(([type]) => type !== 20)
    expect(largest(concat(...encrypted))).toBeLessThanOrEqual(limit + 1)
    client.receive(flight)
    pair.settle()
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.send(new Uint8Array(20_000).fill(7))
      const bytes = outputOf(from)
      expect(largest(bytes)).toBe(limit + 1)
      expect(dataOf(to.receive(bytes)).length).toBe(20_000)
    }
  })

  it.each([0, 62, 16385])('of %i bytes is no configuration', recordSizeLimit => {
    expect(() => Session.client(clientConfig({ recordSizeLimit }))).toThrow(TypeError)
    expect(() => Session.server(serverConfig({ recordSizeLimit }))).toThrow(TypeError)
  })

  it('padding stays within it', () => {
    const { client, server } = connectedPair({ recordSizeLimit: 100 }, { padding: () => 1000 })
    server.send(utf8('x'))
    const bytes = outputOf(server)
    expect(largest(bytes)).toBe(101)
    expect(dataOf(client.receive(bytes))).toEqual(utf8('x'))
  })

  it('a server that has no wish of its own keeps to it, and has the most for itself', () => {
    const { client, server } = connectedPair({ recordSizeLimit: 100 }, {})
    expect(server.inspect().recordSizeLimits).toEqual({ write: 100, read: 16384 })
    expect(client.inspect().recordSizeLimits).toEqual({ write: 16384, read: 100 })
  })

  it('costs nothing in the state where both take the most', () => {
    const { client, server } = connectedPair({ recordSizeLimit: 16384 }, {})
    expect([client.inspect().recordSizeLimits, server.inspect().recordSizeLimits]).toEqual([
      undefined,
      undefined,
    ])
  })

  it('more than was allowed is record_overflow', () => {
    const { server } = connectedPair({ recordSizeLimit: 16384 }, { recordSizeLimit: 100 })
    const scene = new Scene(server, [])
    const { events } = scene.provoke(scene.writer()(23, new Uint8Array(101)))
    expect(events).toMatchObject([{ type: 'alert', from: 'local', alert: 'record_overflow' }])
  })

  it.each([
    [
      'a client',
      'serverEvents',
      { shape: reshape('client_hello', m => withValue(m, 'CH', 'record_size_limit', 63))() },
      {},
    ],
    [
      'a server',
      'clientEvents',
      { recordSizeLimit: 100 },
      { shape: reshape('encrypted_extensions', m => withValue(m, 'EE', 'record_size_limit', 63))() },
    ],
    [
      'a server, which wants more than there is,',
      'clientEvents',
      { recordSizeLimit: 100 },
      { shape: reshape('encrypted_extensions', m => withValue(m, 'EE', 'record_size_limit', 16386))() },
    ],
  ] as const)('%s with a limit that there is not is refused', (_, who, client, server) => {
    const pair = createPair(client, server)
    pair.settle()
    expect(lastAlert(pair[who])).toMatchObject({ from: 'local', alert: 'illegal_parameter' })
  })
})

describe('what is stapled', () => {
  const ocspResponse = utf8('good')
  const signedCertificateTimestamps = fromHex('0006' + '0004' + '7365656e')
  const certificates = () => [{ ...certificateOf(identity, node), ocspResponse, signedCertificateTimestamps }]

  it('is given to the verifier of a client that asks', () => {
    let seen: unknown
    connectedPair(
      {
        requestStatus: true,
        verify: (chain, context) => {
          seen = context
          return trusting(identity)(chain, context)
        },
      },
      { certificates: certificates() },
    )
    expect(seen).toEqual({ serverName: 'echo.local', now: NOW, ocspResponse, signedCertificateTimestamps })
  })

  it('is not sent to one that asks for a status of another type than OCSP (RFC 6066 §8)', () => {
    let seen: unknown
    connectedPair(
      {
        requestStatus: true,
        shape: reshape('client_hello', m => withBytes(m, 'status_request', fromHex('02' + '00000000')))(),
        verify: (chain, context) => {
          seen = context
          return trusting(identity)(chain, context)
        },
      },
      { certificates: certificates() },
    )
    expect(seen).toEqual({ serverName: 'echo.local', now: NOW, signedCertificateTimestamps })
  })

  it('is not sent to one that does not', () => {
    const { sent, shape } = watching()
    connectedPair({}, { certificates: certificates(), shape })
    const certificate = sent.find(message => message.type === 'certificate')
    expect(certificate).toMatchObject({ certificateList: [{ extensions: [] }] })
  })
})

describe('a cookie of which nothing is kept (§4.2.2)', () => {
  const cookies = createCookieSealer(node, new Uint8Array(16).fill(4))

  it.each([
    ['with the share that is needed', {}],
    ['without it', { keyShares: [] }],
  ])('the handshake goes on after it, %s', (_, client) => {
    const pair = connectedPair(client, { cookies })
    pair.client.send(utf8('x'))
    pair.settle()
    expect(dataOf(pair.serverEvents)).toEqual(utf8('x'))
  })

  it('at a server that has never seen the first hello, too', () => {
    for (const config of [{}, { keyShares: [] }]) {
      const client = Session.client(clientConfig(config))
      const first = Session.server(serverConfig({ cookies }))
      first.receive(outputOf(client))
      const state = first.inspect().handshake
      expect(state).toEqual({ state: 'WAIT_COOKIE', skipEarlyData: 0 })
      client.receive(outputOf(first))
      const pair = joined(client, Session.server(serverConfig({ cookies })))
      pair.settle()
      expect([pair.client.connected, pair.server.connected]).toEqual([true, true])
    }
  })

  const rows: readonly [string, Partial<ServerConfig>, () => Reshape][] = [
    [
      'of another sealer',
      {},
      reshape('client_hello', (m, turn) => (turn === 1 ? withValue(m, 'CH', 'cookie', utf8('forged')) : {})),
    ],
    [
      'that is missing',
      {},
      reshape('client_hello', (m, turn) =>
        turn === 1 ? { extensions: m.extensions.filter(one => one.extensionType !== 44) } : {},
      ),
    ],
  ]
  it.each(rows)('%s is illegal_parameter', (_, server, shape) => {
    const pair = createPair({ shape: shape() }, { cookies, ...server })
    pair.settle()
    expect(lastAlert(pair.serverEvents)).toMatchObject({ from: 'local', alert: 'illegal_parameter' })
  })

  it('that is too old is illegal_parameter', () => {
    let now = NOW
    const pair = createPair({}, { cookies, now: () => now })
    pair.server.receive(outputOf(pair.client))
    now += 30_001
    pair.client.receive(outputOf(pair.server))
    expect(pair.server.receive(outputOf(pair.client))).toMatchObject([
      { type: 'alert', alert: 'illegal_parameter' },
    ])
  })

  it('fits one first hello alone', () => {
    const honest = Session.client(clientConfig())
    const server = Session.server(serverConfig({ cookies }))
    server.receive(outputOf(honest))
    const retry = outputOf(server)
    // the same answer to another client's hello: the transcripts differ, so the Finished does not fit
    const other = Session.client(clientConfig({ serverName: 'other.local' }))
    outputOf(other)
    other.receive(retry)
    const pair = joined(other, Session.server(serverConfig({ cookies })))
    pair.settle()
    expect(pair.server.connected).toBe(false)
  })
})

describe('delegated credentials (RFC 9345)', () => {
  const notBefore = NOW - 24 * 3600 * 1000
  const notAfter = NOW + 90 * 24 * 3600 * 1000
  const day = 24 * 3600
  const delegateKey = ed25519Identity(30)
  const { signers } = certificateOf(identity, node)
  const [delegateSigner] = certificateOf(delegateKey, node).signers
  const delegatedTo = (validTime = 2 * day) =>
    delegate(
      identity.publicKey,
      signers[0] as never,
      { publicKey: delegateKey.publicKey, signer: delegateSigner! },
      notBefore,
      validTime,
    )
  /** The server has the delegate's key alone: that of the certificate is elsewhere. */
  const server = (delegated = delegatedTo()): Partial<ServerConfig> => ({
    certificates: [
      { chain: [identity.publicKey], signers: [{ scheme: SignatureScheme.ed25519 }], delegated },
    ],
  })
  const verify =
    (delegation: NonNullable<Trusted['delegation']> = { notBefore, notAfter }): CertificateVerifier =>
    ([leaf]) => ({ publicKey: leaf!, delegation })
  const client = (more: Partial<ClientConfig> = {}) => ({
    delegatedCredentials: [SignatureScheme.ed25519],
    verify: verify(),
    ...more,
  })

  it.each(providers)('serve where the key of the certificate is not: $name', provider => {
    const pair = connectedPair({ ...client(), provider }, { ...server(), provider })
    expect(pair.client.peerCertificate).toEqual(identity.publicKey)
  })

  it('for other clients the key of the certificate signs, or the caller is asked', () => {
    const pair = createPair({}, server())
    pair.settle()
    expect(pair.serverEvents).toMatchObject([
      { type: 'question', question: { kind: 'signature', delegated: false } },
    ])
  })

  it('a delegate that is somewhere else is asked, as one', () => {
    const remote = { ...delegatedTo(), signer: { scheme: SignatureScheme.ed25519 } }
    const pair = createPair(client(), server(remote))
    pair.settle()
    expect(pair.serverEvents).toMatchObject([
      { type: 'question', question: { kind: 'signature', delegated: true } },
    ])
  })

  it('is not used when its time is over', () => {
    const pair = createPair(client(), server(delegatedTo(day - 1)))
    pair.settle()
    expect(pair.serverEvents).toMatchObject([{ type: 'question', question: { delegated: false } }])
  })

  const still = { ...delegatedTo(), notAfter: notAfter }
  const rows: readonly [string, Partial<ClientConfig>, Partial<ServerConfig>, string][] = [
    [
      'by a certificate that does not allow it',
      { verify: trusting(identity) },
      server(),
      'illegal_parameter',
    ],
    ['that has expired', {}, server({ ...delegatedTo(day - 1), notAfter }), 'illegal_parameter'],
    ['for more than seven days', {}, server(delegatedTo(8 * day + 1)), 'illegal_parameter'],
    [
      'for longer than the certificate',
      { verify: verify({ notBefore, notAfter: NOW + 1000 }) },
      server(delegatedTo()),
      'illegal_parameter',
    ],
    [
      'to a scheme that was not offered',
      { delegatedCredentials: [SignatureScheme.ecdsa_secp256r1_sha256], verify: verify() },
      server(),
      'none',
    ],
    [
      'that another key signed',
      {},
      server({ ...still, credential: still.credential.with(-1, still.credential.at(-1)! ^ 1) }),
      'illegal_parameter',
    ],
    ['that is cut', {}, server({ ...still, credential: still.credential.slice(0, -1) }), 'decode_error'],
    [
      'and the CertificateVerify of another key',
      {},
      server({ ...still, signer: certificateOf(ed25519Identity(31), node).signers[0]! }),
      'decrypt_error',
    ],
  ]
  it.each(rows)('%s: refused', (_, more, config, alert) => {
    const pair = createPair(client(more), config)
    pair.settle()
    if (alert === 'none') expect(pair.serverEvents).toMatchObject([{ question: { delegated: false } }])
    else expect(lastAlert(pair.clientEvents)).toMatchObject({ from: 'local', alert })
  })

  it('that was not asked for is unexpected_message', () => {
    const shape = reshape('certificate', m => ({
      certificateList: m.certificateList.map(one => ({
        ...one,
        ...withBytes(one, 34, delegatedTo().credential),
      })),
    }))
    const pair = createPair({}, { shape: shape() })
    pair.settle()
    expect(lastAlert(pair.clientEvents)).toMatchObject({ from: 'local', alert: 'unexpected_message' })
  })

  it('general RSA keys are no delegates', () => {
    const rsa = newIdentity('rsa2048')
    const [signer] = certificateOf(rsa, node).signers
    expect(() =>
      delegate(
        identity.publicKey,
        signers[0] as never,
        { publicKey: rsa.publicKey, signer: signer! },
        notBefore,
        day,
      ),
    ).toThrow(TypeError)
  })
})

describe('GREASE (RFC 8701)', () => {
  it('is in the hello, in four places, and changes nothing', () => {
    const { sent, shape } = watching()
    connectedPair({ grease: true, shape, keyShares: [] }, {})
    const [first, second] = sent.filter(({ type }) => type === 'client_hello') as MessageOf<'client_hello'>[]
    for (const hello of [first!, second!]) {
      const extensions = readExtensions('CH', hello.extensions)
      expect(hello.cipherSuites.filter(isGrease)).toHaveLength(1)
      expect(hello.extensions.filter(one => isGrease(one.extensionType))).toHaveLength(1)
      expect(extensions.supported_groups?.filter(isGrease)).toHaveLength(1)
      expect(extensions.supported_versions?.filter(isGrease)).toHaveLength(1)
    }
    // the two hellos differ in what they may differ in alone (§4.1.2)
    expect(second!.cipherSuites).toEqual(first!.cipherSuites)
    const others = ({ extensions }: MessageOf<'client_hello'>) =>
      extensions.filter(one => one.extensionType !== 51)
    expect(others(second!)).toEqual(others(first!))
  })

  it('is on unless it is switched off', () => {
    const { grease: _, ...config } = clientConfig()
    const hello = decodeHandshake(outputOf(Session.client(config)).subarray(5)) as MessageOf<'client_hello'>
    expect(hello.cipherSuites.some(isGrease)).toBe(true)
  })

  const chosen = (m: MessageOf<'server_hello'>, value: number) => ({ ...m, cipherSuite: value })
  it('a server that takes it seriously is refused', () => {
    let suite = 0
    const pair = createPair(
      {
        grease: true,
        shape: message => {
          if (message.type === 'client_hello') suite = message.cipherSuites.find(isGrease)!
          return message
        },
      },
      { shape: reshape('server_hello', m => chosen(m, suite))() },
    )
    pair.settle()
    expect(lastAlert(pair.clientEvents)).toMatchObject({ from: 'local', alert: 'illegal_parameter' })
  })
})

describe('what comes without end', () => {
  const keyUpdate = Uint8Array.of(24, 0, 0, 1, 0)

  it('KeyUpdates in a row end the session after a while', () => {
    const { client, server } = connectedPair()
    const updates = Array.from({ length: 33 }, () => {
      client.updateKeys(false)
      return outputOf(client)
    })
    const events = server.receive(concat(...updates))
    expect(events.slice(0, 32)).toMatchObject(Array.from({ length: 32 }, () => ({ type: 'key_update' })))
    expect(events.slice(32)).toMatchObject([{ type: 'alert', alert: 'unexpected_message' }])
  })

  it('but not where data goes either way in between', () => {
    for (const sender of ['client', 'server'] as const) {
      const pair = connectedPair()
      for (let i = 0; i < 100; i++) {
        pair.client.updateKeys(false)
        pair[sender].send(utf8('x'))
        pair.settle()
      }
      expect(pair.server.connected).toBe(true)
    }
  })

  it('so do records without content', () => {
    const { server } = connectedPair({}, { emptyLimit: 3 })
    const write = new Scene(server, []).writer()
    const records = Array.from({ length: 4 }, () => write(23, EMPTY))
    expect(server.receive(concat(...records))).toMatchObject([{ type: 'alert', alert: 'unexpected_message' }])
    const other = connectedPair({}, { emptyLimit: 3 }).server
    const writeOther = new Scene(other, []).writer()
    expect(other.receive(concat(...Array.from({ length: 3 }, () => writeOther(23, EMPTY))))).toEqual([])
  })

  it('many in one record are many', () => {
    const { server } = connectedPair({}, { emptyLimit: 3 })
    // §5.1: a KeyUpdate ends its record, so the second one is an error whatever its number
    const scene = new Scene(server, [])
    expect(scene.provoke(scene.handshake(keyUpdate, keyUpdate)).alert).toBe('unexpected_message')
  })
})
