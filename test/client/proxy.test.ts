import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect, type Server as TcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'
import { Certificates } from '../support/tls-programs.ts'

const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const tls = { ca: pem('ca.crt') }
const servers: TcpServer[] = []
afterAll(() => {
  for (const server of servers) server.close()
  files.remove()
})

async function listening(server: TcpServer): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const origin = `localhost:${await listening(createServer((_, response) => response.end('plain')))}`
const secure = createSecureServer(identity, (_, response) => response.end('secure'))
const secureOrigin = `localhost:${await listening(secure)}`

/** A proxy of Node's, which wants name and password. */
function proxied(server: Server): { server: Server; asked: string[] } {
  const asked: string[] = []
  const knows = (message: IncomingMessage): boolean => {
    asked.push(`${message.method} ${message.url}`)
    return message.headers['proxy-authorization'] === `Basic ${Buffer.from('me:p ss').toString('base64')}`
  }
  server.on('request', (incoming, response) => {
    if (!knows(incoming)) response.writeHead(407).end()
    else {
      request(incoming.url!, { method: incoming.method! }, answer => {
        response.writeHead(answer.statusCode!)
        answer.pipe(response)
      }).end()
    }
  })
  server.on('connect', (message: IncomingMessage, client: Duplex) => {
    client.on('error', () => {})
    if (!knows(message)) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n')
      return
    }
    const upstream = connect({ port: Number(message.url!.split(':')[1]), host: '127.0.0.1' }, () => {
      client.write('HTTP/1.1 200 Go\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    upstream.on('error', () => client.destroy())
    client.on('close', () => upstream.destroy())
  })
  return { server, asked }
}

describe.each(['http', 'https'])('through a proxy over %s', scheme => {
  it('requests for http name their URL, those for https get a tunnel', async () => {
    const { server, asked } = proxied(
      scheme === 'http' ? createServer() : (createSecureServer(identity) as Server),
    )
    const url = `${scheme}://me:p%20ss@localhost:${await listening(server)}`
    const client = new Client({ tls, proxy: { url, tls } })
    for (let i = 0; i < 2; i++) {
      expect(await (await client.fetch(`http://${origin}/a?b`)).text()).toBe('plain')
      expect(await (await client.fetch(`https://${secureOrigin}/c`)).text()).toBe('secure')
    }
    // Neither kind leaves this process.
    expect(await client.release()).toEqual([])
    expect(asked).toEqual([`GET http://${origin}/a?b`, `CONNECT ${secureOrigin}`, `GET http://${origin}/a?b`])
  })
})

it('a proxy is shown a password without a name, too; what is no escape in them is refused', async () => {
  let shown: string | undefined
  const server = createServer((incoming, response) => {
    shown = incoming.headers['proxy-authorization']
    response.end()
  })
  const port = await listening(server)
  const client = new Client({ proxy: { url: `http://:pw@localhost:${port}` } })
  await (await client.fetch(`http://${origin}/`)).text()
  expect(shown).toBe(`Basic ${Buffer.from(':pw').toString('base64')}`)
  await client.close()
  const wrong = { url: `http://50%:x@localhost:${port}` }
  expect(() => new Client({ proxy: wrong })).toThrow(/proxy\.url: %/)
})

it('a proxy that refuses is an error of its own', async () => {
  const { server } = proxied(createServer())
  const client = new Client({ tls, proxy: { url: `http://localhost:${await listening(server)}` } })
  const failed = client.fetch(`https://${secureOrigin}/`)
  await expect(failed).rejects.toThrow(/no tunnel to localhost:\d+ through .*: 407 .*\(Basic\)/)
  await client.close()
})
