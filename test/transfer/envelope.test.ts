import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { H2Client, H2Server, type H2State } from '../../src/http/h2/index.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { CipherSuiteId, Session, type SessionState } from '../../src/tls13/index.ts'
import {
  decodeEnvelope,
  type Envelope,
  EnvelopeError,
  encodeEnvelope,
  FORMAT_VERSION,
  freshEnvelope,
  OLDEST_VERSION,
} from '../../src/transfer/envelope.ts'
import { freshHttp, freshTls, wipeEnvelope } from '../../src/transfer/parcel.ts'
import { concat, fromHex, hex } from '../../src/wire/index.ts'
import { clientConfig, connectedPair, createPair, serverConfig, ticketSealer } from '../support/pair.ts'

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const secret = bytes(32, 48)
const name = fc.option(fc.stringMatching(/^[a-z0-9.-]{1,60}$/), { nil: undefined })
const traffic = fc.option(fc.record({ trafficSecret: secret, sequenceNumber: fc.maxSafeNat() }), {
  nil: undefined,
})
const common = {
  cipherSuite: fc.nat(0xffff),
  clientRandom: fc.option(bytes(32, 32), { nil: undefined }),
  serverName: name,
  alpn: name,
  certificate: fc.option(bytes(4, 4), { nil: undefined }),
  peerCertificate: fc.option(bytes(1, 100), { nil: undefined }),
  recordSizeLimits: fc.option(fc.record({ write: fc.nat(0xffff), read: fc.nat(0xffff) }), { nil: undefined }),
  resumed: fc.boolean(),
  read: traffic,
  write: traffic,
  keyUpdate: fc.oneof(
    fc.constantFrom({ kind: 'none' as const }, { kind: 'owed' as const }),
    fc.record({
      kind: fc.constant('negotiating' as const),
      group: fc.nat(0xffff),
      exporterSecret: bytes(0, 48),
    }),
    fc.record({
      kind: fc.constant('extended' as const),
      group: fc.nat(0xffff),
      generation: fc.nat(0xffffffff),
      salt: secret,
      transcriptHash: secret,
      exporterSecret: secret,
      exchange: fc.option(
        fc.oneof(
          fc.record({
            stage: fc.constant('WAIT_RESPONSE' as const),
            privateKey: bytes(1, 66),
            request: bytes(1, 100),
            crossed: fc.boolean(),
          }),
          fc.record({
            stage: fc.constant('RESPONSE_OWED' as const),
            response: bytes(1, 100),
            writeSecret: secret,
            readSecret: secret,
            exporterSecret: secret,
          }),
          fc.record({
            stage: fc.constant('WAIT_FINISH' as const),
            readSecret: secret,
            exporterSecret: secret,
          }),
        ),
        { nil: undefined },
      ),
    }),
  ),
  writeClosed: fc.boolean(),
  readClosed: fc.boolean(),
  inboundRecords: bytes(0, 400),
  inboundHandshake: bytes(0, 400),
  outbound: bytes(0, 400),
  peerIntermediates: fc.array(bytes(1, 100), { maxLength: 3 }),
}
const connected = fc.record({
  state: fc.constant('CONNECTED' as const),
  exporterMasterSecret: secret,
  resumptionMasterSecret: secret,
  ticketsIssued: fc.nat(0xffff),
  transcript: fc.option(bytes(0, 300), { nil: undefined }),
  authentication: fc.option(
    fc.oneof(
      fc.record({
        stage: fc.constant('WAIT_CERT' as const),
        transcript: bytes(0, 300),
        requestContext: bytes(1, 16),
      }),
      fc.record({
        stage: fc.constant('WAIT_VERDICT' as const),
        transcript: bytes(0, 300),
        chain: fc.array(bytes(1, 50), { minLength: 1, maxLength: 3 }),
      }),
    ),
    { nil: undefined },
  ),
})
const serverHandshake = fc.oneof(
  fc.constantFrom({ state: 'START' as const }, { state: 'CLOSED' as const }),
  fc.record({
    state: fc.constant('WAIT_SECOND_CLIENT_HELLO' as const),
    transcript: bytes(0, 300),
    selectedGroup: fc.option(fc.nat(0xffff), { nil: undefined }),
    cookie: fc.option(bytes(1, 50), { nil: undefined }),
    skipEarlyData: fc.nat(0xffffffff),
  }),
  fc.record({
    state: fc.constant('WAIT_FINISHED' as const),
    transcript: bytes(0, 300),
    masterSecret: secret,
    clientApplicationTrafficSecret: secret,
    exporterMasterSecret: secret,
    takesTickets: fc.boolean(),
    keepsTranscript: fc.boolean(),
    skipEarlyData: fc.nat(0xffffffff),
  }),
  connected,
)
const clientHandshake = fc.oneof(
  fc.record({
    state: fc.constant('WAIT_SH' as const),
    transcript: bytes(0, 100),
    clientHello: bytes(1, 100),
    keyShares: fc.array(fc.record({ group: fc.nat(0xffff), privateKey: bytes(1, 66) }), { maxLength: 3 }),
    psks: fc.array(
      fc.record({
        kind: fc.constantFrom('resumption' as const, 'external' as const, 'imported' as const),
        psk: bytes(1, 64),
        cipherSuite: fc.nat(0xffff),
        identity: bytes(1, 60),
        ticketAgeAdd: fc.nat(0xffffffff),
        receivedAt: fc.maxSafeNat(),
      }),
      { maxLength: 2 },
    ),
    earlyData: fc.option(fc.record({ left: fc.nat(0xffffffff), alpn: name }), { nil: undefined }),
    retried: fc.boolean(),
    compatibilityPending: fc.boolean(),
  }),
  connected,
)
const session: fc.Arbitrary<SessionState> = fc.oneof(
  fc.record({ role: fc.constant('server' as const), handshake: serverHandshake, ...common }),
  fc.record({ role: fc.constant('client' as const), handshake: clientHandshake, ...common }),
)
/** Connections as they are after some requests, each accepted or not. */
const h2: fc.Arbitrary<H2State> = fc
  .array(fc.record({ path: fc.stringMatching(/^\/[a-z]{0,30}$/), accepted: fc.boolean() }), { maxLength: 4 })
  .map(requests => {
    const client = new H2Client()
    const server = new H2Server()
    for (const { path } of requests)
      client.request({ method: 'POST', scheme: 'https', authority: 'echo.local', path }, false)
    server.receive(client.takeOutput())
    for (let event = server.next(); event !== undefined; event = server.next())
      if (event.type === 'request' && requests[(event.streamId - 1) / 2]!.accepted)
        server.reply(event.streamId, { status: 200, headers: [['x-path', event.path]], body: event.path })
    return server.export()
  })
