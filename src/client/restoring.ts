import { Session } from '../tls13/index.ts'
import { toClientConfig } from '../tls13/io/net.ts'
import { decode } from '../wire/index.ts'
import type { Connection, ConnectionOwner, ConnectionSettings } from './connection.ts'
import { Exchange, type Hearing, type Released } from './exchange.ts'
import { H1Connection } from './h1-connection.ts'
import { H2Connection } from './h2-connection.ts'
import { takeIn } from './moving.ts'
import type { ClientOptions } from './options.ts'
import { CLIENT_STATE_VERSION, ClientConnectionState } from './state.ts'

/** A connection that has come from another client. */
export interface Restored {
  /** Scheme, host and port. */
  readonly origin: string
  /** The requests that are on it. */
  readonly exchanges: readonly Exchange[]
  /** Gives it its owner, and goes on. */
  adopt(owner: ConnectionOwner, settings: ConnectionSettings): Connection
}

/**
 * Reads what {@link Connection.release} gave.
 * @throws DecodeError, TlsError, TypeError for what is no such thing
 */
export function restored(
  { state: bytes, descriptor }: Released,
  options: ClientOptions,
  hearing: (label: string) => Hearing,
): Restored {
  const { version, origin, session: tls, application } = decode(ClientConnectionState, bytes)
  if (version !== CLIENT_STATE_VERSION) throw new TypeError(`a connection in version ${version}`)
  const { hostname } = new URL(origin)
  const config = tls && toClientConfig({ ...options.tls, alpn: ['h2', 'http/1.1'] }, hostname)
  const session = tls && Session.restore(tls, config!)
  const { protocol } = application
  if (application.protocol === 'http/1.1') {
    const { exchange: one, ...others } = application
    const exchange = one && Exchange.restore(one, hearing(one.label))
    const state = { ...others, exchange }
    return {
      origin,
      exchanges: exchange === undefined ? [] : [exchange],
      adopt: (owner, settings) =>
        new H1Connection(takeIn(descriptor, session, protocol), owner, settings, { state }),
    }
  }
  const streams = application.exchanges.map(({ exchange, ...others }) => ({
    ...others,
    exchange: Exchange.restore(exchange, hearing(exchange.label)),
  }))
  const state = { sent: application.sent, http: application.http, streams }
  return {
    origin,
    exchanges: streams.map(({ exchange }) => exchange),
    adopt: (owner, settings) =>
      new H2Connection(takeIn(descriptor, session, protocol), owner, settings, state),
  }
}
