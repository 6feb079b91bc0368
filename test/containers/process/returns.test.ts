import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Host } from '../../../src/containers/process/host.ts'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { DEFAULT_LIMITS } from '../../../src/http/h1/limits.ts'
import { DEFAULT_H2_LIMITS } from '../../../src/http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../../src/http/timers.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { Session } from '../../../src/tls13/index.ts'
import type { ByteStream } from '../../../src/transfer/byte-stream.ts'
import { type Return, returnOf } from '../../../src/transfer/consignments/return.ts'
import type { ControlMessage, Peer } from '../../../src/transfer/control.ts'
import type { Courier } from '../../../src/transfer/courier.ts'
import type { Release } from '../../../src/transfer/custody.ts'
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  freshEnvelope,
} from '../../../src/transfer/envelope.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { openPair, type Pair } from '../../../src/transfer/pair.ts'
import { openStream } from '../../../src/transfer/stream.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { connectedPair, serverConfig } from '../../support/pair.ts'
import { THROUGH_MOVES } from '../../support/through-moves.ts'

const SESSION = new Uint8Array(16).fill(3)
const [GATEWAY, KIN, FRIEND, STRANGER] = [1, 2, 5, 6]
const log = { debug() {}, info() {}, warn() {}, error() {} }

interface Sent {
  readonly target: number
  readonly envelope: Envelope
  readonly settle: (release: Release) => void
  readonly back?: Return
}
let host: Host
let clock: HandClock
let sent: Sent[]
let told: [number, ControlMessage][]
let client: Session
let stream: ByteStream
let answers: string[]
/** What `/slow` waits for. */
let slow: Promise<void>
let answerSlow: () => void

const peer = (id: number, functionName: string): Peer => ({
  ...{ id, role: 'container', name: `${functionName}-${id}`, functionName, publicKey: new Uint8Array(32) },
})

beforeEach(() => {
  clock = new HandClock()
  ;[sent, told, answers] = [[], [], []]
  slow = new Promise(resolve => {
    answerSlow = resolve
  })
  host = new Host({
    container: 'echo-1',
    functionName: 'echo',
    module: {
      kind: 'raw',
      file: 'test',
      handle: ({ path }) =>
        path === '/slow' ? slow.then(() => ({ status: 200, body: path })) : { status: 200, body: path },
    },
    environment: {},
    functionNames: new Set(['echo', 'friend', 'stranger']),
    tls: serverConfig(),
    limits: {
      timers: DEFAULT_TIMERS,
      quietMilliseconds: 50,
      http: DEFAULT_LIMITS,
      http2: DEFAULT_H2_LIMITS,
    },
    clock,
    log,
    keyRing: new KeyRing(node, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 }),
    warm: ['echo', 'friend'],
  })
  const note = (target: number, envelope: Envelope, settle: Sent['settle'], back?: Return): void => {
    // As it travels: the host overwrites or keeps what is its own.
    const copy = decodeEnvelope(encodeEnvelope(envelope))
    sent.push({ target, envelope: copy, settle, ...(back === undefined ? {} : { back }) })
  }
  host.connect({
    concede: () => false,
    catchUp() {},
    share() {},
    inCustody: 0,
    tell: (to: number, message: ControlMessage) => told.push([to, message]),
    send: (to: number, envelope: Envelope, _: unknown, settle: Sent['settle']) => note(to, envelope, settle),
    sendReturn: (to: number, envelope: Envelope, back: Return, settle: Sent['settle']) =>
      note(to, envelope, settle, back),
  } as unknown as Courier)
  host.introduced(peer(KIN, 'echo'))
  host.introduced(peer(FRIEND, 'friend'))
  host.introduced(peer(STRANGER, 'stranger'))
})
afterEach(async () => {
  stream?.destroy()
  await host.stop()
})

