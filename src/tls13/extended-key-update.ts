import { concat, decode, EMPTY, encode, equal } from '../wire/index.ts'
import { peerError } from './alert.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import type { CipherSuite, HashAlgorithm, KeyExchangeGroup } from './crypto/provider.ts'
import { KeyShareEntry } from './extensions.ts'
import { type DerivedSecretName, hkdfExtract, updateSalt } from './key-schedule.ts'
import { decodeHandshake, ExtendedKeyUpdateType, type MessageOf } from './messages.ts'
import type { SessionState } from './state.ts'
import { type Context, derive, type Effect, encodeWith, expose, type Outcome, suiteOf } from './transition.ts'
import type { Extended, KeyUpdateState } from './update-state.ts'

/**
 * Extended key updates (draft-ietf-tls-extended-key-update): a key exchange after the handshake, from which
 * both sides take new traffic secrets that the holder of the old ones cannot know.
 *
 *     initiator                                responder
 *       WAIT_RESPONSE ── request, a share ──▶    RESPONSE_OWED
 *                     ◀── response, a share ──   WAIT_FINISH    from here on it writes under the new key
 *       reads under the new key
 *                     ── finish ──▶              reads under the new key
 *       writes under the new key
 */

type AnyContext = Context<ServerConfig | ClientConfig>
type Stage<S extends string> = Extract<NonNullable<Extended['exchange']>, { stage: S }>

/**
 * exporter_secret_0 (§10.1 of the draft), where extended key updates are agreed on.
 * @param afterFinished the hash of the transcript up to the server's Finished
 */
export function firstExporter(
  update: KeyUpdateState,
  suite: CipherSuite,
  masterSecret: Uint8Array,
  afterFinished: Uint8Array,
): { readonly keyUpdate: KeyUpdateState; readonly effects: readonly Effect[] } {
  if (update.kind !== 'negotiating') return { keyUpdate: update, effects: [] }
  const exporter = derive(suite, 'exporter_secret_0', masterSecret, afterFinished)
  return { keyUpdate: { ...update, exporterSecret: exporter.secret }, effects: [exporter.expose] }
}

/** What a session has for its first exchange when its handshake is over. */
export function firstGeneration(
  update: KeyUpdateState,
  hash: HashAlgorithm,
  masterSecret: Uint8Array,
  transcriptHash: Uint8Array,
): KeyUpdateState {
  if (update.kind !== 'negotiating') return update
  const { group, exporterSecret } = update
  const salt = updateSalt(hash, masterSecret)
  return { kind: 'extended', group, generation: 0, salt, transcriptHash, exporterSecret, exchange: undefined }
}

/** Asks for an exchange. Nothing else may be underway: see `mayExtend`. */
export function requestUpdate(session: SessionState, context: AnyContext): Outcome<SessionState> {
  const extended = session.keyUpdate as Extended
  const group = groupOf(extended, context)
  // A share is used once: reuse would let who has one secret have the next one.
  const { privateKey, keyExchange } = group.generate(context.random)
  const request = write('key_update_request', { group: group.id, keyExchange }, context)
  const exchange: Stage<'WAIT_RESPONSE'> = { stage: 'WAIT_RESPONSE', privateKey, request, crossed: false }
  return { next: { keyUpdate: { ...extended, exchange } }, effects: [{ do: 'write', message: request }] }
}

/** Sends the response that is owed, under the old key, and goes on writing under the new one. */
export function respondToUpdate(session: SessionState): Outcome<SessionState> {
  const extended = session.keyUpdate as Extended
  const { response, writeSecret, ...rest } = extended.exchange as Stage<'RESPONSE_OWED'>
  return {
    next: { keyUpdate: { ...extended, exchange: { ...rest, stage: 'WAIT_FINISH' } } },
    effects: [
      { do: 'write', message: response },
      { do: 'writeWith', secret: writeSecret },
    ],
  }
}

