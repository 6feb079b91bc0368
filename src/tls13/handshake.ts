import { peerError, TlsError } from './alert.ts'
import { CLIENT_ANSWERS, CLIENT_TRANSITIONS } from './client.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import { decodeHandshake, handshakeType, type MessageType } from './messages.ts'
import type { Answer } from './question.ts'
import { SERVER_ANSWERS, SERVER_TRANSITIONS } from './server.ts'
import type { ClientState, ServerState, SessionState } from './state.ts'
import type { AnswerTransition, ClientTransition, Context, Outcome, ServerTransition } from './transition.ts'

/** What a step gives, of either role. */
export type Step = Outcome<ServerState> | Outcome<ClientState>

/**
 * The whole state machine in one pure step: a session's state and a handshake message that came → what changes and what should
 * happen.
 * @param raw the message with its header
 * @throws TlsError unexpected_message for what the tables do not have, and whatever the transition finds wrong
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
    throw peerError('unexpected_message', `a message of type ${raw[0]} in state ${handshake.state}`)
  }
  const message = decodeHandshake(raw)
  const transition = row[message.type]
  if (transition === undefined) {
    throw peerError('unexpected_message', `${message.type} in state ${handshake.state}`)
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

/** @throws TlsError internal_error (configuration) for a state of one role and a configuration of the other */
export function checkRole(session: SessionState, config: ServerConfig | ClientConfig): void {
  const role = 'verify' in config ? 'client' : 'server'
  if (role === session.role) return
  const reason = `a ${session.role}'s state and a ${role}'s configuration`
  throw new TlsError('internal_error', 'configuration', reason)
}
