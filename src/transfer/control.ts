import {
  boolean,
  DecodeError,
  decodeLent,
  Encoder,
  encode,
  enumeration,
  fixed,
  lent,
  opaque,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  vector,
} from '../wire/index.ts'
import { Certificates, Certify, Delegate, Delegated, Sign, Signed } from './keys/messages.ts'
import { Bridge, IntroduceFar, Parted, Reaches, Retires } from './messages/far.ts'
import { Move, Moved, MoveOutcome, Reveal, Revealed } from './messages/moves.ts'
import { isFar, Peer, PeerRole, SALT_LENGTH } from './messages/peer.ts'
import { NO_PROOFS, Proofs } from './messages/proofs.ts'
import { Sights } from './messages/sights.ts'
import { SESSION_ID_LENGTH } from './seal.ts'

/** The control protocol: what all processes say to each other. Its version is each message's first byte. */
export const CONTROL_VERSION = 2

export { isFar, MoveOutcome, NO_PROOFS, Peer, PeerRole, Proofs, SALT_LENGTH }

/** Why a parcel was not taken. Nothing has been done with its session then. */
export const RefusalReason = enumeration('RefusalReason', uint8, {
  /** Not sealed for this target by that source. */
  seal: 1,
  /** Imported before, or overtaken by a later one. */
  stale: 2,
  /** A format that the target does not read, or no envelope at all. */
  malformed: 3,
  /** The session is a client's. */
  role: 4,
  /** The target's provider lacks the cipher suite. */
  suite: 5,
  /** The handshake is not over and the target lacks the certificate that was chosen. */
  certificate: 6,
  /** The target is about to stop. */
  draining: 7,
  /** The descriptor did not come, or is no stream. */
  descriptor: 8,
  /** The target's own rules do not hold for the session: a client certificate that it lacks, for instance. */
  policy: 9,
  /** It lives there: no other container may go on with it. */
  here: 10,
  /** It came back to a container that has kept nothing of it. */
  cold: 11,
})
export type RefusalReason = TypeOf<typeof RefusalReason>

/** Bytes of the random number by which the two ends of a move speak of a parcel. */
export const PARCEL_TICKET_LENGTH = 8

const Empty = struct('Empty', {})
/** The name may have that of a function in it. */
const Counter = struct('Counter', { name: text(1, 80), value: uint32 })
const Load = struct('Load', { id: uint32, connections: uint32 })

/**
 * What a function without a container is at. `asleep`: it starts when there is work. `waking`: it starts.
 * `failing`: it ends again and again, and is tried at the slowest pace. `awake`: nothing of that.
 */
export const SlumberPhase = enumeration('SlumberPhase', uint8, { asleep: 1, waking: 2, failing: 3, awake: 4 })
export type SlumberPhase = TypeOf<typeof SlumberPhase>

/** What a connection is doing. `frozen`: on its way to another container. */
export const ConnectionPhase = enumeration('ConnectionPhase', uint8, {
  handshake: 1,
  idle: 2,
  busy: 3,
  frozen: 4,
  closing: 5,
})

/** One connection, as `status` shows it: nothing that is secret. */
export const ConnectionDescription = struct('ConnectionDescription', {
  sessionId: fixed(SESSION_ID_LENGTH),
  generation: uint32,
  /** Moves between containers so far. */
  hops: uint16,
  /** Requests that have been accepted on it, wherever it was. */
  requests: uint32,
  /** Milliseconds since it came to this container. */
  age: uint32,
  phase: ConnectionPhase,
  /** What it speaks, as ALPN writes it. */
  protocol: text(0, 255),
  tls: boolean,
  /** Empty without TLS, and until one has been chosen. */
  cipherSuite: text(0, 63),
  /** Empty if the client gave none. */
  serverName: text(0, 255),
  /** What keeps it in its container, by its name; empty: nothing does. */
  stays: text(0, 255),
})
export type ConnectionDescription = TypeOf<typeof ConnectionDescription>

/** What all processes know of a function: which of its requests may be begun again, how it is reached. */
const RoutedFunction = struct('RoutedFunction', {
  name: text(1, 63),
  retries: enumeration('RetriesRule', uint8, { idempotent: 1, any: 2, none: 3 }),
  carrier: enumeration('CarrierName', uint8, { fd: 1, duplicate: 2, relay: 3 }),
})
/** A host name, or `*.` and one. */
const RoutedHost = struct('RoutedHost', { host: text(1, 255), functionName: text(1, 63) })

