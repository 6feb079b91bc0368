import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { createServer as createSocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCommandLine } from '../../../src/cli/line/command-line.ts'
import type { CommandError } from '../../../src/cli/line/usage-error.ts'
import { stressed } from '../../../src/cli/stress/stress.ts'
import { TABLE } from '../../../src/cli/table.ts'
import { refused } from '../../support/refusal.ts'
import { Certificates, hotpotato, Server } from '../../support/tls-programs.ts'

interface Summary {
  readonly count: number
  readonly fastest: number
  readonly average: number
  readonly slowest: number
  readonly percentiles: Record<string, number>
}

interface Result {
  readonly answers: number
  readonly failures: number
  readonly unfinished: number
  readonly warmedUp: number
  readonly bytes: { readonly content: number; readonly received: number; readonly sent: number }
  readonly brokenOff: boolean
  readonly opened: { readonly connections: number; readonly resumed: number }
  readonly errors: Record<string, number>
  readonly milliseconds: { readonly uncorrected: Summary | null; readonly corrected: Summary | null }
  readonly histogram: readonly { readonly upTo: number; readonly count: number }[]
}

/** As much of the package `hdr-histogram-js` as is used here; undefined: it is not installed. */
interface Hdr {
  readonly HistogramLogReader: new (
    log: string,
  ) => {
    nextIntervalHistogram(): { tag: string; totalCount: number; maxValue: number } | null
  }
}
const HDR = (await import('hdr-histogram-js' as string).catch(() => undefined)) as Hdr | undefined

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

const PROGRAM = fileURLToPath(new URL('../../../dist/src/cli/main.js', import.meta.url))

interface Ran {
  readonly status: number | null
  readonly result: Result
}

/** The command in this process, as JSON: many processes would take long. */
async function ran(...words: string[]): Promise<Ran> {
  const { status, text } = await said(...words, '--json')
  return { status, result: JSON.parse(text) as Result }
}

async function said(...words: string[]): Promise<{ readonly status: number; readonly text: string }> {
  const line = await readCommandLine(['stress', ...words], {}, TABLE)
  if (line.kind !== 'command') throw new Error('no command')
  const { report, tolerable } = await stressed(
    line.words,
    line.options as never,
    new AbortController().signal,
  )
  return { status: tolerable ? 0 : 1, text: report }
}

