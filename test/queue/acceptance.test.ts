import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { Context } from '../../src/functions/contract.ts'
import { CallbackRule } from '../../src/queue/callbacks.ts'
import { accept } from '../../src/queue/module.ts'
import type { CallRecord } from '../../src/queue/record.ts'
import { queueSettings } from '../../src/stack/queue.ts'
import { HandClock } from '../support/hand-clock.ts'

const async = { retries: 1, firstSeconds: 1, mostSeconds: 1, timeoutSeconds: 1, concurrency: 1 }
const limits = { callBytes: 10, answerBytes: 10, calls: 1, bytes: 100, concurrency: 1, deadLetters: 1 }
const settings = queueSettings({
  queue: { enabled: true, directory: '/nowhere', callbacks: ['hooks.example'], ...limits },
  runDirectory: '/nowhere',
  functions: new Map([
    ['plain', { async }],
    ['closed', { async, sealed: { bundle: '/nowhere' } }],
  ]),
})

it.each<[path: string, headers: readonly (readonly [string, string])[], length: number, status: number]>([
  ['/plain', [], 10, 202],
  ['/plain', [['x-callback-url', 'https://hooks.example/a']], 0, 202],
  ['/plain', [['x-callback-url', 'https://other.example/a']], 0, 403],
  ['/plain', [['x-callback-url', 'ftp://hooks.example/a']], 0, 400],
  ['/plain', [['x-callback-url', 'https://hooks.example/a#b']], 0, 400],
  ['/plain', [['x-callback-url', '']], 0, 400],
  [
    '/plain',
    [
      ['x-callback-url', 'https://hooks.example/a'],
      ['X-Callback-Url', 'https://hooks.example/a'],
    ],
    0,
    400,
  ],
  ['/plain', [['x-call-id', 'a']], 0, 202],
  // The platform gives such a call another id.
  ['/plain', [['x-call-id', 'no id']], 0, 400],
  [
    '/plain',
    [
      ['x-call-id', 'a'],
      ['x-call-id', 'b'],
    ],
    0,
    400,
  ],
  ['/plain', [], 11, 413],
  ['/other', [], 0, 404],
  ['/function/plain', [], 0, 404],
  // Its key would have to lie on the disk.
  ['/closed', [], 0, 400],
])('%s with %j and %i bytes is answered with %4$i', async (functionPath, headers, length, status) => {
  const kept: CallRecord[] = []
  const queue = {
    accept: async (record: CallRecord) => {
      kept.push(record)
      return 'kept' as const
    },
    cancel: async () => false,
  }
  const request = { method: 'POST', path: functionPath, query: '', headers, body: new Uint8Array(length) }
  const context = { functionPath, callId: 'a', connection: {} } as unknown as Partial<Context> as Context
  const callbacks = new CallbackRule(settings.callbacks)
  const parts = { queue, settings, callbacks, clock: new HandClock(), log: pino({ level: 'silent' }) }
  const answer = await accept(request as never, context, parts)
  expect([answer.status, kept.length]).toEqual([status, status === 202 ? 1 : 0])
})

it.each<[path: string, status: number, asked: readonly string[]]>([
  ['/an%3Aid', 204, ['an:id']],
  // No call has such ids: as names of files they are too long, or nothing that can be named.
  ['/an%20id', 404, []],
  [`/${'\u{1f954}'.repeat(64)}`, 404, []],
  [`/${'a'.repeat(129)}`, 404, []],
  ['/a%00', 404, []],
  ['/another', 404, ['another']],
  ['/', 404, []],
  ['/%ff', 404, []],
  // A call with that method, of a function.
  ['/plain', 202, []],
])('DELETE %s is answered with %i', async (functionPath, status, expected) => {
  const asked: string[] = []
  const queue = {
    accept: async () => 'kept' as const,
    cancel: async (id: string) => {
      asked.push(id)
      return id === 'an:id'
    },
  }
  const request = { method: 'DELETE', path: functionPath, query: '', headers: [], body: new Uint8Array(0) }
  const context = { functionPath, callId: 'a', connection: {} } as unknown as Partial<Context> as Context
  const callbacks = new CallbackRule([])
  const parts = { queue, settings, callbacks, clock: new HandClock(), log: pino({ level: 'silent' }) }
  const answer = await accept(request as never, context, parts)
  expect([answer.status, asked]).toEqual([status, expected])
})

it('a call has no field that is for the connection it came on, nor what Connection names', async () => {
  let kept: CallRecord | undefined
  const queue = {
    accept: async (record: CallRecord) => {
      kept = record
      return 'kept' as const
    },
    cancel: async () => false,
  }
  const headers = [
    ['Connection', 'close, X-Mine'],
    ['X-Mine', 'for this hop'],
    ['x-yours', 'b'],
  ]
  const request = { method: 'POST', path: '/plain', query: '', headers, body: new Uint8Array(0) }
  const context = {
    functionPath: '/plain',
    callId: 'a',
    connection: {},
  } as unknown as Partial<Context> as Context
  const callbacks = new CallbackRule([])
  const parts = { queue, settings, callbacks, clock: new HandClock(), log: pino({ level: 'silent' }) }
  await accept(request as never, context, parts)
  expect(kept?.headers).toEqual([{ name: 'x-yours', value: 'b' }])
})
