import {
  boolean,
  EMPTY,
  enumeration,
  fixed,
  opaque,
  optional,
  recurring,
  secret,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  vector,
} from '../wire/index.ts'
import { KeyUpdateState, NO_KEY_UPDATE } from './update-state.ts'

/**
 * Everything that a TLS 1.3 session is. These structs are the definition: whatever is not in here is derived
 * from it (keyed AEADs, traffic keys) or configuration (certificates, private keys, policies). What a
 * peer has sent that says nothing is counted beside it (`TrifleCount`): it protects the owner alone.
 */

const hashSized = secret(opaque(32, 48))
/** As {@link hashSized}; empty in a session that came from an implementation which does not pass it on. */
const hashSizedIfKnown = secret(opaque(0, 48))
const transcript = opaque(0, 2 ** 24 - 1)

/**
 * One direction's traffic secret, from which key, iv and every later secret follow (RFC 8446 §7.2,
 * 7.3).
 */
export const TrafficState = struct('TrafficState', {
  trafficSecret: hashSized,
  /** Of the next record; the record layer counts it (§5.3). */
  sequenceNumber: uint64,
})
export type TrafficState = TypeOf<typeof TrafficState>

const Nothing = struct('Nothing', {})

const certificateBytes = opaque(1, 2 ** 24 - 1)
const certificateChain = vector(certificateBytes, 1, 2 ** 24 - 1)
const publicKey = opaque(1, 2 ** 16 - 1)

/** Authentication of a client after the handshake (§4.6.2), as far as it has come. One at a time. */
export const PostHandshakeAuth = select(
  'PostHandshakeAuth',
  'stage',
  enumeration('PostHandshakeStage', uint8, {
    WAIT_CERT: 0,
    WAIT_VERDICT: 1,
    WAIT_CV: 2,
    WAIT_FINISHED: 3,
    WAIT_SIGNATURE: 4,
  }),
  {
    WAIT_CERT: struct('PostWaitCertificate', { transcript, requestContext: opaque(1, 255) }),
    WAIT_VERDICT: struct('PostWaitVerdict', { transcript, chain: certificateChain }),
    WAIT_CV: struct('PostWaitCertificateVerify', { transcript, publicKey, certificate: certificateBytes }),
    WAIT_FINISHED: struct('PostWaitFinished', { transcript }),
    /**
     * The client's side: its Certificate is ready, and goes out with the signature that is asked for (§4.6.2:
     * in one piece).
     */
    WAIT_SIGNATURE: struct('PostWaitSignature', {
      transcript,
      certificate: opaque(1, 2 ** 24 - 1),
      scheme: uint16,
    }),
  },
)
export type PostHandshakeAuth = TypeOf<typeof PostHandshakeAuth>

/** What a session still knows when its handshake is over. */
const Connected = struct('Connected', {
  /** Without it there is no keying material to export (§7.5). */
  exporterMasterSecret: hashSizedIfKnown,
  /** Without it no ticket is issued, and none is taken. */
  resumptionMasterSecret: hashSizedIfKnown,
  /** Tickets issued so far: the next one's nonce (§4.6.1). */
  ticketsIssued: uint16,
  /**
   * ClientHello to client Finished, or, after an extended key update, the hash that stands for that: kept
   * only if the client offered post_handshake_auth and both sides mean it.
   */
  transcript: optional(transcript),
  authentication: optional(PostHandshakeAuth),
})

/** What the server waits for (RFC 8446 Appendix A.2). */
export const ServerHandshakeState = enumeration('ServerHandshakeState', uint8, {
  START: 0,
  /** Not in the appendix, which draws a HelloRetryRequest as a way back to START. */
  WAIT_SECOND_CLIENT_HELLO: 1,
  /** Not in the appendix: all that is known of the client is in a cookie, which it is to bring back. */
  WAIT_COOKIE: 2,
  /** Not in the appendix: the replay store is asked whether early data has been seen before. */
  WAIT_REPLAY_CHECK: 3,
  /** Not in the appendix: the holder of the private key is asked for the CertificateVerify. */
  WAIT_SIGNATURE: 4,
  WAIT_EOED: 5,
  WAIT_CERT: 6,
  /** Not in the appendix: the verifier is asked to judge the client's certificates. */
  WAIT_VERDICT: 7,
  WAIT_CV: 8,
  WAIT_FINISHED: 9,
  CONNECTED: 10,
  CLOSED: 11,
})

