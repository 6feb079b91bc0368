/**
 * A server that wants to know its clients: it asks for a certificate in the handshake and judges it by an
 * authority. The identity is part of the session's state, so it moves with it.
 * @module
 */
import { X509Certificate } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from '../../src/tls13/io/net.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const ours = await makeCredentials()
const theirs = await makeCredentials('alice.example', 'client')

const server = createServer(
  {
    cert: ours.certificate,
    key: ours.key,
    clientCertificates: { required: true, ca: theirs.authority },
  },
  connection => {
    const { subjectAltName } = new X509Certificate(connection.peerCertificate!)
    connection.end(`I know you: ${subjectAltName?.split(', ').at(-1)}`)
    connection.resume()
  },
)
server.on('tlsClientError', error => say('refused:', error.alert, error.reason))
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

const known = connect({ port, ca: ours.authority, cert: theirs.certificate, key: theirs.key })
known.end()
for await (const chunk of known) say(String(chunk))

const stranger = connect({ port, ca: ours.authority })
stranger.on('error', error => say('the stranger was told:', error.message))
stranger.resume().end()
await new Promise<void>(resolve => stranger.once('close', resolve))
server.close()
