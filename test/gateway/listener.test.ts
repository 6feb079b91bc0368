import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Judgement, Listener, type Opening } from '../../src/gateway/listener.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import { type BoundPort, bindPort } from '../../src/supervisor/ports.ts'
import { utf8 } from '../../src/wire/index.ts'
import { HandClock } from '../support/hand-clock.ts'
import { eventually } from '../support/platform.ts'

/** Milliseconds for the first bytes, and how long more of them are waited for. */
const TIMEOUT = 5000
const PATIENCE = 200

let clock: HandClock
let bound: BoundPort
let listener: Listener<string>
let client: Socket
let openings: Opening<string>[]
let dropped: string[]
/** What is said of the first bytes. */
let judgement: Judgement<string>

beforeEach(async () => {
  clock = new HandClock()
  bound = await bindPort('127.0.0.1', 0)
  openings = []
  dropped = []
  judgement = { kind: 'more' }
  listener = new Listener({
    descriptor: bound.fd,
    clock,
    judge: () => () => judgement,
    timeout: TIMEOUT,
    limit: 10,
    memory: new MemoryBudget(),
    crowded: () => utf8('crowded'),
    onOpening: opening => openings.push(opening),
    onDropped: reason => dropped.push(reason),
    onFault: error => {
      throw error
    },
  })
  client = connect({ host: '127.0.0.1', port: await listener.listen(), allowHalfOpen: true })
  client.on('error', () => {})
})
afterEach(() => {
  client.destroy()
  for (const { stream } of openings) stream.destroy()
  listener.close()
  bound.close()
})

/** Resolves when the client's side is closed, by a reset or in order. */
const closing = () => new Promise(resolve => client.once('close', resolve))
/** Resolves when so many timers wait: bytes that were sent have been judged. */
const waiting = (count: number) =>
  eventually(() => (clock.waiting === count ? true : undefined), `not ${count} timers wait`)

it('drops a client whose first bytes do not come in time, and not before', async () => {
  await waiting(1)
  client.write('GET')
  clock.pass(TIMEOUT - 1)
  expect(listener.size).toBe(1)
  const closed = closing()
  client.resume().on('end', () => client.end())
  clock.pass(1)
  expect(dropped).toEqual(['the first bytes did not come in time'])
  expect([listener.size, clock.waiting]).toEqual([0, 0])
  await closed
})

it('opens what might go on but does not, once, and keeps no timer', async () => {
  judgement = { kind: 'more', otherwise: { to: 'echo', milliseconds: PATIENCE } }
  client.write('G')
  await waiting(2)
  clock.pass(PATIENCE - 1)
  expect(openings).toEqual([])
  clock.pass(1)
  expect(openings).toMatchObject([{ inbound: utf8('G'), to: 'echo' }])
  expect([listener.size, clock.waiting]).toEqual([0, 0])
})

it('leaves a client that is turned away a moment to read why, and no more', async () => {
  judgement = { kind: 'answer', bytes: utf8('no'), reason: 'for a test' }
  client.write('x')
  const [answer] = await once(client, 'data')
  expect(String(answer)).toBe('no')
  expect(dropped).toEqual(['for a test'])
  clock.pass(999)
  expect(clock.waiting).toBe(1)
  const closed = closing()
  client.on('end', () => client.end())
  clock.pass(1)
  expect(clock.waiting).toBe(0)
  await closed
})