/** Bytes of early data that may still come and will be thrown away (§4.2.10). */
const skipEarlyData = { skipEarlyData: uint32 }

/** From the server's Finished to the client's. */
const serverFlight = {
  transcript,
  masterSecret: hashSized,
  clientApplicationTrafficSecret: hashSized,
  exporterMasterSecret: hashSized,
  /** Whether the client can take tickets: it named a PSK mode of ours (§4.2.9). */
  takesTickets: boolean,
  /** Keep the transcript, for authentication after the handshake. */
  keepsTranscript: boolean,
  ...skipEarlyData,
}

export const ServerHandshake = select('ServerHandshake', 'state', ServerHandshakeState, {
  START: Nothing,
  WAIT_SECOND_CLIENT_HELLO: struct('ServerWaitSecondClientHello', {
    /** message_hash and HelloRetryRequest. */
    transcript,
    /** The group that a key share was asked for; absent if a cookie alone was asked for. */
    selectedGroup: optional(uint16),
    cookie: optional(opaque(1, 2 ** 16 - 1)),
    ...skipEarlyData,
  }),
  WAIT_COOKIE: struct('ServerWaitCookie', skipEarlyData),
  WAIT_REPLAY_CHECK: struct('ServerWaitReplayCheck', { clientHello: opaque(1, 2 ** 24 - 1) }),
  WAIT_SIGNATURE: struct('ServerWaitSignature', {
    /** Up to Certificate. */
    transcript,
    masterSecret: hashSized,
    scheme: uint16,
    /** Signed for by the certificate's delegated key (RFC 9345). */
    delegated: boolean,
    requestsCertificate: boolean,
    takesTickets: boolean,
    keepsTranscript: boolean,
    ...skipEarlyData,
  }),
  WAIT_EOED: struct('ServerWaitEndOfEarlyData', {
    ...serverFlight,
    clientHandshakeTrafficSecret: hashSized,
    /** Bytes of early data that are still allowed. */
    earlyDataLeft: uint32,
  }),
  WAIT_CERT: struct('ServerWaitCertificate', serverFlight),
  WAIT_VERDICT: struct('ServerWaitVerdict', { ...serverFlight, chain: certificateChain }),
  WAIT_CV: struct('ServerWaitCertificateVerify', {
    ...serverFlight,
    publicKey,
    /** The end-entity certificate, DER: the peer's, once it has signed. */
    certificate: certificateBytes,
  }),
  WAIT_FINISHED: struct('ServerWaitFinished', serverFlight),
  CONNECTED: Connected,
  CLOSED: Nothing,
})
export type ServerHandshake = TypeOf<typeof ServerHandshake>

/** A ticket and what goes with it: what a client keeps to resume (RFC 8446 §4.6.1). */
export const ResumptionTicket = struct('ResumptionTicket', {
  cipherSuite: uint16,
  psk: hashSized,
  ticket: opaque(1, 2 ** 16 - 1),
  ticketAgeAdd: uint32,
  /** Seconds. */
  lifetime: uint32,
  /** Milliseconds since 1970. */
  receivedAt: uint64,
  /** Bytes of early data that the server takes with it; 0: none. */
  maxEarlyData: uint32,
  serverName: optional(text(1, 255)),
  alpn: optional(text(1, 255)),
})
export type ResumptionTicket = TypeOf<typeof ResumptionTicket>

/** A PSK that a client offers, and how its binder is made (§4.2.11). */
export const OfferedPsk = struct('OfferedPsk', {
  kind: enumeration('PskKind', uint8, { resumption: 0, external: 1, imported: 2 }),
  psk: secret(opaque(1, 2 ** 16 - 1)),
  /** The suite of a ticket; of an external PSK, one with its hash. */
  cipherSuite: uint16,
  identity: opaque(1, 2 ** 16 - 1),
  ticketAgeAdd: uint32,
  /** Milliseconds since 1970; 0 for external PSKs, whose age is always 0. */
  receivedAt: uint64,
})
export type OfferedPsk = TypeOf<typeof OfferedPsk>

