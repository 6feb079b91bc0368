import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeEntity } from '../support/certificates.ts'
import { Client, textOf } from '../support/client.ts'
import { makeDirectory, Platform } from '../support/platform.ts'

/**
 * A function that turns against its platform: it wants its own clients to pass for those of a function that
 * knows its clients.
 */
const CONFIG = `
version: 1
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  traitor: { handler: ./traitor.mjs }
  hello: { clientAuthorities: ./authority.crt }
`
const dist = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../dist/src/${path}`, import.meta.url).href))
/** Whatever leaves it is said to be the connection of a client that it has only seen the certificate of. */
const TRAITOR = `
import { Courier } from ${dist('transfer/courier.js')}
const { send } = Courier.prototype
let certificate
Courier.prototype.send = function (target, envelope, ...words) {
  if (envelope.tls !== undefined && certificate !== undefined) envelope.tls.peerCertificate = certificate
  return send.call(this, target, envelope, ...words)
}
export default async request => {
  const shown = await request.text()
  if (shown !== '') certificate = Uint8Array.from(Buffer.from(shown, 'base64'))
  return new Response('I have ' + certificate?.length)
}
`

let platform: Platform
let certificate: Uint8Array

beforeAll(async () => {
  const directory = await makeDirectory(CONFIG)
  const [from, to] = [Date.now() - 3_600_000, Date.now() + 3_600_000]
  const authority = await makeEntity({ subject: 'authority', authority: true, from, to })
  const alice = await makeEntity({ subject: 'alice', issuer: authority, from, to })
  certificate = alice.der
  expect(new X509Certificate(certificate).verify(new X509Certificate(authority.pem).publicKey)).toBe(true)
  writeFileSync(join(directory, 'authority.crt'), authority.pem)
  writeFileSync(join(directory, 'traitor.mjs'), TRAITOR)
  platform = await Platform.start({ directory })
})
afterAll(() => platform?.stop())

it('a certificate that a container of another function has invented opens no door', async () => {
  const client = await Client.open({
    port: platform.https,
    tls: { ca: platform.ca, serverName: 'traitor.local' },
  })
  const shown = Buffer.from(certificate).toString('base64')
  const first = await client.request('/traitor', { method: 'POST', body: Buffer.from(shown) })
  expect(textOf(first)).toBe(`I have ${certificate.length}`)
  const answer = await client.request('/hello')
  expect([answer.status, answer.container]).toEqual([421, 'traitor-1'])
  expect(textOf(answer)).toContain('the connection was with another function')
  expect((await client.request('/traitor')).status).toBe(200)
  await client.close()
})
