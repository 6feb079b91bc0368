import { concat, EMPTY } from '../wire/index.ts'
import { alertName, peerError } from './alert.ts'
import { ContentType } from './codepoints.ts'
import type { SessionEvent } from './config.ts'
import { ExtendedKeyUpdateType, HandshakeType, wholeHandshake } from './messages.ts'
import { COMPATIBILITY, type Content } from './record.ts'
import type { SessionState } from './state.ts'
import type { Trifle, Trifles } from './trifles.ts'

/**
 * What a session's state says about the records and contents that come (RFC 8446 §5), message by
 * message aside.
 */

/**
 * Whether a record that does not open may be refused early data, which is passed over (§4.2.10). It
 * counts against what is passed over in all.
 * @param length bytes of the record's fragment
 */
export function passesOver({ handshake }: SessionState, length: number): boolean {
  // No record costs nothing: empty ones may not come without end.
  const cost = Math.max(length, 1)
  if (!('skipEarlyData' in handshake) || handshake.skipEarlyData < cost) return false
  handshake.skipEarlyData -= cost
  return true
}

/** Whether refused early data may still come. */
export function mayPassOver({ handshake }: SessionState): boolean {
  return 'skipEarlyData' in handshake && handshake.skipEarlyData > 0
}

/** The first record that opens ends refused early data. */
export function stopPassingOver({ handshake }: SessionState): void {
  if ('skipEarlyData' in handshake) handshake.skipEarlyData = 0
}

/**
 * Between the first ClientHello and the peer's Finished a ChangeCipherSpec may come, and means nothing
 * (§5).
 * @param stateless whether the first ClientHello may have been forgotten, and be in a cookie @throws TlsError
 * unexpected_message
 */
export function checkChangeCipherSpec(state: SessionState, fragment: Uint8Array, stateless: boolean): void {
  const { state: name } = state.handshake
  const started = name !== 'START' || stateless
  const fits = started && name !== 'CONNECTED' && fragment.length === 1 && fragment[0] === 1
  if (!fits)
    throw peerError('unexpected_message', 'misplaced_change_cipher_spec', 'a ChangeCipherSpec out of place')
  assertNoPartialMessage(state)
}

/**
 * Nothing may stand between the records of one handshake message (§5.1). @throws TlsError
 * unexpected_message
 */
export function assertNoPartialMessage({ inboundHandshake }: SessionState): void {
  if (inboundHandshake.length > 0) {
    throw peerError('unexpected_message', 'interrupted_message', 'another record inside a handshake message')
  }
}

/**
 * The client's messages of one authentication follow each other (§4.6.2). @throws TlsError
 * unexpected_message
 */
export function assertNoAuthentication({ handshake }: SessionState, what: string): void {
  if (handshake.state !== 'CONNECTED') return
  const stage = handshake.authentication?.stage
  if (stage === 'WAIT_CV' || stage === 'WAIT_FINISHED') {
    throw peerError(
      'unexpected_message',
      'interrupted_authentication',
      `${what} between Certificate and Finished`,
    )
  }
}

/**
 * Takes the content of a record into the state: bytes of handshake messages are kept for later, everything
 * else is told.
 * @returns a trifle for what says nothing; undefined if there is nothing to tell
 * @throws TlsError for what does not belong here
 */
export function takeContent(state: SessionState, said: Content): SessionEvent | Trifle | undefined {
  if (said === COMPATIBILITY) return 'ChangeCipherSpecs'
  const { type, content } = said
  if (type === ContentType.handshake) {
    if (content.length === 0)
      throw peerError('unexpected_message', 'empty_fragment', 'an empty handshake record')
    state.inboundHandshake = concat(state.inboundHandshake, content)
    return undefined
  }
  assertNoPartialMessage(state)
  switch (type) {
    case ContentType.application_data:
      return takeData(state, content)
    case ContentType.alert:
      return takeAlert(state, content)
    default:
      throw peerError('unexpected_message', 'unexpected_content_type', `content type ${type}`)
  }
}

/** Early data counts against what was allowed (§4.2.10). */
function takeData(state: SessionState, data: Uint8Array): SessionEvent | Trifle {
  const { handshake } = state
  const early = handshake.state === 'WAIT_EOED'
  if (state.read === undefined || (handshake.state !== 'CONNECTED' && !early)) {
    throw peerError('unexpected_message', 'data_during_handshake', 'application data during the handshake')
  }
  assertNoAuthentication(state, 'application data')
  if (data.length === 0) return 'records without content'
  if (!early) return { type: 'application_data', data }
  if (data.length > handshake.earlyDataLeft) {
    throw peerError('unexpected_message', 'too_much_early_data', 'more early data than we allowed')
  }
  handshake.earlyDataLeft -= data.length
  return { type: 'application_data', data, early: true }
}

function takeAlert(state: SessionState, content: Uint8Array): SessionEvent | Trifle {
  // §5.4
  if (content.length === 0) throw peerError('unexpected_message', 'empty_fragment', 'an empty alert')
  if (content.length !== 2)
    throw peerError('decode_error', 'malformed_alert', `an alert of ${content.length} bytes`)
  const name = alertName(content[1]!)
  if (name === 'close_notify') {
    state.readClosed = true
    // Before the handshake is over there is nothing to go on with.
    if (state.handshake.state !== 'CONNECTED') state.handshake = { state: 'CLOSED' }
    return { type: 'close_notify' }
  }
  // §6.1: closure alerts are not errors. Every other one is, known or not, whatever its level (§6).
  if (name === 'user_canceled') return 'alerts user_canceled'
  const error = peerError(
    name ?? 'internal_error',
    'alert_received',
    `alert ${name ?? content[1]} from the peer`,
  )
  return { type: 'alert', from: 'peer', alert: error.alert, error }
}

/**
 * Takes the next whole handshake message out of what has been decrypted, if there is one. @param limit bytes
 * of its body
 */
export function takeHandshakeMessage(state: SessionState, limit?: number): Uint8Array | undefined {
  const buffered = state.inboundHandshake
  const length = wholeHandshake(buffered, limit)
  if (length === undefined) return undefined
  state.inboundHandshake = buffered.length === length ? EMPTY : buffered.slice(length)
  return buffered.slice(0, length)
}

/**
 * A message after the handshake: if it changes keys, it may not come between those of an authentication, nor
 * without end. @param raw with its header @throws TlsError unexpected_message
 */
export function admitUpdate(state: SessionState, raw: Uint8Array, trifles: Trifles): void {
  const { key_update, extended_key_update } = HandshakeType.members
  if (raw[0] === key_update) {
    assertNoAuthentication(state, 'a KeyUpdate')
    trifles.empty('KeyUpdates')
  } else if (raw[0] === extended_key_update) {
    assertNoAuthentication(state, 'an ExtendedKeyUpdate')
    // A request costs us a key exchange; whatever else comes answers one of ours.
    if (raw[4] === ExtendedKeyUpdateType.key_update_request) trifles.exchange()
  }
}
