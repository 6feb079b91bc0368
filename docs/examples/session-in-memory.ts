/**
 * The state machine without sockets, clock or streams: bytes in, events and bytes out. Randomness is an
 * argument, so with a seeded one (never outside of a test) two runs give the same bytes.
 * @module
 */
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { makeCredentials } from './lib/credentials.ts'
import { exchange, textOf } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()

const server = Session.server({ provider: node, certificates: [certificateFromPem(node, certificate, key)] })
const client = Session.client({
  provider: node,
  serverName: 'localhost',
  verify: verifier({ ca: authority }),
})

const heard = exchange(client, server)
for (const event of heard.client) say('client:', event.type)
for (const event of heard.server) say('server:', event.type)

client.send(new TextEncoder().encode('no socket was needed'))
say(textOf(exchange(client, server).server))