/** What the client waits for (RFC 8446 Appendix A.1). START is left as soon as the object exists. */
export const ClientHandshakeState = enumeration('ClientHandshakeState', uint8, {
  WAIT_SH: 0,
  WAIT_EE: 1,
  WAIT_CERT_CR: 2,
  WAIT_CERT: 3,
  /** Not in the appendix: the verifier is asked to judge the server's certificates. */
  WAIT_VERDICT: 4,
  WAIT_CV: 5,
  WAIT_FINISHED: 6,
  /** Not in the appendix: the holder of the client's private key is asked for the CertificateVerify. */
  WAIT_SIGNATURE: 7,
  CONNECTED: 8,
  CLOSED: 9,
})

/** A group and the private half of the share that was offered for it. */
export const OfferedKeyShare = struct('OfferedKeyShare', {
  group: uint16,
  privateKey: secret(opaque(1, 2 ** 16 - 1)),
})

/** Early data that a client offers (§4.2.10). */
const EarlyDataOffer = struct('EarlyDataOffer', {
  /** Bytes that may still be sent. */
  left: uint32,
  /** The protocol that it is written in: the ticket's, and no other may be chosen. */
  alpn: optional(text(1, 255)),
})

const clientFlight = {
  transcript,
  masterSecret: hashSized,
  /**
   * The write secret of the handshake, while early data is still written under its own; otherwise undefined.
   */
  clientHandshakeTrafficSecret: optional(hashSized),
  /** A ChangeCipherSpec is still to be sent (Appendix D.4). */
  compatibilityPending: boolean,
}
/** What a CertificateRequest asked for. */
const CertificateAsked = struct('CertificateAsked', {
  schemes: vector(uint16, 2, 2 ** 16 - 2),
  compression: vector(uint16, 0, 254),
})
const certificateRequested = { certificateAsked: optional(CertificateAsked) }

export const ClientHandshake = select('ClientHandshake', 'state', ClientHandshakeState, {
  WAIT_SH: struct('ClientWaitServerHello', {
    /** Everything before the newest ClientHello: empty, or message_hash and HelloRetryRequest. */
    transcript,
    clientHello: opaque(1, 2 ** 24 - 1),
    keyShares: vector(OfferedKeyShare, 0, 2 ** 16 - 1),
    psks: vector(OfferedPsk, 0, 2 ** 16 - 1),
    earlyData: optional(EarlyDataOffer),
    retried: boolean,
    compatibilityPending: boolean,
  }),
  WAIT_EE: struct('ClientWaitEncryptedExtensions', { ...clientFlight, earlyData: optional(EarlyDataOffer) }),
  WAIT_CERT_CR: struct('ClientWaitCertificateOrRequest', clientFlight),
  WAIT_CERT: struct('ClientWaitCertificate', { ...clientFlight, ...certificateRequested }),
  WAIT_VERDICT: struct('ClientWaitVerdict', {
    ...clientFlight,
    ...certificateRequested,
    chain: certificateChain,
    ocspResponse: optional(opaque(1, 2 ** 24 - 1)),
    signedCertificateTimestamps: optional(opaque(1, 2 ** 16 - 1)),
    delegatedCredential: optional(opaque(1, 2 ** 16 - 1)),
  }),
  WAIT_CV: struct('ClientWaitCertificateVerify', {
    ...clientFlight,
    ...certificateRequested,
    /**
     * SubjectPublicKeyInfo that the CertificateVerify must fit: the certificate's, or its delegated
     * credential's.
     */
    publicKey,
    /** The end-entity certificate, DER: the peer's, once it has signed. */
    certificate: certificateBytes,
    /** The one scheme that a delegated credential allows (RFC 9345 §4). */
    delegatedScheme: optional(uint16),
  }),
  WAIT_FINISHED: struct('ClientWaitFinished', {
    ...clientFlight,
    ...certificateRequested,
    /** Bytes of accepted early data that may still be sent. */
    earlyData: optional(EarlyDataOffer),
  }),
  WAIT_SIGNATURE: struct('ClientWaitSignature', {
    /** Up to the client's Certificate. */
    transcript,
    masterSecret: hashSized,
    clientApplicationTrafficSecret: hashSized,
    serverApplicationTrafficSecret: hashSized,
    exporterMasterSecret: hashSized,
    scheme: uint16,
    keepsTranscript: boolean,
  }),
  CONNECTED: Connected,
  CLOSED: Nothing,
})
export type ClientHandshake = TypeOf<typeof ClientHandshake>

