import { describe, expect, it } from 'vitest'
import { TlsError } from '../../src/tls13/alert.ts'
import type { CertificateVerifier } from '../../src/tls13/authentication.ts'
import { SignatureScheme } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { type CertificateEntry as Entry, encodeHandshake } from '../../src/tls13/messages.ts'
import { CHAIN_BYTES, type ResumptionTicket } from '../../src/tls13/state.ts'
import { concat, EMPTY, fromHex, type TypeOf, utf8 } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, newIdentity, trusting } from '../support/identity.ts'
import { connectedPair, createPair, dataOf, outputOf, type Pair, ticketSealer } from '../support/pair.ts'
import { providers } from '../support/providers.ts'
import { type Reshape, reshape, twice, withBytes, without, withValue } from '../support/reshape.ts'
import { Scene, splitHandshake } from '../support/scene.ts'

type CertificateEntry = TypeOf<typeof Entry>

const known = ed25519Identity(8)
const stranger = ed25519Identity(9)
const lastOf = (events: Pair['serverEvents']) => events.at(-1)

describe.each(providers)('$name: in the handshake', provider => {
  const asking = (more: Partial<NonNullable<ServerConfig['clientCertificates']>> = {}) => ({
    provider,
    clientCertificates: { verify: trusting(known), ...more },
  })
  const showing = (identity = known): Partial<ClientConfig> => ({
    provider,
    certificates: [certificateOf(identity, provider)],
  })

  it('a client that is known comes in, and stays known', () => {
    const { server, client, serverEvents } = connectedPair(showing(), asking())
    expect(server.peerCertificate).toEqual(known.publicKey)
    expect(client.peerCertificate).toBeDefined()
    expect(server.inspect().peerCertificate).toEqual(known.publicKey)
    expect(serverEvents).toMatchObject([{ type: 'handshake_complete', resumed: false }])
  })

  it.each(['p256', 'p384', 'rsa2048'] as const)('with a key of kind %s', kind => {
    const identity = newIdentity(kind)
    const { server } = connectedPair(showing(identity), asking({ verify: trusting(identity) }))
    expect(server.peerCertificate).toEqual(identity.publicKey)
  })

  it('a client with nothing to show is refused where a certificate is required', () => {
    const pair = createPair({ provider }, asking())
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', alert: 'certificate_required' })
    expect(lastOf(pair.clientEvents)).toMatchObject({ type: 'alert', from: 'peer' })
  })

  it('and comes in, nameless, where it is not', () => {
    const { server } = connectedPair({ provider }, asking({ required: false }))
    expect(server.peerCertificate).toBeUndefined()
  })

  it('a client without a certificate of a kind that the server takes shows none', () => {
    const shape = reshape('certificate_request', m =>
      withValue(m, 'CR', 'signature_algorithms', [SignatureScheme.ed25519]),
    )
    const pair = connectedPair(showing(newIdentity('p256')), {
      ...asking({ required: false }),
      shape: shape(),
    })
    expect(pair.server.peerCertificate).toBeUndefined()
  })

  it('a stranger is refused with the alert of the verifier', () => {
    const pair = createPair(showing(stranger), asking())
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', from: 'local', alert: 'unknown_ca' })
  })

  it('a certificate without its key is decrypt_error, and gives no name', () => {
    const { chain } = certificateOf(known, provider)
    const { signers } = certificateOf(stranger, provider)
    const pair = createPair({ provider, certificates: [{ chain, signers }] }, asking())
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', from: 'local', alert: 'decrypt_error' })
    expect(pair.server.peerCertificate).toBeUndefined()
  })
})

