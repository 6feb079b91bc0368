import { Agent, get, type IncomingMessage } from 'node:http'
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { request as requestSecurely } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Platform } from '../support/platform.ts'
import { isInstalled, run } from '../support/programs.ts'

/*
 * What goes ahead of a response, and what follows its content, as clients see it that are not ours: 103
 * (Early Hints) and trailers, of functions of every kind, over both versions of HTTP, with TLS and without.
 */

const CURL = isInstalled('curl', ['--version'])

const HINT = '</style.css>; rel=preload; as=style'
/** As it is built: the module lies in a directory of its own. */
const ADAPTER = new URL('../../dist/src/functions/adapters/node-http.js', import.meta.url).href
const FILES = {
  'raw.mjs': `
export default {
  handle({ body }, ctx) {
    ctx.inform(103, [['link', '${HINT}']])
    return { status: 200, headers: [['trailer', 'x-sum']], body: 'content', trailers: [['x-sum', 'of raw']] }
  },
}
`,
  'fetch.mjs': `
export default {
  async fetch(request, env, ctx) {
    ctx.inform(103, new Headers({ link: '${HINT}' }))
    await new Promise(resolve => setImmediate(resolve))
    ctx.inform(102)
    let pulled = 0
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise(resolve => setImmediate(resolve))
        if (pulled++ < 2) controller.enqueue(new TextEncoder().encode('con'.repeat(pulled)))
        else controller.close()
      },
    })
    ctx.trailers(() => new Headers({ 'x-sum': 'of fetch, after ' + pulled }))
    return new Response(body, { headers: { trailer: 'x-sum' } })
  },
}
`,
  'node.mjs': `
import { fromNode } from '${ADAPTER}'
export default fromNode((request, response) => {
  response.writeEarlyHints({ link: '${HINT}' })
  response.setHeader('Trailer', 'x-sum')
  response.write('first, ')
  setTimeout(() => {
    response.addTrailers({ 'x-sum': 'of node' })
    response.end('second')
  }, 5)
})
`,
}

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { handler: ./raw.mjs }
  hello: { handler: ./fetch.mjs }
  resize: { handler: ./node.mjs }
`

const EXPECTED = [
  ['/echo', [103], 'content', 'of raw'],
  ['/hello', [103, 102], 'conconcon', 'of fetch, after 3'],
  ['/resize', [103], 'first, second', 'of node'],
] as const

/** What a client has heard. */
interface Heard {
  readonly interim: readonly number[]
  readonly link: string | undefined
  readonly body: string
  readonly sum: string | undefined
}

let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, files: FILES })
})
afterAll(() => platform?.stop())

async function overHttp1(scheme: 'http' | 'https', path: string): Promise<Heard> {
  const interim: number[] = []
  let link: string | undefined
  const options = { host: '127.0.0.1', port: platform[scheme], path, headers: { host: 'echo.local' } }
  const secure = { ...options, ca: platform.ca, servername: 'echo.local', agent: false } as const
  const request = scheme === 'http' ? get({ ...options, agent: new Agent() }) : requestSecurely(secure).end()
  request.on('information', ({ statusCode, headers }) => {
    interim.push(statusCode)
    link ??= headers.link as string | undefined
  })
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    request.on('response', resolve).on('error', reject),
  )
  let body = ''
  for await (const piece of response.setEncoding('utf8')) body += piece
  expect(response.headers.trailer).toBe('x-sum')
  return { interim, link, body, sum: response.trailers['x-sum'] }
}

async function overHttp2(client: ClientHttp2Session, path: string): Promise<Heard> {
  const interim: number[] = []
  let link: string | undefined
  let sum: string | undefined
  const stream = client.request({ ':path': path, ':authority': 'echo.local' })
  stream.on('headers', (headers: IncomingHttpHeaders & { ':status'?: number }) => {
    interim.push(headers[':status']!)
    link ??= headers.link as string | undefined
  })
  stream.on('trailers', (headers: IncomingHttpHeaders) => {
    sum = headers['x-sum'] as string
  })
  let body = ''
  for await (const piece of stream.setEncoding('utf8')) body += piece
  return { interim, link, body, sum }
}

describe.each(['http', 'https'] as const)('over %s', scheme => {
  it.each(EXPECTED)('node:http gets hints and trailers of %s', async (path, interim, body, sum) => {
    expect(await overHttp1(scheme, path)).toEqual({ interim, link: HINT, body, sum })
  })

  it('node:http2 gets them of all functions, on one connection', async () => {
    const options = scheme === 'https' ? { ca: platform.ca, servername: 'echo.local' } : {}
    const client = connect(`${scheme}://127.0.0.1:${platform[scheme]}`, options)
    try {
      for (const [path, interim, body, sum] of EXPECTED)
        expect(await overHttp2(client, path)).toEqual({ interim, link: HINT, body, sum })
    } finally {
      client.close()
    }
  })

  const versions = ['--http1.1', scheme === 'https' ? '--http2' : '--http2-prior-knowledge']
  it.skipIf(!CURL).each(versions)(
    `curl %s gets them${CURL ? '' : ' (SKIPPED: no curl; Debian: apt-get install curl)'}`,
    async flag => {
      for (const [path, interim, body, sum] of EXPECTED) {
        const { stdout, stderr, code } = await run('curl', [
          ...['-sSi', flag, '--cacert', platform.caFile],
          ...['--resolve', `*:${platform[scheme]}:127.0.0.1`],
          `${scheme}://echo.local:${platform[scheme]}${path}`,
        ])
        expect(code, stderr).toBe(0)
        const text = stdout.toString()
        const statuses = [...text.matchAll(/^HTTP\/\S+ (\d+)/gm)].map(([, status]) => Number(status))
        expect(statuses).toEqual([...interim, 200])
        expect(text.replaceAll('Link:', 'link:')).toContain(`link: ${HINT}`)
        expect(text).toContain(body)
        expect(text).toMatch(new RegExp(`${body}[\\s\\S]*x-sum: ${sum}`))
      }
    },
  )
})

it.skipIf(!CURL)('a client of HTTP/1.0 gets neither', async () => {
  const { stdout } = await run('curl', [
    ...['-sSi', '--http1.0', '--resolve', `*:${platform.http}:127.0.0.1`],
    `http://echo.local:${platform.http}/hello`,
  ])
  const text = stdout.toString()
  expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nconconcon$/)
  expect(text).not.toContain('x-sum: of')
})
