import type { ServerConfig } from '../../tls13/index.ts'

/** What a container's configuration may have. */
export type ContainerTls = Pick<
  ServerConfig,
  'provider' | 'certificates' | 'alpn' | 'clientCertificates' | 'tickets' | 'onSecret'
>

/**
 * A configuration in which all of that has its place, also what is not there. The engine compiles the path of
 * a connection for objects of one shape: what was rehearsed with another one would be compiled anew.
 */
export function containerTls(given: ContainerTls): ServerConfig {
  const { provider, certificates, alpn, clientCertificates, tickets, onSecret } = given
  return { provider, certificates, alpn, clientCertificates, tickets, onSecret } as ServerConfig
}
