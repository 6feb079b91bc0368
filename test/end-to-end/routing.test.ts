import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { Client, field, textOf } from '../support/client.ts'
import { Platform } from '../support/platform.ts'
import { run } from '../support/programs.ts'

let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({
    config: `
version: 1
gateway: { defaultFunction: hello }
connection: { requests: 5, idleSeconds: 1, bodyBytes: 100000 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo:
    hosts: [echo.local, "*.echo.local"]
  hello: {}
  echo-raw: {}
`,
  })
})
afterAll(() => platform?.stop())

function secure(serverName?: string): Promise<Client> {
  const name = serverName === undefined ? {} : { serverName }
  return Client.open({ port: platform.https, tls: { ca: platform.ca, checkName: false, ...name } })
}

/** Sends bytes as they are and collects what comes until the server closes. */
function exchange(port: number, bytes: Uint8Array | string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const parts: Buffer[] = []
    socket.on('data', part => parts.push(part))
    socket.on('error', reject)
    socket.on('end', () => {
      socket.end()
      resolve(Buffer.concat(parts))
    })
    socket.write(bytes)
  })
}

describe('the server name', () => {
  it.each([
    ['echo.local', 'echo-1'],
    ['ECHO.local', 'echo-1'],
    ['a.b.echo.local', 'echo-1'],
    ['echo-raw.local', 'echo-raw-1'],
    [undefined, 'hello-1'],
    ['localhost', 'hello-1'],
  ])('%s leads to %s', async (name, container) => {
    const client = await secure(name)
    expect((await client.request('/')).container).toBe(container)
    await client.close()
  })

  it.each(['nobody.local', 'xecho.local', 'echo.local.evil.example'])(
    '%s is answered with unrecognized_name',
    async name => {
      await expect(secure(name)).rejects.toThrow('unrecognized_name')
    },
  )
})

/** What OpenSSL, which asks for anything, gets for a GET; or the alert. */
async function asked(port: number, name: string): Promise<string | undefined> {
  const { stdout, stderr } = await run(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, '-tls1_3', '-ign_eof'],
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  )
  const said = `${stdout}${stderr}`
  return /^x-hotpotato-container: (.*?)\r?$/im.exec(said)?.[1] ?? /alert number (\d+)/.exec(said)?.[1]
}

describe('a server name that is no host name', () => {
  it.each(['echo.local:8443', '[::1]', 'echo local', 'écho.local', 'echo..local', `${'a'.repeat(64)}.local`])(
    '%j leads to the default function, as no name does',
    async name => {
      expect(await asked(platform.https, name)).toBe('hello-1')
    },
  )

  it('is answered with unrecognized_name where there is no default function, as no name is', async () => {
    const other = await Platform.start({ config: 'version: 1\nfunctions:\n  echo: {}\n' })
    try {
      expect(await asked(other.https, 'echo.local')).toBe('echo-1')
      expect(await asked(other.https, 'echo.local.')).toBe('echo-1')
      for (const name of ['echo.local:8443', 'echo local', 'echo..local'])
        expect([name, await asked(other.https, name)]).toEqual([name, '112'])
    } finally {
      await other.stop()
    }
  })
})

describe('without TLS', () => {
  it.each([
    ['hello.local', '/', 'hello-1'],
    ['Echo.Local:8080', '/', 'echo-1'],
    ['hello.local', '/echo', 'echo-1'],
    ['nobody.local', '/function/echo-raw/x', 'echo-raw-1'],
    ['echo.local', '/function/nobody', 'echo-1'],
    ['echo.local', '/helloworld', 'echo-1'],
    ['127.0.0.1', '/', 'hello-1'],
    ['localhost', '/', 'hello-1'],
    ['echo-raw.localhost', '/', 'echo-raw-1'],
  ])('Host %s and path %s lead to %s', async (host, path, container) => {
    const client = await Client.open({ port: platform.http })
    expect((await client.request(path, { headers: [['host', host]] })).container).toBe(container)
    await client.close()
  })

  it.each(['/function/nobody', '/function/nobody/a?b'])(
    'no function answers for another one that there is not: %s',
    async path => {
      const ask = async (host: string, at: string) => {
        const client = await Client.open({ port: platform.http })
        const answer = await client.request(at, { headers: [['host', host]] })
        await client.close()
        return answer
      }
      for (const host of ['localhost', '127.0.0.1']) {
        const answer = await ask(host, path)
        expect([answer.status, textOf(answer)]).toEqual([404, expect.stringContaining('is called nobody')])
      }
      // No name of a function.
      expect((await ask('localhost', '/function/No')).container).toBe('hello-1')
    },
  )

  it('a browser finds a page with links to the functions that there are', async () => {
    const client = await Client.open({ port: platform.http })
    const page = async (path: string) =>
      textOf(
        await client.request(path, {
          headers: [
            ['host', 'echo.local'],
            ['accept', 'text/html'],
          ],
        }),
      )
    const links = [...(await page('/')).matchAll(/href="(.*?)"/g)].map(([, path]) => path!)
    expect(links).toEqual(['/echo', '/hello', '/echo-raw'])
    for (const path of links) await page(path)
    expect(await page('/')).toMatch(/Request 5 of .*<b>echo-1<\/b>\. The connection has moved 3 times/s)
    await client.close()
  })

  it('a Host that no function has is answered with 404 and a list', async () => {
    const client = await Client.open({ port: platform.http })
    const answer = await client.request('/', { headers: [['host', 'nobody.local']] })
    expect(answer.status).toBe(404)
    expect(JSON.parse(textOf(answer))).toMatchObject({
      hosts: [
        ...['echo.local', '*.echo.local'],
        ...['hello.local', 'hello.localhost', 'echo-raw.local', 'echo-raw.localhost'],
      ],
      paths: ['/echo', '/hello', '/echo-raw'],
    })
    await client.close()
  })
})

