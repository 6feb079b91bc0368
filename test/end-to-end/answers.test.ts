import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, Client, field, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { eventually, MAIN, makeDirectory, Platform } from '../support/platform.ts'
import { run } from '../support/programs.ts'

/*
 * What a client hears when a function has no time or no room for it is the same, whatever kind of function it
 * is: a module, a handler of OpenFaaS, a program that serves HTTP, a process for each request, a bundle.
 */

const FETCH = `
export default {
  async fetch(request, env, ctx) {
    if (ctx.functionPath === '/hang') await new Promise(resolve => setTimeout(resolve, 60_000).unref())
    return new Response('done\\n')
  },
}
`
const HANDLER = `'use strict'
module.exports = async (event, context) => {
  if (event.path === '/hang') await new Promise(resolve => setTimeout(resolve, 60_000).unref())
  return context.succeed('done\\n')
}
`
const SERVER = `
import { createServer } from 'node:http'
createServer((request, response) => {
  if (request.url !== '/hang') response.end('done\\n')
}).listen(process.env.PORT, '127.0.0.1')
`
const FORK = `cat > /dev/null
[ "$Http_Path" = /hang ] && exec sleep 60
echo done
`
const KINDS = ['fetch', 'openfaas', 'http', 'fork', 'sealed'] as const

function configOf(callbacks: number): string {
  const bound = 'environment: { max_inflight: 1 }, async: { retries: 0 }'
  return `
version: 1
gateway: { defaultFunction: fetch }
queue: { enabled: true, callbacks: ['127.0.0.1:${callbacks}'] }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  fetch: { handler: ./fetch.mjs, ${bound} }
  openfaas: { lang: node22, handler: ./openfaas, ${bound} }
  http: { command: [node, server.mjs], ${bound} }
  fork: { command: [sh, fork.sh], mode: fork, ${bound} }
  sealed: { sealed: { bundle: fetch.potato }, ${bound} }
  short: { command: [sh, fork.sh], mode: fork, environment: { exec_timeout: 500ms } }
`
}

const NAMES = [...KINDS, 'short']
const told: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = []
let hooks: Server
let directory: string
let platform: Platform
let key: string

