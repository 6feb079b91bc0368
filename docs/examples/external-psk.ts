/**
 * Two sides that were given a key before they met, and no certificate anywhere. The key is imported (RFC
 * 9258), which binds it to TLS 1.3 and to a hash; `psk_dhe_ke` keeps forward secrecy.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { exchange } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const psk = {
  identity: new TextEncoder().encode('sensor-17'),
  key: new Uint8Array(randomBytes(32)), // as random as a key must be: a password is not one
  imported: { context: new TextEncoder().encode('example') },
}
const server = Session.server({ provider: node, certificates: [], psks: [psk] })
const client = Session.client({ provider: node, psks: [psk], verify: () => neverAsked() })

const heard = exchange(client, server)
for (const event of heard.client)
  if (event.type === 'handshake_complete') say('connected with', event.cipherSuite)

function neverAsked(): never {
  throw new Error('there is no certificate to judge')
}
