import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { httpsFetch } from '../../src/acme/fetch.ts'
import { Challenges, type ProvisionOptions, provision } from '../../src/acme/index.ts'
import { credentials } from '../support/credentials.ts'

const servers: ReturnType<typeof createServer>[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

describe('a program that asks for a certificate with options that make no sense', () => {
  // Nothing listens there: what gets as far is no TypeError.
  const good = { names: ['a.test'], challenges: new Challenges(), directory: 'https://127.0.0.1:1/' }
  it.each([
    ['names:', { names: undefined }],
    ['names:', { names: 'a.test' }],
    ['names:', { names: [] }],
    ['names:', { names: [7] }],
    ['challenges:', { challenges: undefined }],
    ['directory:', { directory: 'lets-encrypt' }],
    ['directory:', { directory: 'http://127.0.0.1:1/' }],
    ['directory:', { directory: 'https://u:secret@127.0.0.1:1/' }],
    ['email:', { email: 'a b' }],
    ['challenge:', { challenge: 'dns-01' }],
    ['keyType:', { keyType: 'dsa' }],
  ])('is told before the authority is asked: %s', async (says, wrong) => {
    const options = { ...good, email: undefined, agreeToTerms: true, ...wrong } as unknown as ProvisionOptions
    const asked = provision(options)
    await expect(asked).rejects.toThrow(TypeError)
    await expect(asked).rejects.toThrow(says)
  })
})

it('an answer without content leaves no connection open, whatever its server does', async () => {
  const files = await credentials()
  const own = { cert: files.pem('localhost.crt'), key: files.pem('localhost.key') }
  const server = createServer(own, (_, response) => {
    response.shouldKeepAlive = true
    response.setHeader('connection', 'keep-alive').setHeader('replay-nonce', 'n').end()
  })
  server.keepAliveTimeout = 0
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const closed = new Promise<string>(resolve =>
    server.on('secureConnection', socket => socket.on('close', () => resolve('closed'))),
  )
  const { status, headers } = await httpsFetch(files.pem('ca.crt'))(
    `https://localhost:${(server.address() as AddressInfo).port}/`,
    { method: 'HEAD', headers: {}, redirect: 'manual', signal: new AbortController().signal },
  )
  expect([status, headers.get('replay-nonce'), await closed]).toEqual([200, 'n', 'closed'])
})
