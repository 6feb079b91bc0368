import type { Field } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import type { Session, SessionEvent } from '../../tls13/index.ts'
import type { ConnectionDescription } from '../../transfer/control.ts'
import type { Departure } from '../move/departure.ts'
import type { Protocol } from '../protocol/protocol.ts'

/** Characters of the name of what stays. */
const STAYS = 120

type Described = Pick<ConnectionDescription, 'sessionId' | 'generation' | 'hops'> & {
  readonly departure: Pick<Departure, 'stays'>
}

/** A connection in the words of `status`. */
export function describeConnection(
  { sessionId, generation, hops, departure }: Described,
  age: number,
  phase: 'open' | 'frozen' | 'closing' | 'closed',
  session: Session | undefined,
  { requests, calling, quiet }: Protocol,
): ConnectionDescription {
  const open = session?.connected === false ? 'handshake' : quiet && !calling ? 'idle' : 'busy'
  return {
    sessionId,
    generation,
    hops,
    age: Math.round(age),
    requests,
    phase: phase === 'open' ? open : phase === 'closed' ? 'closing' : phase,
    protocol: session?.alpn ?? 'http/1.1',
    tls: session !== undefined,
    cipherSuite: session?.cipherSuite ?? '',
    serverName: session?.serverName ?? '',
    stays: (departure.stays ?? '').slice(0, STAYS),
  }
}

/** The platform's own fields, sent with every response. */
export function platformFields(container: string, hops: number): readonly Field[] {
  return [
    ['x-hotpotato-container', container],
    ['x-hotpotato-hops', String(hops)],
  ]
}

/** Logs what is worth knowing of a TLS session. @param id of the connection */
export function logSession(log: Log, connection: { readonly id: string }, event: SessionEvent): void {
  if (event.type === 'alert') {
    const { alert, from, error } = event
    const { reason, message: detail } = error
    log.debug({ session: connection.id, alert, from, reason, detail }, 'the TLS session failed')
  } else if (event.type === 'handshake_complete') {
    const { cipherSuite, serverName, resumed } = event
    log.debug({ session: connection.id, cipherSuite, serverName, resumed }, 'handshake complete')
  } else if (event.type === 'extended_key_update') {
    log.debug({ session: connection.id, generation: event.generation }, 'both sides have new keys')
  }
}