/** What carries a connection. */
const consignment = {
  ticket: lent(PARCEL_TICKET_LENGTH),
  sessionId: fixed(SESSION_ID_LENGTH),
  generation: uint32,
  /** Sealed by the sender to the receiver. */
  sealed: opaque(1, 2 ** 24 - 1),
}

const parcelTicket = struct('ParcelTicket', { ticket: fixed(PARCEL_TICKET_LENGTH) })

export const ControlMessage = select(
  'ControlMessage',
  'kind',
  enumeration('ControlKind', uint8, {
    ready: 1,
    introduce: 2,
    gone: 3,
    failed: 4,
    parcel: 5,
    verdict: 6,
    drain: 7,
    stop: 8,
    statusRequest: 9,
    status: 10,
    keys: 12,
    takeOver: 13,
    draining: 14,
    loads: 15,
    connectionsRequest: 16,
    connections: 17,
    move: 18,
    moved: 19,
    leaving: 20,
    loan: 21,
    loaned: 22,
    relayed: 23,
    slots: 24,
    unreachable: 25,
    return: 26,
    vacate: 27,
    taken: 28,
    hibernate: 50,
    thaw: 51,
    sleep: 52,
    wake: 53,
    slumber: 54,
    expect: 55,
    thaws: 56,
    begins: 57,
    present: 29,
    certificates: 30,
    sign: 31,
    signed: 32,
    certify: 33,
    delegate: 34,
    delegated: 35,
    routes: 40,
    proofs: 60,
    watch: 70,
    sights: 71,
    reveal: 72,
    revealed: 73,
    introduceFar: 80,
    bridge: 81,
    reaches: 82,
    parted: 83,
    retires: 84,
  }),
  {
    /**
     * To the supervisor: I can take work, and this is my key (X25519). Who I am it knows itself. Counts once.
     */
    ready: struct('Ready', { publicKey: fixed(32) }),
    /** From the supervisor, with an end of the pair of the two where channels are native. */
    introduce: struct('Introduce', { peer: Peer }),
    /** From the supervisor: that process has ended. */
    gone: struct('Gone', { id: uint32 }),
    /** To the supervisor: I cannot start, and trying again will not help. */
    failed: struct('Failed', { reason: text(1, 1024) }),
    /** A connection, with its descriptor: sealed is an envelope. */
    parcel: struct('ParcelMessage', consignment),
    /** To the sender of a parcel: what has become of it. */
    verdict: struct('VerdictMessage', {
      ticket: lent(PARCEL_TICKET_LENGTH),
      verdict: select('Verdict', 'outcome', enumeration('Outcome', uint8, { accepted: 1, refused: 2 }), {
        accepted: Empty,
        refused: struct('Refused', { reason: RefusalReason, detail: text(0, 255) }),
      }),
    }),
    /** From the supervisor: take nothing new, and let what runs move on or finish. */
    drain: Empty,
    /** From the supervisor: say goodbye to the clients and end. */
    stop: Empty,
    statusRequest: Empty,
    status: struct('Status', { counters: vector(Counter, 0, 2 ** 16 - 1) }),
    /**
     * Between containers of one function, and between each of them and the signer: the keys that they share,
     * sealed by the sender to the receiver.
     */
    keys: struct('KeysMessage', { sealed: opaque(1, 2 ** 24 - 1) }),
    /**
     * From the gateway: a connection whose owner has died, with a new leg. Sealed is a TakeOver. It is
     * answered like a parcel.
     */
    takeOver: struct('TakeOverMessage', consignment),
    /**
     * From the supervisor: that container is about to go. What comes from it is taken; nothing is offered to
     * it.
     */
    draining: struct('Draining', { id: uint32 }),
    /** From the supervisor: how many connections containers have, as they said last. */
    loads: struct('Loads', { loads: vector(Load, 0, 2 ** 16 - 1) }),
    /** From the supervisor: which connections do you have? */
    connectionsRequest: Empty,
    connections: struct('Connections', { connections: vector(ConnectionDescription, 0, 2 ** 24 - 1) }),
    /** From the supervisor, and to it. */
    move: Move,
    moved: Moved,
    reveal: Reveal,
    revealed: Revealed,
    /** To the supervisor: a signal has told this gateway to end; it waits for another one in its place. */
    leaving: Empty,
    /** A request to be served without its connection: a LoanRequest, sealed by the sender to the receiver. */
    loan: struct('LoanMessage', { ticket: fixed(PARCEL_TICKET_LENGTH), sealed: opaque(1, 2 ** 24 - 1) }),
    /** To the sender of a loan: a LoanAnswer, sealed likewise. */
    loaned: struct('LoanedMessage', { ticket: fixed(PARCEL_TICKET_LENGTH), sealed: opaque(1, 2 ** 24 - 1) }),
    /**
     * From a gateway to the one that takes its place: a relayed connection, with both its sockets. Sealed is
     * a RelayedState. It is answered like a parcel.
     */
    relayed: struct('RelayedMessage', consignment),
    /** From a gateway, with its file of slots: a SlotFileOffer, sealed by the sender to the receiver. */
    slots: struct('SlotsMessage', { sealed: opaque(1, 2 ** 24 - 1) }),
    /**
     * To the supervisor, from a gateway or a signer: that container has given its pair with me up, or has
     * broken the rules.
     */
    unreachable: struct('Unreachable', { id: uint32, reason: text(0, 255) }),
    /**
     * A connection that goes back to the container that it came from, which has kept its socket and its keys.
     * Sealed is a Return. It is answered like a parcel.
     */
    return: struct('ReturnMessage', consignment),
    /** To a container that has kept them: that connection has ended, or has gone elsewhere. */
    vacate: struct('Vacate', { sessionId: fixed(SESSION_ID_LENGTH) }),
    /** To the sender of several parcels that came together: all of these are accepted. */
    taken: struct('Taken', { parcels: vector(parcelTicket, 0, 2 ** 16 - 1) }),
    /**
     * To a gateway, with the socket: a connection whose function goes to sleep, or, from another gateway,
     * that of one that sleeps. Sealed is a Hibernated. It is answered like a parcel.
     */
    hibernate: struct('HibernateMessage', consignment),
    /** From the gateway: the same connection, whose client has spoken. It is answered like a parcel. */
    thaw: struct('ThawMessage', consignment),
    /** From the supervisor: as `drain`, but where no sibling is left, connections go to the gateway. */
    sleep: Empty,
    /** To the supervisor: there is work for that function, and no container. */
    wake: struct('Wake', { functionName: text(1, 63) }),
    /** From the supervisor, to gateways: what is to be expected of a function that has no container. */
    slumber: struct('Slumber', { functionName: text(1, 63), phase: SlumberPhase }),
    /**
     * From the supervisor, to a gateway, with an end of the pair of the two: that container is starting. It
     * is offered nothing before it has said `thaws` itself, or `begins` is said of it.
     */
    expect: struct('Expect', { peer: Peer }),
    /** To a gateway, before `ready`: I go on with connections that you keep, and take no others yet. */
    thaws: Empty,
    /** From the supervisor, to a gateway that was told to expect it: that container can work. */
    begins: struct('Begins', { id: uint32 }),
    /**
     * To the supervisor, before `ready`: I cannot take work yet, but this is my key (X25519). I am introduced
     * to signers alone. Counts once.
     */
    present: struct('Present', { publicKey: fixed(32) }),
    /** From a signer, to a container: what it signs for it, the newest first. Nothing of it is secret. */
    certificates: Certificates,
    /** To a signer: sign this handshake, which has come to its CertificateVerify (RFC 8446 §4.4.3). */
    sign: Sign,
    /** From a signer, to the container that has asked. */
    signed: Signed,
    /** To a signer: let this key of mine speak for that certificate, for a while (RFC 9345). */
    delegate: Delegate,
    /** From a signer, to the container that has asked: a DelegatedCredential. */
    delegated: Delegated,
    /** From the supervisor, to a signer: these are the files of keys; read them anew. */
    certify: Certify,
    /** From the supervisor, to gateways: what authorities of the web are shown from now on. */
    proofs: Proofs,
    /** From the supervisor: from now on these are the functions, and these the names that lead to them. */
    routes: struct('RoutesMessage', {
      functions: vector(RoutedFunction, 0, 2 ** 24 - 1),
      hosts: vector(RoutedHost, 0, 2 ** 24 - 1),
      /** For clients that give no name; empty if there is none. */
      defaultFunction: text(0, 63),
    }),
    /**
     * From the supervisor: tell what becomes of your connections, every so many milliseconds, so many
     * steps each time on average; 0 milliseconds: no more.
     */
    watch: struct('Watch', { milliseconds: uint16, most: uint16 }),
    /** To the supervisor, while it watches. */
    sights: Sights,
    introduceFar: IntroduceFar,
    bridge: Bridge,
    reaches: Reaches,
    parted: Parted,
    retires: Retires,
  },
)
export type ControlMessage = TypeOf<typeof ControlMessage>
/** What carries a connection. */
export type Consignment = Extract<
  ControlMessage,
  { kind: 'parcel' | 'return' | 'takeOver' | 'relayed' | 'hibernate' | 'thaw' }
