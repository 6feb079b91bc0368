/**
 * An HTTPS server with a certificate of its own getting: `node examples/acme/server.mjs HOST`, after `npm run
 * build`. The environment says the rest:
 *
 *     ACME_DIRECTORY   letsencrypt-staging (default), letsencrypt, or a URL, as that of pebble
 *     ACME_CA          a file with the authority of its server, if Node does not trust that
 *     HTTP_PORT        where the authority looks for its proof; 80
 *     HTTPS_PORT       443
 */
import { readFileSync } from 'node:fs'
import { Challenges, provision } from '@hotpotato-tls/hotpotato/acme'
import { alpn, http } from '@hotpotato-tls/hotpotato/http/serve'

const { ACME_DIRECTORY = 'letsencrypt-staging', ACME_CA, HTTP_PORT = '80', HTTPS_PORT = '443' } = process.env
const [host = 'localhost'] = process.argv.slice(2)

const challenges = new Challenges()
const plain = await http({
  port: Number(HTTP_PORT),
  request(request, response) {
    if (challenges.answer(request, response)) return
    response.reply({ status: 301, headers: [['location', `https://${host}${request.path}`]] })
  },
})
const { cert, key, notAfter } = await provision({
  names: [host],
  challenges,
  directory: ACME_DIRECTORY,
  // By this you say that you have read and accept the authority's terms of service.
  agreeToTerms: true,
  email: undefined,
  ...(ACME_CA && { ca: readFileSync(ACME_CA, 'utf8') }),
})
const secure = await alpn({
  port: Number(HTTPS_PORT),
  tls: { cert, key },
  request(_, response) {
    response.reply({ status: 200, body: `a certificate until ${new Date(notAfter).toISOString()}\n` })
  },
})
process.stdout.write(
  `https://${host}:${secure.address.port}/ serves, with http on ${plain.address.port}; Ctrl-C ends it\n`,
)
process.once('SIGTERM', () => Promise.all([plain.stop(), secure.stop()]))
process.once('SIGINT', () => Promise.all([plain.stop(), secure.stop()]))
