/**
 * A live session moves: its state becomes bytes, and another object, with another crypto provider, goes on
 * where the first stopped. The client notices nothing. Between processes the bytes travel sealed
 * (`src/transfer/seal.ts`).
 * @module
 */
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { type ServerConfig, Session, SessionState } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { decode, encode } from '../../src/wire/index.ts'
import { makeCredentials } from './lib/credentials.ts'
import { exchange, textOf } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()
const here: ServerConfig = { provider: node, certificates: [certificateFromPem(node, certificate, key)] }
const there: ServerConfig = { provider: noble, certificates: [certificateFromPem(noble, certificate, key)] }

const client = Session.client({
  provider: node,
  serverName: 'localhost',
  verify: verifier({ ca: authority }),
})
const first = Session.server(here)
exchange(client, first)

const bytes = encode(SessionState, first.release())
say('a session in', bytes.length, 'bytes')
try {
  first.send(new Uint8Array(1))
} catch (error) {
  say('the old owner:', (error as Error).message) // two owners would use a nonce twice
}

const second = Session.restore(decode(SessionState, bytes), there)
second.send(new TextEncoder().encode('hello from somewhere else'))
say(textOf(exchange(client, second).client))
