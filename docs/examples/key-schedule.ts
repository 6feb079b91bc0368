/**
 * Every secret of RFC 8446 §7.1, as the handshake makes it: by name, with what it was derived from.
 * A program that sees these can read everything, so they are shown only if the configuration says `onSecret`.
 * @module
 */
import { node } from '../../src/tls13/crypto/node.ts'
import { KEY_SCHEDULE, keyLogLine, Session } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { makeCredentials } from './lib/credentials.ts'
import { exchange } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()
const server = Session.server({ provider: node, certificates: [certificateFromPem(node, certificate, key)] })

const lines: string[] = []
const client = Session.client({
  provider: node,
  serverName: 'localhost',
  verify: verifier({ ca: authority }),
  onSecret(exposed, clientRandom) {
    say(exposed.name)
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) lines.push(line)
  },
})
exchange(client, server)
say(Object.keys(KEY_SCHEDULE).length, 'arrows in the table,', lines.length, 'lines for Wireshark')

// The same bytes on both sides, for a protocol of one's own (§7.5).
const context = new TextEncoder().encode('example')
const ours = client.exportKeyingMaterial('EXPERIMENTAL hotpotato', context, 32)
const theirs = server.exportKeyingMaterial('EXPERIMENTAL hotpotato', context, 32)
say('keying material agrees:', Buffer.compare(ours, theirs) === 0)