describe('what a peer must not say', () => {
  const showing = (): Partial<ClientConfig> => ({ certificates: [certificateOf(known, providers[0]!)] })
  const asking = (): Partial<ServerConfig> => ({ clientCertificates: { verify: trusting(known) } })
  const entry = (change: (one: CertificateEntry) => Partial<CertificateEntry>) =>
    reshape('certificate', m => ({
      certificateList: m.certificateList.map(one => ({ ...one, ...change(one) })),
    }))

  const clients: readonly [string, string, () => Reshape, string][] = [
    [
      'a Certificate with a context',
      '4.4.2',
      reshape('certificate', () => ({ certificateRequestContext: utf8('x') })),
      'illegal_parameter',
    ],
    [
      'an OCSP response that was not asked for',
      '4.4.2',
      entry(one => withBytes(one, 'status_request', fromHex('01000001aa'))),
      'unsupported_extension',
    ],
    [
      'timestamps that were not asked for',
      '4.4.2',
      entry(one => withBytes(one, 'signed_certificate_timestamp', fromHex('aa'))),
      'unsupported_extension',
    ],
    [
      'an extension that has no place in a Certificate',
      '4.2',
      entry(one => withBytes(one, 'key_share', fromHex('0000'))),
      'illegal_parameter',
    ],
    [
      'a delegated credential that was not requested',
      'RFC 9345, 4.1.2',
      entry(one => withBytes(one, 'delegated_credential', fromHex('00'))),
      'unexpected_message',
    ],
    [
      'a scheme that was not offered',
      '4.4.3',
      reshape('certificate_verify', () => ({ algorithm: 0x0203 })),
      'illegal_parameter',
    ],
    [
      'a signature that is cut',
      '4.4.3',
      reshape('certificate_verify', m => ({ signature: m.signature.slice(1) })),
      'decrypt_error',
    ],
    [
      'a Finished that is cut',
      '4.4.4',
      reshape('finished', m => ({ verifyData: m.verifyData.slice(1) })),
      'decode_error',
    ],
  ]
  it.each(clients)('a client: %s (%s)', (_, _section, shape, alert) => {
    const pair = createPair({ ...showing(), shape: shape() }, asking())
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', from: 'local', alert })
  })

  const servers: readonly [string, string, () => Reshape, string][] = [
    [
      'a CertificateRequest with a context',
      '4.3.2',
      reshape('certificate_request', () => ({ certificateRequestContext: utf8('x') })),
      'illegal_parameter',
    ],
    [
      'without signature_algorithms',
      '4.3.2',
      reshape('certificate_request', m => withBytes(without(m, 'signature_algorithms'), 0x1234, utf8('x'))),
      'missing_extension',
    ],
    [
      'with an extension twice',
      '4.2',
      reshape('certificate_request', m => twice(m, 'signature_algorithms')),
      'illegal_parameter',
    ],
    [
      'with an extension that has no place there',
      '4.2',
      reshape('certificate_request', m => withBytes(m, 'key_share', EMPTY)),
      'illegal_parameter',
    ],
    [
      'with an empty list of schemes',
      '4.2.3',
      reshape('certificate_request', m => withBytes(m, 'signature_algorithms', fromHex('0000'))),
      'decode_error',
    ],
  ]
  it.each(servers)('a server: %s (%s)', (_, _section, shape, alert) => {
    const pair = createPair(showing(), { ...asking(), shape: shape() })
    pair.settle()
    expect(lastOf(pair.clientEvents)).toMatchObject({ type: 'alert', from: 'local', alert })
  })
})

