/**
 * A second connection that resumes the first, with a request in its first flight. Early data can be replayed:
 * the server says how much it takes, remembers each hello, and the application is told what came early (RFC
 * 8446 §8; RFC 8470).
 * @module
 */
import { node } from '../../src/tls13/crypto/node.ts'
import {
  type ClientConfig,
  createReplayStore,
  createTicketKey,
  createTicketSealer,
  type ServerConfig,
  Session,
} from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { makeCredentials } from './lib/credentials.ts'
import { exchange } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()
const serverConfig: ServerConfig = {
  provider: node,
  certificates: [certificateFromPem(node, certificate, key)],
  tickets: { sealer: createTicketSealer(node, [createTicketKey(node)]), count: 1 },
  earlyData: { maximum: 4096, replay: createReplayStore() },
}
const clientConfig: ClientConfig = {
  provider: node,
  serverName: 'localhost',
  verify: verifier({ ca: authority }),
}

const { client: events } = exchange(Session.client(clientConfig), Session.server(serverConfig))
const ticket = events.find(event => event.type === 'new_session_ticket')?.ticket
if (ticket === undefined) throw new Error('the server gave no ticket')

const again = Session.client({ ...clientConfig, resume: ticket, earlyData: true })
again.sendEarly(new TextEncoder().encode('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
const heard = exchange(again, Session.server(serverConfig))
for (const event of [...heard.server, ...heard.client]) {
  if (event.type === 'application_data') say('server: early:', event.early === true)
  if (event.type === 'early_data') say('client: accepted:', event.accepted)
  if (event.type === 'handshake_complete') say('resumed:', event.resumed)
}
