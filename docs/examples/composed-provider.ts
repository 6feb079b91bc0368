/**
 * A crypto provider is a plain record, so providers mix: here hashes and AEADs come from Node, the groups
 * from pure TypeScript with the post-quantum hybrid in front, and one cipher suite is left of three.
 * @module
 */
import { hybridGroups } from '../../src/tls13/crypto/hybrid.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { CipherSuiteId, type CryptoProvider, Session } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { makeCredentials } from './lib/credentials.ts'
import { exchange } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()

const mine: CryptoProvider = {
  ...node,
  name: 'mine',
  groups: [...hybridGroups(noble.groups), ...noble.groups],
  cipherSuites: node.cipherSuites.filter(({ id }) => id === CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256),
}

const server = Session.server({ provider: mine, certificates: [certificateFromPem(mine, certificate, key)] })
const client = Session.client({
  provider: mine,
  serverName: 'localhost',
  verify: verifier({ ca: authority }),
})
exchange(client, server)
say(mine.groups[0]?.name ?? '', client.cipherSuite ?? '', client.connected)