describe('the wrong port', () => {
  it('plain HTTP on the TLS port gets a readable 400', async () => {
    const text = (await exchange(platform.https, 'GET / HTTP/1.1\r\nHost: echo.local\r\n\r\n')).toString()
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(text).toContain('this port is for TLS')
  })

  it('TLS on the port without gets an alert and a FIN', async () => {
    const client = new Client({ port: platform.http, tls: { ca: platform.ca, serverName: 'echo.local' } })
    expect(await client.ended).toEqual({ closeNotify: false, alert: 'unexpected_message', error: undefined })
    client.socket.destroy()
  })
})

describe('limits', () => {
  it('go on after a move: the fifth response says that it is the last, wherever it is given', async () => {
    for (const port of [platform.https, platform.http]) {
      const client = port === platform.http ? await Client.open({ port }) : await secure('echo.local')
      const connections: (string | undefined)[] = []
      for (const target of ['/echo', '/hello', '/echo', '/echo-raw', '/hello'])
        connections.push(field(await client.request(target), 'connection'))
      expect(connections).toEqual([undefined, undefined, undefined, undefined, 'close'])
      expect((await client.ended).error).toBeUndefined()
      await client.close()
    }
  })

  it('idle time ends a connection in order, also after a move', async () => {
    const client = await secure('echo.local')
    await client.request('/echo')
    await client.request('/hello')
    expect(await client.ended).toEqual({ closeNotify: true, alert: undefined, error: undefined })
    await client.close()
  })

  it('a head of more than 16 KiB gets 431, on both ports', async () => {
    const headers = [['x-long', 'x'.repeat(17_000)] as const]
    const client = await secure('echo.local')
    expect((await client.request('/echo', { headers })).status).toBe(431)
    await client.close()
    const plain = await Client.open({ port: platform.http })
    expect((await plain.request('/echo', { headers })).status).toBe(431)
    await plain.close()
  })

  it('a body beyond the limit gets 413, declared or chunked', async () => {
    const body = new Uint8Array(100_001)
    for (const more of [{}, { chunks: [60_000, 30_000] }]) {
      const client = await secure('echo.local')
      expect((await client.request('/echo-raw', { body, ...more })).status).toBe(413)
      await client.close()
    }
  })
})

describe('HTTP', () => {
  it('Expect: 100-continue is answered where the request is served', async () => {
    const client = await secure('echo.local')
    await client.request('/hello')
    const head = client.requestBytes('/echo', {
      method: 'POST',
      headers: [
        ['expect', '100-continue'],
        ['content-length', '5'],
      ],
    })
    const answer = client.answer()
    client.write(head)
    await new Promise(resolve => setTimeout(resolve, 100))
    client.write(utf8('hello'))
    expect(await answer).toMatchObject({ status: 200, interim: [100], container: 'echo-1' })
    expect(textOf(await answer)).toBe('hello')
    await client.close()
  })

  it('HEAD has the fields of GET and no content', async () => {
    const client = await secure('hello.local')
    const get = await client.request('/hello')
    const head = await client.request('/hello', { method: 'HEAD' })
    expect(field(head, 'content-length')).toBe(field(get, 'content-length'))
    expect(head.body).toHaveLength(0)
    expect((await client.request('/hello')).status).toBe(200)
    await client.close()
  })

  it('a client that has ended its side gets all its answers', async () => {
    for (const port of [platform.https, platform.http]) {
      const client = port === platform.http ? await Client.open({ port }) : await secure('echo.local')
      const targets = ['/echo', '/hello', '/echo-raw', '/echo']
      const bytes = targets.map(target => client.requestBytes(target))
      const answers = targets.map(() => client.answer())
      client.write(Buffer.concat(bytes))
      client.end()
      expect((await Promise.all(answers)).map(({ hops }) => hops)).toEqual([0, 1, 2, 3])
      expect((await client.ended).closeNotify).toBe(port === platform.https)
      await client.close()
    }
  })
})

describe('resumption', () => {
  it('with a ticket from a connection that has moved since', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-session-'))
    const file = join(directory, 'session.pem')
    const common = [
      ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', 'echo.local'],
      ...['-CAfile', platform.caFile, '-ign_eof'],
    ]
    const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
    const input = request('/echo') + request('/hello') + request('/echo', 'Connection: close\r\n')
    const first = (await run('openssl', [...common, '-sess_out', file], input)).stdout.toString()
    expect(first).toContain('New, TLSv1.3')
    const second = (await run('openssl', [...common, '-sess_in', file], input)).stdout.toString()
    expect(second).toContain('Reused, TLSv1.3')
    expect(second.match(/x-hotpotato-container: \S+/g)).toHaveLength(3)
    rmSync(directory, { recursive: true })
  })
})
