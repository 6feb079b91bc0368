import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, field, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { LONG } from '../support/long.ts'
import { Platform } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'
import { below, seeded } from '../support/random.ts'

const NGHTTP = isInstalled('nghttp', ['--version'])
const H2LOAD = isInstalled('h2load', ['--version'])

/** Three functions for requests side by side: one of them takes its time. */
const SLOW = `
export default {
  async fetch(request) {
    await new Promise(resolve => setTimeout(resolve, Number(new URL(request.url).searchParams.get('ms'))))
    return new Response('slow')
  },
}
`
const CONFIG = `
version: 1
gateway:
  defaultFunction: echo
  limits: { helloSeconds: 60, holdSeconds: 60 }
connection:
  requests: 1000000
  timers: { keepAlive: 300, headers: 300, container: 60 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo:
    hosts: [echo.local]
  resize: {}
  hello: {}
  echo-raw: {}
  slow:
    handler: ./slow.mjs
    hosts: [slow.echo.local]
    certificate: echo
`

let platform: Platform
let tls: { ca: string; serverName: string }

beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, files: { 'slow.mjs': SLOW } })
  tls = { ca: platform.ca, serverName: 'echo.local' }
})
afterAll(() => platform?.stop())

describe('HTTP/2 on the platform', () => {
  it('is what curl gets, from three processes on one connection', async () => {
    const url = `https://echo.local:${platform.https}`
    const { stdout, stderr, code } = await run('curl', [
      ...['-sS', '--http2', '--cacert', platform.caFile],
      ...['--resolve', `echo.local:${platform.https}:127.0.0.1`],
      ...['-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null'],
      ...['-w', '%{http_version} %{http_code} %{num_connects} %{header_json}\\n'],
      ...[`${url}/echo`, `${url}/resize`, `${url}/hello`],
    ])
    expect(code, stderr).toBe(0)
    const text = stdout.toString()
    expect(text.match(/^2 \d+ \d/gm), text).toEqual(['2 200 1', '2 200 0', '2 200 0'])
    const hops = text.match(/"x-hotpotato-hops":\["(\d+)/g)?.map(one => one.split('"').at(-1))
    expect(hops).toEqual(['0', '1', '2'])
  })

  // One request each: curl 7.88 cannot use such a connection twice, with whatever server.
  it.each([
    ['/hello', 'hello.local', 200, 'Hello, world!'],
    ['/', 'hello.local', 200, 'Hello, world!'],
    ['/hello', 'nobody.local', 200, 'Hello, world!'],
    ['/', 'nobody.local', 404, 'no function for the host nobody.local'],
  ])(
    'is spoken with prior knowledge without TLS, by path and host: curl %s at %s',
    async (path, host, status, words) => {
      const { stdout, stderr, code } = await run('curl', [
        ...['-sS', '--http2-prior-knowledge', '--resolve', `${host}:${platform.http}:127.0.0.1`],
        ...['-w', '%{http_version} %{http_code}', `http://${host}:${platform.http}${path}`],
      ])
      expect(code, stderr).toBe(0)
      expect(stdout.toString()).toContain(words)
      expect(stdout.toString()).toMatch(new RegExp(`2 ${status}$`))
    },
  )

  it.skipIf(!NGHTTP)(
    `answers requests for three functions side by side: nghttp${missing(NGHTTP, 'nghttp', 'nghttp2-client')}`,
    async () => {
      for (const url of [`https://127.0.0.1:${platform.https}`, `http://127.0.0.1:${platform.http}`]) {
        const paths = ['/echo', '/hello', '/echo-raw', '/echo?2', '/hello?name=you', '/echo-raw?2']
        const { stdout, stderr, code } = await run('nghttp', [
          '--no-verify-peer',
          '-v',
          '-m1',
          '--no-dep',
          ...paths.map(path => `${url}${path}`),
        ])
        expect(code, stderr).toBe(0)
        expect(stdout.toString().match(/recv \(stream_id=\d+\) :status: 200/g)).toHaveLength(paths.length)
        expect(stdout.toString()).not.toContain('RST_STREAM')
      }
    },
  )

  it.skipIf(!H2LOAD)(
    `bears four connections of h2load that move often${missing(H2LOAD, 'h2load', 'nghttp2-client')}`,
    async () => {
      const url = `https://127.0.0.1:${platform.https}`
      const { stdout, stderr, code } = await run('h2load', [
        ...['-n', '2000', '-c', '4', '-m', '10', `${url}/echo-raw`, `${url}/hello`, `${url}/echo`],
      ])
      expect(code, stderr).toBe(0)
      expect(stdout.toString()).toContain('2000 succeeded, 0 failed, 0 errored, 0 timeout')
      expect(stdout.toString()).toContain('2000 2xx')
    },
  )

  it('goes on where the host names another function', async () => {
    const client = await Http2Client.open({ port: platform.https, tls })
    const one = await client.request('/', { authority: 'echo.local' })
    const two = await client.request('/', { authority: 'hello.local' })
    expect([one.container, two.container, textOf(two)]).toEqual(['echo-1', 'hello-1', 'Hello, world!\n'])
    await client.close()
    const older = await Client.open({ port: platform.https, tls })
    const three = await older.request('/', { headers: [['host', 'hello.local']] })
    expect([three.container, three.hops]).toEqual(['hello-1', 1])
    await older.close()
  })

  it('lends requests while the connection is busy, and moves it when it is not', async () => {
    const client = await Http2Client.open({ port: platform.https, tls })
    const slow = client.request('/slow?ms=400')
    const lent = await client.request('/hello')
    expect([textOf(lent), lent.container, field(lent, 'x-hotpotato-lent-by')]).toEqual([
      'Hello, world!\n',
      'hello-1',
      'slow-1',
    ])
    const body = seeded(1)(300_000)
    const back = await client.request('/echo-raw', { body })
    expect(Buffer.compare(back.body, body)).toBe(0)
    expect(field(back, 'x-hotpotato-lent-by')).toBe('slow-1')
    expect(textOf(await slow)).toBe('slow')
    await client.close()
  })

  it('serves HTTP/2 and HTTP/1.1 by what ALPN chooses, and HTTP/1.1 without it', async () => {
    const client = await Client.open({ port: platform.https, tls })
    expect((await client.request('/echo')).status).toBe(200)
    await client.close()
  })
})

/** How often the connection moves. */
const MOVES = LONG ? 1000 : 200

describe.each([true, false])(`${MOVES} moves of one HTTP/2 connection (over TLS: %s)`, secure => {
  it('keep every byte, table and window, while the client talks', async () => {
    const descriptors = await platform.descriptors()
    const random = seeded(secure ? 7 : 8)
    const client = await Http2Client.open({
      port: secure ? platform.https : platform.http,
      ...(secure ? { tls } : {}),
    })
    let hops = 0
    for (let i = 0; i < MOVES; i++) {
      const target = i % 2 === 0 ? '/echo-raw' : '/echo'
      const size = below(random, 20) === 0 ? below(random, 200_001) : below(random, 2000)
      const headers = [
        ['user-agent', 'a field that is in the tables from the first request on'],
        ['x-round', String(below(random, 50))],
        ['content-type', `text/x-${below(random, 20)}`],
      ] as const
      if (secure && i % 97 === 50) client.updateKeys()
      const answers = [0, 1].map(part => {
        const body = random(part === 0 ? size : below(random, 500))
        return client.request(target, { body, headers }).then(answer => ({ answer, body }))
      })
      for (const { answer, body } of await Promise.all(answers)) {
        if (answer.status !== 200 || Buffer.compare(answer.body, body) !== 0)
          throw new Error(`request ${i}: ${answer.status}, ${answer.body.length} of ${body.length} bytes`)
        if (answer.container !== `${target.slice(1)}-1` || field(answer, 'content-type') !== headers[2][1])
          throw new Error(`request ${i}: from ${answer.container}, ${field(answer, 'content-type')}`)
        hops = Math.max(hops, answer.hops)
      }
    }
    expect(hops).toBeGreaterThanOrEqual(MOVES - 1)
    expect(client.handshakes).toBe(secure ? 1 : 0)
    expect(await client.close()).toMatchObject({ closeNotify: secure, error: undefined })
    await platform.idle()
    expect(await platform.total('unclean')).toBe(0)
    expect(await platform.descriptors()).toEqual(descriptors)
  })
})
