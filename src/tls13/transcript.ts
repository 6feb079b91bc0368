import { concat, EMPTY } from '../wire/index.ts'
import type { HashAlgorithm } from './crypto/provider.ts'
import { frameHandshake } from './messages.ts'

/**
 * The transcript is the handshake messages themselves, one after the other (RFC 8446 §4.4.1). Bytes
 * can be exported; a running hash cannot, and a few kilobytes hashed a few times cost less than explaining
 * one.
 */
export function extendTranscript(transcript: Uint8Array, ...messages: readonly Uint8Array[]): Uint8Array {
  return transcript === EMPTY && messages.length === 1 ? messages[0]! : concat(transcript, ...messages)
}

/** The message that stands for the first ClientHello after a HelloRetryRequest (RFC 8446 §4.4.1). */
export function messageHash(hash: HashAlgorithm, clientHello1: Uint8Array): Uint8Array {
  return frameHandshake('message_hash', hash.digest(clientHello1))
}
