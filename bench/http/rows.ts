/** Which version of HTTP is spoken, and whether TLS protects it. */
export const PROTOCOLS = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2', 'HTTP/2 over TLS'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** The kinds of function that the platform is measured with; the last three are applications. */
export const FUNCTIONS = ['raw', 'fetch', 'Hono', 'Express', 'Fastify'] as const
export type FunctionKind = (typeof FUNCTIONS)[number]
/** The adapter that makes a server of Node's out of a fetch function. */
export const ADAPTER = '@hono/node-server'

/**
 * Whose server. `platform`: a connection goes through the gateway to a container of such a function, by its
 * plain port or by its TLS port. `engine alone`: what `hotpotato serve` runs, in one process, on raw streams
 * as a container has them, or on `net.Socket`s as any program has. `node:…`: Node's own, whose HTTP/2 has two
 * faces, one like that of HTTP/1 and one of streams; or a server of Node's with the same function or
 * application in it.
 */
export type ServerKind =
  | `platform, ${FunctionKind} function`
  | 'engine alone'
  | 'engine alone, on sockets'
  | NodeServer
  | 'node:http2, streams'
  | RivalServer
type RivalServer =
  | typeof ADAPTER
  | `${typeof ADAPTER}, Hono`
  | `${'node:http' | 'node:https'}, ${'Express' | 'Fastify'}`
type NodeServer = 'node:http' | 'node:https' | 'node:http2'

export interface Row {
  readonly protocol: Protocol
  readonly server: ServerKind
}

/** What is compared with what, in the order of a round: what has no rival comes last. */
export const ROWS: readonly Row[] = [
  ...PROTOCOLS.flatMap(protocol =>
    ([nodeOf(protocol), 'engine alone', 'platform, raw function', 'platform, fetch function'] as const).map(
      server => ({ protocol, server }),
    ),
  ),
  ...(['HTTP/1.1', 'HTTP/1.1 over TLS'] as const).flatMap(protocol =>
    (
      [
        ADAPTER,
        '@hono/node-server, Hono',
        'platform, Hono function',
        `${nodeOf1(protocol)}, Express`,
        'platform, Express function',
        `${nodeOf1(protocol)}, Fastify`,
        'platform, Fastify function',
      ] as const
    ).map(server => ({ protocol, server })),
  ),
  { protocol: 'HTTP/2', server: 'node:http2, streams' },
  { protocol: 'HTTP/2 over TLS', server: 'node:http2, streams' },
  { protocol: 'HTTP/1.1', server: 'engine alone, on sockets' },
  { protocol: 'HTTP/2', server: 'engine alone, on sockets' },
]

/** The module of Node's that others are measured against. */
export function nodeOf(protocol: Protocol): NodeServer {
  return isHttp2(protocol) ? 'node:http2' : nodeOf1(protocol)
}

function nodeOf1(protocol: Protocol): 'node:http' | 'node:https' {
  return isSecure(protocol) ? 'node:https' : 'node:http'
}

/** The server that runs the same function or application in Node's own; undefined where there is none. */
export function rivalOf(row: Row): ServerKind | undefined {
  const kind = isHttp2(row.protocol) ? undefined : functionOf(row)
  if (kind === undefined || kind === 'raw') return undefined
  if (kind === 'fetch') return ADAPTER
  return kind === 'Hono' ? `${ADAPTER}, Hono` : `${nodeOf1(row.protocol)}, ${kind}`
}

/** The packages that a row needs besides what the project needs; they are there for development alone. */
export function packagesOf({ server }: Row): string[] {
  const hono = server.startsWith(ADAPTER) ? [ADAPTER] : []
  const application = /(Hono|Express|Fastify)/.exec(server)?.[1]
  return application === undefined ? hono : [...hono, application.toLowerCase()]
}

/** The kind of function behind a row; undefined if the platform is not in it. */
export function functionOf({ server }: Row): FunctionKind | undefined {
  return FUNCTIONS.find(kind => server === `platform, ${kind} function`)
}

/** Whether it is also asked by one client that waits for each answer. */
export function isAskedAlone(row: Row): boolean {
  const kind = functionOf(row)
  return kind === 'raw' || kind === 'fetch'
}

/** What a child process is to be. */
export interface Role extends Row {
  readonly certificate: string
  readonly key: string
}

export const SERVER_NAME = 'localhost'
/** Bytes of an answer's content, and its type. */
export const CONTENT = 200
export const TYPE = 'text/plain'
/** The cipher suite of all, and their group. */
export const SUITE = 'TLS_AES_128_GCM_SHA256'
export const GROUP = 'x25519'

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
