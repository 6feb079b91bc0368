import { type AlertName, configurationError } from './alert.ts'
import type { Trusted, VerifierContext } from './authentication.ts'
import type { SessionState } from './state.ts'

/**
 * What a session may have to ask the application: work that a configuration cannot do at once. A question
 * follows from the state alone, so a session can be exported while it waits, and asks again where it goes on.
 */
export type Question =
  /** To the holder of a private key: sign this (RFC 8446 §4.4.3). */
  | {
      readonly kind: 'signature'
      /** The front of the hash of the certificate whose key is meant, or of the credential. */
      readonly certificate: Uint8Array
      /** The key of a delegated credential is meant (RFC 9345). */
      readonly delegated: boolean
      readonly scheme: number
      readonly content: Uint8Array
    }
  /** To who knows whom to trust: may this chain speak for the peer? */
  | {
      readonly kind: 'certificate_verdict'
      readonly chain: readonly Uint8Array[]
      readonly context: VerifierContext
    }
  /** To the replay store: is this hello new? It may say so once (§8). */
  | {
      readonly kind: 'replay'
      readonly clientHelloHash: Uint8Array
      /** Milliseconds since 1970, when it may be forgotten. */
      readonly expiresAt: number
    }

/**
 * The application's answer to a question. `refused` ends the session with that alert; to `replay` it is
 * "rejected".
 */
export type Answer =
  | { readonly kind: 'signature'; readonly signature: Uint8Array }
  | ({ readonly kind: 'certificate_verdict' } & Trusted)
  | { readonly kind: 'replay'; readonly fresh: boolean }
  | { readonly kind: 'refused'; readonly alert: AlertName; readonly reason: string }

/** An answer that is a no, or to another question, as an error. */
export function refusal(answer: Answer): Error {
  if (answer.kind === 'refused')
    return configurationError(answer.alert, 'refused_by_application', answer.reason)
  return new TypeError(`an answer of kind ${answer.kind} to another question`)
}

/** Whether a state waits for an answer instead of the peer. */
export function isWaiting({ handshake }: SessionState): boolean {
  switch (handshake.state) {
    case 'WAIT_SIGNATURE':
    case 'WAIT_VERDICT':
    case 'WAIT_REPLAY_CHECK':
      return true
    case 'CONNECTED': {
      const stage = handshake.authentication?.stage
      return stage === 'WAIT_SIGNATURE' || stage === 'WAIT_VERDICT'
    }
    default:
      return false
  }
}