beforeAll(async () => {
  hooks = createServer((asked, answer) => {
    let body = ''
    asked.on('data', data => {
      body += data
    })
    asked.on('end', () => {
      told.push({ headers: asked.headers, body })
      answer.writeHead(204).end()
    })
  }).listen(0, '127.0.0.1')
  await once(hooks, 'listening')
  const names = NAMES.map(name => ({ name, hosts: [`${name}.local`] }))
  directory = await makeDirectory('', names)
  const { port } = hooks.address() as AddressInfo
  mkdirSync(join(directory, 'openfaas'))
  const files = {
    'hotpotato.yml': configOf(port),
    'fetch.mjs': FETCH,
    'openfaas/handler.js': HANDLER,
    'server.mjs': SERVER,
    'fork.sh': FORK,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  const sealed = await run(process.execPath, [MAIN, 'seal', 'fetch.mjs', '--show-key'], '', {
    cwd: directory,
  })
  key = /^x-hotpotato-key: (data-key \S+)$/m.exec(sealed.stdout.toString())![1]!
  platform = await Platform.start({ directory })
  for (const name of NAMES) await platform.until(`${name}-1`, ({ ready }) => ready)
})
afterAll(async () => {
  await platform?.stop()
  hooks?.close()
  rmSync(directory, { recursive: true, force: true })
})

const tls = (kind: string) => ({ ca: platform.ca, serverName: `${kind}.local` })
const open = (kind: string): Promise<Client> => Client.open({ port: platform.https, tls: tls(kind) })

/** The fields that each request of that kind has. */
function fieldsFor(kind: string, more: Readonly<Record<string, string>> = {}) {
  return Object.entries({ ...(kind === 'sealed' ? { 'x-hotpotato-key': key } : {}), ...more })
}

/** All of an answer that a client goes by, the function's name left out. */
function words(kind: string, answer: Pick<Answer, 'status' | 'headers' | 'body'>): unknown {
  const { type, detail, setting, timer } = JSON.parse(textOf(answer as Answer))
  return {
    status: answer.status,
    error: field(answer as Answer, 'x-hotpotato-error'),
    contentType: field(answer as Answer, 'content-type'),
    retryAfter: field(answer as Answer, 'retry-after'),
    connection: field(answer as Answer, 'connection'),
    type,
    detail: (detail as string).replaceAll(kind, 'NAME'),
    ...(setting === undefined ? {} : { setting, timer }),
  }
}

const LATE = {
  status: 504,
  error: 'handler-timeout',
  contentType: 'application/problem+json',
  retryAfter: undefined,
  connection: undefined,
  type: 'urn:hotpotato:problem:handler-timeout',
  timer: 'handler',
}
const CALLERS = {
  ...LATE,
  detail: 'the function did not start to answer within 0.1 s',
  setting: 'X-Timeout',
}
const FULL = {
  status: 429,
  error: 'too-many-requests',
  contentType: 'application/problem+json',
  retryAfter: '1',
  connection: undefined,
  type: 'urn:hotpotato:problem:too-many-requests',
  detail: 'this container of the function NAME works on 1 requests, as many as it may',
}

describe.each(KINDS)('a function of the kind %s', kind => {
  it('has the time that the caller gives it; the connection goes on', async () => {
    const client = await open(kind)
    const late = await client.request('/hang', { headers: fieldsFor(kind, { 'x-timeout': '100ms' }) })
    expect(words(kind, late)).toEqual(CALLERS)
    const next = await client.request('/', { headers: fieldsFor(kind, { 'x-timeout': '1h' }) })
    expect([next.status, textOf(next)]).toEqual([200, 'done\n'])
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it.runIf(kind === 'fetch' || kind === 'fork')('and so over HTTP/2', async () => {
    const client = await Http2Client.open({ port: platform.https, tls: tls(kind) })
    const ask = (path: string, timeout: string) =>
      client.request(path, {
        authority: `${kind}.local`,
        headers: fieldsFor(kind, { 'x-timeout': timeout }).map(([name, value]) => [name, value] as const),
      })
    expect(words(kind, await ask('/hang', '100ms'))).toEqual(CALLERS)
    expect(textOf(await ask('/', 'whenever'))).toBe('done\n')
    await client.close()
  })

  it('has as many requests as it may: one more is refused, with a time to come back', async () => {
    const [busy, client] = [await open(kind), await open(kind)]
    const gone = busy.request('/hang', { headers: fieldsFor(kind) }).catch(() => {})
    const isReady = async (): Promise<boolean> => (await client.request('/_/ready')).status === 200
    await eventually(async () => ((await isReady()) ? undefined : true), 'it is not full')
    expect(words(kind, await client.request('/', { headers: fieldsFor(kind) }))).toEqual(FULL)
    busy.reset()
    await gone
    await eventually(async () => ((await isReady()) ? true : undefined), 'it stays full')
    expect(textOf(await client.request('/', { headers: fieldsFor(kind) }))).toBe('done\n')
    await client.close()
  })

  it.skipIf(kind === 'sealed')('answers the same to an asynchronous call', async () => {
    const client = await Client.open({ port: platform.http })
    const accepted = await client.request(`/async-function/${kind}/hang`, {
      body: Buffer.from('x'),
      headers: [
        ['x-timeout', '100ms'],
        ['x-callback-url', `http://127.0.0.1:${(hooks.address() as AddressInfo).port}/`],
      ],
    })
    expect(accepted.status).toBe(202)
    const id = field(accepted, 'x-call-id')
    const { headers, body } = await eventually(
      () => told.find(one => one.headers['x-call-id'] === id),
      'no callback',
    )
    expect(headers).toMatchObject({ 'x-function-name': kind, 'x-function-status': '504' })
    const fields = Object.entries(headers).map(([name, value]) => [name, String(value)] as const)
    const answer = { status: 504, headers: fields, body: Buffer.from(body) }
    expect(words(kind, answer)).toMatchObject({ ...CALLERS, connection: expect.anything() })
    await client.close()
  })
})

it('has less time where exec_timeout says so', async () => {
  const client = await open('short')
  const detail = 'the function did not start to answer within 0.5 s'
  const late = { ...LATE, detail, setting: 'environment.exec_timeout' }
  expect(words('short', await client.request('/hang'))).toEqual(late)
  const longer = await client.request('/hang', { headers: [['x-timeout', '30s']] })
  expect(words('short', longer)).toEqual(late)
  await client.close()
})
