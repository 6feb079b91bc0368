/**
 * A client's live connection thrown to another process by hand, in the middle of a response: TLS, HTTP/2, and
 * what has come and was not read. The server is Node's, and sees nothing of it.
 * @module
 */
import { fork, type SendHandle } from 'node:child_process'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Client, Descriptor } from '../../src/client/index.ts'
import type { StreamHandle } from '../../src/transfer/streams/handle.ts'
import { makeCredentials } from './lib/credentials.ts'
import { say } from './lib/say.ts'

const LENGTH = 1_000_000

if (process.send === undefined) await thrower()
else process.once('message', catcher)

async function thrower(): Promise<void> {
  const { authority, certificate, key } = await makeCredentials()
  const server = createSecureServer({ cert: certificate, key }, (_, response) => {
    response.end(new Uint8Array(LENGTH))
  })
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
  const { port } = server.address() as AddressInfo

  const client = new Client({ tls: { ca: authority }, decode: false })
  const response = await client.fetch(`https://localhost:${port}/`, { label: 'zeros' })
  const { value } = await response.body!.getReader().read()
  const [released] = await client.release()
  if (released === undefined || value === undefined) throw new Error('nothing to throw')

  const heir = fork(fileURLToPath(import.meta.url))
  const { state, descriptor } = released
  const message = { state: Buffer.from(state).toString('base64'), read: value.length }
  // The descriptor stays open here until the other process has it.
  heir.send(message, descriptor.handle as unknown as SendHandle, () => descriptor.close())
  await new Promise(resolve => heir.once('exit', resolve))
  say('connections that the server has seen:', connections)
  server.close()
}

async function catcher(message: unknown, handle: unknown): Promise<void> {
  const { state, read } = message as { readonly state: string; readonly read: number }
  const released = {
    state: new Uint8Array(Buffer.from(state, 'base64')),
    descriptor: Descriptor.fromHandle(handle as StreamHandle),
  }
  const { client, responses } = Client.restore([released], { decode: false })
  for (const { label, response } of responses) {
    const rest = await (await response).arrayBuffer()
    say(label, read + rest.byteLength)
  }
  await client.close()
  process.disconnect()
}
