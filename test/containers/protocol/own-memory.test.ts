import { describe, expect, it } from 'vitest'
import { FunctionCall } from '../../../src/containers/protocol/function-call.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import type { RequestHead, RequestView } from '../../../src/http/message.ts'
import { Opcode, WebSocketServer, writeFrame } from '../../../src/http/websocket/index.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { concat, EMPTY } from '../../../src/wire/index.ts'

const ignore = (): void => {}

/** As a function does that hands what it has got to a worker. */
function give(bytes: Uint8Array): void {
  structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
}

/** Lets a raw function have a request with that content. */
function ask(handle: (request: RequestView) => unknown, content: readonly Uint8Array[]): void {
  const head: RequestHead = {
    ...{ method: 'PUT', target: '/', version: '1.1', path: '/', query: '', host: 'a' },
    headers: [],
  }
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
  const module = { kind: 'raw', file: 'test', handle } as FunctionModule
  const callee = {
    ...{ clock: SYSTEM_CLOCK, functionName: 'echo', module, environment: {}, log, waitUntil: ignore },
  }
  const sink = {
    ...{ over: false, inform: ignore, end: ignore, abort: ignore, write: () => undefined },
    ...{ begin: ignore, reply: ignore },
  }
  const connection = { tls: true, hops: 0, requestIndex: 0, container: 'echo-1' }
  const request = { functionPath: '/', connection, timeout: 0, guard: { fail: ignore } }
  const running = new FunctionCall(head, callee, request, sink, { resume: ignore })
  for (const piece of content) running.data(piece.slice())
  running.end()
}

/** The content of a message of these fragments. */
function messageOf(...fragments: readonly Uint8Array[]): Uint8Array {
  const server = new WebSocketServer()
  fragments.forEach((fragment, i) => {
    const final = i === fragments.length - 1
    const opcode = i === 0 ? Opcode.BINARY : Opcode.CONTINUATION
    server.receive(writeFrame(opcode, fragment, { final, mask: Uint8Array.of(1, 2, 3, 4) }))
  })
  const event = server.next()
  if (event?.type !== 'message' || typeof event.data === 'string') throw new Error('no message')
  return event.data
}

// A function that hands its memory on must not take that of all connections of its container along.
describe('a function may hand on the memory of', () => {
  it.each([
    ['no content', []],
    ['empty content', [EMPTY]],
    ['content', [Uint8Array.of(1, 2)]],
  ])('a request with %s', (_name, content) => {
    let lengths = -1
    ask(({ body }) => {
      lengths = body.length
      give(body)
      return { status: 200 }
    }, content)
    expect(lengths).toBe(concat(...content).length)
    expect(concat(Uint8Array.of(7), EMPTY)).toEqual(Uint8Array.of(7))
  })

  it.each([
    ['no content', [EMPTY]],
    ['content', [Uint8Array.of(1, 2)]],
    ['two fragments without content', [EMPTY, EMPTY]],
    ['an empty fragment at its end', [Uint8Array.of(1, 2), EMPTY]],
  ])('a message with %s', (_name, fragments) => {
    const data = messageOf(...fragments)
    expect(data).toEqual(concat(...fragments))
    give(data)
    expect(concat(Uint8Array.of(7), EMPTY)).toEqual(Uint8Array.of(7))
  })
})