/** The same in a process of its own, as threads need it. */
async function program(...words: string[]): Promise<Ran> {
  const { status, stdout } = await hotpotato(['stress', ...words, '--json'])
  return { status, result: JSON.parse(stdout) as Result }
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
  const trusting = (): string[] => ['--ca', files.file('ca.crt')]

  const HOW: readonly (readonly [what: string, run: typeof ran, how: readonly string[]])[] = [
    ['HTTP/1.1', ran, []],
    ['HTTP/2, two threads', program, ['--http2', '-m', '5', '-w', '2']],
    ['TLS of Node', ran, ['--tls', 'node']],
  ]
  it.each(HOW)('%s: every answer counts', async (_, run, how) => {
    const words = ['-c', '4', '-n', '60', ...how, ...trusting()]
    const { status, result } = await run(url('/bytes/1000'), ...words)
    expect(result).toMatchObject({
      ...{ answers: 60, failures: 0, unfinished: 0, statuses: { 200: 60 }, errors: {} },
      opened: { connections: 4 },
      milliseconds: { corrected: null, uncorrected: { count: 60 } },
    })
    expect(result.bytes.content).toBe(60_000)
    expect(result.bytes.received).toBeGreaterThan(60_000)
    expect(result.bytes.sent).toBeGreaterThan(60 * 10)
    expect(status).toBe(0)
    const { fastest, average, slowest, percentiles } = result.milliseconds.uncorrected!
    expect(fastest).toBeGreaterThan(0)
    expect(average).toBeGreaterThanOrEqual(fastest)
    expect(slowest).toBeGreaterThanOrEqual(percentiles['99.99']!)
    expect(percentiles['99.99']).toBeGreaterThanOrEqual(percentiles['50']!)
    expect(result.histogram.reduce((sum, { count }) => sum + count, 0)).toBe(60)
    expect(result.histogram.at(-1)!.upTo).toBeGreaterThanOrEqual(slowest * 0.999)
  })

  it('a connection for each request resumes, or does not', async () => {
    const words = ['-c', '2', '-n', '10', '--reconnect', ...trusting()]
    const full = await ran(url('/'), ...words)
    expect(full.result).toMatchObject({ answers: 10, opened: { connections: 10, resumed: 0 } })
    for (const http of [[], ['--http2']]) {
      const resumed = await ran(url('/'), ...words, ...http, '--resume')
      expect(resumed.result).toMatchObject({ answers: 10, opened: { connections: 10, resumed: 8 } })
    }
  })

  it('--resolve says where a host is, at its port', async () => {
    const { port } = server
    const at = (host: string, ...entry: string[]) =>
      ran(`https://${host}:${port}/`, '-n', '2', '-c', '1', ...trusting(), '--resolve', ...entry)
    // It is reached, and its certificate is for another name.
    for (const host of ['nowhere.example', '*'])
      await expect(at('nowhere.example', `${host}:${port}:127.0.0.1`)).rejects.toThrow(
        /\(wrong_name\); the cert/,
      )
    await expect(at('localhost', `localhost:${port}:192.0.2.1`, '--timeout', '1')).rejects.toThrow(
      `no connection to https://localhost:${port} could be opened: `,
    )
    const other = await at('localhost', `localhost:${port + 1}:192.0.2.1`)
    expect(other.result).toMatchObject({ answers: 2, failures: 0 })
    expect(await ran(`https://any.localhost:${port}/`, '-n', '1', '--insecure')).toMatchObject({
      status: 0,
      result: { answers: 1 },
    })
  })

  it('what people read', async () => {
    const words = ['stress', url('/'), '-c', '2', '-n', '10', '-r', '1000', '--insecure']
    const { status, stdout } = await hotpotato(words, '', { FORCE_COLOR: '1' })
    expect(status).toBe(0)
    for (const line of [
      /^ {15}corrected {5}uncorrected$/m,
      /requests\/s +[\d.]+/,
      /fastest +[\d.]+ ms +[\d.]+ ms/,
      /99\.99 % +[\d.]+ ms/,
      /status +200: 10/,
      /<= .* ms +\d+ +#/,
    ])
      expect(stdout).toMatch(line)
    expect(stdout).not.toContain('error')
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/)
  })

  it('what people read of what failed, and what helps', async () => {
    const told = (...words: string[]): Promise<string> =>
      said(...words).then(
        ({ text }) => text,
        (error: CommandError) => error.message,
      )
    const [host, few] = [`localhost:${server.port}`, ['-n', '3', '-c', '1']]
    const untrusted = await told(`https://${host}/`, ...few)
    const nothing = `no connection to https://${host} could be opened: `
    expect(untrusted).toMatch(new RegExp(`^${nothing}.*no trusted authority issued.*--ca FILE names it.*$`))
    expect(await told(`https://${host}/`, ...few, '--reconnect')).toBe(untrusted)
    expect(await told(`https://${host}/`, ...few, '--tls', 'node')).toContain('--ca FILE names it')
    const resolved = ['--resolve', `other.example:${server.port}:127.0.0.1`, ...trusting()]
    for (const tls of ['ours', 'node'])
      expect(
        await told(`https://other.example:${server.port}/`, ...few, ...resolved, '--tls', tls),
      ).toContain('does not cover other.example')
    // No resolver is asked for a label of 64 bytes.
    const nowhere = `${'a'.repeat(64)}.example`
    const unknown = await told(`http://${nowhere}:8443/`, ...few)
    expect(unknown).toMatch(/^no connection to .*\bENOTFOUND\b/)
    expect(unknown).toContain(`--resolve ${nowhere}:8443:ADDRESS says where it is`)
  })
})

