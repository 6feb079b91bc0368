import {
  boolean,
  EMPTY,
  enumeration,
  fixed,
  opaque,
  optional,
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

/**
 * Everything that a TLS 1.3 session is. These structs are the definition: whatever is not in here is derived from it
 * (keyed AEADs, traffic keys) or configuration (certificates, private keys, policies).
 */

const hashSized = secret(opaque(32, 48))
const transcript = opaque(0, 2 ** 24 - 1)

/** One direction's traffic secret, from which key, iv and every later secret follow (RFC 8446, Section 7.2, 7.3). */
export const TrafficState = struct('TrafficState', {
  trafficSecret: hashSized,
  /** Of the next record; the record layer counts it (Section 5.3). */
  sequenceNumber: uint64,
})
export type TrafficState = TypeOf<typeof TrafficState>

const Nothing = struct('Nothing', {})

/** What a session still knows when its handshake is over. */
const Connected = struct('Connected', {
  exporterMasterSecret: hashSized,
  resumptionMasterSecret: hashSized,
  /** Tickets issued so far: the next one's nonce (Section 4.6.1). */
  ticketsIssued: uint16,
})

/** What the server waits for (RFC 8446, Appendix A.2). */
export const ServerHandshakeState = enumeration('ServerHandshakeState', uint8, {
  START: 0,
  /** Not in the appendix, which draws a HelloRetryRequest as a way back to START. */
  WAIT_SECOND_CLIENT_HELLO: 1,
  WAIT_FINISHED: 2,
  CONNECTED: 3,
  CLOSED: 4,
})

export const ServerHandshake = select('ServerHandshake', 'state', ServerHandshakeState, {
  START: Nothing,
  WAIT_SECOND_CLIENT_HELLO: struct('ServerWaitSecondClientHello', {
    /** message_hash and HelloRetryRequest. */
    transcript,
    selectedGroup: uint16,
    cookie: optional(opaque(1, 2 ** 16 - 1)),
  }),
  WAIT_FINISHED: struct('ServerWaitFinished', {
    transcript,
    masterSecret: hashSized,
    clientApplicationTrafficSecret: hashSized,
    exporterMasterSecret: hashSized,
    /** Whether the client can take tickets: it named psk_dhe_ke (Section 4.2.9). */
    takesTickets: boolean,
  }),
  CONNECTED: Connected,
  CLOSED: Nothing,
})
export type ServerHandshake = TypeOf<typeof ServerHandshake>

/** A ticket and what goes with it: what a client keeps to resume (RFC 8446, Section 4.6.1). */
export const ResumptionTicket = struct('ResumptionTicket', {
  cipherSuite: uint16,
  psk: hashSized,
  ticket: opaque(1, 2 ** 16 - 1),
  ticketAgeAdd: uint32,
  /** Seconds. */
  lifetime: uint32,
  /** Milliseconds since 1970. */
  receivedAt: uint64,
  serverName: optional(text(1, 255)),
  alpn: optional(text(1, 255)),
})
export type ResumptionTicket = TypeOf<typeof ResumptionTicket>

/** What the client waits for (RFC 8446, Appendix A.1). START is left as soon as the object exists. */
export const ClientHandshakeState = enumeration('ClientHandshakeState', uint8, {
  WAIT_SH: 0,
  WAIT_EE: 1,
  WAIT_CERT_CR: 2,
  WAIT_CERT: 3,
  WAIT_CV: 4,
  WAIT_FINISHED: 5,
  CONNECTED: 6,
  CLOSED: 7,
})

/** A group and the private half of the share that was offered for it. */
export const OfferedKeyShare = struct('OfferedKeyShare', {
  group: uint16,
  privateKey: secret(opaque(1, 2 ** 16 - 1)),
})

const clientFlight = {
  transcript,
  masterSecret: hashSized,
  /** A ChangeCipherSpec is still to be sent (Appendix D.4). */
  compatibilityPending: boolean,
}
const certificateRequested = {
  /** Of the CertificateRequest that must be answered; undefined if there was none. */
  certificateRequestContext: optional(opaque(0, 255)),
}

export const ClientHandshake = select('ClientHandshake', 'state', ClientHandshakeState, {
  WAIT_SH: struct('ClientWaitServerHello', {
    /** Everything before the newest ClientHello: empty, or message_hash and HelloRetryRequest. */
    transcript,
    clientHello: opaque(1, 2 ** 24 - 1),
    keyShares: vector(OfferedKeyShare, 0, 2 ** 16 - 1),
    /** The ticket whose PSK the hello offers. */
    psk: optional(ResumptionTicket),
    retried: boolean,
    compatibilityPending: boolean,
  }),
  WAIT_EE: struct('ClientWaitEncryptedExtensions', clientFlight),
  WAIT_CERT_CR: struct('ClientWaitCertificateOrRequest', clientFlight),
  WAIT_CERT: struct('ClientWaitCertificate', { ...clientFlight, ...certificateRequested }),
  WAIT_CV: struct('ClientWaitCertificateVerify', {
    ...clientFlight,
    ...certificateRequested,
    /** SubjectPublicKeyInfo of the certificate that the verifier accepted. */
    publicKey: opaque(1, 2 ** 16 - 1),
  }),
  WAIT_FINISHED: struct('ClientWaitFinished', { ...clientFlight, ...certificateRequested }),
  CONNECTED: Connected,
  CLOSED: Nothing,
})
export type ClientHandshake = TypeOf<typeof ClientHandshake>

const common = {
  /** 0 until it is chosen. */
  cipherSuite: uint16,
  /** Kept only while somebody logs keys: readers of a key log find a connection by it. */
  clientRandom: optional(fixed(32)),
  serverName: optional(text(1, 255)),
  alpn: optional(text(1, 255)),
  /** Server: the front of the hash of the certificate that was chosen. */
  certificate: optional(fixed(4)),
  /** The handshake was a resumption (Section 2.2). */
  resumed: boolean,
  read: optional(TrafficState),
  write: optional(TrafficState),
  /** The peer asked for a KeyUpdate that we have not sent yet (Section 4.6.3). */
  keyUpdatePending: boolean,
  /** We have sent close_notify, or an error's alert: nothing may follow (Section 6.1). */
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

export const Role = enumeration('Role', uint8, { client: 0, server: 1 })

export const SessionState = select('SessionState', 'role', Role, {
  client: struct('ClientSession', { handshake: ClientHandshake, ...common }),
  server: struct('ServerSession', { handshake: ServerHandshake, ...common }),
})
export type SessionState = TypeOf<typeof SessionState>
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
    resumed: false,
    read: undefined,
    write: undefined,
    keyUpdatePending: false,
    writeClosed: false,
    readClosed: false,
    inboundRecords: EMPTY,
    inboundHandshake: EMPTY,
    outbound: EMPTY,
  }
}

/** The state of a server that has not spoken yet: `inboundRecords` are bytes that somebody has read for it. */
export function freshServerState(inboundRecords: Uint8Array): ServerState {
  return { role: 'server', handshake: { state: 'START' }, ...initialState(), inboundRecords }
}
