import { peerError } from './alert.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import type { CryptoProvider } from './crypto/provider.ts'
import { requestUpdate, respondToUpdate } from './extended-key-update.ts'
import { extensionTypes, readExtensions, writeExtensions } from './extensions.ts'
import { nextTrafficSecret, resumptionPsk } from './key-schedule.ts'
import { encodeHandshake, KeyUpdateRequest, type MessageOf } from './messages.ts'
import type { ServerState, SessionState } from './state.ts'
import {
  type ClientTransition,
  type Context,
  type Effect,
  encodeWith,
  type Outcome,
  type Received,
  suiteOf,
} from './transition.ts'
import { mayExtend, NO_KEY_UPDATE, owesUpdate } from './update-state.ts'

/** A ticket's nonce is its number, in two bytes. */
const MAXIMUM_TICKETS = 65_535
/** Bytes of a client's certificate that a ticket has room for; with a larger one there are no tickets. */
const MAXIMUM_CERTIFICATE = 2 ** 14
/** Seconds; RFC 8446 §4.6.1. */
const MAXIMUM_TICKET_LIFETIME = 604_800
const DEFAULT_TICKET_LIFETIME = 7200

/**
 * `count` NewSessionTickets (RFC 8446 §4.6.1). The nonce is the number of tickets issued, which is
 * part of the session state: it goes on after a move, so no two tickets of one session share a PSK.
 */
export function issueTickets(
  session: ServerState,
  count: number,
  context: Context<ServerConfig>,
): Outcome<ServerState> {
  const { config, provider, random, now } = context
  const { handshake } = session
  const { peerCertificate, peerIntermediates } = session
  const unfit = peerCertificate !== undefined && peerCertificate.length > MAXIMUM_CERTIFICATE
  if (config.tickets === undefined || unfit || handshake.state !== 'CONNECTED')
    return { next: {}, effects: [] }
  if (handshake.resumptionMasterSecret.length === 0) return { next: {}, effects: [] }
  const { hash } = suiteOf(provider, session.cipherSuite)
  const lifetime = Math.min(
    config.tickets.lifetimeSeconds ?? DEFAULT_TICKET_LIFETIME,
    MAXIMUM_TICKET_LIFETIME,
  )
  const effects: Effect[] = []
  let { ticketsIssued } = handshake
  if (ticketsIssued + count > MAXIMUM_TICKETS)
    throw new RangeError(`a session issues at most ${MAXIMUM_TICKETS} tickets`)
  for (let i = 0; i < count; i++, ticketsIssued++) {
    const ticketNonce = Uint8Array.of(ticketsIssued >> 8, ticketsIssued & 0xff)
    const psk = resumptionPsk(hash, handshake.resumptionMasterSecret, ticketNonce)
    const ageAdd = new DataView(random(4).slice().buffer).getUint32(0)
    const contents = {
      cipherSuite: session.cipherSuite,
      psk,
      issuedAt: now,
      lifetime,
      ageAdd,
      serverName: session.serverName,
      alpn: session.alpn,
      maxEarlyData: config.earlyData?.maximum ?? 0,
      peerCertificate,
      peerIntermediates,
    }
    const message = encodeWith(config, {
      type: 'new_session_ticket',
      ticketLifetime: lifetime,
      ticketAgeAdd: ageAdd,
      ticketNonce,
      ticket: config.tickets.sealer.seal(contents, random),
      extensions: writeExtensions(
        'NST',
        config.earlyData === undefined ? {} : { early_data: config.earlyData.maximum },
      ),
    })
    effects.push({ do: 'write', message })
  }
  return { next: { handshake: { ...handshake, ticketsIssued } }, effects }
}

