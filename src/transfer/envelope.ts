import type { H1State } from '../http/h1/index.ts'
import { SessionState, SessionStateWithoutChain } from '../tls13/state.ts'
import {
  boolean,
  type Codec,
  DecodeError,
  decode,
  EMPTY,
  Encoder,
  encode,
  known,
  opaque,
  optional,
  secret,
  struct,
  type TypeOf,
  uint16,
  uint32,
  vector,
} from '../wire/index.ts'
import { ApplicationState, type FrozenCall } from './consignments/application.ts'
import { SESSION_ID_LENGTH } from './seal.ts'

/**
 * The number that an envelope begins with. A fleet learns to read a new one everywhere before any process
 * writes it.
 */
export const FORMAT_VERSION = 7
/**
 * The oldest version that is read. What 3 added to 2 are the protocols http2 and websocket, what 4 added to 3
 * are the `peerIntermediates` of a session, what 5 added to 4 are the protocols http1_response and
 * http2_responses, what 6 added to 5 are the extended key updates of a session, and what 7 added to 6 are the
 * `upstreams` and the protocols http1_upload and http2_streams; nothing else differs.
 */
export const OLDEST_VERSION = 2
/**
 * The highest generation that a container takes: no connection moves that often, and there is room to count
 * on.
 */
export const LAST_GENERATION = 2 ** 31
export { ApplicationState, type FrozenCall, SESSION_ID_LENGTH }

/**
 * Room for what later versions add without a new format: a reader passes over types that it does not know.
 * What there is stands in `extensions.ts`.
 */
export const EnvelopeExtension = struct('EnvelopeExtension', { type: uint16, data: opaque(0, 2 ** 16 - 1) })
export type EnvelopeExtension = TypeOf<typeof EnvelopeExtension>

/**
 * The response of an upstream that a function passes on, and that goes along with the client's connection.
 */
export const Upstream = struct('Upstream', {
  /** The stream whose call it belongs to; 0 over HTTP/1. */
  streamId: uint32,
  /** Whether its connection comes along, as the next one of the descriptors behind the client's. */
  live: boolean,
  /** `UpstreamState`: it holds keys. */
  state: secret(opaque(1, 2 ** 24 - 1)),
})
export type Upstream = TypeOf<typeof Upstream>

/**
 * All that a connection is, apart from its byte stream: identity, limits used up, the TLS session and the
 * HTTP state. It holds live keys, so it never travels bare: see `seal.ts`.
 */
export const Envelope = struct('Envelope', {
  ...fieldsWith(SessionState),
  upstreams: vector(Upstream, 0, 2 ** 24 - 1),
})
export type Envelope = TypeOf<typeof Envelope>

/** Versions 4 to 6. */
const EnvelopeWithoutUpstreams = struct('Envelope', fieldsWith(SessionState))
/** Versions 2 and 3. */
const EnvelopeWithoutChain = struct('Envelope', fieldsWith(SessionStateWithoutChain))

function fieldsWith<T>(session: Codec<T>) {
  return {
    formatVersion: uint16,
    /** Random, given by the gateway at accept. */
    sessionId: known(SESSION_ID_LENGTH),
    /** How often the session has changed its owner or has been offered to one; a higher one wins. */
    generation: uint32,
    /** Moves between containers so far. */
    hops: uint16,
    /** Milliseconds until the connection counts as idle for too long. */
    idleLeft: uint32,
    /** Absent on a connection without TLS. */
    tls: optional(session),
    application: ApplicationState,
    extensions: vector(EnvelopeExtension, 0, 2 ** 16 - 1),
  }
}

/** Why an envelope is refused. */
export type EnvelopeFault = 'version' | 'malformed'

/** Bytes that are no envelope of ours. Nothing has been changed by trying. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
  readonly reason: EnvelopeFault

  constructor(reason: EnvelopeFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** The layout that an envelope of that version has. */
export function layoutOf(
  version: number,
): typeof Envelope | typeof EnvelopeWithoutUpstreams | typeof EnvelopeWithoutChain {
  if (version < 4) return EnvelopeWithoutChain
  return version < 7 ? EnvelopeWithoutUpstreams : Envelope
}

/** One envelope has one encoding, and `encodeEnvelope(decodeEnvelope(x))` is `x`. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return encode(layoutOf(envelope.formatVersion) as typeof Envelope, envelope)
}

const ENCODER = new Encoder(Envelope)

/**
 * The same for one that leaves at once. @param use has the bytes until it returns; nothing is left of them
 */
export function withEncoded<T>(envelope: Envelope, use: (bytes: Uint8Array) => T): T {
  if (envelope.formatVersion < 7) return use(encodeEnvelope(envelope))
  try {
    return use(ENCODER.encode(envelope))
  } finally {
    ENCODER.clear()
  }
}

/** The first version that knows a protocol, if that is none of the first ones. */
const SINCE: Readonly<Partial<Record<ApplicationState['protocol'], number>>> = {
  http1_response: 5,
  http2_responses: 5,
  http1_upload: 7,
  http2_streams: 7,
}

/**
 * @throws EnvelopeError `version` for a format we do not read, `malformed` for anything truncated, too long
 * or out of range
 * @param sessionId of the session that it was said to be: then the envelope has that array
 */
export function decodeEnvelope(bytes: Uint8Array, sessionId?: Uint8Array): Envelope {
  const version = versionOf(bytes)
  if (version !== undefined && (version < OLDEST_VERSION || version > FORMAT_VERSION)) {
    const readable = `${OLDEST_VERSION} to ${FORMAT_VERSION}`
    throw new EnvelopeError('version', `format version ${version}; this program reads ${readable}`)
  }
  try {
    const envelope = version! < 7 ? decodeOlder(bytes, version!) : decode(Envelope, bytes, sessionId)
    if (version === 2 && envelope.application.protocol !== 'http1')
      throw new DecodeError('version 2 has no such protocol', 0)
    if (version! < (SINCE[envelope.application.protocol] ?? 0))
      throw new DecodeError(`version ${version} has no such protocol`, 0)
    if (version! < 6 && /^(negotiating|extended)$/.test(envelope.tls?.keyUpdate.kind ?? ''))
      throw new DecodeError(`version ${version} has no extended key updates`, 0)
    return envelope
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new EnvelopeError('malformed', `at byte ${error.offset}: ${error.message}`, { cause: error })
  }
}

/** The format version that an envelope begins with; undefined if it is too short for one. */
export function versionOf(bytes: Uint8Array): number | undefined {
  return bytes.length < 2 ? undefined : (bytes[0]! << 8) | bytes[1]!
}

/** What older versions say, in the form of today. */
function decodeOlder(bytes: Uint8Array, version: number): Envelope {
  if (version >= 4) return { ...decode(EnvelopeWithoutUpstreams, bytes), upstreams: [] }
  const envelope = decode(EnvelopeWithoutChain, bytes)
  const { tls } = envelope
  return { ...envelope, tls: tls && ({ ...tls, peerIntermediates: [] } as SessionState), upstreams: [] }
}

/** The envelope of a connection that has not spoken yet. */
export function freshEnvelope(
  sessionId: Uint8Array,
  idleLeft: number,
  tls: SessionState | undefined,
  http: H1State = { requestsServed: 0, inbound: EMPTY },
): Envelope {
  return {
    formatVersion: FORMAT_VERSION,
    sessionId,
    generation: 0,
    hops: 0,
    idleLeft,
    tls,
    application: { protocol: 'http1', ...http },
    extensions: [],
    upstreams: [],
  }
}
