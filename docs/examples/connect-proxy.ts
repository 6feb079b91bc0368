/**
 * A proxy: CONNECT gives its handler the connection, and what is said on it is no HTTP any more.
 * @module
 */
import { once } from 'node:events'
import { request } from 'node:http'
import { get } from 'node:https'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { alpn, http, keep, network, overTransport, tcp } from '../../src/transport/index.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const net = network().over('tcp', tcp)
const proxy = await http({
  port: 0,
  tunnels: true,
  async request({ method, target }, response) {
    if (method !== 'CONNECT') return response.reply({ status: 405 })
    const { hostname: host, port } = new URL(`tcp://${target}`)
    // Where clients may go is for the proxy to say: here it is this machine alone.
    if (host !== 'localhost') return response.reply({ status: 403 })
    const { transport } = await net.connect({ scheme: 'tcp', host, port: Number(port) })
    const [there, here] = [overTransport(transport), overTransport(keep(response))]
    here.on('error', () => there.destroy()).pipe(there)
    there.on('error', () => here.destroy()).pipe(here)
  },
})

const { authority, certificate, key } = await makeCredentials()
const server = await alpn({
  port: 0,
  tls: { cert: certificate, key },
  request: (_, response) => response.reply({ status: 200, body: 'through the tunnel' }),
})

const to = `localhost:${server.address.port}`
const [granted, socket] = await once(
  request({ port: proxy.address.port, method: 'CONNECT', path: to }).end(),
  'connect',
)
say(granted.statusCode)
const asked = get(`https://${to}/`, { ca: authority, agent: false, createConnection: over(socket as Socket) })
const [answer] = await once(asked, 'response')
say(String(await answer.reduce((text: string, piece: Buffer) => text + piece, '')))
await Promise.all([proxy.stop(0), server.stop(0)])

/** TLS over a stream that is there, as Node has it. */
function over(stream: Socket) {
  return () => connectTls({ socket: stream, servername: 'localhost', ca: authority })
}
