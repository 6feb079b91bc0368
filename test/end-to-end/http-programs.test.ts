import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Http2Client } from '../support/http2-client.ts'
import { Platform } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'

/*
 * What people point at an HTTP server, pointed at the platform: curl in each version of HTTP, nghttp through
 * 1,000 moves of its one connection, wrk and h2load under load; and a client that means harm.
 */

const CURL = isInstalled('curl', ['--version'])
const NGHTTP = isInstalled('nghttp', ['--version'])
const WRK = isInstalled('wrk', ['--version'])

/** Says what it was asked, and by which version of HTTP, with fields for the tables of HTTP/2. */
const WHO = `
let count = 0
export default {
  handle({ method, target, version, query, body }, { connection }) {
    if (query === 'forever') return new Promise(() => {})
    const always = 'a field that is in the tables from the first response on'
    const headers = [['x-count', String(count++ % 7)], ['x-always', always]]
    const words = [method, target, version, body.length, connection.container, connection.requestIndex]
    return { status: 200, headers, body: words.join(' ') + '\\n' }
  },
}
`
const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, streams: 1, timers: { keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { handler: ./who.mjs }
  hello: { handler: ./who.mjs }
`

let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, files: { 'who.mjs': WHO } })
})
afterAll(() => platform?.stop())

describe.each(['https', 'http'] as const)('over %s', scheme => {
  const origin = (): string => `${scheme}://echo.local:${platform[scheme]}`

  it.skipIf(!CURL).each([
    // Over TLS it offers http/1.0 alone in ALPN.
    ['--http1.0', '1.0'],
    ['--http1.0', '1.0'],
    ['--http1.1', '1.1'],
    [scheme === 'https' ? '--http2' : '--http2-prior-knowledge', '2'],
  ])(
    `curl %s gets what it asks for, with content${missing(CURL, 'curl', 'curl')}`,
    async (flag, version, ...more) => {
      // What we answer with is 1.1 also where that asks for less.
      const spoken = version === '2' ? '2' : '1.1'
      const curl = async (...args: string[]): Promise<string> => {
        const { stdout, stderr, code } = await run('curl', [
          ...[
            '-sS',
            flag,
            ...more,
            '--cacert',
            platform.caFile,
            '--resolve',
            `*:${platform[scheme]}:127.0.0.1`,
          ],
          ...['-w', '%{http_version} %{http_code}', ...args],
        ])
        expect(code, stderr).toBe(0)
        return stdout.toString()
      }
      expect(await curl(`${origin()}/echo?x`)).toBe(`GET /echo?x ${version} 0 echo-1 0\n${spoken} 200`)
      expect(await curl('--data-binary', 'x'.repeat(5000), `${origin()}/hello`)).toBe(
        `POST /hello ${version} 5000 hello-1 0\n${spoken} 200`,
      )
      expect(await curl('-I', `${origin()}/echo`)).toMatch(/x-always: a field[\s\S]*2?\d* 200$/)
      if (version === '2') return
      const [one, two] = (await curl(`${origin()}/echo`, `${origin()}/hello`)).split('\n')
      expect(one).toBe(`GET /echo ${version} 0 echo-1 0`)
      // HTTP/1.0 without keep-alive: another connection.
      expect(two).toBe(`${spoken} 200GET /hello ${version} 0 hello-1 ${version === '1.0' ? 0 : 1}`)
    },
  )

  it.skipIf(!NGHTTP)(
    `nghttp notices none of 1,000 moves${missing(NGHTTP, 'nghttp', 'nghttp2-client')}`,
    async () => {
      const before = await platform.total('moved')
      const paths = Array.from({ length: 1110 }, (_, i) => `/${i % 2 === 0 ? 'echo' : 'hello'}?${i}`)
      const { stdout, stderr, code } = await run('nghttp', [
        ...['--no-verify-peer', '--no-dep', '-v', '-H', 'x-again: this, too, is in the tables', '-p', '16'],
        ...paths.map(path => `${scheme}://127.0.0.1:${platform[scheme]}${path}`),
      ])
      expect(code, stderr).toBe(0)
      const said = stdout.toString()
      // It takes 100 streams for granted until our SETTINGS have come; all but one of those are refused, and
      // it does not ask again.
      const answers = [...said.matchAll(/^GET (\/\w+\?(\d+)) 2 0 (\w+)-1 (\d+)$/gm)]
      expect(answers.length).toBeGreaterThanOrEqual(1010)
      expect(said.match(/error_code=(?!NO_ERROR|REFUSED_STREAM)/)).toBeNull()
      expect(said.match(/recv RST_STREAM/g)?.length ?? 0).toBe(paths.length - answers.length)
      let hops = -1
      const expected = answers.map(([, , number], i) => {
        const path = paths[Number(number)]!
        const name = path.slice(1).split('?')[0]!
        if (name !== answers[i - 1]?.[3]) hops++
        return { path, name, index: String(i), hops }
      })
      expect(answers.map(([, path, , name, index]) => ({ path, name, index }))).toEqual(
        expected.map(({ path, name, index }) => ({ path, name, index })),
      )
      expect(said.match(/(?<=x-hotpotato-hops: )\d+/g)?.map(Number)).toEqual(expected.map(one => one.hops))
      expect(said.match(/x-always: a field that is in the tables/g)).toHaveLength(answers.length)
      expect(hops).toBeGreaterThanOrEqual(1000)
      expect((await platform.total('moved')) - before).toBe(hops)
    },
    240_000,
  )
})

it.skipIf(!WRK)(`wrk finds no fault${missing(WRK, 'wrk', 'wrk')}`, async () => {
  const { stdout, stderr, code } = await run('wrk', [
    ...['-t1', '-c8', '-d1s', '-H', 'Host: echo.local', `https://127.0.0.1:${platform.https}/hello`],
  ])
  expect(code, stderr).toBe(0)
  const said = stdout.toString()
  expect(Number(/(\d+) requests in/.exec(said)?.[1])).toBeGreaterThan(50)
  expect(said).not.toMatch(/Non-2xx|Socket errors/)
})

it('what a client overdoes ends its connection alone, and is counted', async () => {
  const options = { port: platform.https, tls: { ca: platform.ca, serverName: 'echo.local' } }
  const [other, abuser] = await Promise.all([Http2Client.open(options), Http2Client.open(options)])
  expect((await other.request('/echo')).status).toBe(200)
  expect((await abuser.request('/echo')).status).toBe(200)
  const before = (await platform.member('echo-1')).counters
  // CVE-2023-44487, one stream at a time.
  for (let i = 0; i < 250 && !abuser.socket.destroyed; i++) {
    const id = abuser.http.request(
      { method: 'GET', scheme: 'https', authority: 'echo.local', path: '/echo?forever' },
      true,
    )
    abuser.http.reset(id)
    abuser.flush()
  }
  expect(await abuser.ended).toMatchObject({ goaway: expect.any(Number) })
  const after = (await platform.member('echo-1')).counters
  expect([after.http2Resets! - before.http2Resets!, after.http2Failed! - before.http2Failed!]).toEqual([1, 1])
  expect((await other.request('/echo')).status).toBe(200)
  await other.close()
})
