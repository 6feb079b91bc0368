import { beforeAll, describe, expect, it, vi } from 'vitest'
import { FunctionCall } from '../../../src/containers/protocol/function-call.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import type { RequestHead, ResponseView } from '../../../src/http/message.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { installGlobals, prepare } from '../../../src/web/globals.ts'

const ignore = (): void => {}
const PLACE = { tls: true, hops: 0, requestIndex: 0, container: 'echo-1' }

/** Calls a function. @returns what it has given so far, and what was begun bit by bit */
function call(fetch: (request: Request) => unknown, method = 'GET') {
  const head: RequestHead = {
    ...{ method, target: '/a?b', version: '1.1', path: '/a', query: 'b', host: 'a' },
    headers: [['Host', 'a']],
  }
  const module = { kind: 'fetch', file: 'test', fetch } as FunctionModule
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
  const callee = {
    clock: SYSTEM_CLOCK,
    functionName: 'echo',
    module,
    environment: {},
    log,
    waitUntil: ignore,
  }
  const replies: ResponseView[] = []
  const begun = vi.fn()
  const sink = {
    ...{ over: false, inform: ignore, end: ignore, abort: ignore, write: () => undefined },
    begin: begun,
    reply: (view: ResponseView) => void replies.push(view),
  }
  const request = { functionPath: '/a', connection: PLACE, timeout: 0, guard: { fail: ignore } }
  const running = new FunctionCall(head, callee, request, sink, { resume: ignore })
  running.end()
  return { running, replies, begun }
}

beforeAll(() => {
  installGlobals()
  prepare()
})

describe('a Response that is whole', () => {
  it('leaves while its function is called, or in the next microtask', async () => {
    const made = () => new Response('text', { status: 201, headers: { 'X-A': 'b', connection: 'close' } })
    const headers = [
      ['x-a', 'b'],
      ['content-type', 'text/plain;charset=UTF-8'],
    ]
    const view = { status: 201, headers, body: new TextEncoder().encode('text') }
    expect(call(made).replies).toEqual([view])
    const later = call(async () => made())
    expect(later.replies).toEqual([])
    await undefined
    expect(later.replies).toEqual([view])
  })

  it('makes no signal that nothing has asked for', () => {
    const made = vi.spyOn(globalThis, 'AbortController')
    call(request => new Response(request.url + request.headers.get('host')))
    expect(made).not.toHaveBeenCalled()
    call(request => Response.json(request.signal.aborted))
    expect(made).toHaveBeenCalled()
    made.mockRestore()
  })

  it('is given out once: the second time its body has been read', () => {
    const response = new Response('once')
    expect(call(() => response).replies[0]?.status).toBe(200)
    expect(response.bodyUsed).toBe(true)
    expect(call(() => response).replies[0]?.status).toBe(500)
  })

  it('is not given out when the client is gone', async () => {
    const { running, replies, begun } = call(async () => new Response('late'))
    running.cancel(new Error('gone'))
    await undefined
    expect([replies.length, begun.mock.calls.length]).toEqual([0, 0])
  })

  it('leaves at once also if its stream has been asked for', () => {
    const { replies } = call(() => {
      const response = new Response('text')
      void response.body
      response.headers.set('x-late', 'yes')
      return response
    })
    expect(replies.length).toBe(1)
    expect(replies[0]?.headers).toContainEqual(['x-late', 'yes'])
    expect(new TextDecoder().decode(replies[0]?.body as Uint8Array)).toBe('text')
  })
})