const common3 = {
  /** 0 until it is chosen. */
  cipherSuite: uint16,
  /** Kept only while keys are logged: readers of a key log find a connection by it. */
  clientRandom: optional(fixed(32)),
  serverName: optional(text(1, 255)),
  alpn: optional(text(1, 255)),
  /** The front of the hash of our certificate, or of its delegated credential, if one was chosen. */
  certificate: optional(recurring(4)),
  /** The peer's end-entity certificate, DER, once its signature has been checked. */
  peerCertificate: optional(opaque(1, 2 ** 24 - 1)),
  /**
   * Bytes of content that we may put into a record, and that the peer may (RFC 8449); absent: 2^14 both ways.
   */
  recordSizeLimits: optional(struct('RecordSizeLimits', { write: uint16, read: uint16 })),
  /** The handshake was a resumption, or used another PSK (§2.2). */
  resumed: boolean,
  read: optional(TrafficState),
  write: optional(TrafficState),
  keyUpdate: KeyUpdateState,
  /** We have sent close_notify, or an error's alert: nothing may follow (§6.1). */
  writeClosed: boolean,
  /** The peer has sent close_notify: whatever follows is ignored. */
  readClosed: boolean,
  /** Received, not yet a whole record. */
  inboundRecords: opaque(0, 2 ** 24 - 1),
  /** Decrypted, not yet a whole handshake message. */
  inboundHandshake: opaque(0, 2 ** 24 - 1),
  /** Sealed, not yet taken by the stream. */
  outbound: opaque(0, 2 ** 24 - 1),
}
const common = {
  ...common3,
  /**
   * What the peer showed above its end-entity certificate, DER, so that it can be judged again: nothing, if
   * that and these are more than {@link CHAIN_BYTES} bytes. They say nothing without it.
   */
  peerIntermediates: vector(certificateBytes, 0, 2 ** 24 - 1),
}

export const Role = enumeration('Role', uint8, { client: 0, server: 1 })

export const SessionState = select('SessionState', 'role', Role, {
  client: struct('ClientSession', { handshake: ClientHandshake, ...common }),
  server: struct('ServerSession', { handshake: ServerHandshake, ...common }),
})
export type SessionState = TypeOf<typeof SessionState>

/** As it was before there were `peerIntermediates`. */
export const SessionStateWithoutChain = select('SessionState', 'role', Role, {
  client: struct('ClientSession', { handshake: ClientHandshake, ...common3 }),
  server: struct('ServerSession', { handshake: ServerHandshake, ...common3 }),
})

/**
 * Bytes of a peer's certificates, in all, up to which they are kept: in a ticket they have to fit into a
 * ClientHello.
 */
export const CHAIN_BYTES = 8192

/** What is kept of a chain besides its end-entity certificate. */
export function intermediatesOf(chain: readonly Uint8Array[]): Uint8Array[] {
  const length = chain.reduce((sum, one) => sum + one.length, 0)
  return length > CHAIN_BYTES ? [] : chain.slice(1)
}

export type ServerState = Extract<SessionState, { role: 'server' }>
export type ClientState = Extract<SessionState, { role: 'client' }>

/** A direction under a new secret. */
export function trafficState(trafficSecret: Uint8Array): TrafficState {
  return { trafficSecret, sequenceNumber: 0 }
}

/** What every session begins with. */
export function initialState() {
  return {
    cipherSuite: 0,
    clientRandom: undefined,
    serverName: undefined,
    alpn: undefined,
    certificate: undefined,
    peerCertificate: undefined,
    recordSizeLimits: undefined,
    resumed: false,
    read: undefined,
    write: undefined,
    keyUpdate: NO_KEY_UPDATE,
    writeClosed: false,
    readClosed: false,
    inboundRecords: EMPTY,
    inboundHandshake: EMPTY,
    outbound: EMPTY,
    peerIntermediates: [],
  }
}

/**
 * The state of a server that has not spoken yet: `inboundRecords` are bytes that the gateway has read for it.
 */
export function freshServerState(inboundRecords: Uint8Array): ServerState {
  return { role: 'server', handshake: { state: 'START' }, ...initialState(), inboundRecords }
}
