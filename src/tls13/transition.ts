import { TlsError } from './alert.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from './config.ts'
import type { CipherSuite, CryptoProvider, Random } from './crypto/provider.ts'
import {
  type DerivedSecret,
  type DerivedSecretName,
  type ExposedSecret,
  KEY_SCHEDULE,
  walk,
} from './key-schedule.ts'
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessage,
  handshakeLength,
  type MessageOf,
  type MessageType,
} from './messages.ts'
import type { Answer } from './question.ts'
import type { ClientState, ServerState } from './state.ts'

/** What a transition wants to happen, in this order; `session.ts` makes it happen. */
export type Effect =
  /** Send a handshake message, protected by the write state of the moment. */
  | { readonly do: 'write'; readonly message: Uint8Array }
  /** Send the ChangeCipherSpec that middleboxes want to see (RFC 8446 Appendix D.4). */
  | { readonly do: 'writeChangeCipherSpec' }
  | { readonly do: 'readWith' | 'writeWith'; readonly secret: Uint8Array }
  /**
   * Write without protection again: early data was refused, and a second ClientHello comes (RFC 8446
   * §4.2.10).
   */
  | { readonly do: 'writeInClear' }
  | { readonly do: 'expose'; readonly exposed: ExposedSecret }
  | { readonly do: 'report'; readonly event: SessionEvent }

/** What a transition may look at beside state and message. */
export interface Context<C> {
  readonly config: C
  readonly provider: CryptoProvider
  readonly random: Random
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Answers come from outside instead of from the peer: state → what to do with the answer to its question. */
export type AnswerTransition<S, C> = (session: S, answer: Answer, context: Context<C>) => Outcome<S>

/** A handshake message that came, with the bytes that go into the transcript. */
export interface Received<T extends MessageType = MessageType> {
  readonly message: MessageOf<T>
  readonly raw: Uint8Array
}

/** The fields of the session that change, and what should happen. */
export interface Outcome<S> {
  readonly next: Partial<S>
  readonly effects: readonly Effect[]
}

/** A pure function for one arrow of RFC 8446 Appendix A. It throws TlsError where a rule is broken. */
export type ServerTransition = (
  session: ServerState,
  received: Received,
  context: Context<ServerConfig>,
) => Outcome<ServerState>
export type ClientTransition = (
  session: ClientState,
  received: Received,
  context: Context<ClientConfig>,
) => Outcome<ClientState>

/** state → message → transition. What is not in the table is unexpected_message. */
export type TransitionTable<State extends string, T> = Readonly<
  Record<State, Readonly<Partial<Record<MessageType, T>>>>
>

/** Encodes a message of ours, after the configuration's last look at it. */
export function encodeWith(
  config: { readonly shape?: (message: HandshakeMessage) => HandshakeMessage },
  message: HandshakeMessage,
): Uint8Array {
  return encodeHandshake(config.shape?.(message) ?? message)
}

/** One row of the key schedule, and the effect that shows it. @param number of the extended key update */
export function derive(
  suite: CipherSuite,
  name: DerivedSecretName,
  base: Uint8Array,
  transcriptHash: Uint8Array,
  number = 0,
): { readonly secret: Uint8Array; readonly expose: Effect } {
  const secret = walk(suite.hash, name, base, transcriptHash)
  const row: DerivedSecret = KEY_SCHEDULE[name]
  return { secret, expose: expose(name, secret, row.keyLog?.replace(/_N$/, `_${number}`)) }
}

/** The effect that shows a secret. */
export function expose(name: ExposedSecret['name'], secret: Uint8Array, keyLog?: string): Effect {
  return { do: 'expose', exposed: { name, secret, keyLog } }
}

/** Tells the application that the handshake is over, and what came of it. */
export function reportComplete(
  { serverName, alpn, resumed }: ClientState | ServerState,
  { name: cipherSuite }: CipherSuite,
): Effect {
  return { do: 'report', event: { type: 'handshake_complete', cipherSuite, serverName, alpn, resumed } }
}

/** The provider's suite of that number. @throws TlsError internal_error if it has none */
export function suiteOf(provider: CryptoProvider, id: number): CipherSuite {
  const suite = provider.cipherSuites.find(one => one.id === id)
  if (suite === undefined) {
    throw new TlsError(
      'internal_error',
      'configuration',
      'missing_cipher_suite',
      `provider ${provider.name} has no cipher suite 0x${id.toString(16)}`,
    )
  }
  return suite
}

/** The newest ClientHello in a transcript. */
export function helloOf(transcript: Uint8Array): MessageOf<'client_hello'> {
  for (let at = 0; at < transcript.length; ) {
    const message = transcript.subarray(at, at + handshakeLength(transcript.subarray(at))!)
    if (message[0] === 1) return decodeHandshake(message) as MessageOf<'client_hello'>
    at += message.length
  }
  throw new TlsError('internal_error', 'local', 'missing_client_hello', 'a transcript without ClientHello')
}