describe('a resumption', () => {
  const tickets = { sealer: ticketSealer() }
  const certificates = () => [certificateOf(known, providers[0]!)]
  const clientCertificates = { verify: trusting(known) }
  const ticketOf = ({ clientEvents }: Pair): ResumptionTicket => {
    for (const event of clientEvents) if (event.type === 'new_session_ticket') return event.ticket
    throw new Error('no ticket')
  }

  it('keeps who the client is, without asking again', () => {
    const first = connectedPair({ certificates: certificates() }, { tickets, clientCertificates })
    const { server, serverEvents } = connectedPair(
      { resume: ticketOf(first) },
      { tickets, clientCertificates },
    )
    expect(serverEvents[0]).toMatchObject({ resumed: true })
    expect(server.peerCertificate).toEqual(known.publicKey)
  })

  it('judges the certificate again, with all that was above it, when a ticket is opened', () => {
    const [own] = certificates()
    const chain = [known.publicKey, utf8('above'), utf8('above that')]
    const judged: { chain: readonly Uint8Array[]; now: number }[] = []
    let trusted = true
    const verify: CertificateVerifier = (shown, { now }) => {
      judged.push({ chain: shown, now })
      if (!trusted)
        throw new TlsError('certificate_expired', 'peer', 'refused_by_application', 'it was good once')
      return { publicKey: known.publicKey }
    }
    const server = { tickets, clientCertificates: { verify }, now: () => 1_000_000 }
    const { now } = server
    const first = connectedPair({ certificates: [{ ...own!, chain }], now }, server)
    expect(first.server.inspect().peerIntermediates).toEqual(chain.slice(1))
    const resume = ticketOf(first)
    const again = connectedPair({ resume, now }, server)
    expect(again.serverEvents[0]).toMatchObject({ resumed: true })
    expect(again.server.inspect()).toMatchObject({
      ...{ peerCertificate: chain[0], peerIntermediates: chain.slice(1) },
    })
    expect(judged).toEqual([0, 1].map(() => ({ chain, now: 1_000_000 })))
    // And the ticket that came with the resumption is as good.
    expect(ticketOf(again)).toBeDefined()
    trusted = false
    for (const required of [true, false]) {
      const pair = createPair({ resume, now }, { ...server, clientCertificates: { verify, required } })
      pair.settle()
      // A handshake like any other: the client is asked, and shows nothing.
      expect(lastOf(pair.serverEvents)).toMatchObject(
        required ? { alert: 'certificate_required' } : { type: 'handshake_complete', resumed: false },
      )
      expect(pair.server.peerCertificate).toBeUndefined()
    }
  })

  it('is a handshake where the caller judges: a ticket cannot ask', () => {
    const first = connectedPair({ certificates: certificates() }, { tickets, clientCertificates })
    const pair = createPair(
      { resume: ticketOf(first), certificates: certificates() },
      { tickets, clientCertificates: { verify: 'ask' } },
    )
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'question' })
  })

  it('keeps what is above a certificate up to a bound of bytes in all', () => {
    const [own] = certificates()
    const verify = () => ({ publicKey: known.publicKey })
    for (const [length, kept] of [
      [CHAIN_BYTES - known.publicKey.length, 1],
      [CHAIN_BYTES - known.publicKey.length + 1, 0],
    ] as const) {
      const chain = [known.publicKey, new Uint8Array(length)]
      const { server } = connectedPair(
        { certificates: [{ ...own!, chain }] },
        { tickets, clientCertificates: { verify } },
      )
      expect(server.inspect().peerIntermediates).toHaveLength(kept)
    }
  })

  it('is not offered to a client whose certificate no ticket has room for', () => {
    const [own] = certificates()
    const chain = [concat(known.publicKey, new Uint8Array(20_000))]
    const verify = () => ({ publicKey: known.publicKey })
    const { server, clientEvents } = connectedPair(
      { certificates: [{ ...own!, chain }] },
      { tickets, clientCertificates: { verify } },
    )
    expect(server.peerCertificate).toEqual(chain[0])
    expect(clientEvents.map(({ type }) => type)).toEqual(['handshake_complete'])
  })

  it('does not let in who has never shown a certificate', () => {
    const nameless = ticketOf(connectedPair({}, { tickets }))
    const pair = createPair({ resume: nameless }, { tickets, clientCertificates })
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', alert: 'certificate_required' })
    const shown = connectedPair(
      { resume: nameless, certificates: certificates() },
      { tickets, clientCertificates },
    )
    expect(shown.serverEvents[0]).toMatchObject({ resumed: false })
  })
})

