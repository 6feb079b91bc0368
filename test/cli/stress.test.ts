import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { createServer as createSocketServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeLoad } from '../../src/cli/stress/load.ts'
import { Tally } from '../../src/cli/stress/tally.ts'
import { refused } from '../support/refusal.ts'
import { Certificates, hotpotato, Server } from '../support/tls-programs.ts'

interface Result {
  readonly answers: number
  readonly failures: number
  readonly bytes: number
  readonly seconds: number
  readonly requestsPerSecond: number
  readonly brokenOff: boolean
  readonly statuses: Record<string, number>
  readonly errors: Record<string, number>
  readonly reasons: Record<string, string>
  readonly milliseconds: {
    readonly fastest: number
    readonly average: number
    readonly slowest: number
    readonly percentiles: Record<string, number>
  } | null
  readonly histogram: readonly { readonly upTo: number; readonly count: number }[]
}

const closers: (() => unknown)[] = []
afterAll(() => {
  for (const close of closers) close()
})

async function listen(server: NetServer | HttpServer): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function stressed(
  ...args: string[]
): Promise<{ status: number | null; result: Result; stderr: string }> {
  const { status, stdout, stderr } = await hotpotato(['stress', ...args, '--json'])
  return { status, result: JSON.parse(stdout || 'null') as Result, stderr }
}

describe('stress, against hotpotato serve', () => {
  let files: Certificates
  let server: Server
  beforeAll(async () => {
    files = await Certificates.make()
    server = await Server.serve(['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')])
    closers.push(
      () => server.stop(),
      () => files.remove(),
    )
  })
  const url = (path: string): string => `https://localhost:${server.port}${path}`

  it.each(['1.1', '2'])('HTTP/%s: every answer is counted', async http => {
    const words = ['-c', '8', '-n', '60', '--http', http, '--ca', files.file('ca.crt')]
    const { status, result } = await stressed(url('/bytes/1000'), ...words)
    expect(result).toMatchObject({
      answers: 60,
      failures: 0,
      bytes: 60_000,
      statuses: { 200: 60 },
      errors: {},
    })
    expect(status).toBe(0)
    const { fastest, average, slowest, percentiles } = result.milliseconds!
    expect(fastest).toBeGreaterThan(0)
    expect(average).toBeGreaterThanOrEqual(fastest)
    expect(slowest).toBeGreaterThanOrEqual(percentiles['99']!)
    expect(percentiles['99']).toBeGreaterThanOrEqual(percentiles['50']!)
    expect(result.histogram.reduce((sum, { count }) => sum + count, 0)).toBe(60)
    expect(result.histogram.at(-1)!.upTo).toBeGreaterThanOrEqual(slowest * 0.999)
  })

  it('a server whose authority is not trusted is an error, unless it does not matter', async () => {
    const refused = await stressed(url('/'), '-c', '2', '-n', '4')
    expect(refused.status).toBe(1)
    expect(refused.result).toMatchObject({ answers: 0, failures: 4, milliseconds: null })
    expect(Object.keys(refused.result.errors)[0]).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    expect(await stressed(url('/'), '-c', '2', '-n', '4', '--insecure')).toMatchObject({ status: 0 })
  })

  it.each(['1.1', '2'])('HTTP/%s: --resolve says where a host is, at its port', async http => {
    const { port } = server
    const named = ['--http', http, '-n', '2', '-c', '1', '--ca', files.file('ca.crt')]
    const at = (entry: string) => stressed(`https://nowhere.example:${port}/`, ...named, '--resolve', entry)
    // It is reached, and its certificate is for another name.
    for (const entry of [`nowhere.example:${port}:127.0.0.1`, `*:${port}:127.0.0.1`])
      expect((await at(entry)).result).toMatchObject({ errors: { ERR_TLS_CERT_ALTNAME_INVALID: 2 } })
    const host = `https://localhost:${port}/`
    const none = await stressed(host, ...named, '--resolve', `localhost:${port}:192.0.2.1`, '--timeout', '1')
    expect(none.result.answers).toBe(0)
    const other = await stressed(host, ...named, '--resolve', `localhost:${port + 1}:192.0.2.1`)
    expect(other.result).toMatchObject({ answers: 2, failures: 0 })
  })

  it('NAME.localhost is this machine', async () => {
    const { result } = await stressed(`https://any.localhost:${server.port}/`, '-n', '1', '--insecure')
    expect(result).toMatchObject({ answers: 1, failures: 0 })
  })

  it('what people read of what failed, and what helps', async () => {
    const said = async (...words: string[]): Promise<string> => (await hotpotato(['stress', ...words])).stdout
    const [host, few] = [`localhost:${server.port}`, ['-n', '3', '-c', '1']]
    const untrusted = await said(`https://${host}/`, ...few)
    expect(untrusted).toMatch(/^ {2}error +UNABLE_TO_VERIFY_LEAF_SIGNATURE: 3$/m)
    expect(untrusted).toMatch(/^ {2}reason +UNABLE_\w+: unable to verify the first certificate/m)
    expect(untrusted).toContain('--ca FILE names it')
    const resolved = ['--resolve', `other.example:${server.port}:127.0.0.1`, '--ca', files.file('ca.crt')]
    expect(await said(`https://other.example:${server.port}/`, ...few, ...resolved)).toContain(
      'does not cover other.example',
    )
    // No resolver is asked for a label of 64 bytes.
    const nowhere = `${'a'.repeat(64)}.example`
    const unknown = await said(`https://${nowhere}:8443/`, ...few)
    expect(unknown).toContain(`ENOTFOUND: getaddrinfo ENOTFOUND ${nowhere}\n`)
    expect(unknown).toContain(`--resolve ${nowhere}:8443:ADDRESS says where it is`)
  })

  it('what people read', async () => {
    const { status, stdout } = await hotpotato(['stress', url('/'), '-c', '2', '-n', '10', '--insecure'])
    expect(status).toBe(0)
    for (const line of [
      /requests\/s +[\d.]+/,
      /fastest +[\d.]+ ms/,
      /99\.9 % +[\d.]+ ms/,
      /status +200: 10/,
      /ms +\d+ +#/,
    ])
      expect(stdout).toMatch(line)
    expect(stdout).not.toContain('error')
  })
})

