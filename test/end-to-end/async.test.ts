import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

/*
 * The contract of functions, asynchronous calls and metrics, as a user of the whole platform sees them: an
 * OpenFaaS handler as it is, 202 at once and the call later, and nothing lost when a process is killed.
 */

const SLOW = `
import { appendFileSync } from 'node:fs'
const failures = new Map()
const text = body => new TextDecoder().decode(body)
export default {
  handle({ body, query }, ctx) {
    const left = failures.get(ctx.callId) ?? Number(new URLSearchParams(query).get('fail') ?? 0)
    failures.set(ctx.callId, left - 1)
    if (left > 0) return { status: 503 }
    appendFileSync(process.env.CALLS, ctx.callId + ' ' + text(body) + '\\n')
    return { status: 201, headers: [['x-kind', 'slow']], body: text(body).toUpperCase() + ctx.functionPath }
  },
}
`

const HANDLER = `'use strict'
const { shout } = require('shout')
module.exports = async (event, context) =>
  context.status(200).headers({ 'content-type': 'text/plain' }).succeed(shout(event.body.name))
`

/** Answers those of this machine alone, by the address of the connection. */
const GUARDED = `
export default {
  handle({ headers }, { connection: { remoteAddress = '', tls } }) {
    return { status: 200, body: JSON.stringify({ remoteAddress, tls }) }
  },
}
`

const certificates = ['slow', 'guarded', 'greeter'].map(name => ({ name, hosts: [`${name}.local`] }))

function configOf(directory: string): string {
  return `
version: 1
gateway: { defaultFunction: slow }
admin: { port: 0 }
queue: { enabled: true, callbacks: [127.0.0.1], callBytes: 100 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  slow:
    handler: ./slow.mjs
    environment: { CALLS: ${join(directory, 'calls.txt')} }
    async: { retries: 3, firstSeconds: 50ms, mostSeconds: 500ms }
  guarded: { handler: ./guarded.mjs }
  greeter: { lang: node22, handler: ./greeter, environment: { max_inflight: 100 } }
`
}

interface Told {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const told: Told[] = []
let hooks: Server
let platform: Platform
let directory: string

beforeAll(async () => {
  hooks = createServer((asked, answer) => {
    let body = ''
    asked.on('data', data => {
      body += data
    })
    asked.on('end', () => {
      told.push({ headers: asked.headers, body })
      answer.writeHead(asked.url === '/no' ? 404 : 204).end()
    })
  })
  hooks.listen(0, '127.0.0.1')
  await once(hooks, 'listening')
  directory = await makeDirectory('', certificates)
  mkdirSync(join(directory, 'greeter/node_modules/shout'), { recursive: true })
  const files = {
    'slow.mjs': SLOW,
    'guarded.mjs': GUARDED,
    'greeter/handler.js': HANDLER,
    'greeter/package.json': '{ "name": "greeter", "main": "handler.js" }',
    'greeter/node_modules/shout/index.js': 'exports.shout = text => text.toUpperCase() + "!"\n',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  platform = await Platform.start({ directory, config: configOf(directory) })
})
afterAll(async () => {
  await platform?.stop()
  hooks?.close()
  if (!process.env.KEEP) rmSync(directory, { recursive: true, force: true })
})

interface Asked {
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string
  readonly port?: number
  readonly localAddress?: string
}

function ask(path: string, { headers = {}, body = '', port = platform.http, localAddress }: Asked = {}) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const method = body === '' ? 'GET' : 'POST'
    const asked = request(
      { host: '127.0.0.1', localAddress, port, path, method, headers, agent: false },
      answer => {
        let text = ''
        answer.on('data', data => {
          text += data
        })
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }))
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}

const hook = (path = '/hook'): string => `http://127.0.0.1:${(hooks.address() as AddressInfo).port}${path}`
const heard = (id: string): Promise<Told> =>
  eventually(() => told.find(({ headers }) => headers['x-call-id'] === id), `no callback for ${id}`)
const files = (shelf: string): string[] =>
  readdirSync(join(directory, 'run', 'queue', shelf)).filter(name => !name.endsWith('.new'))
const empty = (shelf: string): Promise<true> =>
  eventually(() => files(shelf).length === 0 || undefined, `there is something in ${shelf}`)

async function send(path: string, asked: Asked): Promise<string> {
  const answer = await ask(`/async-function/${path}`, asked)
  expect(answer.status, answer.text).toBe(202)
  return answer.headers['x-call-id'] as string
}

describe('a function of OpenFaaS', () => {
  it('runs as it is, with a package of its own, and its watchdog’s paths beside it', async () => {
    const headers = { 'content-type': 'application/json' }
    const answer = await ask('/function/greeter', { body: '{"name":"you"}', headers })
    expect(answer).toMatchObject({ status: 200, text: 'YOU!' })
    expect(answer.headers['x-call-id']).toMatch(/^[0-9a-f-]{36}$/)
    for (const path of ['/_/health', '/_/ready'])
      expect(await ask(`/function/greeter${path}`)).toMatchObject({ status: 200, text: 'OK\n' })
  })
})