>
export type Loads = Extract<ControlMessage, { kind: 'loads' }>['loads']
export type RoutesMessage = Omit<Extract<ControlMessage, { kind: 'routes' }>, 'kind'>
export type Verdict = Extract<ControlMessage, { kind: 'verdict' }>['verdict']

const Framed = struct('Control', { version: uint8, message: ControlMessage })

/** The sender of a message: what the supervisor's record says of the process at the other end of the pair. */
export type Speaker = 'supervisor' | PeerRole

/** Messages of the supervisor to the processes that it has started. */
const ORDERS = kinds(
  'introduce',
  'expect',
  'begins',
  'gone',
  'drain',
  'stop',
  'statusRequest',
  'draining',
  'loads',
  'connectionsRequest',
  'move',
  'reveal',
  'sleep',
  'slumber',
  'routes',
  'certify',
  'proofs',
  'watch',
  'introduceFar',
  'bridge',
)
/** Messages of any such process to the supervisor, and those of one role alone. */
const REPORTS = kinds('ready', 'failed', 'status', 'connections', 'moved')
const MORE_REPORTS: Readonly<Record<PeerRole, ReadonlySet<ControlMessage['kind']>>> = {
  gateway: kinds('leaving', 'unreachable', 'wake'),
  container: kinds('present', 'wake', 'sights', 'revealed'),
  signer: kinds('unreachable'),
  link: kinds('unreachable', 'reaches', 'parted', 'retires'),
}
/** Messages among such processes, and those that only a container or a gateway sends. */
const AMONG_PEERS = kinds(
  'parcel',
  'return',
  'vacate',
  'verdict',
  'taken',
  'keys',
  'loan',
  'loaned',
  'hibernate',
)
const FROM_CONTAINERS = kinds('thaws')
const FROM_GATEWAYS = kinds('takeOver', 'relayed', 'slots', 'thaw')
/** What is said between a container and a signer, either way. */
const FROM_SIGNERS = kinds('keys', 'verdict', 'certificates', 'signed', 'delegated')
const TO_SIGNERS = kinds('keys', 'sign', 'delegate')

