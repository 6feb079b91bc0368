import { CipherSuiteId, TLS13 } from '../../tls13/codepoints.ts'
import type { SessionState, TrafficState } from '../../tls13/state.ts'
import { NO_KEY_UPDATE } from '../../tls13/update-state.ts'
import {
  boolean,
  DecodeError,
  decode,
  EMPTY,
  encode,
  fixed,
  opaque,
  secret,
  struct,
  type TypeOf,
  text,
  uint16,
  uint64,
} from '../../wire/index.ts'
import type { ForeignCodec } from './codec.ts'
import { ForeignError } from './error.ts'

/*
 * What `ptls_export` of picotls writes and `ptls_import` reads (picotls 2024-02 and later, TLS 1.3): blocks
 * with lengths of 16 bits in one another, and no version number.
 */

const block = opaque(0, 2 ** 16 - 1)

/** The outermost block. */
export const PicotlsExport = struct('PicotlsExport', { session: secret(block) })

/** What is in it, whatever the version of TLS. */
export const PicotlsSession = struct('PicotlsSession', {
  isServer: boolean,
  /** The handshake used a PSK. */
  isPskHandshake: boolean,
  protocolVersion: uint16,
  cipherSuite: uint16,
  clientRandom: fixed(32),
  serverName: text(0, 2 ** 16 - 1),
  negotiatedProtocol: text(0, 2 ** 16 - 1),
  /** {@link PicotlsTraffic}, for TLS 1.3. */
  trafficProtection: secret(block),
  /** Empty; readers pass over it. */
  reserved: block,
})

function trafficOf(hashLength: number) {
  const trafficSecret = secret(fixed(hashLength))
  return struct('PicotlsTraffic', {
    writeSecret: trafficSecret,
    writeSequenceNumber: uint64,
    readSecret: trafficSecret,
    readSequenceNumber: uint64,
  })
}
/** By the length of the suite's hash. */
const PicotlsTraffic = { 32: trafficOf(32), 48: trafficOf(48) } as const

/** Sessions as picotls passes them on: 128 bytes, the server name and the protocol (160 with SHA-384). */
export const picotls: ForeignCodec = {
  name: 'picotls',
  loses: [
    'exporter secret',
    'resumption secret and ticket count',
    'certificates of either side',
    'record size limits',
    'a transcript kept for authentication after the handshake',
  ],
  encode(state) {
    const { read, write } = carried(state)
    const session = encode(PicotlsSession, {
      isServer: state.role === 'server',
      isPskHandshake: state.resumed,
      protocolVersion: TLS13,
      cipherSuite: state.cipherSuite,
      clientRandom: state.clientRandom ?? new Uint8Array(32),
      serverName: state.serverName ?? '',
      negotiatedProtocol: state.alpn ?? '',
      trafficProtection: encode(PicotlsTraffic[hashLength(state.cipherSuite)], {
        writeSecret: write.trafficSecret,
        writeSequenceNumber: write.sequenceNumber,
        readSecret: read.trafficSecret,
        readSequenceNumber: read.sequenceNumber,
      }),
      reserved: EMPTY,
    })
    return encode(PicotlsExport, { session })
  },
  decode(bytes) {
    try {
      return stateOf(decode(PicotlsSession, decode(PicotlsExport, bytes).session))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new ForeignError(`not a session of picotls: ${error.message}`, { cause: error })
    }
  },
}

/**
 * The two directions of a session with nothing in flight. @throws ForeignError for one that would lose bytes
 * or duties
 */
function carried(state: SessionState): { readonly read: TrafficState; readonly write: TrafficState } {
  const { handshake, read, write } = state
  if (handshake.state !== 'CONNECTED' || read === undefined || write === undefined) {
    throw new ForeignError(`picotls exports sessions that are CONNECTED, not ${handshake.state}`)
  }
  const inFlight: Readonly<Record<string, boolean>> = {
    'a record, or a part of one, that has not been opened': state.inboundRecords.length > 0,
    'a part of a handshake message': state.inboundHandshake.length > 0,
    'records that have not been written': state.outbound.length > 0,
    'a KeyUpdate that is owed': state.keyUpdate.kind === 'owed',
    'extended key updates': state.keyUpdate.kind === 'extended',
    'an authentication that is not over': handshake.authentication !== undefined,
    'a direction that is closed': state.readClosed || state.writeClosed,
  }
  for (const [what, there] of Object.entries(inFlight)) {
    if (there) throw new ForeignError(`picotls has no field for ${what}`)
  }
  return { read, write }
}

function stateOf(session: TypeOf<typeof PicotlsSession>): SessionState {
  if (session.protocolVersion !== TLS13) {
    throw new ForeignError(
      `version 0x${session.protocolVersion.toString(16)}; only TLS 1.3 (0x304) is supported`,
    )
  }
  const { readSecret, readSequenceNumber, writeSecret, writeSequenceNumber } = decode(
    PicotlsTraffic[hashLength(session.cipherSuite)],
    session.trafficProtection,
  )
  return {
    role: session.isServer ? 'server' : 'client',
    handshake: {
      state: 'CONNECTED',
      exporterMasterSecret: EMPTY,
      resumptionMasterSecret: EMPTY,
      ticketsIssued: 0,
      transcript: undefined,
      authentication: undefined,
    },
    cipherSuite: session.cipherSuite,
    clientRandom: session.clientRandom,
    serverName: named(session.serverName, 'a server name'),
    alpn: named(session.negotiatedProtocol, 'a protocol name'),
    certificate: undefined,
    peerCertificate: undefined,
    recordSizeLimits: undefined,
    resumed: session.isPskHandshake,
    read: { trafficSecret: readSecret, sequenceNumber: readSequenceNumber },
    write: { trafficSecret: writeSecret, sequenceNumber: writeSequenceNumber },
    keyUpdate: NO_KEY_UPDATE,
    writeClosed: false,
    readClosed: false,
    inboundRecords: EMPTY,
    inboundHandshake: EMPTY,
    outbound: EMPTY,
    peerIntermediates: [],
  }
}

function named(text: string, what: string): string | undefined {
  if (new TextEncoder().encode(text).length > 255) throw new ForeignError(`${what} of more than 255 bytes`)
  return text === '' ? undefined : text
}

function hashLength(cipherSuite: number): 32 | 48 {
  switch (cipherSuite) {
    case CipherSuiteId.TLS_AES_128_GCM_SHA256:
    case CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256:
      return 32
    case CipherSuiteId.TLS_AES_256_GCM_SHA384:
      return 48
    default:
      throw new ForeignError(`cipher suite 0x${cipherSuite.toString(16).padStart(4, '0')} is unknown`)
  }
}
