import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeTlsServer } from '../../src/transport/kinds/node-tls.ts'
import type { ConnectionFailure, Server } from '../../src/transport/server.ts'
import { alpn, http } from '../../src/transport/services.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { application, CASES } from './cases.ts'

/** As much of the package `undici` as is used here. */
interface Undici {
  readonly Agent: new (options: object) => { close(): Promise<void> }
  request(
    url: string,
    options: object,
  ): Promise<{ statusCode: number; body: { arrayBuffer(): Promise<ArrayBuffer> } }>
}
const undici = (await import('undici' as string).catch(() => undefined)) as Undici | undefined

let files: Credentials
beforeAll(async () => {
  files = await credentials()
})
const own = () => ({ cert: files.pem('localhost.crt'), key: files.pem('localhost.key') })

const SERVERS = {
  'without TLS': http,
  'with our TLS': (options: Parameters<typeof http>[0]) => alpn({ ...options, tls: own() }),
  'with node:tls': (options: Parameters<typeof http>[0]) => alpn({ ...options, tls: nodeTlsServer(own()) }),
}

/** A client of others, with its own pools, pipelining and HTTP/2: all cases at once, and again. */
describe.skipIf(undici === undefined).each(Object.entries(SERVERS))('a server %s', (name, start) => {
  const failures: ConnectionFailure[] = []
  let server: Server
  beforeAll(async () => {
    server = await start({ ...application, port: 0, failed: failure => void failures.push(failure) })
  })
  afterAll(() => server.stop(0))

  it.each(name === 'without TLS' ? ['HTTP/1.1'] : ['HTTP/1.1', 'HTTP/2'])(
    'answers undici: %s',
    async version => {
      const dispatcher = new undici!.Agent({
        allowH2: version === 'HTTP/2',
        connect: { ca: files.pem('ca.crt') },
        connections: 3,
      })
      const scheme = name === 'without TLS' ? 'http' : 'https'
      const ask = async ({
        method,
        path,
        body,
        status = 200,
        content,
      }: (typeof CASES)[number]): Promise<void> => {
        const url = `${scheme}://localhost:${server.address.port}${path}`
        const answer = await undici!.request(url, { method, body, dispatcher })
        const bytes = Buffer.from(await answer.body.arrayBuffer())
        expect([path, answer.statusCode]).toEqual([path, status])
        if (typeof content === 'number') expect([path, bytes.length]).toEqual([path, content])
        else expect(bytes.toString('latin1')).toMatch(content)
      }
      for (let turn = 0; turn < 2; turn++) await Promise.all(CASES.map(ask))
      await dispatcher.close()
      expect(failures).toEqual([])
    },
  )
})