/** A connection with TLS, at the host, from that process. */
function arrive(from: number): void {
  const pair = connectedPair()
  client = pair.client
  const [mine, theirs] = openPair() as Pair
  stream = openStream(mine)
  stream.read({ bytes: bytes => read(bytes), end: () => answers.push('end'), error() {} })
  const envelope = { ...freshEnvelope(SESSION, 30_000, pair.server.release()), generation: 1 }
  const copy = decodeEnvelope(encodeEnvelope(envelope))
  expect(host.take({ envelope: copy, descriptor: theirs }, from)).toBeUndefined()
}

function read(bytes: Uint8Array): void {
  for (const event of client.receive(bytes.slice())) {
    if (event.type !== 'application_data') answers.push(event.type)
    else answers.push(new TextDecoder().decode(event.data).split('\r\n\r\n')[1]!)
  }
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

async function ask(path: string): Promise<void> {
  client.send(utf8(`GET ${path} HTTP/1.1\r\nHost: echo.local\r\n\r\n`))
  stream.write(client.takeOutput())
  await settled()
}

/** Has it go to that container as it is. @returns what is said if it comes back at once */
function leave(target: number): Return {
  host.move(SESSION, target, () => {})
  const { envelope, settle } = sent.at(-1)!
  settle({ state: 'gone' })
  return returnOf(envelope)
}
const of = (generation: number) => ({ sessionId: SESSION, generation })

describe('a connection that has gone to a container of the trust group', () => {
  beforeEach(() => arrive(GATEWAY))

  it('comes back without its socket and its keys, and goes on', async () => {
    await ask('/1')
    const back = leave(FRIEND)
    expect(host.size).toBe(0)
    expect(host.returned(back, of(3), FRIEND)).toBeUndefined()
    await ask('/2')
    // And once more.
    expect(host.returned(leave(FRIEND), of(9), FRIEND)).toBeUndefined()
    await ask('/3')
    expect(answers).toEqual(['/1', '/2', '/3'])
    expect(host.counters).toMatchObject({ accepted: 3, returned: 2, moved: 2, refused: 0 })
  })

  it.each([
    ['by another container', STRANGER, 3],
    ['at the generation at which it went', FRIEND, 2],
    ['at an older generation', FRIEND, 1],
  ] as const)('is not given back %s', (_, from, generation) => {
    const back = leave(FRIEND)
    expect(host.returned(back, of(generation), from)).toMatchObject({ reason: 'cold' })
    // What is kept is as it was.
    expect(host.returned(back, of(3), FRIEND)).toBeUndefined()
  })

  it('ends when it is back, if its client had sent FIN before it left', async () => {
    await ask('/slow')
    await ask('/friend/1')
    stream.end()
    await settled()
    answerSlow()
    await settled()
    const { envelope, settle } = sent.at(-1)!
    settle({ state: 'gone' })
    const back = returnOf(envelope)
    // Answered there, and nothing is left.
    const application = { ...back.application, inbound: new Uint8Array(0) } as Return['application']
    expect(host.returned({ ...back, application }, of(3), FRIEND)).toBeUndefined()
    await expect.poll(() => answers).toEqual(['/slow', 'close_notify', 'end'])
  })

  it('is not given back twice', () => {
    const back = leave(FRIEND)
    expect(host.returned(back, of(3), FRIEND)).toBeUndefined()
    expect(host.returned(back, of(4), FRIEND)).toMatchObject({ reason: 'stale' })
    expect(host.size).toBe(1)
  })

  it.each([
    ['numbers of records that were used', ({ read, write }) => ({ read, write: write - 1 }), 'stale'],
    ['numbers of records that were opened', ({ read, write }) => ({ read: read - 1, write }), 'stale'],
  ] as readonly [string, (at: Return['records'] & {}) => object, string][])(
    'is refused with %s, and what was kept is given up',
    async (_, change, reason) => {
      await ask('/1')
      const back = leave(FRIEND)
      const records = { ...back.records!, ...change(back.records!) }
      expect(host.returned({ ...back, records }, of(3), FRIEND)).toMatchObject({ reason })
      expect(host.returned(back, of(4), FRIEND)).toMatchObject({ reason: 'cold' })
      await settled()
      expect(host.size).toBe(0)
    },
  )

  it('is refused without a word on its records', () => {
    const { records: _, ...back } = leave(FRIEND)
    expect(host.returned({ ...back, records: undefined }, of(3), FRIEND)).toMatchObject({
      reason: 'malformed',
    })
  })

  it.each(['slot', 'leg'] as const)('is refused with the claim that a gateway watches over it: %s', name => {
    const extensions = writeExtensions(
      name === 'slot'
        ? {
            slot: { gateway: GATEWAY, cookie: new Uint8Array(8), slot: 0, sequence: 1, received: 0, sent: 0 },
          }
        : { leg: { received: 0 } },
    )
    expect(host.returned({ ...leave(FRIEND), extensions }, of(3), FRIEND)).toMatchObject({
      reason: 'malformed',
    })
  })

  it('is not kept for a function that is none of the group', () => {
    const back = leave(STRANGER)
    expect(host.returned(back, of(3), STRANGER)).toMatchObject({ reason: 'cold' })
  })

  it('is kept for a while, and as long as that container lives', () => {
    const back = leave(FRIEND)
    clock.pass(10_000)
    expect(host.returned(back, of(3), FRIEND)).toMatchObject({ reason: 'cold' })
  })

  it('ends for its client when that container dies', async () => {
    leave(FRIEND)
    sent.length = 0
    host.gone(FRIEND)
    await settled()
    expect(answers).toEqual(['end'])
  })

  it('is not kept by a container that drains', () => {
    const back = leave(FRIEND)
    host.drain()
    expect(host.returned(back, of(3), FRIEND)).toMatchObject({ reason: 'cold' })
  })

  it('is given up when that container says that it has ended, and by no other word', () => {
    const back = leave(FRIEND)
    host.vacated(SESSION, STRANGER)
    expect(host.returned(back, of(3), FRIEND)).toBeUndefined()
    const again = leave(FRIEND)
    host.vacated(SESSION, FRIEND)
    expect(host.returned(again, of(9), FRIEND)).toMatchObject({ reason: 'cold' })
  })
})

describe('a connection that has come from a container of the trust group', () => {
  // A session that has moved meanwhile has no part that is the same object.
  it.skipIf(THROUGH_MOVES)(
    'goes back without its socket and keys; if nothing is kept, with all that it is',
    async () => {
      arrive(FRIEND)
      await ask('/1')
      host.move(SESSION, FRIEND, () => {})
      expect(sent).toMatchObject([{ target: FRIEND, envelope: { generation: 2 }, back: { hops: 1 } }])
      sent[0]!.settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'cold', detail: '' } })
      expect(sent[1]).toMatchObject({ target: FRIEND, envelope: { generation: 3 } })
      expect(sent[1]!.back).toBeUndefined()
      sent[1]!.settle({ state: 'gone' })
      expect(host.size).toBe(0)
    },
  )

  it('goes elsewhere with all that it is, and its home hears that it does not come back', async () => {
    arrive(FRIEND)
    await ask('/1')
    leave(STRANGER)
    expect(sent[0]!.back).toBeUndefined()
    expect(told).toEqual([[FRIEND, { kind: 'vacate', sessionId: SESSION }]])
  })

  it('tells its home when it ends', async () => {
    arrive(FRIEND)
    stream.end()
    await settled()
    expect(told).toEqual([[FRIEND, { kind: 'vacate', sessionId: SESSION }]])
  })

  it('goes back with all that it is after a change of keys', async () => {
    arrive(FRIEND)
    client.updateKeys(false)
    await ask('/1')
    host.move(SESSION, FRIEND, () => {})
    expect(sent[0]!.back).toBeUndefined()
  })

  it('from a stranger has no home', async () => {
    arrive(STRANGER)
    await ask('/1')
    host.move(SESSION, STRANGER, () => {})
    expect(sent[0]!.back).toBeUndefined()
  })
})