describe('after the handshake', () => {
  const server = (more: Partial<NonNullable<ServerConfig['clientCertificates']>> = {}) => ({
    clientCertificates: { verify: trusting(known), postHandshake: true, ...more },
  })
  const client = (): Partial<ClientConfig> => ({
    postHandshakeAuth: true,
    certificates: [certificateOf(known, providers[0]!)],
  })

  it('a client that is asked says who it is, as often as it is asked, between data', () => {
    const pair = connectedPair(client(), server())
    expect(pair.server.peerCertificate).toBeUndefined()
    for (let turn = 1; turn <= 3; turn++) {
      pair.server.requestCertificate()
      pair.client.send(utf8('sent before the question came'))
      pair.settle()
      expect(pair.serverEvents.filter(({ type }) => type === 'client_authenticated')).toHaveLength(turn)
    }
    expect(lastOf(pair.serverEvents)).toEqual({ type: 'client_authenticated', certificate: known.publicKey })
    expect(pair.server.peerCertificate).toEqual(known.publicKey)
    pair.client.send(utf8('x'))
    pair.settle()
    expect(dataOf(pair.serverEvents).length).toBeGreaterThan(1)
  })

  it('under keys that have changed since', () => {
    const pair = connectedPair(client(), server())
    pair.client.updateKeys(true)
    pair.settle()
    pair.server.updateKeys(true)
    pair.server.requestCertificate()
    pair.settle()
    expect(pair.serverEvents.map(({ type }) => type)).toEqual([
      'handshake_complete',
      'key_update',
      'client_authenticated',
      'key_update',
    ])
  })

  it('a client that shows nothing is told apart, or refused', () => {
    const lax = connectedPair({ postHandshakeAuth: true }, server({ required: false }))
    lax.server.requestCertificate()
    lax.settle()
    expect(lastOf(lax.serverEvents)).toEqual({ type: 'client_authenticated', certificate: undefined })
    const strict = connectedPair({ postHandshakeAuth: true }, server())
    strict.server.requestCertificate()
    strict.settle()
    expect(lastOf(strict.serverEvents)).toMatchObject({ type: 'alert', alert: 'certificate_required' })
  })

  it('a client that did not offer it cannot be asked', () => {
    const pair = connectedPair({}, server())
    expect(() => pair.server.requestCertificate()).toThrow('did not offer post_handshake_auth')
    expect(() => pair.client.requestCertificate()).toThrow('only a server')
  })

  it('nor can a client be asked twice at once', () => {
    const pair = connectedPair(client(), server())
    pair.server.requestCertificate()
    expect(() => pair.server.requestCertificate()).toThrow('unanswered')
  })

  it.each([
    ['data', (scene: Scene) => scene.writer()(23, utf8('in between'))],
    [
      'a KeyUpdate',
      (scene: Scene) => scene.handshake(encodeHandshake({ type: 'key_update', requestUpdate: 0 })),
    ],
  ])('%s between Certificate and Finished is unexpected_message (§4.6.2)', (_, between) => {
    for (let before = 0; before <= 2; before++) {
      const pair = connectedPair(client(), server())
      pair.server.requestCertificate()
      pair.client.receive(outputOf(pair.server))
      const scene = new Scene(pair.server, [])
      const messages = splitHandshake(scene.open(outputOf(pair.client)))
      expect(messages).toHaveLength(3)
      for (const message of messages.slice(0, before)) pair.server.receive(scene.handshake(message))
      const [event] = scene.provoke(between(scene)).events
      if (before === 0) expect(event?.type).not.toBe('alert')
      else expect(event).toMatchObject({ type: 'alert', from: 'local', alert: 'unexpected_message' })
    }
  })

  it.each([
    ['another context', 'illegal_parameter', { certificateRequestContext: new Uint8Array(16) }],
    ['no context', 'illegal_parameter', { certificateRequestContext: EMPTY }],
  ] as const)('a Certificate with %s is %s', (_, alert, change) => {
    const pair = connectedPair({ ...client(), shape: reshape('certificate', () => change)() }, server())
    pair.server.requestCertificate()
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', from: 'local', alert })
  })

  it.each([
    [
      'CertificateVerify',
      reshape('certificate_verify', m => ({ signature: m.signature.with(0, m.signature[0]! ^ 1) })),
    ],
    [
      'Finished',
      reshape('finished', (m, turn) =>
        turn === 0 ? {} : { verifyData: m.verifyData.with(0, m.verifyData[0]! ^ 1) },
      ),
    ],
  ])('a wrong %s is decrypt_error', (_, shape) => {
    const pair = connectedPair({ ...client(), shape: shape() }, server())
    pair.server.requestCertificate()
    pair.settle()
    expect(lastOf(pair.serverEvents)).toMatchObject({ type: 'alert', from: 'local', alert: 'decrypt_error' })
  })

  it('messages that were not asked for are unexpected_message, on both sides', () => {
    const asked = connectedPair(client(), server())
    asked.server.requestCertificate()
    const request = outputOf(asked.server)
    asked.client.receive(request)
    const [certificate, verify, finished] = splitHandshake(
      new Scene(asked.server, []).open(outputOf(asked.client)),
    )
    for (const message of [certificate!, verify!, finished!]) {
      const pair = connectedPair(client(), server())
      const { events } = new Scene(pair.server, []).provoke(new Scene(pair.server, []).handshake(message))
      expect(events).toMatchObject([{ type: 'alert', from: 'local', alert: 'unexpected_message' }])
    }
    // a client that did not offer it
    const pair = connectedPair({ ...client(), postHandshakeAuth: false }, server())
    const scene = new Scene(pair.client, [])
    const { events } = scene.provoke(
      scene.handshake(
        encodeHandshake({
          type: 'certificate_request',
          certificateRequestContext: Uint8Array.of(1),
          extensions: [{ extensionType: 13, extensionData: Uint8Array.of(0, 2, 8, 7) }],
        }),
      ),
    )
    expect(events).toMatchObject([{ type: 'alert', from: 'local', alert: 'unexpected_message' }])
  })
})