const request = fc.record({
  method: fc.constant('GET'),
  target: fc.constant('/a'),
  headers: fc.array(fc.record({ name: fc.constant('x'), value: fc.string({ maxLength: 20 }) }), {
    maxLength: 3,
  }),
  host: name,
})
const call = fc.record({
  callId: fc.constant('a'),
  status: fc.nat(999),
  began: fc.maxSafeNat(),
  deadline: fc.option(fc.maxSafeNat(), { nil: undefined }),
  age: fc.nat(0xffffffff),
  given: fc.maxSafeNat(),
  content: bytes(0, 400),
  state: fc.option(bytes(0, 40), { nil: undefined }),
})
const envelopes: fc.Arbitrary<Envelope> = fc.record({
  upstreams: fc.array(fc.record({ streamId: fc.nat(0xffffffff), live: fc.boolean(), state: bytes(1, 40) }), {
    maxLength: 3,
  }),
  formatVersion: fc.constant(FORMAT_VERSION),
  sessionId: bytes(16, 16),
  generation: fc.nat(0xffffffff),
  hops: fc.nat(0xffff),
  idleLeft: fc.nat(0xffffffff),
  tls: fc.option(session, { nil: undefined }),
  application: fc.oneof(
    fc.record({
      protocol: fc.constant('http1' as const),
      requestsServed: fc.nat(0xffffffff),
      inbound: bytes(0, 400),
    }),
    fc.record({
      protocol: fc.constant('http1_response' as const),
      requestsServed: fc.nat(0xffffffff),
      inbound: bytes(0, 400),
      response: fc.record({
        request,
        current: fc.boolean(),
        framing: fc.constantFrom('length' as const, 'chunked' as const, 'until_close' as const),
        owed: fc.maxSafeNat(),
        persistent: fc.boolean(),
      }),
      call,
    }),
    fc.record({
      protocol: fc.constant('http2_responses' as const),
      requestsServed: fc.nat(0xffffffff),
      http: h2,
      calls: fc.array(fc.record({ streamId: fc.nat(0xffffffff), index: fc.nat(0xffffffff), request, call }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
    fc.record({
      protocol: fc.constant('websocket' as const),
      requestsServed: fc.nat(0xffffffff),
      target: fc.constant('/a'),
      headers: fc.array(fc.record({ name: fc.constant('x'), value: fc.string({ maxLength: 20 }) }), {
        maxLength: 3,
      }),
      host: name,
      subprotocol: name,
      socket: fc.record({
        inbound: bytes(0, 50),
        outbound: bytes(0, 50),
        partial: fc.option(
          fc.record({ kind: fc.constantFrom('text' as const, 'binary' as const), data: bytes(0, 50) }),
          { nil: undefined },
        ),
        closeSent: fc.boolean(),
      }),
      state: fc.option(bytes(0, 50), { nil: undefined }),
    }),
    fc.record({ protocol: fc.constant('http2' as const), requestsServed: fc.nat(0xffffffff), http: h2 }),
  ),
  extensions: fc.array(fc.record({ type: fc.nat(0xffff), data: bytes(0, 20) }), { maxLength: 3 }),
})

function refusal(input: Uint8Array): EnvelopeError {
  try {
    decodeEnvelope(input)
  } catch (error) {
    if (error instanceof EnvelopeError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('an envelope', () => {
  it('comes back as it was, and has one encoding', () => {
    fc.assert(
      fc.property(envelopes, envelope => {
        const encoded = encodeEnvelope(envelope)
        const decoded = decodeEnvelope(encoded)
        expect(decoded).toEqual(envelope)
        expect(hex(encodeEnvelope(decoded))).toBe(hex(encoded))
      }),
      { numRuns: 300 },
    )
  })

  it('is refused when it is cut anywhere, or goes on', () => {
    fc.assert(
      fc.property(envelopes, envelope => {
        const encoded = encodeEnvelope(envelope)
        for (let length = 0; length < encoded.length; length++)
          expect(refusal(encoded.subarray(0, length)).reason).toBe('malformed')
        expect(refusal(concat(encoded, Uint8Array.of(0))).reason).toBe('malformed')
      }),
      { numRuns: 20 },
    )
  })

  it('of another version is refused by that name, whatever follows', () => {
    const encoded = encodeEnvelope(
      freshHttp({ sessionId: new Uint8Array(16), idleLeft: 0, inbound: new Uint8Array(0) }),
    )
    for (const version of [0, OLDEST_VERSION - 1, FORMAT_VERSION + 1, 0xffff]) {
      const other = concat(Uint8Array.of(version >> 8, version & 0xff), encoded.subarray(2))
      expect(refusal(other).reason).toBe('version')
      expect(refusal(other.subarray(0, 2)).reason).toBe('version')
      expect(refusal(other).message).toContain(String(version))
    }
  })

  it('that was changed is refused, or is another envelope with one encoding', () => {
    fc.assert(
      fc.property(envelopes, fc.nat(), fc.integer({ min: 1, max: 255 }), (envelope, place, change) => {
        const encoded = encodeEnvelope(envelope)
        encoded[place % encoded.length]! ^= change
        let decoded: Envelope
        try {
          decoded = decodeEnvelope(encoded)
        } catch (error) {
          expect(error).toBeInstanceOf(EnvelopeError)
          return
        }
        expect(hex(encodeEnvelope(decoded))).toBe(hex(encoded))
      }),
      { numRuns: 500 },
    )
  })

  it('is refused with sequence numbers beyond what is exact', () => {
    const { server } = connectedPair()
    const state = server.release()
    const encoded = encodeEnvelope(
      freshEnvelope(new Uint8Array(16), 0, {
        ...state,
        read: { ...state.read!, sequenceNumber: 0x1122334455 },
      }),
    )
    const at = hex(encoded).indexOf('0000001122334455') / 2
    encoded[at] = 0xff
    expect(refusal(encoded).reason).toBe('malformed')
  })
})

/** A session as its version wrote it, in the words of today: older ones know nothing above a certificate. */
function today({ keyUpdatePending, ...tls }: { keyUpdatePending?: boolean }): object {
  const keyUpdate = { kind: keyUpdatePending === true ? 'owed' : 'none' }
  return { peerIntermediates: [], ...(keyUpdatePending === undefined ? {} : { keyUpdate }), ...tls }
}

describe('golden envelopes', () => {
  const read = (version: number) => {
    const file = new URL(`../../vectors/transfer/envelope-v${version}.json`, import.meta.url)
    return JSON.parse(readFileSync(file, 'utf8')) as {
      vectors: { name: string; envelope: unknown; bytes: string }[]
    }
  }
  const readable = [OLDEST_VERSION, 3, 4, 5, 6, FORMAT_VERSION].flatMap(version =>
    read(version).vectors.map(one => [version, one.name, one] as const),
  )

  it.each(read(1).vectors.map(one => [one.name, one] as const))(
    'of version 1 are refused: %s',
    (_, vector) => {
      expect(refusal(fromHex(vector.bytes)).reason).toBe('version')
    },
  )

  it.each(readable)('of version %i: %s', (_, _name, vector) => {
    const decoded = decodeEnvelope(fromHex(vector.bytes))
    const json = JSON.stringify(decoded, (_key, value) => (value instanceof Uint8Array ? hex(value) : value))
    const { tls, ...rest } = vector.envelope as { tls?: object }
    const upgraded = tls && today(tls)
    expect(JSON.parse(json)).toEqual({ upstreams: [], ...rest, ...(upgraded && { tls: upgraded }) })
    expect(hex(encodeEnvelope(decoded))).toBe(vector.bytes)
  })

  it('of version 2 know no HTTP/2', () => {
    const { bytes } = read(3).vectors.find(({ name }) => name.includes('HTTP/2'))!
    const older = fromHex(bytes)
    older[1] = 2
    expect(refusal(older).reason).toBe('malformed')
  })

  it('of version 4 know no response in its middle', () => {
    const later = read(5).vectors.filter(({ name }) => name.includes('middle'))
    expect(later).toHaveLength(2)
    for (const { bytes } of later) {
      const older = fromHex(bytes)
      older[1] = 4
      expect(refusal(older).reason).toBe('malformed')
    }
  })

  it('of version 5 know no extended key update', () => {
    const later = read(6).vectors.filter(({ name }) => name.includes('extended key update'))
    expect(later).toHaveLength(5)
    for (const { bytes } of later) {
      const older = fromHex(bytes)
      older[1] = 5
      expect(refusal(older).reason).toBe('malformed')
    }
  })

  it('of version 6 know no upstreams', () => {
    for (const { bytes } of read(FORMAT_VERSION).vectors) {
      const older = fromHex(bytes)
      older[1] = 6
      expect(refusal(older).reason).toBe('malformed')
    }
  })

  it('of an HTTP/2 connection go on', () => {
    const { bytes } = read(FORMAT_VERSION).vectors.find(({ name }) => name.includes('HTTP/2'))!
    const { application } = decodeEnvelope(fromHex(bytes))
    if (application.protocol !== 'http2') throw new Error(application.protocol)
    const server = new H2Server(undefined, application.http)
    expect(server.next()).toMatchObject({ type: 'request', streamId: 5, path: '/resize?w=10' })
    expect(server.export()).toEqual(application.http)
  })
})

describe('the envelope of a real session', () => {
  const suites = [
    [CipherSuiteId.TLS_AES_128_GCM_SHA256, 256],
    [CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256, 256],
    [CipherSuiteId.TLS_AES_256_GCM_SHA384, 320],
  ] as const

  it.each(suites)('with suite %i is at most %i bytes when idle', (id, limit) => {
    const provider = { ...node, cipherSuites: node.cipherSuites.filter(suite => suite.id === id) }
    const tickets = { sealer: ticketSealer() }
    const { server } = connectedPair(
      { alpn: ['http/1.1'], serverName: 'echo.local' },
      { provider, alpn: ['http/1.1'], tickets },
    )
    expect(server.serverName).toBe('echo.local')
    expect(server.alpn).toBe('http/1.1')
    const envelope = freshEnvelope(new Uint8Array(16), 30_000, server.release())
    expect(encodeEnvelope(envelope).length).toBeLessThanOrEqual(limit)
  })

  it('in the middle of a handshake goes on elsewhere', () => {
    const pair = createPair()
    const fresh = freshTls({
      sessionId: new Uint8Array(16),
      idleLeft: 1,
      inbound: concat(...pair.client.takeOutput()),
    })
    const again = (state: SessionState) =>
      decodeEnvelope(encodeEnvelope(freshEnvelope(new Uint8Array(16), 1, state))).tls!
    const first = Session.restore(again(fresh.tls!), serverConfig())
    expect(first.next()).toBeUndefined()
    const waiting = again(first.release())
    expect(waiting.handshake.state).toBe('WAIT_FINISHED')
    const second = Session.restore(waiting, serverConfig())
    pair.client.receive(concat(...second.takeOutput()))
    expect(second.receive(concat(...pair.client.takeOutput()))).toMatchObject([
      { type: 'handshake_complete' },
    ])
    expect(second.connected).toBe(true)
  })

  it('is not taken up by the wrong side, or without its suite', () => {
    const { server, client } = connectedPair()
    const state = decodeEnvelope(encodeEnvelope(freshEnvelope(new Uint8Array(16), 1, server.release()))).tls!
    expect(() => Session.restore(state, clientConfig())).toThrow("a server's state")
    expect(() => Session.restore(client.release(), serverConfig())).toThrow("a client's state")
    const lacking = {
      ...node,
      cipherSuites: node.cipherSuites.filter(suite => suite.id !== state.cipherSuite),
    }
    expect(() => Session.restore(state, serverConfig({ provider: lacking }))).toThrow()
    // Trying has changed nothing.
    expect(Session.restore(state, serverConfig()).connected).toBe(true)
  })

  it('is wiped: no secret is left in what the source still holds', () => {
    const { server } = connectedPair()
    const envelope = freshEnvelope(new Uint8Array(16), 1, server.release())
    const state = envelope.tls!
    const kept = [state.read!.trafficSecret, state.write!.trafficSecret]
    if (state.handshake.state !== 'CONNECTED') throw new Error('not connected')
    kept.push(state.handshake.exporterMasterSecret, state.handshake.resumptionMasterSecret)
    expect(kept.every(one => one.some(byte => byte !== 0))).toBe(true)
    wipeEnvelope(envelope)
    expect(kept.every(one => one.every(byte => byte === 0))).toBe(true)
  })
})