describe('stress, against servers of Node', () => {
  it('content, a method and a header arrive', async () => {
    const seen = new Set<string>()
    const handler: RequestListener = (request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        seen.add(`${request.method} ${request.url} ${request.headers['x-potato']} ${body}`)
        response.end('ok')
      })
    }
    const url = await listen(createServer(handler))
    const words = ['-c', '3', '-n', '9', '--data', 'hot', '--header', 'X-Potato: yes, please']
    expect((await stressed(`${url}/a?b=c`, ...words)).result).toMatchObject({
      answers: 9,
      failures: 0,
      bytes: 18,
    })
    expect([...seen]).toEqual(['POST /a?b=c yes, please hot'])
  })

  it('connections are kept, or made for each request', async () => {
    let connections = 0
    const server = createServer((_request, response) => void response.end('ok'))
    server.on('connection', () => connections++)
    const url = await listen(server)
    await stressed(url, '-c', '4', '-n', '40')
    expect(connections).toBe(4)
    await stressed(url, '-c', '4', '-n', '40', '--new-connections')
    expect(connections).toBe(44)
  })

  it('HTTP/2 without TLS, and without keeping connections', async () => {
    const server = createHttp2Server((_request, response) => void response.end('two'))
    let sessions = 0
    server.on('session', () => sessions++)
    const url = await listen(server as unknown as NetServer)
    expect((await stressed(url, '-c', '3', '-n', '12', '--http', '2')).result).toMatchObject({
      answers: 12,
      bytes: 36,
    })
    expect(sessions).toBe(3)
    await stressed(url, '-c', '3', '-n', '12', '--http', '2', '--new-connections')
    expect(sessions).toBe(15)
  })

  it('errors are told by kind, and end it with status 1', async () => {
    let requests = 0
    const url = await listen(
      createServer((_request, response) => {
        requests++
        if (requests % 4 === 1) response.end('fine')
        else if (requests % 4 === 2) response.writeHead(503).end('{ "detail": "busy: later" }')
        else if (requests % 4 === 3) response.socket!.destroy()
        else {
          response.writeHead(200, { 'content-length': 100 })
          response.write('not all of it')
          setTimeout(() => response.socket?.destroy(), 20)
        }
      }),
    )
    const { status, result } = await stressed(url, '-c', '1', '-n', '8')
    expect(status).toBe(1)
    expect(result).toMatchObject({
      answers: 4,
      failures: 6,
      statuses: { 200: 2, 503: 2 },
      errors: { 'status 503': 2, ECONNRESET: 4 },
      reasons: { 'status 503': 'busy: later', ECONNRESET: 'socket hang up' },
    })
  })

  it('no server there; and one that never answers', async () => {
    const gone = createSocketServer()
    const url = await listen(gone)
    gone.close()
    for (const http of ['1.1', '2'])
      expect(await stressed(url, '-c', '2', '-n', '4', '--http', http)).toMatchObject({
        status: 1,
        result: {
          errors: { ECONNREFUSED: 4 },
          reasons: { ECONNREFUSED: `connect ECONNREFUSED ${new URL(url).host}` },
        },
      })
    const silent = createSocketServer(socket => void socket.on('error', () => {}))
    const mute = await listen(silent)
    expect(await stressed(mute, '-c', '2', '-n', '2', '--timeout', '1')).toMatchObject({
      status: 1,
      result: { errors: { timeout: 2 } },
    })
  })

  it('Ctrl-C: what was measured until then', async () => {
    let interrupt: () => void = () => {}
    const url = await listen(
      createServer((_request, response) => {
        interrupt()
        setTimeout(() => response.end('ok'), 5)
      }),
    )
    const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
    const child = spawn(process.execPath, [main, 'stress', url, '-c', '2', '-d', '100', '--json'])
    let [stdout, requests] = ['', 0]
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    interrupt = () => {
      if (++requests === 20) child.kill('SIGINT')
    }
    const [code] = (await once(child, 'close')) as [number]
    const result = JSON.parse(stdout) as Result
    expect(code).toBe(0)
    expect(result.brokenOff).toBe(true)
    expect(result.answers).toBeGreaterThan(0)
    expect(result.failures).toBe(0)
  })
})