describe('stress, against servers of Node', () => {
  it('requests that differ come in turn, over the same connections', async () => {
    const seen = new Map<string, number>()
    let connections = 0
    const handler: RequestListener = (request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        const { method, url, headers } = request
        const what = `${method} ${headers.host?.split(':')[0]}${url} ${headers['x-potato']} ${body}`
        seen.set(what, (seen.get(what) ?? 0) + 1)
        response.end('ok')
      })
    }
    const server = createServer(handler).on('connection', () => connections++)
    const url = await listen(server)
    const header = ['-H', 'X-Potato: yes, please', '--header', 'accept: */*']
    const { result } = await ran(`${url}/a?b=c`, '-c', '3', '-n', '9', '--data', 'hot', ...header)
    expect(result).toMatchObject({ answers: 9, failures: 0, bytes: { content: 18 } })
    expect([...seen]).toEqual([['POST 127.0.0.1/a?b=c yes, please hot', 9]])
    expect(connections).toBe(3)
    seen.clear()
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-stress-'))
    closers.push(() => rmSync(directory, { recursive: true }))
    const mix = join(directory, 'mix.json')
    writeFileSync(
      mix,
      JSON.stringify([
        { path: '/one', weight: 3 },
        { path: '/two', method: 'PUT', body: `@${mix}`, headers: { 'X-Potato': 'cold' } },
      ]),
    )
    await ran(url, '-c', '1', '-n', '8', '--mix', mix)
    expect([...seen]).toEqual([
      ['GET 127.0.0.1/one undefined ', 6],
      [`PUT 127.0.0.1/two cold ${readFileSync(mix, 'utf8')}`, 2],
    ])
    seen.clear()
    const { port } = new URL(url)
    await ran(url, '/path', `http://other.example:${port}/`, '-c', '1', '-n', '6')
    expect([...seen.values()]).toEqual([2, 2, 2])
    expect([...seen.keys()][2]).toBe('GET other.example/ undefined ')
  })

  it('connections are kept, or made for each request', async () => {
    let connections = 0
    const server = createServer((_request, response) => void response.end('ok'))
    server.on('connection', () => connections++)
    const url = await listen(server)
    await ran(url, '-c', '4', '-n', '40')
    expect(connections).toBe(4)
    await ran(url, '-c', '4', '-n', '40', '--reconnect')
    // One was tried first.
    expect(connections).toBe(45)
  })

  it('HTTP/2 without TLS: as many streams at a time as are asked for, or as the server allows', async () => {
    let [most, open, sessions] = [0, 0, 0]
    const settings = { maxConcurrentStreams: 6 }
    const server = createHttp2Server({ settings }, (_request, response) => {
      most = Math.max(most, ++open)
      setTimeout(() => {
        open--
        response.end('two')
      }, 5)
    })
    server.on('session', () => sessions++)
    const url = await listen(server as unknown as NetServer)
    for (const [streams, seen] of [
      ['4', 4],
      ['20', 6],
    ] as const) {
      most = 0
      const { result } = await ran(url, '-c', '1', '-n', '40', '--http2', '-m', streams)
      expect(result).toMatchObject({ answers: 40, bytes: { content: 120 } })
      expect(most).toBe(seen)
    }
    expect(sessions).toBe(2)
    await ran(url, '-c', '3', '-n', '12', '--http2', '--reconnect')
    // One was tried first.
    expect(sessions).toBe(2 + 1 + 12)
  })

  it('errors are told by kind, and end it with status 1, unless they may be', async () => {
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
    const words = [url, '-c', '1', '-n', '8']
    const { status, result } = await ran(...words)
    expect(status).toBe(1)
    expect(result).toMatchObject({
      answers: 4,
      failures: 6,
      statuses: { 200: 2, 503: 2 },
      errors: { 'status 503': 2, protocol: 4 },
      reasons: { 'status 503': 'busy: later', protocol: 'the connection ended before the response' },
    })
    for (const [most, expected] of [
      ['6', 0],
      ['5', 1],
      ['75%', 0],
      ['74.9%', 1],
    ] as const)
      expect(await ran(...words, '--max-errors', most)).toMatchObject({ status: expected })
  })

  it('no server there; and one that never answers, which has kept them waiting', async () => {
    const gone = createSocketServer()
    const url = await listen(gone)
    gone.close()
    const { origin, host } = new URL(url)
    for (const how of [[], ['--http2'], ['--reconnect'], ['-w', '2'], ['-d', '1h', '-r', '1']])
      expect(
        await hotpotato(['stress', url, '-c', '2', '--json', '--max-errors', '100%', ...how]),
      ).toMatchObject({
        status: 1,
        stdout: '',
        stderr: `no connection to ${origin} could be opened: cannot connect to ${host}: ECONNREFUSED\n`,
      })
    const silent = createSocketServer(socket => void socket.on('error', () => {}))
    const mute = await listen(silent)
    const { status, result } = await ran(mute, '-c', '2', '-n', '2', '-r', '1000', '--timeout', '1')
    expect([status, result.errors]).toEqual([1, { timeout: 2 }])
    expect(result.milliseconds.uncorrected).toBeNull()
    expect(result.milliseconds.corrected!.fastest).toBeGreaterThanOrEqual(1000)
  })

  it('a stall is in the corrected times of all that it keeps waiting, and in a log for tools', async () => {
    // 100 requests are due in a second, over one connection, and the fifth answer takes half of it.
    let requests = 0
    const url = await listen(
      createServer((_request, response) => {
        if (++requests === 5 + 20) setTimeout(() => response.end('ok'), 500)
        else response.end('ok')
      }),
    )
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-stress-'))
    closers.push(() => rmSync(directory, { recursive: true }))
    const log = join(directory, 'times.hlog')
    const hdr = HDR === undefined ? [] : ['--hdr', log]
    const words = [url, '-c', '1', '-d', '1', '-r', '100', '--warmup', '200ms', ...hdr]
    const { result } = await ran(...words)
    expect(result.warmedUp).toBe(20)
    const { corrected, uncorrected } = result.milliseconds
    expect(result.answers + result.unfinished).toBeLessThanOrEqual(100)
    expect(corrected!.count).toBe(100)
    // 30 requests were due in the first 300 ms of the stall.
    expect(corrected!.percentiles['75']).toBeGreaterThan(200)
    expect(uncorrected!.slowest).toBeGreaterThanOrEqual(500)
    if (HDR === undefined) return
    const reader = new HDR.HistogramLogReader(readFileSync(log, 'utf8'))
    const counts: Record<string, number> = {}
    let slowest = 0
    for (let one = reader.nextIntervalHistogram(); one !== null; one = reader.nextIntervalHistogram()) {
      counts[one.tag] = (counts[one.tag] ?? 0) + one.totalCount
      slowest = Math.max(slowest, one.maxValue)
    }
    expect(counts).toEqual({ corrected: corrected!.count, uncorrected: uncorrected!.count })
    expect(slowest / 1e6).toBeCloseTo(corrected!.slowest, -1)
  })

  it('a server that never shakes hands: it gives up, at once by Ctrl-C', async () => {
    let greeted: () => void = () => {}
    const silent = createSocketServer(socket => {
      socket.on('error', () => {}).resume()
      greeted()
    })
    const { host } = new URL(await listen(silent))
    const few = [`https://${host}/`, '-c', '2', '--insecure']
    expect(await hotpotato(['stress', ...few, '--timeout', '1'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^no connection to .* could be opened: no handshake within 1000 ms .*\n$/,
      ),
    })
    const child = spawn(process.execPath, [PROGRAM, 'stress', ...few])
    greeted = () => child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([130, null])
  })

  it('Ctrl-C: what was measured until then', async () => {
    let interrupt: () => void = () => {}
    const url = await listen(
      createServer((_request, response) => {
        interrupt()
        setTimeout(() => response.end('ok'), 5)
      }),
    )
    for (const threads of ['1', '2']) {
      const words = ['stress', url, '-c', '2', '-d', '100', '-w', threads, '--json']
      const child = spawn(process.execPath, [PROGRAM, ...words])
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
    }
  })
})