describe('/async-function/NAME', () => {
  it('answers 202 at once, and tells the callback what the function has answered', async () => {
    const id = await send('slow/a?b=c', { body: 'one', headers: { 'x-callback-url': hook() } })
    const { headers, body } = await heard(id)
    expect(body).toBe('ONE/a')
    expect(headers).toMatchObject({ 'x-function-name': 'slow', 'x-function-status': '201', 'x-kind': 'slow' })
    expect(headers['x-duration-seconds']).toMatch(/^\d+\.\d{6}$/)
    await empty('calls')
  })

  it.each(['no id', 'a'.repeat(129), ['a', 'b']])(
    'is refused with an X-Call-Id that is none: with one of ours it would be made twice (%j)',
    async id => {
      const answer = await ask('/async-function/slow', { body: 'refused', headers: { 'x-call-id': id } })
      expect(answer.status, answer.text).toBe(400)
      expect(answer.text).toContain('X-Call-Id')
    },
  )

  it('says of a name that no function has that there is none', async () => {
    const answer = await ask('/async-function/slwo/a', { body: 'x' })
    expect(answer.status).toBe(404)
    expect(answer.text).toContain('no function is called slwo')
  })

  it('comes from its client, and not from this machine, whatever the client says of itself', async () => {
    const forged = {
      'x-forwarded-for': '127.0.0.1',
      'x-hotpotato-client': 'a http 127.0.0.1',
      'x-callback-url': hook(),
    }
    // Another address of this machine stands for a client elsewhere.
    const id = await send('guarded', { body: 'x', headers: forged, localAddress: '127.0.0.9' })
    const connection = { remoteAddress: '127.0.0.9', tls: false }
    expect(JSON.parse((await heard(id)).body)).toEqual(connection)
    const direct = await ask('/function/guarded', { body: 'x', headers: forged, localAddress: '127.0.0.9' })
    expect(JSON.parse(direct.text)).toEqual(connection)
  })

  it('tries again what failed, and gives up in the end: a dead letter that can be sent anew', async () => {
    const once = await send('slow?fail=2', { body: 'two', headers: { 'x-callback-url': hook() } })
    expect((await heard(once)).body).toBe('TWO/')
    const lost = await send('slow?fail=5', { body: 'three', headers: { 'x-call-id': 'call-3' } })
    expect(lost).toBe('call-3')
    await eventually(() => files('dead').length === 1 || undefined, 'it is not given up')
    const list = JSON.parse((await hotpotato(directory, ['queue', 'list', '--json'])).stdout)
    expect(list).toMatchObject([{ id: 'call-3', functionName: 'slow', shelf: 'dead' }])
    expect((await hotpotato(directory, ['queue', 'show', 'call-3'])).stdout).toContain('slow answered 503')
    expect((await hotpotato(directory, ['queue', 'replay', 'call-3'])).code).toBe(0)
    await empty('dead')
    await empty('calls')
    expect(readFileSync(join(directory, 'calls.txt'), 'utf8')).toContain('call-3 three\n')
  })

  it('is what `hotpotato invoke --async` calls', async () => {
    const { stdout, code } = await hotpotato(directory, ['invoke', 'slow', '--async', '--data', 'invoked'])
    expect(code).toBe(0)
    const id = stdout.trim().split('\n').at(-1)!
    await eventually(
      () => readFileSync(join(directory, 'calls.txt'), 'utf8').includes(`${id} invoked`) || undefined,
      'it is not called',
    )
  })

  it('refuses what it cannot keep or must not do', async () => {
    expect((await ask('/async-function/nope', { body: 'x' })).status).toBe(404)
    expect((await ask('/async-function/slow', { body: 'x'.repeat(101) })).status).toBe(413)
    const headers = { 'x-callback-url': 'http://169.254.169.254/latest' }
    const refused = await ask('/async-function/slow', { body: 'x', headers })
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('queue.callbacks')
  })

  it('loses nothing when the process that keeps the calls is killed', async () => {
    const ids: string[] = []
    for (let round = 0; round < 3; round++) {
      const sent = Array.from({ length: 20 }, (_, i) =>
        send('slow', { body: `k${round}-${i}`, headers: { 'x-callback-url': hook() } }),
      )
      ids.push(...(await Promise.all(sent)))
      await platform.kill('async-function-1')
      await platform.until('async-function-1', ({ ready }) => ready)
    }
    for (const id of ids) await heard(id)
    await empty('calls')
    expect(files('dead')).toEqual([])
  })
})

describe('the admin port', () => {
  it('has counted all of that', async () => {
    const { ports } = await platform.order<{ ports: { admin: number } }>('status')
    expect(platform.welcome).toContain(`admin   127.0.0.1:${ports.admin} `)
    expect(await ask('/healthz', { port: ports.admin })).toMatchObject({ status: 200, text: 'OK\n' })
    const { text } = await ask('/metrics', { port: ports.admin })
    expect(text).toMatch(/^gateway_function_invocation_total\{function_name="greeter",code="200"\} 1$/m)
    expect(text).toMatch(/^gateway_function_invocation_total\{function_name="slow",code="201"\} \d\d$/m)
    expect(text).toMatch(/^gateway_service_count\{function_name="slow"\} 1$/m)
    expect(text).toMatch(/^hotpotato_queue_calls 0$/m)
    expect(text).toMatch(/^hotpotato_restarts\{name="async-function-1",role="container"\} 3$/m)
  })
})
