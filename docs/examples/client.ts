/**
 * `fetch` over our own TLS: a request that is streamed both ways, and what an error says.
 * @module
 */
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Client, ClientError } from '../../src/client/index.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const { authority, certificate, key } = await makeCredentials()
const server = createSecureServer({ cert: certificate, key }, (request, response) => {
  request.pipe(response)
})
await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
const { port } = server.address() as AddressInfo

const client = new Client({ tls: { ca: authority } })
const body = ReadableStream.from(['one ', 'two ', 'three'].map(word => new TextEncoder().encode(word)))
const response = await client.fetch(`https://localhost:${port}/`, { method: 'POST', body })
say(response.status, await response.text())

try {
  await client.fetch('https://localhost:1/')
} catch (error) {
  if (error instanceof ClientError) say(error.kind, error.code ?? '')
}
await client.close()
server.close()