describe('stress, its command line', () => {
  it('help, and what makes no sense', async () => {
    const help = await hotpotato(['stress', '--help'])
    expect(help.status).toBe(0)
    expect(help.stdout).toContain('--new-connections')
    const nonsense = [
      [],
      ['ftp://a'],
      ['http://a', 'http://b'],
      ['http://a', '-c', '0'],
      ['http://a', '--http', '3'],
      ['http://a', '-n', '5', '-d', '5'],
      ['http://a', '--header', 'nonsense'],
      ['http://a', '--resolve', 'a:80'],
      ['http://a', '--resolve', 'a:80:b'],
      ['http://a', '--nonsense'],
    ]
    for (const words of nonsense) {
      const { code, stderr, stdout } = await refused(['stress', ...words])
      expect(code, words.join(' ')).toBe(2)
      expect(stderr.trim().split('\n'), words.join(' ')).toHaveLength(1)
      expect(stdout).toBe('')
    }
  })
})

describe('the load', () => {
  const never = new AbortController().signal

  it('with a rate, a stall counts for all that it keeps waiting', async () => {
    // The second answer takes 200 ms; requests are due every 10 ms on one connection.
    let requests = 0
    const client = {
      request: async () => {
        await new Promise(resolve => setTimeout(resolve, ++requests === 2 ? 200 : 1))
        return { status: 200, bytes: 0 }
      },
      close() {},
    }
    const [open, closed] = [new Tally(), new Tally()]
    await makeLoad([client], { requests: 15, milliseconds: 1e9, rate: 100 }, open, never)
    requests = 0
    await makeLoad([client], { requests: 15, milliseconds: 1e9, rate: undefined }, closed, never)
    // In closed loop one request of fifteen is slow; in open loop those behind it were due long before they
    // could begin.
    expect(closed.times!.percentiles['75']).toBeLessThan(100)
    expect(open.times!.percentiles['75']).toBeGreaterThan(100)
  })

  it('ends after so many milliseconds, or when it is told to', async () => {
    const client = { request: async () => ({ status: 200, bytes: 1 }), close() {} }
    const slow = {
      ...client,
      request: () =>
        new Promise<{ status: number; bytes: number }>(resolve =>
          setTimeout(() => resolve({ status: 200, bytes: 1 }), 5),
        ),
    }
    const tally = new Tally()
    await makeLoad([slow], { requests: 1e9, milliseconds: 60, rate: undefined }, tally, never)
    expect(tally.answers).toBeGreaterThan(1)
    expect(tally.answers).toBeLessThan(60)
    const told = new Tally()
    await makeLoad([client], { requests: 1e9, milliseconds: 1e9, rate: 1 }, told, AbortSignal.timeout(50))
    expect(told.answers).toBe(1)
  })

  it('classes hold every answer, at most so many of them', () => {
    const tally = new Tally()
    const times = Array.from({ length: 1000 }, (_, i) => 0.01 * 1.01 ** i)
    for (const time of times) tally.answered(200, 0, time)
    const classes = tally.classes(12)
    expect(classes.length).toBeLessThanOrEqual(12)
    let below = 0
    for (const { upTo, count } of classes) {
      below += count
      expect(times.filter(time => time <= upTo)).toHaveLength(below)
    }
    expect(below).toBe(1000)
  })
})
