/**
 * The certificate's private key lives elsewhere: the session asks for a signature and waits. It can be moved
 * while it waits; the question is asked again where it goes on. Certificate verdicts and replay checks work
 * the same way.
 * @module
 */
import { node } from '../../src/tls13/crypto/node.ts'
import { type Certificate, type Question, Session } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { makeCredentials } from './lib/credentials.ts'
import { exchange } from './lib/exchange.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()

// This half stands for another process, which alone has the key.
const { chain, signers } = certificateFromPem(node, certificate, key)
async function sign(question: Extract<Question, { kind: 'signature' }>): Promise<Uint8Array> {
  const signer = signers.find(({ scheme }) => scheme === question.scheme)
  if (signer?.sign === undefined) throw new Error('no key for this scheme')
  return signer.sign(question.content)
}

const keyless: Certificate = { chain, signers: signers.map(({ scheme }) => ({ scheme })) }
const server = Session.server({ provider: node, certificates: [keyless] })
const client = Session.client({
  provider: node,
  serverName: 'localhost',
  verify: verifier({ ca: authority }),
})

for (const event of exchange(client, server).server) {
  if (event.type !== 'question' || event.question.kind !== 'signature') continue
  say('asked for a signature over', event.question.content.length, 'bytes')
  server.answer(event.id, { kind: 'signature', signature: await sign(event.question) })
}
exchange(client, server)
say('connected:', client.connected && server.connected)