/** A message of an exchange has come, in either role. */
export function onExtendedKeyUpdate<S extends SessionState>(
  session: S,
  { message, raw }: { readonly message: unknown; readonly raw: Uint8Array },
  context: AnyContext,
): Outcome<S> {
  const { updateType, content } = message as MessageOf<'extended_key_update'>
  const { keyUpdate } = session
  if (keyUpdate.kind !== 'extended') {
    const what = 'an ExtendedKeyUpdate that was not agreed on'
    throw peerError('unexpected_message', 'extended_key_update_not_negotiated', what)
  }
  switch (updateType) {
    case ExtendedKeyUpdateType.key_update_request:
      return onRequest(session, keyUpdate, content, raw, context) as Outcome<S>
    case ExtendedKeyUpdateType.key_update_response:
      return onResponse(session, keyUpdate, content, raw, context) as Outcome<S>
    case ExtendedKeyUpdateType.key_update_finish:
      return onFinish(session, keyUpdate, content) as Outcome<S>
    default:
      throw peerError('unexpected_message', 'unknown_extended_key_update', `subtype ${updateType}`)
  }
}

function onRequest(
  session: SessionState,
  extended: Extended,
  content: Uint8Array,
  request: Uint8Array,
  context: AnyContext,
): Outcome<SessionState> {
  const share = shareOf(content, extended)
  const { exchange } = extended
  if (exchange !== undefined && loses(share, exchange))
    return { next: { keyUpdate: { ...extended, exchange: { ...exchange, crossed: true } } }, effects: [] }
  const group = groupOf(extended, context)
  const answer = group.respond(context.random, share.keyExchange)
  if (answer === undefined) throw invalidShare(group)
  const { keyExchange, sharedSecret } = answer
  const response = write('key_update_response', { group: group.id, keyExchange }, context)
  const { effects, client, server, ...following } = advance(
    session,
    extended,
    sharedSecret,
    concat(request, response),
    context,
  )
  const [readSecret, writeSecret] = session.role === 'server' ? [client, server] : [server, client]
  const { exporterSecret, ...known } = following
  const owed: Stage<'RESPONSE_OWED'> = {
    stage: 'RESPONSE_OWED',
    response,
    writeSecret,
    readSecret,
    exporterSecret,
  }
  return { next: { keyUpdate: { ...extended, ...known, exchange: owed } }, effects }
}

/**
 * Whether a request of the peer's that crosses one of ours is passed over: the one with the greater share
 * goes on. @throws TlsError unexpected_message for one that does not cross ours, or that is equal to it
 */
function loses(
  share: KeyShareEntry,
  exchange: NonNullable<Extended['exchange']>,
): exchange is Stage<'WAIT_RESPONSE'> {
  if (exchange.stage !== 'WAIT_RESPONSE' || exchange.crossed) {
    const what = 'a request for an update before the last one was over'
    throw peerError('unexpected_message', 'overlapping_extended_key_updates', what)
  }
  const { content } = decodeHandshake(exchange.request) as MessageOf<'extended_key_update'>
  const order = compare(share.keyExchange, decode(KeyShareEntry, content).keyExchange)
  if (order === 0)
    throw peerError('unexpected_message', 'equal_key_shares', 'two requests that cross have one key share')
  return order < 0
}

function onResponse(
  session: SessionState,
  extended: Extended,
  content: Uint8Array,
  response: Uint8Array,
  context: AnyContext,
): Outcome<SessionState> {
  const { exchange } = extended
  if (exchange?.stage !== 'WAIT_RESPONSE') throw outOfOrder('a response to no request')
  const share = shareOf(content, extended)
  const group = groupOf(extended, context)
  const sharedSecret = group.complete(exchange.privateKey, share.keyExchange)
  if (sharedSecret === undefined) throw invalidShare(group)
  const messages = concat(exchange.request, response)
  const { effects, client, server, ...following } = advance(
    session,
    extended,
    sharedSecret,
    messages,
    context,
  )
  const [readSecret, writeSecret] = session.role === 'server' ? [client, server] : [server, client]
  const over = completed(session, { ...extended, ...following })
  return {
    next: over.next,
    effects: [
      ...effects,
      { do: 'readWith', secret: readSecret },
      { do: 'write', message: write('key_update_finish', undefined, context) },
      { do: 'writeWith', secret: writeSecret },
      over.report,
    ],
  }
}