describe('stress, its command line', () => {
  it('help, and what makes no sense', async () => {
    const help = await hotpotato(['stress', '--help'])
    expect(help.status).toBe(0)
    expect(help.stdout).toContain('--reconnect')
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-stress-'))
    closers.push(() => rmSync(directory, { recursive: true }))
    const mix = (content: unknown): string[] => {
      const file = join(directory, `${readdirSync(directory).length}.json`)
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
      return ['http://a', '--mix', file]
    }
    const nonsense: readonly (readonly [words: readonly string[], said: RegExp, status?: number])[] = [
      [[], /stress needs a URL/],
      [['ftp://a'], /ftp:\/\/a is not an http or https URL/],
      [['http//u:secret@a/'], /^…@a\/ is not an http or https URL/],
      [['http://u:secret@a/'], /no name and password in a URL/],
      [['http://a', 'http://b:81'], /all requests go over connections to http:\/\/a$/],
      [['http://a', 'https://a'], /all requests go over connections/],
      [['http://a', '-c', '0'], /--connections must be a whole number from 1 to 10000/],
      [['http://a', '-m', '2'], /--streams needs --http2/],
      [['http://a', '--http2', '-m', '2', '--reconnect'], /--streams and --reconnect/],
      [['http://a', '--resume'], /--resume needs --reconnect/],
      [['http://a', '--resume', '--reconnect', '--tls', 'node'], /--resume needs --tls ours/],
      [['http://a', '-n', '5', '-d', '5'], /either --requests or --duration/],
      [['http://a', '-d', 'soon'], /--duration must be a time such as 10s/],
      [['http://a', '-d', '0'], /--duration must be a time/],
      [['http://a', '--warmup', '-1s'], /warmup/],
      [['http://a', '-r', '0.5'], /--rate must be a whole number/],
      [['http://a', '--method', 'CONNECT'], /--method must be an HTTP method/],
      [['http://a', '--header', 'nonsense'], /--header must be "NAME: VALUE"/],
      [['http://a', '--header', 'Content-Length: 5'], /--header Content-Length: .* follows from the request/],
      [['http://a', '--resolve', 'a:80'], /--resolve must be HOST:PORT:ADDRESS/],
      [['http://a', '--resolve', 'a:80:b'], /--resolve must be HOST:PORT:ADDRESS/],
      [['http://a', '--max-errors', '1.5'], /--max-errors must be/],
      [['http://a', '--max-errors', '101%'], /--max-errors must be/],
      [['http://a', '--nonsense'], /unknown option --nonsense/],
      [['http://a', '--data', `@${directory}/none`], /none: cannot be read \(ENOENT\)/, 1],
      [['http://a', '--ca', `${directory}/none`], /--ca .*none: cannot be read \(ENOENT\)/, 1],
      [mix('{'), /--mix .*: not JSON: /, 1],
      [mix([]), /it must hold a list of requests/, 1],
      [mix(['/']), /request 1: it must be an object/, 1],
      [mix([{ path: '/', method: { toString: 1 } }]), /method must be an HTTP method/, 1],
      [mix([{}, { paths: '/' }]), /request 2: there is no paths: there are path, method/, 1],
      [mix([{ path: 'http://b:81' }]), /request 1: http:\/\/b:81: all requests/, 1],
      [mix([{ weight: 0 }]), /weight must be a whole number from 1 to 1000/, 1],
      [mix([{ body: {} }]), /body must be a text/, 1],
      [mix([{ headers: [] }]), /headers must be an object/, 1],
      [mix([{ headers: { 'a b': 'c' } }]), /--header must be "NAME: VALUE"/, 1],
    ]
    for (const [words, said, status = 2] of nonsense) {
      const { code, stderr, stdout } = await refused(['stress', ...words])
      expect([words, code]).toEqual([words, status])
      expect(stderr.trim().split('\n'), words.join(' ')).toHaveLength(1)
      expect(stderr.trim()).toMatch(said)
      expect(stdout).toBe('')
    }
    const unwritable = await refused(['stress', 'http://127.0.0.1:9/', '--hdr', directory])
    expect(unwritable.stderr).toMatch(HDR === undefined ? /needs the package/ : /--hdr .*: cannot be written/)
  })
})
