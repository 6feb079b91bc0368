import type { ServerConfig } from '../../tls13/index.ts'
import type { ConnectionLimits } from '../connection/connection-host.ts'

/** What a container's configuration may have. */
export type ContainerTls = Pick<
  ServerConfig,
  | 'provider'
  | 'certificates'
  | 'alpn'
  | 'clientCertificates'
  | 'tickets'
  | 'onSecret'
  | 'sharesMemory'
  | 'extendedKeyUpdate'
>

/**
 * A configuration in which all of that has its place, also what is not there. The engine compiles the path of
 * a connection for objects of one shape: what was rehearsed with another one would be compiled anew.
 */
export function containerTls(given: ContainerTls): ServerConfig {
  const { provider, certificates, alpn, clientCertificates, tickets, onSecret, ...others } = given
  const { sharesMemory, extendedKeyUpdate } = others
  const common = { provider, certificates, alpn, clientCertificates, tickets, onSecret }
  const config = { ...common, sharesMemory, extendedKeyUpdate }
  return config as ServerConfig
}

/** The same for limits: those from the settings, and those of a rehearsal. */
export function connectionLimits(given: ConnectionLimits): ConnectionLimits {
  const { timers, handlerKey, quietMilliseconds, http2 } = given
  const { headBytes, headerFields, bodyBytes, requests } = given.http
  const http = { headBytes, headerFields, bodyBytes, requests }
  return { timers, handlerKey, quietMilliseconds, http, http2 }
}
