import { freshServerState } from '../tls13/state.ts'
import { decode, EMPTY, Encoder, Scratch, wipe } from '../wire/index.ts'
import { Return } from './consignments/return.ts'
import { decodeEnvelope, Envelope, freshEnvelope, withEncoded } from './envelope.ts'
import type { SealAssociated, Sealer } from './seal.ts'
import type { Descriptor } from './stream.ts'

/** A connection on its way from one process to another: what it is, and the byte stream it lives on. */
export interface Parcel {
  readonly envelope: Envelope
  readonly descriptor: Descriptor
  /** Of upstreams that are {@link Upstream.live}, in the envelope's order; undefined: there are none. */
  readonly companions?: readonly Descriptor[] | undefined
}

/** What is common to every fresh connection. */
export interface FreshConnection {
  /** 16 random bytes. */
  readonly sessionId: Uint8Array
  /** Milliseconds until the connection counts as idle for too long. */
  readonly idleLeft: number
  /** What has been read from the client already, all of it. */
  readonly inbound: Uint8Array
}

/**
 * The envelope of a TLS connection that has not spoken: a session in state START whose inbound records are
 * the bytes that the gateway read to find the server name. A new connection is a move like any other.
 */
export function freshTls({ sessionId, idleLeft, inbound }: FreshConnection): Envelope {
  return freshEnvelope(sessionId, idleLeft, freshServerState(inbound))
}

/** The same for a connection without TLS. */
export function freshHttp({ sessionId, idleLeft, inbound }: FreshConnection): Envelope {
  return freshEnvelope(sessionId, idleLeft, undefined, { requestsServed: 0, inbound })
}

/** Of the parcel that leaves, and of the one that has come: as a rule they fit. */
const SEALED = new Scratch(16_384)
const OPENED = new Scratch(16_384)

/**
 * Seals an envelope to one target; the encoded plaintext is wiped at once.
 * @returns borrowed until the next one is sealed
 */
export function sealEnvelope(sealer: Sealer, target: number, envelope: Envelope): Uint8Array {
  return withEncoded(envelope, bytes => sealer.seal(target, envelope, bytes, SEALED))
}

/**
 * Opens what {@link sealEnvelope} made.
 * @throws SealError if it was not sealed for us by `source`, or was imported before; EnvelopeError if it is
 * no envelope
 */
export function openEnvelope(
  sealer: Sealer,
  source: number,
  associated: { readonly sessionId: Uint8Array; readonly generation: number },
  sealed: Uint8Array,
): Envelope {
  const bytes = sealer.open(source, associated, sealed, OPENED)
  try {
    return decodeEnvelope(bytes, associated.sessionId)
  } finally {
    bytes.fill(0)
  }
}

const RETURN = new Encoder(Return)

/** Seals what is said of a connection that goes back. @returns as {@link sealEnvelope} */
export function sealReturn(
  sealer: Sealer,
  target: number,
  session: SealAssociated,
  state: Return,
): Uint8Array {
  try {
    return sealer.seal(target, session, RETURN.encode(state), SEALED)
  } finally {
    // A request is in it.
    RETURN.clear()
  }
}

/** Opens what {@link sealReturn} made. @throws SealError as {@link openEnvelope}; DecodeError */
export function openReturn(
  sealer: Sealer,
  source: number,
  session: SealAssociated,
  sealed: Uint8Array,
): Return {
  const bytes = sealer.open(source, session, sealed, OPENED)
  try {
    return decode(Return, bytes)
  } finally {
    bytes.fill(0)
  }
}

/** Overwrites the secrets of an envelope that another process owns now. */
export function wipeEnvelope(envelope: Envelope): void {
  wipe(Envelope, envelope)
  if (envelope.tls !== undefined) envelope.tls.outbound = EMPTY
}
