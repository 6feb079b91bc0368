import { describe, expect, it } from 'vitest'
import { AccessLog } from '../../../src/containers/protocol/access-log.ts'
import { Traffic } from '../../../src/containers/protocol/traffic.ts'
import type { Context, RawResponse } from '../../../src/functions/contract.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import type { WebSocketFunction } from '../../../src/functions/web-socket.ts'
import type { RequestView } from '../../../src/http/message.ts'
import type { LogMethod } from '../../../src/platform/log.ts'
import { FakeHost, freshConnection, get, turn } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { UPGRADE } from '../../support/upgrade.ts'

/* What is written of each call. */

type Handle = (request: RequestView, context: Context) => RawResponse | Promise<RawResponse>

function hostOf(form: 'common' | 'json', handle: Handle) {
  const entries: { readonly fields: object; readonly message: string | undefined }[] = []
  const write = ((fields: object, message?: string) =>
    entries.push({ fields, message })) as unknown as LogMethod
  const clock = new HandClock()
  const module = { kind: 'raw', file: 'test', handle } as FunctionModule
  const host = Object.assign(new FakeHost(undefined, { clock }), {
    module,
    accessLog: new AccessLog(form, write, clock),
  })
  return { host, entries, clock }
}

async function ask(host: FakeHost, request: string): Promise<void> {
  freshConnection(host, request)
  for (let i = 0; i < 5; i++) await turn()
}

describe('the access log', () => {
  it('in the common format has a line for each call', async () => {
    const { host, entries } = hostOf('common', () => ({ status: 201, body: 'hello' }))
    await ask(host, get('/echo/a?b=c'))
    expect(entries).toHaveLength(1)
    const [{ fields, message }] = entries as [(typeof entries)[0]]
    expect(fields).toEqual({ access: true })
    const time = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]`
    expect(message).toMatch(new RegExp(String.raw`^\S+ - - ${time} "GET /echo/a\?b=c HTTP/1\.1" 201 5$`))
  })

  it('in JSON has what one wants to count and to find', async () => {
    const { host, entries } = hostOf('json', () => ({ status: 404, body: '' }))
    await ask(host, get('/echo'))
    const [{ fields, message }] = entries as [(typeof entries)[0]]
    expect(message).toBe('GET /echo 404')
    const { access } = fields as { access: Record<string, unknown> }
    expect(access).toMatchObject({ method: 'GET', target: '/echo', version: '1.1', status: 404, bytes: 0 })
    expect(access.callId).toMatch(/^[0-9a-f-]{36}$/)
    expect(access.milliseconds).toBe(0)
    expect(JSON.stringify(access)).not.toContain('x-hotpotato-key')
  })

  it('says 500 where the function has thrown, and how long it took', async () => {
    const { host, entries, clock } = hostOf('json', async () => {
      clock.pass(1500)
      throw new Error('no')
    })
    await ask(host, get('/echo'))
    const { access } = entries[0]!.fields as { access: Record<string, unknown> }
    expect(access).toMatchObject({ status: 500, milliseconds: 1500 })
    expect(entries).toHaveLength(1)
  })
})

describe('answers that no function gives have a line, too', () => {
  const accessOf = (entries: ReturnType<typeof hostOf>['entries']) =>
    entries.map(({ fields }) => (fields as { access: Record<string, unknown> }).access)

  it('429, of a container that has enough to do, and what the platform says of its health', async () => {
    const { host, entries } = hostOf('json', () => ({ status: 200 }))
    const traffic = new Traffic(1)
    traffic.began()
    Object.assign(host, { traffic })
    await ask(host, get('/echo'))
    await ask(host, get('/echo/_/health'))
    expect(accessOf(entries)).toMatchObject([
      { method: 'GET', target: '/echo', status: 429, client: expect.any(String) },
      { target: '/echo/_/health', status: 200, bytes: 3 },
    ])
  })

  it('503, of a request for a function that has no container', async () => {
    const { host, entries, clock } = hostOf('json', () => ({ status: 200 }))
    host.available.clear()
    await ask(host, get('/resize'))
    clock.pass(600_000)
    await turn()
    expect(accessOf(entries)).toMatchObject([{ target: '/resize', status: 503 }])
  })

  it('426, of a WebSocket of another version', async () => {
    const { host, entries } = hostOf('json', () => ({ status: 200 }))
    Object.assign(host, { module: { ...host.module, webSocket: () => ({}), webSocketProtocols: [] } })
    await ask(host, get('/echo', UPGRADE.replace('Version: 13', 'Version: 12')))
    expect(accessOf(entries)).toMatchObject([{ target: '/echo', status: 426 }])
  })

  it('101, of a WebSocket, when it is over: how long it was, and what its function sent', async () => {
    const { host, entries, clock } = hostOf('json', () => ({ status: 200 }))
    const webSocket: WebSocketFunction = socket => {
      socket.send('grüße')
      return {}
    }
    Object.assign(host, { module: { ...host.module, webSocket, webSocketProtocols: [] } })
    const { stream } = freshConnection(host, get('/echo/chat', UPGRADE))
    for (let i = 0; i < 5; i++) await turn()
    expect(entries).toEqual([])
    clock.pass(2500)
    stream.fin()
    for (let i = 0; i < 5; i++) await turn()
    expect(accessOf(entries)).toMatchObject([
      { target: '/echo/chat', status: 101, bytes: 7, milliseconds: 2500 },
    ])
  })
})

it('nothing is made where it is off', () => {
  const log = {
    child: (): never => {
      throw new Error('asked for')
    },
  }
  expect(AccessLog.of('off', log, new HandClock())).toBeUndefined()
})
