import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../../src/client/index.ts'
import { introduced } from '../../../src/transport/kinds/introduced.ts'
import { tcp } from '../../../src/transport/kinds/tcp.ts'
import { tls } from '../../../src/transport/kinds/tls.ts'
import { network } from '../../../src/transport/network.ts'
import type { ProxyHeader } from '../../../src/transport/proxy-protocol/index.ts'
import type { ConnectionFailure, Server } from '../../../src/transport/server.ts'
import { alpn, http, type ServiceOptions } from '../../../src/transport/services.ts'
import { type Credentials, credentials } from '../../support/credentials.ts'
import { Program } from '../../support/interop/program.ts'
import { startNginx } from '../../support/peers/nginx.ts'
import { answering, freePort } from '../../support/peers/ports.ts'
import { has } from '../../support/tls-programs.ts'

let directory = ''
let files: Credentials
const ends: (() => unknown)[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-proxy-'))
  files = await credentials()
})
afterAll(async () => {
  for (const end of ends) await end()
  rmSync(directory, { recursive: true })
})

const pem = (name: string): string => readFileSync(files.file(name), 'utf8')

/** Says what it was told of the client. */
const telling: Omit<ServiceOptions, 'port'> = {
  proxyProtocol: { trusted: ['127.0.0.1'] },
  request: (_, response, { peer, proxied }) =>
    response.reply({ status: 200, body: `${proxied?.version} ${peer.address} ${typeof peer.port}` }),
}

async function started(work: Promise<Server>): Promise<number> {
  const server = await work
  ends.push(() => server.stop(0))
  return server.address.port!
}

/** A program that listens on a port after a while. */
async function running(program: string, args: string[], port: number): Promise<void> {
  const child = new Program(program, args)
  ends.push(() => child.kill())
  await answering(port)
}

const HEADERS: Readonly<Record<string, ProxyHeader>> = {
  'version 1': {
    version: 1,
    command: 'proxy',
    family: 'tcp4',
    source: { address: '203.0.113.7', port: 4711 },
    destination: { address: '198.51.100.1', port: 443 },
    tlvs: [],
  },
  'version 2': {
    version: 2,
    command: 'proxy',
    family: 'tcp6',
    source: { address: '2001:db8::7', port: 4711 },
    destination: { address: '2001:db8::1', port: 443 },
    tlvs: [{ type: 5, value: new Uint8Array(8) }],
  },
}

const get = async (client: Client, url: string): Promise<string> => (await client.fetch(url)).text()

describe.each(Object.entries(HEADERS))('a header of %s', (_, header) => {
  it('is for a server of ours below TLS, and says who the client is', async () => {
    const port = await started(
      alpn({ ...telling, port: 0, tls: { cert: pem('localhost.crt'), key: pem('localhost.key') } }),
    )
    const given = { introduction: { header, checksum: true }, tls: { ca: pem('ca.crt') } }
    const client = new Client({ connector: network().over('https', tls(introduced(tcp)), given) })
    ends.push(() => client.close())
    expect(await get(client, `https://localhost:${port}/`)).toBe(
      `${header.version} ${header.source?.address} number`,
    )
  })

  it.skipIf(!has('nginx'))('is understood by nginx (Debian package nginx)', async () => {
    const port = await freePort()
    const nginx = await startNginx(
      directory,
      port,
      `server { listen 127.0.0.1:${port} proxy_protocol;
         return 200 "$proxy_protocol_addr $proxy_protocol_port"; }`,
    )
    ends.push(() => nginx.kill())
    const client = new Client({
      connector: network().over('http', introduced(tcp), { introduction: { header } }),
    })
    ends.push(() => client.close())
    expect(await get(client, `http://127.0.0.1:${port}/`)).toBe(`${header.source?.address} 4711`)
  })
})

describe('a proxy', () => {
  it.skipIf(!has('haproxy'))(
    'that is haproxy sends what we read, and reads what we send (Debian package haproxy)',
    async () => {
      const ours = await started(http({ ...telling, port: 0 }))
      const [one, two, accepting] = [await freePort(), await freePort(), await freePort()]
      const config = join(directory, 'haproxy.cfg')
      writeFileSync(
        config,
        `defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen one
  bind 127.0.0.1:${one}
  server ours 127.0.0.1:${ours} send-proxy
listen two
  bind 127.0.0.1:${two}
  server ours 127.0.0.1:${ours} send-proxy-v2-ssl proxy-v2-options unique-id,crc32c
listen accepting
  bind 127.0.0.1:${accepting} accept-proxy
  server ours 127.0.0.1:${ours} send-proxy-v2
`,
      )
      await running('haproxy', ['-db', '-f', config], accepting)
      const client = new Client()
      ends.push(() => client.close())
      expect(await get(client, `http://127.0.0.1:${one}/`)).toBe('1 127.0.0.1 number')
      expect(await get(client, `http://127.0.0.1:${two}/`)).toBe('2 127.0.0.1 number')
      const introduction = { header: HEADERS['version 2']! }
      const far = new Client({ connector: network().over('http', introduced(tcp), { introduction }) })
      ends.push(() => far.close())
      expect(await get(far, `http://127.0.0.1:${accepting}/`)).toBe('2 2001:db8::7 number')
    },
  )

  it('that is trusted must say for whom it comes, and in time; any other peer may not', async () => {
    const failures: ConnectionFailure[] = []
    const failed = (failure: ConnectionFailure): void => void failures.push(failure)
    const patient = { trusted: ['127.0.0.1'], patienceMs: 500 }
    const strict = await started(http({ ...telling, port: 0, proxyProtocol: patient, failed }))
    const said = async (port: number, bytes: string): Promise<string> => {
      const socket = connectSocket({ port, host: '127.0.0.1' }).on('error', () => {})
      socket.write(bytes)
      let text = ''
      socket.on('data', piece => {
        text += piece
      })
      await once(socket, 'close')
      return text
    }
    expect(await said(strict, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('')
    expect(await said(strict, 'PROXY TCP4 ')).toBe('')
    expect(failures.map(({ stage, error }) => `${stage}: ${error.message}`)).toEqual([
      'proxy-protocol: no PROXY protocol header',
      'proxy-protocol: no header in time',
    ])
    const none = await started(http({ ...telling, port: 0, proxyProtocol: { trusted: ['192.0.2.1'] } }))
    const line = 'PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n'
    const asked = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    expect(await said(none, `${line}${asked}`)).toMatch(/^HTTP\/1\.1 400 /)
    expect(await said(none, asked)).toMatch(/undefined 127\.0\.0\.1 number$/)
    // Whatever it comes in: with the request in the same bytes.
    expect(await said(strict, `${line}${asked}`)).toMatch(/1 203\.0\.113\.7 number$/)
  })
})
