import { readFileSync } from 'node:fs'
import { createServer as createNodeServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import { Certificates } from '../support/tls-programs.ts'

const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const tls = { ca: pem('ca.crt') }
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  files.remove()
})

async function listening(server: Server): Promise<string> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

describe('TLS', () => {
  it('is resumed on the next connection', async () => {
    const server = createNodeServer(identity, (request, response) => {
      response.setHeader('connection', 'close')
      response.end(String((request.socket as TLSSocket).isSessionReused()))
    })
    const url = await listening(server)
    const client = new Client({ tls })
    const said: string[] = []
    for (let i = 0; i < 3; i++) said.push(await (await client.fetch(url)).text())
    expect(said).toEqual(['false', 'true', 'true'])
    await client.close()
  })

  it('fails by its name where the authority is another one', async () => {
    const url = await listening(createNodeServer(identity, (_, response) => response.end()))
    const client = new Client()
    await expect(client.fetch(url)).rejects.toMatchObject({ kind: 'tls', code: 'unknown_ca' })
    await client.close()
  })
})
