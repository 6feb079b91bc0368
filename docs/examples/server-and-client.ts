/**
 * A TLS 1.3 server and a client over TCP. Both sides are Duplex streams of application data, so whatever
 * works with a socket works with them.
 * @module
 */
import type { AddressInfo } from 'node:net'
import { connect, createServer } from '../../src/tls13/io/net.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()

const server = createServer({ cert: certificate, key, alpn: ['echo'] }, connection => {
  connection.pipe(connection) // give back what comes; close_notify is answered with close_notify
})
// Nothing that a client does ends the process: its errors arrive here, with the alert and whose fault it was.
server.on('tlsClientError', error => say('a client failed:', error.message))
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))

const { port } = server.address() as AddressInfo
const client = connect({ port, ca: authority, alpn: ['echo'] })
client.on('secureConnect', () => say(client.cipher ?? '', client.alpnProtocol ?? ''))
client.end('Once more, with feeling')
for await (const chunk of client) say(String(chunk))
server.close()
