import type { Duplex } from 'node:stream'
import type { Session } from '../tls13/index.ts'
import type { Transport } from './transport.ts'

/** Where a client wants to go, as a URL says it, and more where the program knows more. */
export interface Target {
  /** Of the URL, without the colon: `http`, `https`, or one of a program's own such as `http+unix`. */
  readonly scheme: string
  /** A host name or an IP address, without brackets. */
  readonly host: string
  readonly port: number
  /** Of a Unix socket, instead of host and port. */
  readonly path?: string
  /** The name that TLS asks for and holds the certificate against; default: `host`. */
  readonly serverName?: string
}

export interface ConnectOptions {
  /** Gives up, and closes what is open so far. */
  readonly signal?: AbortSignal
  /** Milliseconds for name, connection and handshake, or without the handshake; default: 10 000. */
  readonly timeoutMs?: number
  /** Milliseconds for the handshake of TLS alone, which `timeoutMs` is not for then. */
  readonly handshakeMs?: number
  /** What the client speaks, in the order of preference; default: `h2`, `http/1.1`. */
  readonly alpn?: readonly string[]
  /**
   * Bytes that may come twice at the server (RFC 8470): sent with the first flight where a ticket allows it,
   * and otherwise as soon as there is a connection. They are not written a second time by the caller.
   */
  readonly early?: Uint8Array
}

/** A version of HTTP by its name in ALPN. */
export type HttpName = 'http/1.1' | 'h2'

/** A connection whose handshakes are over: bytes may be written, and nothing was read yet. */
export interface Connected {
  readonly transport: Transport
  /** What ALPN chose; undefined: nothing, or there is no TLS. */
  readonly alpn: HttpName | undefined
  /** Whether the bytes are protected, and the server has shown who it is. */
  readonly secure: boolean
  /** DNS names and IP addresses that the server's certificate is for, in lower case. */
  readonly certificateNames?: readonly string[]
  /** Of our TLS: to look at. */
  readonly session?: Session
  /** What lies below everything, where it is a stream of Node's: for its addresses, and not to be read. */
  readonly stream?: Duplex
}

/** What opens connections: one function, whatever lies beneath. */
export interface Connector {
  /** @throws ConnectError (as rejection): nothing is left open then */
  connect(target: Target, options?: ConnectOptions): Promise<Connected>
  /**
   * What leads there: the same for targets that are reached in the same way, trusting the same authorities.
   * Without it no connection serves several hosts.
   */
  routeOf?(target: Target): unknown
}

/** What did not work: finding the address, reaching it, TLS, in time, or the caller gave up. */
export type ConnectFault = 'unsupported' | 'resolve' | 'connect' | 'tls' | 'timeout' | 'aborted'

/** A connection that did not come about. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly kind: ConnectFault
  /** As Node's errors have it: `ECONNREFUSED` and the like; undefined if there is none. */
  readonly code: string | undefined
  /** What took too long, with `timeout`: all of it, or the handshake, if it had a time of its own. */
  readonly stage: 'connect' | 'handshake'

  constructor(
    kind: ConnectFault,
    message: string,
    cause?: unknown,
    stage: ConnectError['stage'] = 'connect',
  ) {
    super(message, cause === undefined ? {} : { cause })
    this.kind = kind
    this.stage = stage
    const { code } = (cause ?? {}) as { readonly code?: unknown }
    this.code = typeof code === 'string' ? code : undefined
  }
}

/** A target as errors call it. */
export function shown({ host, port, path }: Target): string {
  if (path !== undefined) return path
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
