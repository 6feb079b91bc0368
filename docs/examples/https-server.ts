/**
 * An HTTPS server in ten lines: HTTP/1.0, 1.1 and 2 by ALPN, and a client of it.
 * @module
 */
import { Client } from '../../src/client/index.ts'
import { alpn } from '../../src/transport/index.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()

const server = await alpn({
  port: 0,
  tls: { cert: certificate, key },
  request(request, response, { secure }) {
    response.reply({ status: 200, body: `HTTP/${request.version}, secure: ${secure}` })
  },
})

const client = new Client({ tls: { ca: authority } })
const response = await client.fetch(`https://localhost:${server.address.port}/`)
say(response.status, await response.text())
await client.close()
await server.stop()