function onFinish(session: SessionState, extended: Extended, content: Uint8Array): Outcome<SessionState> {
  if (content.length > 0) throw peerError('decode_error', 'malformed_message', 'a finish with content')
  const { exchange } = extended
  if (exchange?.stage !== 'WAIT_FINISH') throw outOfOrder('a finish of no exchange')
  const { readSecret, exporterSecret } = exchange
  const over = completed(session, { ...extended, exporterSecret })
  return { next: over.next, effects: [{ do: 'readWith', secret: readSecret }, over.report] }
}

/** Both sides have new keys. */
function completed(
  { handshake }: SessionState,
  extended: Extended,
): { readonly next: Partial<SessionState>; readonly report: Effect } {
  const generation = extended.generation + 1
  const keyUpdate: Extended = { ...extended, generation, exchange: undefined }
  // §11.1 of the draft: from here on a client authenticates over the hash of all that was.
  const authenticates = handshake.state === 'CONNECTED' && handshake.transcript !== undefined
  const connected = { ...handshake, transcript: extended.transcriptHash }
  const next = authenticates ? { keyUpdate, handshake: connected } : { keyUpdate }
  const report: Effect = { do: 'report', event: { type: 'extended_key_update', generation } }
  return { next: next as Partial<SessionState>, report }
}

/** The main secret of the next generation, and what follows from it (§7 of the draft). */
function advance(
  { cipherSuite }: SessionState,
  { salt, transcriptHash, generation }: Extended,
  sharedSecret: Uint8Array,
  messages: Uint8Array,
  { provider }: AnyContext,
) {
  const suite = suiteOf(provider, cipherSuite)
  const { hash } = suite
  const main = hkdfExtract(hash, salt, sharedSecret)
  const next = hash.digest(concat(transcriptHash, messages))
  const number = generation + 1
  const secretOf = (name: DerivedSecretName) => derive(suite, name, main, next, number)
  const client = secretOf('client_application_traffic_secret_N')
  const server = secretOf('server_application_traffic_secret_N')
  const exporter = secretOf('exporter_secret_N')
  const following = {
    salt: updateSalt(hash, main),
    transcriptHash: next,
    client: client.secret,
    server: server.secret,
    exporterSecret: exporter.secret,
    effects: [expose('master_secret_N', main.slice()), client.expose, server.expose, exporter.expose],
  }
  sharedSecret.fill(0)
  main.fill(0)
  return following
}

function write(
  type: keyof typeof ExtendedKeyUpdateType,
  share: KeyShareEntry | undefined,
  { config }: AnyContext,
): Uint8Array {
  const content = share === undefined ? EMPTY : encode(KeyShareEntry, share)
  return encodeWith(config, {
    type: 'extended_key_update',
    updateType: ExtendedKeyUpdateType[type],
    content,
  })
}

/** @throws DecodeError, TlsError illegal_parameter for another group than the handshake's */
function shareOf(content: Uint8Array, { group }: Extended): KeyShareEntry {
  const share = decode(KeyShareEntry, content)
  if (share.group !== group) {
    const what = `a share for group 0x${share.group.toString(16)} in an update`
    throw peerError('illegal_parameter', 'wrong_update_group', what)
  }
  return share
}

function groupOf({ group }: Extended, { provider }: AnyContext): KeyExchangeGroup {
  // Looked for when the session was made, or restored.
  return provider.groups.find(one => one.id === group)!
}

/** Negative if `a` comes before `b`. */
function compare(a: Uint8Array, b: Uint8Array): number {
  if (equal(a, b)) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

function invalidShare({ name }: KeyExchangeGroup) {
  const what = `a key share that is not valid for ${name}`
  return peerError('illegal_parameter', 'invalid_key_share', what)
}

function outOfOrder(what: string) {
  return peerError('unexpected_message', 'extended_key_update_out_of_order', what)
}