/** The client keeps a ticket with its PSK. */
export const onNewSessionTicket: ClientTransition = (session, { message }, { provider, now }) => {
  const ticket = message as MessageOf<'new_session_ticket'>
  const { handshake } = session
  if (handshake.state !== 'CONNECTED')
    throw peerError('unexpected_message', 'message_out_of_order', 'a ticket before the handshake was over')
  const { early_data: maxEarlyData = 0 } = readExtensions(
    'NST',
    ticket.extensions,
    extensionTypes(ticket.extensions),
  )
  if (ticket.ticketLifetime > MAXIMUM_TICKET_LIFETIME) {
    throw peerError(
      'illegal_parameter',
      'ticket_lifetime_too_long',
      `a ticket lifetime of ${ticket.ticketLifetime} seconds`,
    )
  }
  // §4.6.1: a lifetime of zero says that the ticket is to be thrown away at once.
  if (ticket.ticketLifetime === 0) return { next: {}, effects: [] }
  // What the ticket stands for cannot be known.
  if (handshake.resumptionMasterSecret.length === 0) return { next: {}, effects: [] }
  const { hash } = suiteOf(provider, session.cipherSuite)
  const kept = {
    cipherSuite: session.cipherSuite,
    psk: resumptionPsk(hash, handshake.resumptionMasterSecret, ticket.ticketNonce),
    ticket: ticket.ticket,
    ticketAgeAdd: ticket.ticketAgeAdd,
    lifetime: ticket.ticketLifetime,
    receivedAt: now,
    maxEarlyData,
    serverName: session.serverName,
    alpn: session.alpn,
  }
  return { next: {}, effects: [{ do: 'report', event: { type: 'new_session_ticket', ticket: kept } }] }
}

/**
 * The peer has changed its write key (RFC 8446 §4.6.3). An answer that it asks for is only noted: it
 * is sent before the next record of ours, and it is part of the state until then.
 */
export function onKeyUpdate<S extends SessionState>(
  session: S,
  { message }: Received,
  { provider }: { readonly provider: CryptoProvider },
): Outcome<S> {
  const { requestUpdate: asked } = message as MessageOf<'key_update'>
  if (session.keyUpdate.kind === 'extended')
    throw peerError('unexpected_message', 'key_update_not_allowed', 'a KeyUpdate after agreeing on others')
  if (asked > KeyUpdateRequest.update_requested)
    throw peerError('illegal_parameter', 'unknown_key_update_request', `request_update ${asked}`)
  const updateRequested = asked === KeyUpdateRequest.update_requested
  const { hash } = suiteOf(provider, session.cipherSuite)
  return {
    next: (updateRequested ? { keyUpdate: { kind: 'owed' } } : {}) as Partial<S>,
    effects: [
      { do: 'readWith', secret: nextTrafficSecret(hash, session.read!.trafficSecret) },
      { do: 'report', event: { type: 'key_update', updateRequested } },
    ],
  }
}

/**
 * Changes our write key: by a KeyUpdate (RFC 8446 §4.6.3), or, where extended key updates were agreed on, by
 * beginning or going on with one. If it is the peer's turn, nothing happens.
 * @param requestPeer ask the peer to change its own, too; it does, in an extended key update
 */
export function updateKeys(
  session: SessionState,
  requestPeer: boolean,
  context: Context<ServerConfig | ClientConfig>,
): Outcome<SessionState> {
  if (session.keyUpdate.kind === 'extended') {
    if (owesUpdate(session)) return respondToUpdate(session)
    return mayExtend(session) ? requestUpdate(session, context) : { next: {}, effects: [] }
  }
  const asked = requestPeer ? KeyUpdateRequest.update_requested : KeyUpdateRequest.update_not_requested
  const message = encodeHandshake({ type: 'key_update', requestUpdate: asked })
  const { hash } = suiteOf(context.provider, session.cipherSuite)
  return {
    // Whatever we owed, this is it.
    next: { keyUpdate: NO_KEY_UPDATE },
    effects: [
      { do: 'write', message },
      { do: 'writeWith', secret: nextTrafficSecret(hash, session.write!.trafficSecret) },
    ],
  }
}
