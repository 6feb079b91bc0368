/** A server and a client in one place without Node: TLS 1.3 by `noble`, over a pair of transports in memory. */
import { certificateWithKey } from '@hotpotato-tls/hotpotato'
import { noble } from '@hotpotato-tls/hotpotato/crypto/noble'
import { H1Client, MemoryHub, ourTls, secureClient, serve } from '@hotpotato-tls/hotpotato/http/web'

// A raw public key in place of a certificate: whoever bundles this page has a certificate of their own.
const PRIVATE_KEY = bytesOf(`302e020100300506032b657004220420${'07'.repeat(32)}`)
const PUBLIC_KEY = bytesOf(
  '302a300506032b6570032100ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c',
)

/**
 * Starts the server.
 * @param {{ message?: (from: string, message: object) => void, secret?: (name: string) => void }} watch told
 * of each handshake message and of the name of each secret
 */
export async function inside(watch = {}) {
  const hub = new MemoryHub()
  const noting = from => ({
    shape(message) {
      watch.message?.(from, message)
      return message
    },
  })
  const server = await serve({
    transport: hub.listen('inside'),
    tls: ourTls(alpn => ({
      provider: noble,
      alpn,
      certificates: [certificateWithKey(noble, [PUBLIC_KEY], PRIVATE_KEY)],
      ...noting('server'),
    })),
    request({ method, path, version }, response) {
      response.reply({ status: 200, body: `${method} ${path} over HTTP/${version}, decrypted here` })
    },
  })
  return { server, get: path => get(hub, path, { ...noting('client'), onSecret: watch.secret }) }
}

/** One request over a connection of its own. */
async function get(hub, path, watching) {
  const { onSecret, ...more } = watching
  const transport = await secureClient(hub.connect('inside'), {
    provider: noble,
    serverName: 'inside.example',
    alpn: ['http/1.1'],
    verify: ([key]) => {
      if (String(key) !== String(PUBLIC_KEY)) throw new Error('another server')
      return { publicKey: key }
    },
    ...more,
    ...(onSecret === undefined ? {} : { onSecret: ({ name }) => onSecret(name) }),
  })
  const http = new H1Client()
  return new Promise((resolve, reject) => {
    let body = ''
    let status = 0
    transport.read({
      bytes(view) {
        for (const event of http.receive(view)) {
          if (event.type === 'response') status = event.status
          if (event.type === 'body') body += new TextDecoder().decode(event.data)
          if (event.type !== 'end') continue
          resolve({ status, body, suite: transport.session.cipherSuite, alpn: transport.alpnProtocol })
          transport.end()
        }
      },
      end() {},
      error: reject,
    })
    const headers = [['Host', 'inside.example']]
    transport.write([http.request({ method: 'GET', target: path, headers })])
  })
}

function bytesOf(hex) {
  return Uint8Array.from(hex.match(/../g), pair => Number.parseInt(pair, 16))
}
