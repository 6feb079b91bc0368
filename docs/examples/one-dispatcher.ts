/**
 * One pair of handlers for all versions of HTTP and all kinds of streams: our own TLS, Node's, and none. What
 * ALPN chose decides; without TLS the first bytes do.
 * @module
 */
import { connect as connectHttp2 } from 'node:http2'
import { get } from 'node:https'
import { type AddressInfo, createServer as createPlainServer, type Server } from 'node:net'
import { createServer as createNodeTlsServer } from 'node:tls'
import { ALPN_PROTOCOLS } from '../../src/http/alpn.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { createServer } from '../../src/tls13/io/net.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()

const handlers: HttpHandlers = {
  request(request, response) {
    response.reply({ status: 200, body: `${request.method} ${request.path} over HTTP/${request.version}` })
  },
  error({ kind, status, reason }) {
    say(`${kind}: ${status}, ${reason}`)
    return undefined
  },
}

const alpn = [...ALPN_PROTOCOLS]
const ours = createServer({ cert: certificate, key, alpn }, stream => void serveConnection(stream, handlers))
const theirs = createNodeTlsServer(
  { cert: certificate, key, ALPNProtocols: alpn },
  stream => void serveConnection(stream, handlers),
)
const plain = createPlainServer(stream => void serveConnection(stream, handlers))

for (const [name, server] of Object.entries({ ours, theirs, plain })) {
  const port = await listen(server as Server)
  const scheme = name === 'plain' ? 'http' : 'https'
  const session = connectHttp2(`${scheme}://localhost:${port}`, { ca: authority })
  say(name, await textOf(session.request({ ':path': '/two' }).end()))
  session.close()
  if (scheme === 'https')
    say(
      name,
      await new Promise<string>(tell =>
        get({ port, path: '/one', ca: authority, agent: false }, r => tell(textOf(r))),
      ),
    )
  server.close()
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}
