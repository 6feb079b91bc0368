import { peerError, TlsError } from './alert.ts'
import { CLIENT_TRANSITIONS } from './client.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import { decodeHandshake } from './messages.ts'
import { SERVER_TRANSITIONS } from './server.ts'
import type { ClientState, ServerState, SessionState } from './state.ts'
import type { ClientTransition, Context, Outcome, ServerTransition } from './transition.ts'

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
): Outcome<ServerState> | Outcome<ClientState> {
  const message = decodeHandshake(raw)
  const { role, handshake } = session
  const table = role === 'server' ? SERVER_TRANSITIONS : CLIENT_TRANSITIONS
  const row = table[handshake.state as never] as Partial<Record<string, ServerTransition & ClientTransition>>
  const transition = row[message.type]
  if (transition === undefined) {
    throw peerError('unexpected_message', `${message.type} in state ${handshake.state}`)
  }
  return transition(session as never, { message, raw }, context as never)
}

/** @throws TlsError internal_error (configuration) for a state of one role and a configuration of the other */
export function checkRole(session: SessionState, config: ServerConfig | ClientConfig): void {
  const role = 'verify' in config ? 'client' : 'server'
  if (role === session.role) return
  const reason = `a ${session.role}'s state and a ${role}'s configuration`
  throw new TlsError('internal_error', 'configuration', reason)
}
