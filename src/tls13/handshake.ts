import { configurationError, peerError } from './alert.ts'
import { CLIENT_ANSWERS, CLIENT_TRANSITIONS } from './client.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import { decodeHandshake, handshakeType, type MessageType } from './messages.ts'
import type { Answer } from './question.ts'
import { MAXIMUM_PLAINTEXT, MINIMUM_LIMIT } from './record.ts'
import { SERVER_ANSWERS, SERVER_TRANSITIONS } from './server.ts'
import type { ClientState, ServerState, SessionState } from './state.ts'
import type { AnswerTransition, ClientTransition, Context, Outcome, ServerTransition } from './transition.ts'
import { suiteOf } from './transition.ts'
import { checkUpdate } from './update-check.ts'

/** What a step gives, of either role. */
export type Step = Outcome<ServerState> | Outcome<ClientState>

/**
 * The whole state machine in one pure step: a session's state and a handshake message that came → what
 * changes and what should happen.
 * @param raw the message with its header
 * @throws TlsError unexpected_message for what the tables do not have, and whatever the transition finds
 * wrong
 */
export function handshakeStep(
  session: SessionState,
  raw: Uint8Array,
  context: Context<ServerConfig | ClientConfig>,
): Step {
  const { role, handshake } = session
  const table = role === 'server' ? SERVER_TRANSITIONS : CLIENT_TRANSITIONS
  const row = table[handshake.state as never] as Partial<Record<string, ServerTransition & ClientTransition>>
  // What has no business here is not read.
  if (!Object.keys(row).some(type => handshakeType(type as MessageType) === raw[0])) {
    throw peerError(
      'unexpected_message',
      'message_out_of_order',
      `a message of type ${raw[0]} in state ${handshake.state}`,
    )
  }
  const message = decodeHandshake(raw)
  const transition = row[message.type]
  if (transition === undefined) {
    throw peerError(
      'unexpected_message',
      'message_out_of_order',
      `${message.type} in state ${handshake.state}`,
    )
  }
  return transition(session as never, { message, raw }, context as never)
}

/** The same for the answer to the question that the state waits for. */
export function answerStep(
  session: SessionState,
  answer: Answer,
  context: Context<ServerConfig | ClientConfig>,
): Step {
  const { role, handshake } = session
  const table = role === 'server' ? SERVER_ANSWERS : CLIENT_ANSWERS
  const transition = table[handshake.state as never] as AnswerTransition<never, never> | undefined
  if (transition === undefined) throw new Error(`no question is open in state ${handshake.state}`)
  return transition(session as never, answer, context as never)
}

/** Handshake states in which no suite has been chosen, or no key set; and the end, when keys are gone. */
const KEYLESS: ReadonlySet<SessionState['handshake']['state']> = new Set([
  'START',
  'WAIT_SECOND_CLIENT_HELLO',
  'WAIT_COOKIE',
  'WAIT_REPLAY_CHECK',
  'WAIT_SH',
  'CLOSED',
])

/**
 * Whether a state fits the configuration and makes sense by itself: it may have been written by another
 * implementation.
 * @throws TlsError internal_error (configuration) for a state of one role and a configuration of the other, a
 * suite that the provider lacks, keys that are missing or of the wrong length, or a record size limit out of
 * range
 */
export function checkState(session: SessionState, config: ServerConfig | ClientConfig): void {
  const role = 'verify' in config ? 'client' : 'server'
  if (role !== session.role)
    throw configurationError(
      'internal_error',
      'role_mismatch',
      `a ${session.role}'s state and a ${role}'s configuration`,
    )
  const { cipherSuite, handshake, read, write, readClosed, writeClosed, recordSizeLimits } = session
  for (const limit of Object.values(recordSizeLimits ?? {})) {
    if (limit < MINIMUM_LIMIT || limit > MAXIMUM_PLAINTEXT)
      throw configurationError(
        'internal_error',
        'own_record_size_limit',
        `a record size limit of ${limit} bytes`,
      )
  }
  if (KEYLESS.has(handshake.state) && read === undefined && write === undefined) return
  const { hash } = suiteOf(config.provider, cipherSuite)
  const lengths = [read, write].map(one => one?.trafficSecret.length ?? hash.length)
  if (lengths.some(length => length !== hash.length))
    throw configurationError(
      'internal_error',
      'secret_length_mismatch',
      'a traffic secret that is not as long as the hash of its suite',
    )
  checkUpdate(session, config.provider, hash.length)
  if (KEYLESS.has(handshake.state)) return
  if ((read === undefined && !readClosed) || (write === undefined && !writeClosed))
    throw configurationError(
      'internal_error',
      'missing_secrets',
      `a state ${handshake.state} without its keys`,
    )
}