function kinds(...all: ControlMessage['kind'][]): ReadonlySet<ControlMessage['kind']> {
  return new Set(all)
}

/** Whether the supervisor takes a message of that kind from a process of that role. */
export function mayReport(role: PeerRole, kind: ControlMessage['kind']): boolean {
  return REPORTS.has(kind) || MORE_REPORTS[role].has(kind)
}

/** Whether a gateway or a container takes a message of that kind from that speaker. */
export function maySay(speaker: Speaker, kind: ControlMessage['kind']): boolean {
  if (speaker === 'supervisor') return ORDERS.has(kind)
  if (speaker === 'signer') return FROM_SIGNERS.has(kind)
  return AMONG_PEERS.has(kind) || (speaker === 'gateway' ? FROM_GATEWAYS : FROM_CONTAINERS).has(kind)
}

/** Whether a signer takes a message of that kind from that speaker. */
export function mayAskSigner(speaker: Speaker, kind: ControlMessage['kind']): boolean {
  if (speaker === 'supervisor') return ORDERS.has(kind)
  return speaker === 'container' && TO_SIGNERS.has(kind)
}

export function encodeControl(message: ControlMessage): Uint8Array {
  return encode(Framed, { version: CONTROL_VERSION, message })
}

const ENCODER = new Encoder(Framed)

/** The same for one that is sent at once: the bytes are borrowed until the next one. */
export function writeControl(message: ControlMessage): Uint8Array {
  return ENCODER.encode({ version: CONTROL_VERSION, message })
}

/**
 * The bytes must stay as they are: what is sealed in them is a view.
 * @throws DecodeError for another version, or anything malformed
 */
export function decodeControl(bytes: Uint8Array): ControlMessage {
  if (bytes.length > 0 && bytes[0] !== CONTROL_VERSION) {
    throw new DecodeError(`control version ${bytes[0]}; this program speaks ${CONTROL_VERSION}`, 0)
  }
  return decodeLent(Framed, bytes).message
}

/** What `docs/transfer-format.md` prints of the control protocol. */
export const CONTROL: typeof Framed = Framed

const CONSIGNMENTS = kinds('parcel', 'return', 'takeOver', 'relayed', 'hibernate', 'thaw')

/** Whether a message carries a connection, for which a verdict is due. */
export function isConsignment(message: ControlMessage): message is Consignment {
  return CONSIGNMENTS.has(message.kind)
}
