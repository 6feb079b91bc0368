import type { Clock } from '../../time/clock.ts'
import type { Connected, ConnectOptions, Target } from '../connector.ts'
import type { Listener } from '../listener.ts'

/** What a context tells a kind. */
export interface Attempt extends Pick<ConnectOptions, 'alpn' | 'early'> {
  /** It is too late: what is open so far is closed, and the reason thrown. */
  readonly signal: AbortSignal
  /** Called when a handshake of TLS begins; what it returns, when that is over: it may have its own time. */
  readonly handshake?: () => () => void
  /** What timers go by. */
  readonly clock: Clock
}

/**
 * A kind of transport: how connections of this kind are made.
 * @typeParam Needs what it has to be given beside the target: keys, paths, places where servers are found. A
 * context takes a kind only with all of it
 */
export interface Kind<Needs extends object = object> {
  /** For errors and logs. */
  readonly name: string
  /** @throws ConnectError, or the reason of the signal (as rejection): nothing is left open then */
  connect(target: Target, attempt: Attempt, given: Needs): Promise<Connected>
}

/** A kind whose servers are made here, too. @typeParam Place where a server is to be found */
export interface ListeningKind<Needs extends object, Place extends object> extends Kind<Needs> {
  /** @throws Error (as rejection) if that place cannot be had */
  listen(place: Place): Promise<Listener>
}
