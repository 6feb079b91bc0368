/** Which version of HTTP is spoken, and whether TLS protects it. */
export const PROTOCOLS = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2', 'HTTP/2 over TLS'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/**
 * Whose server: ours, on raw streams as a container has them, or on `net.Socket`s as any program has; or
 * Node's, whose HTTP/2 has two faces, one like that of HTTP/1 and one of streams.
 */
export const SERVERS = ['ours', 'ours on sockets', 'node', 'node, streams'] as const
export type ServerKind = (typeof SERVERS)[number]

/** What is compared with what: over TLS our own one, evp if there is one. */
export const ROWS: readonly { readonly protocol: Protocol; readonly server: ServerKind }[] = [
  { protocol: 'HTTP/1.1', server: 'node' },
  { protocol: 'HTTP/1.1', server: 'ours' },
  { protocol: 'HTTP/1.1', server: 'ours on sockets' },
  { protocol: 'HTTP/1.1 over TLS', server: 'node' },
  { protocol: 'HTTP/1.1 over TLS', server: 'ours' },
  { protocol: 'HTTP/2', server: 'node' },
  { protocol: 'HTTP/2', server: 'node, streams' },
  { protocol: 'HTTP/2', server: 'ours' },
  { protocol: 'HTTP/2', server: 'ours on sockets' },
  { protocol: 'HTTP/2 over TLS', server: 'node' },
  { protocol: 'HTTP/2 over TLS', server: 'node, streams' },
  { protocol: 'HTTP/2 over TLS', server: 'ours' },
]

/** What a child process is to be. */
export interface Role {
  readonly protocol: Protocol
  readonly server: ServerKind
  readonly certificate: string
  readonly key: string
}

export const SERVER_NAME = 'localhost'
/** Bytes of an answer's content. */
export const CONTENT = 200
/** What is offered and taken, so that all do the same work. */
export const SUITE = 'TLS_AES_128_GCM_SHA256'

export function isSecure(protocol: Protocol): boolean {
  return protocol.endsWith('TLS')
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol.startsWith('HTTP/2')
}

/** The programs that load servers. */
export const TOOLS = ['wrk', 'h2load'] as const
export type Tool = (typeof TOOLS)[number]

/** Which one speaks that. */
export function toolOf(protocol: Protocol): Tool {
  return isHttp2(protocol) ? 'h2load' : 'wrk'
}
