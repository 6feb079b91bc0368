import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import { context, nodeTls, tcp, unix } from '../../src/transport/index.ts'
import { Certificates } from '../support/tls-programs.ts'

const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-client-'))
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  files.remove()
  rmSync(directory, { recursive: true })
})

async function listening(server: Server, where: object): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(where, resolve))
  return (server.address() as AddressInfo).port
}

describe('the same client', () => {
  it('asks over a Unix socket', async () => {
    const path = join(directory, 'socket')
    await listening(
      createServer((request, response) => response.end(request.headers.host)),
      { path },
    )
    const client = new Client({ connector: context().over('http://docker.local', unix, { path }) })
    for (let i = 0; i < 2; i++)
      expect(await (await client.fetch('http://docker.local/containers')).text()).toBe('docker.local')
    await expect(client.fetch('http://elsewhere.local/')).rejects.toMatchObject({ kind: 'connect' })
    const heir = Client.restore(await client.release()).client
    expect(await (await heir.fetch('http://docker.local/again')).text()).toBe('docker.local')
    await heir.close()
  })

  it('asks servers that know TLS 1.2 alone, by way of node:tls', async () => {
    const options = { cert: pem('localhost.crt'), key: pem('localhost.key'), maxVersion: 'TLSv1.2' } as const
    const port = await listening(
      createSecureServer(options, (_, response) => response.end('old')),
      { port: 0, host: '127.0.0.1' },
    )
    const url = `https://localhost:${port}/`
    const ours = new Client({ tls: { ca: pem('ca.crt') } })
    await expect(ours.fetch(url)).rejects.toMatchObject({ kind: 'tls' })
    const connector = context().over('https', nodeTls(tcp), { tls: { ca: pem('ca.crt') } })
    const client = new Client({ connector })
    expect(await (await client.fetch(url)).text()).toBe('old')
    // Its keys are where they are.
    expect(await client.release()).toEqual([])
    await Promise.all([ours.close(), client.close()])
  })
})
