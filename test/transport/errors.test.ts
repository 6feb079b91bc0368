import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import type { ResponseView } from '../../src/http/message.ts'
import type { HttpFault } from '../../src/http/serving.ts'
import { MemoryBudget } from '../../src/transport/index.ts'
import type { Server } from '../../src/transport/server.ts'
import { http, type ServiceOptions } from '../../src/transport/services.ts'

const servers: Server[] = []
afterAll(() => Promise.all(servers.map(server => server.stop(0))))

interface Asked {
  readonly method?: string
  readonly host?: string
  readonly body?: string
}

interface Told {
  readonly status: number
  readonly content: string
}

function overHttp1(port: number, { method = 'GET', host = 'a', body = '' }: Asked): Promise<Told> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    let text = ''
    socket.on('data', piece => {
      text += piece
    })
    socket.on('close', () => {
      const [, status, content = ''] = /^HTTP\/1\.1 (\d{3})[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(text) ?? []
      resolve({ status: Number(status), content })
    })
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
    socket.write(`${method} / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${length}\r\n${body}`)
  })
}

async function overHttp2(port: number, { method = 'GET', host = 'a', body = '' }: Asked): Promise<Told> {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  const head = { ':method': method, ':authority': host }
  const stream = session.request(head, { endStream: body === '' })
  stream.on('error', () => {})
  if (body !== '') stream.end(body)
  let [status, content] = [0, '']
  stream.on('response', fields => {
    status = Number(fields[':status'])
  })
  stream.setEncoding('utf8').on('data', piece => {
    content += piece
  })
  await new Promise(resolve => stream.once('close', resolve))
  session.destroy()
  return { status, content }
}

const never = (): Promise<void> => new Promise(() => {})
const broken = new Error('on purpose')

interface Case {
  readonly request: ServiceOptions['request']
  readonly options?: Partial<ServiceOptions>
  readonly asked: Asked
  readonly status: number
  /** What the application is told, besides the kind. */
  readonly fault: Partial<HttpFault>
}

const CASES: Readonly<Record<HttpFault['kind'], () => Case>> = {
  client: () => ({
    request: (_, response) => response.reply({ status: 200 }),
    asked: { host: '%62.example' },
    status: 400,
    fault: { status: 400 },
  }),
  application: () => ({
    request: () => Promise.reject(broken),
    asked: {},
    status: 500,
    fault: { status: 500, cause: broken },
  }),
  timeout: () => ({
    request: never,
    options: { timers: { handler: 20 } },
    asked: {},
    status: 504,
    fault: { status: 504, timer: 'handler' },
  }),
  memory: () => ({
    request: never,
    options: { memory: new MemoryBudget(10_000) },
    asked: { method: 'POST', body: 'x'.repeat(60_000) },
    status: 503,
    fault: { status: 503 },
  }),
}

describe.each([
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
])('over %s a fault', (version, ask) => {
  it.each(Object.entries(CASES))('of kind %s is told by its kind, and answered', async (kind, made) => {
    for (const answer of [undefined, { status: 200, body: 'mine' }] satisfies (ResponseView | undefined)[]) {
      const { request, options, asked, status, fault } = made()
      const faults: HttpFault[] = []
      const error = (one: HttpFault): ResponseView | undefined => {
        faults.push(one)
        return answer
      }
      const server = await http({ port: 0, request, error, ...options })
      servers.push(server)
      const told = await ask(server.address.port!, asked)
      expect(faults).toMatchObject([{ kind, answerable: true, ...fault }])
      if (answer === undefined) {
        expect([told.status, JSON.parse(told.content)]).toMatchObject([status, { status }])
        // Over HTTP/1.1 what was not understood may have been CONNECT, which no 2xx may grant.
      } else if (kind === 'client' && version === 'HTTP/1.1')
        expect(told).toEqual({ status, content: 'mine' })
      else expect(told).toEqual({ status: 200, content: 'mine' })
    }
  })
})
