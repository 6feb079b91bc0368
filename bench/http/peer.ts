import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2, createSecureServer, type Http2Server } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { DEFAULT_LIMITS } from '../../src/http/h1/index.ts'
import { DEFAULT_H2_LIMITS } from '../../src/http/h2/index.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { loadProvider } from '../../src/platform/membership.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { select } from '../../src/tls13/crypto/selection.ts'
import type { ServerConfig } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { secure } from '../../src/transport/secure.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import { obey, report, roleOf } from '../rig/child.ts'
import { said } from '../tamper/lie.ts'
import { ANSWER } from './check.ts'
import { ADAPTER, CONTENT, GROUP, isHttp2, isSecure, type Role, SUITE, TYPE } from './rows.ts'

const GIVEN = said(ANSWER)

/** The engine's own handlers: neither Request nor Response objects. */
const APPLICATION: HttpHandlers = {
  request: (_, response) => response.reply({ status: 200, headers: [['content-type', TYPE]], body: GIVEN }),
}

/** A connection is to last as long as the load does. */
const OPTIONS = {
  limits: {
    http1: { ...DEFAULT_LIMITS, requests: Number.MAX_SAFE_INTEGER },
    http2: DEFAULT_H2_LIMITS,
  },
}

const HEAD = { 'content-type': TYPE, 'content-length': CONTENT }

function nodeListener(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, HEAD)
  response.end(GIVEN)
}

function nodeStreams(server: Http2Server): Http2Server {
  return server.on('stream', stream => {
    stream.respond({ ':status': 200, ...HEAD })
    stream.end(GIVEN)
  })
}

function nodeServer(role: Role): Server {
  const { protocol, server, certificate, key } = role
  if (!isHttp2(protocol)) return serverOf(role, nodeListener)
  const tls = tlsOf(certificate, key)
  const streams = server === 'node:http2, streams'
  // One listener for both: what each gives and takes, both have.
  const listener = nodeListener as never
  const made = isSecure(protocol)
    ? createSecureServer(tls, streams ? undefined : listener)
    : createHttp2(streams ? undefined : listener)
  return streams ? nodeStreams(made as Http2Server) : (made as Http2Server)
}

/** The server of Node's for HTTP/1.1, with a listener in it. */
function serverOf(
  { protocol, certificate, key }: Role,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  return isSecure(protocol) ? createHttps(tlsOf(certificate, key), listener) : createHttp(listener)
}

/** What only the rows with an application need: the others do without the packages. */
async function applicationServer(role: Role): Promise<Server> {
  const { expressApplication, fastifyApplication } = await import('./applications.ts')
  if (role.server.endsWith('Express')) return serverOf(role, expressApplication())
  const app = fastifyApplication()
  await app.ready()
  return serverOf(role, (request, response) => app.routing(request, response))
}

/** What is used of {@link ADAPTER}, which need not be there. */
interface Adapter {
  createAdaptorServer(options: object): Server
}

async function adaptedServer({ protocol, server, certificate, key }: Role): Promise<Server> {
  const { createAdaptorServer } = (await import(ADAPTER)) as Adapter
  const fetch =
    server === ADAPTER
      ? (await import('./functions/fetch.ts')).default.fetch
      : (await import('./applications.ts')).honoApplication().fetch
  // Without TLS it makes a server of node:http.
  const tls = isSecure(protocol) ? { createServer: createHttps, serverOptions: tlsOf(certificate, key) } : {}
  return createAdaptorServer({ fetch, ...tls })
}

function tlsOf(certificate: string, key: string) {
  return { cert: certificate, key, minVersion: 'TLSv1.3', ciphers: SUITE, ecdhCurve: GROUP } as const
}

function opened(role: Role): Promise<Server> | Server {
  if (role.server.startsWith('engine')) return engineServer(role)
  if (role.server.startsWith(ADAPTER)) return adaptedServer(role)
  return /Express|Fastify/.test(role.server) ? applicationServer(role) : nodeServer(role)
}

async function engineServer({ protocol, server, certificate, key }: Role): Promise<Server> {
  if (server === 'engine alone, on sockets')
    return createServer(
      { allowHalfOpen: true, noDelay: true },
      socket => void serveConnection(socket, APPLICATION, OPTIONS),
    )
  if (!isSecure(protocol))
    return onRawStreams(socket => void serveConnection(adopt(socket), APPLICATION, OPTIONS))
  const provider = select(await loadProvider(probeEvp().available ? 'evp' : 'node'), {
    groups: [GROUP],
    cipherSuites: [SUITE],
  })
  const config: ServerConfig = {
    provider,
    certificates: [certificateFromPem(provider, certificate, key)],
    alpn: [isHttp2(protocol) ? 'h2' : 'http/1.1'],
  }
  return onRawStreams(socket => {
    secure(adopt(socket), config, { clock: SYSTEM_CLOCK }).then(
      carrier => void serveConnection(carrier, APPLICATION, OPTIONS),
      () => {}, // clients leave without a goodbye
    )
  })
}

function onRawStreams(accept: (socket: Socket) => void): Server {
  return createServer({ pauseOnConnect: true, allowHalfOpen: true }, accept)
}

/** A server of one kind: a process of its own. */
async function main(): Promise<void> {
  const role = roleOf<Role>()
  obey(() => {
    throw new Error('a server takes no commands')
  })
  const server = await opened(role)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  report({ say: 'listening', port: (server.address() as AddressInfo).port })
}

await main()
