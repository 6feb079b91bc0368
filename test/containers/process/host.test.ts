import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MoveReport } from '../../../src/containers/move/move-order.ts'
import { Host } from '../../../src/containers/process/host.ts'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { DEFAULT_LIMITS } from '../../../src/http/h1/limits.ts'
import { DEFAULT_H2_LIMITS } from '../../../src/http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../../src/http/timers.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { Arrival } from '../../../src/transfer/consignments/consignments.ts'
import type { Peer } from '../../../src/transfer/control.ts'
import type { Courier } from '../../../src/transfer/courier.ts'
import type { Release } from '../../../src/transfer/custody.ts'
import { decodeEnvelope, type Envelope, freshEnvelope } from '../../../src/transfer/envelope.ts'
import { takeHandle } from '../../../src/transfer/lift.ts'
import { freshHttp, type Parcel } from '../../../src/transfer/parcel.ts'
import type { SealAssociated } from '../../../src/transfer/seal.ts'
import { Descriptor } from '../../../src/transfer/stream.ts'
import { equal, fromHex, utf8 } from '../../../src/wire/index.ts'
import { connectedPair, serverConfig } from '../../support/pair.ts'
import { eventually } from '../../support/platform.ts'

const warnings: unknown[] = []
const log = { debug() {}, info() {}, warn: (fields: unknown) => void warnings.push(fields), error() {} }
let host: Host
/** What the courier was asked to send, and how to settle it. */
let sent: {
  target: number
  envelope: Envelope
  descriptor: Descriptor
  settle: (release: Release) => void
}[]
/** What the function answers to /later. */
let answerLater: Promise<{ status: number; body: string }>
let lent: number[]
/** What peers have said that has not been read. */
let caughtUp: () => void
/** Offers without an answer, as the courier counts them. */
let inCustody: number
let shared: { target: number; keys: Uint8Array }[]
let server: Server
let clients: Socket[]
let directory: string
/** Made so far in one test. */
let sessions: number

const newRing = () =>
  new KeyRing(node, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 1_700_000_000_000 })

beforeEach(async () => {
  sessions = 0
  warnings.length = 0
  sent = []
  inCustody = 0
  caughtUp = () => {}
  clients = []
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-host-'))
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  await new Promise<void>(resolve => server.listen(join(directory, 's'), resolve))
  host = new Host({
    container: 'echo-1',
    functionName: 'echo',
    module: {
      kind: 'raw',
      file: 'test',
      handle: ({ path }) => (path === '/later' ? answerLater : { status: 200, body: path }),
    },
    environment: {},
    functionNames: new Set(['echo', 'hello']),
    routes: [{ host: 'hello.local', function: 'hello' }],
    tls: serverConfig(),
    limits: {
      timers: DEFAULT_TIMERS,
      quietMilliseconds: 50,
      http: DEFAULT_LIMITS,
      http2: DEFAULT_H2_LIMITS,
    },
    clock: SYSTEM_CLOCK,
    log,
    keyRing: newRing(),
  })
  shared = []
  lent = []
  host.connect({
    concede: (target: number, session: SealAssociated) => {
      const offered = sent.find(
        ({ target: to, envelope }) => to === target && equal(envelope.sessionId, session.sessionId),
      )
      offered?.settle({ state: 'gone' })
      return offered !== undefined
    },
    catchUp: () => caughtUp(),
    // It is told which functions have no container.
    tell: () => true,
    lend: (target: number) => lent.push(target),
    share: (target: number, keys: Uint8Array) => shared.push({ target, keys }),
    get inCustody() {
      return inCustody
    },
    send: (
      target: number,
      envelope: Envelope,
      descriptor: Descriptor,
      settle: (release: Release) => void,
    ) => {
      inCustody++
      sent.push({ target, envelope: { ...envelope }, descriptor, settle })
    },
  } as unknown as Courier)
})
afterEach(async () => {
  await host.stop()
  for (const client of clients) client.destroy()
  server.close()
  rmSync(directory, { recursive: true })
})

/** A client and the descriptor of its connection. */
async function connection(): Promise<{
  client: Socket
  descriptor: Descriptor
  text: () => Promise<string>
}> {
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve))
  const client = connect(join(directory, 's'))
  clients.push(client)
  let text = ''
  client.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  client.on('error', () => {})
  const closed = new Promise(resolve => client.once('end', resolve))
  const { handle } = takeHandle(await accepted)
  return { client, descriptor: Descriptor.fromHandle(handle), text: () => closed.then(() => text) }
}

/** As they come from the gateway. */
const take = (parcel: Parcel): Arrival => host.take(parcel, GATEWAY)
const GATEWAY = 99

function plain(inbound: string): Envelope {
  // The first one is all zeros.
  const sessionId = new Uint8Array(16)
  new DataView(sessionId.buffer).setUint32(12, sessions++)
  return freshHttp({ sessionId, idleLeft: 30_000, inbound: utf8(inbound) })
}

const sibling = (id: number): Peer => ({
  id,
  role: 'container',
  name: `hello-${id}`,
  functionName: 'hello',
  publicKey: new Uint8Array(32),
})
const GET_HELLO = 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n'

describe('what arrives', () => {
  it('is taken and served', async () => {
    const { descriptor, text } = await connection()
    const envelope = plain('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(take({ envelope, descriptor })).toBeUndefined()
    expect(await text()).toMatch(/\r\n\r\n\/x$/)
    expect(host.counters).toMatchObject({ accepted: 1, refused: 0 })
  })

  it('is refused while the container drains', async () => {
    const { descriptor } = await connection()
    host.drain()
    expect(take({ envelope: plain(''), descriptor })).toMatchObject({ reason: 'draining' })
    expect(descriptor.open).toBe(true)
    descriptor.close()
    expect(host.counters).toMatchObject({ accepted: 0, refused: 1 })
  })

  it("is refused if it is a client's session, or needs a suite that is not here", async () => {
    const { descriptor } = await connection()
    const { client, server: session } = connectedPair()
    const mine = session.release()
    const cases = [
      [client.release(), 'role'],
      [{ ...mine, cipherSuite: 0x1399 }, 'suite'],
    ] as const
    for (const [tls, reason] of cases) {
      const envelope = freshEnvelope(new Uint8Array(16), 1, tls)
      expect(take({ envelope, descriptor })).toMatchObject({ reason })
      expect(descriptor.open).toBe(true)
    }
    descriptor.close()
    expect(host.size).toBe(0)
  })

  it('is refused if its descriptor is no stream', () => {
    const descriptor = Descriptor.fromFd(openSync('/dev/null', 'r'))
    expect(take({ envelope: plain(''), descriptor })).toMatchObject({ reason: 'descriptor' })
    expect(warnings).toHaveLength(1)
  })
})

describe('what leaves', () => {
  it('goes to the containers of its function in turn, and not to those that are gone', async () => {
    for (const id of [5, 6, 7]) host.introduced(sibling(id))
    host.introduced({ ...sibling(8), role: 'gateway' })
    host.gone(6)
    for (let i = 0; i < 4; i++) {
      const { descriptor } = await connection()
      take({ envelope: plain(GET_HELLO), descriptor })
    }
    expect(sent.map(({ target }) => target)).toEqual([5, 7, 5, 7])
    for (const { settle, descriptor } of sent) {
      expect(descriptor.open).toBe(true)
      settle({ state: 'gone' })
      expect(descriptor.open).toBe(false)
    }
    expect(host.counters).toMatchObject({ accepted: 4, moved: 4, ended: 0, unclean: 0 })
    expect(host.size).toBe(0)
  })

  it('stays when there is no container, or the last one is gone', async () => {
    host.introduced(sibling(5))
    host.gone(5)
    const { descriptor, text } = await connection()
    take({ envelope: plain(GET_HELLO.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), descriptor })
    expect(await text()).toMatch(/^HTTP\/1\.1 503 /)
    expect(sent).toEqual([])
  })

  it('is taken up again after a refusal; an unknown end is counted and heard by the client', async () => {
    host.introduced(sibling(5))
    const [kept, lost] = [await connection(), await connection()]
    take({
      envelope: plain(`${GET_HELLO}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
      descriptor: kept.descriptor,
    })
    take({ envelope: plain(GET_HELLO), descriptor: lost.descriptor })
    sent[0]!.settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'stale', detail: 'x' } })
    sent[1]!.settle({ state: 'ended', reason: 'expired' })
    expect((await kept.text()).match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 503', 'HTTP/1.1 200'])
    expect(await lost.text()).toBe('')
    expect(host.counters).toMatchObject({ unclean: 1, moved: 0 })
  })
})

it('tells nothing of a connection, nor moves it, where the platform does not teach', async () => {
  host.introduced({ ...sibling(5), functionName: 'echo' })
  const envelope = plain('')
  take({ envelope, descriptor: (await connection()).descriptor })
  const told: unknown[] = []
  for (const target of [undefined, 5]) host.reveal(envelope.sessionId, target, one => told.push(one))
  expect([told, sent]).toMatchObject([[1, 2].map(() => ({ outcome: 'kept', refused: true })), []])
})

describe('a container that is about to go', () => {
  const refused = {
    state: 'owned',
    verdict: { outcome: 'refused', reason: 'draining', detail: 'soon' },
  } as const

  it('is offered nothing any more, and is not asked again by one that it refused', async () => {
    for (const id of [5, 6, 7]) host.introduced(sibling(id))
    host.leaves(6)
    const { descriptor } = await connection()
    take({ envelope: plain(GET_HELLO), descriptor })
    expect(sent.map(({ target }) => target)).toEqual([5])
    sent[0]!.settle(refused)
    expect(sent.map(({ target }) => target)).toEqual([5, 7])
    expect(sent[1]!.descriptor.open).toBe(true)
    // Every offer is a new generation: a target that gets an old one late has to refuse it.
    expect(sent.map(({ envelope }) => envelope.generation)).toEqual([1, 2])
    sent[1]!.settle({ state: 'gone' })
    expect(host.counters).toMatchObject({ moved: 1, unclean: 0 })
  })

  it('has the request wait for a moment if no other one is there, and asks again', async () => {
    for (const id of [5, 6]) host.introduced(sibling(id))
    const { descriptor } = await connection()
    take({ envelope: plain(GET_HELLO), descriptor })
    sent[0]!.settle({ state: 'owned', verdict: undefined })
    sent[1]!.settle(refused)
    expect([sent.length, host.reaches('hello')]).toEqual([2, false])
    expect(host.list()).toMatchObject([{ generation: 2 }])
    await eventually(() => sent[2], 'none is asked again')
    host.leaves(5)
    host.leaves(6)
    sent[2]!.settle(refused)
    host.introduced(sibling(7))
    expect(sent.map(({ target }) => target).slice(3)).toEqual([7])
    expect(sent[3]!.envelope.generation).toBe(4)
    sent[3]!.settle({ state: 'gone' })
    expect(host.counters).toMatchObject({ moved: 1, unclean: 0 })
  })

  it('has the request answered here when this one stops, too, while it waits', async () => {
    host.introduced(sibling(5))
    const { descriptor, text } = await connection()
    take({ envelope: plain(GET_HELLO), descriptor })
    host.leaves(5)
    sent[0]!.settle(refused)
    host.drain()
    expect(await text()).toMatch(/^HTTP\/1\.1 503 /)
  })

  it.each([
    { state: 'ended', reason: 'lost' },
    { state: 'owned', verdict: { outcome: 'refused', reason: 'stale', detail: 'x' } },
  ] as const)('another is not asked after %j', async release => {
    for (const id of [5, 6]) host.introduced(sibling(id))
    const { descriptor } = await connection()
    take({ envelope: plain(GET_HELLO), descriptor })
    sent[0]!.settle(release)
    expect(sent).toHaveLength(1)
  })
})

describe('a connection that is already here', () => {
  const session = (more: object = {}) => ({ sessionId: new Uint8Array(16), generation: 9, ...more })
  /** What it would be taken over from: the host looks at that last. */
  const checkpoint = {
    ...{ checkpoint: new Uint8Array(9), generation: 0, received: 0, records: 0 },
    retained: new Uint8Array(0),
  }

  it('is not taken over by another, also while it is on its way', async () => {
    host.introduced(sibling(5))
    for (const inbound of ['', GET_HELLO]) {
      const [{ descriptor }, other] = [await connection(), await connection()]
      const envelope = plain(inbound)
      take({ envelope, descriptor })
      expect(host.takeOver(checkpoint, session(envelope), other.descriptor)).toMatchObject({
        reason: 'here',
      })
      expect(host.size).toBe(sent.length + 1)
      other.descriptor.close()
    }
  })

  it('is not taken a second time, from any sender, and goes on', async () => {
    const [{ client, descriptor, text }, other] = [await connection(), await connection()]
    const envelope = plain('')
    take({ envelope, descriptor })
    const again = { ...envelope, generation: 100 }
    expect(take({ envelope: again, descriptor: other.descriptor })).toMatchObject({ reason: 'stale' })
    other.descriptor.close()
    client.write('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await text()).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('is not taken as it was when it has gone on; as it has become it is', async () => {
    host.introduced(sibling(5))
    const [{ descriptor }, other] = [await connection(), await connection()]
    const envelope = { ...plain(GET_HELLO), generation: 3 }
    take({ envelope, descriptor })
    sent[0]!.settle({ state: 'gone' })
    for (const generation of [0, 3]) {
      const old = { ...envelope, generation }
      expect(take({ envelope: old, descriptor: other.descriptor })).toMatchObject({ reason: 'stale' })
    }
    expect(take({ envelope: { ...envelope, generation: 5 }, descriptor: other.descriptor })).toBeUndefined()
  })

  it('comes back from the one that it was offered to before that has said a word', async () => {
    host.introduced(sibling(5))
    const [{ descriptor }, other] = [await connection(), await connection()]
    const envelope = plain(GET_HELLO)
    take({ envelope, descriptor })
    const back = { envelope: { ...envelope, generation: 2 }, descriptor: other.descriptor }
    expect(host.take(back, 6)).toMatchObject({ reason: 'stale' })
    expect(host.take(back, 5)).toBeUndefined()
    expect(host.counters).toMatchObject({ accepted: 2, moved: 1 })
    expect(host.list()).toMatchObject([{ generation: 2 }])
  })

  it('comes back from a third one, when the first one’s word is there and has not been read', async () => {
    host.introduced(sibling(5))
    const [{ descriptor }, other] = [await connection(), await connection()]
    const envelope = plain(GET_HELLO)
    take({ envelope, descriptor })
    caughtUp = () => sent[0]!.settle({ state: 'gone' })
    const back = { envelope: { ...envelope, generation: 3 }, descriptor: other.descriptor }
    expect(host.take(back, 6)).toBeUndefined()
    expect(host.counters).toMatchObject({ accepted: 2, moved: 1 })
  })

  it('has no generation that cannot be counted on from', async () => {
    const { descriptor } = await connection()
    const envelope = { ...plain(''), generation: 2 ** 32 - 1 }
    expect(take({ envelope, descriptor })).toMatchObject({ reason: 'malformed' })
    descriptor.close()
  })
})

describe('a response in its middle', () => {
  it('is judged before it is accepted', async () => {
    const { vectors } = JSON.parse(readFileSync('vectors/transfer/envelope-v6.json', 'utf8')) as {
      vectors: { name: string; bytes: string }[]
    }
    const { bytes } = vectors.find(({ name }) => name === 'responses in their middle over HTTP/2')!
    const envelope = decodeEnvelope(fromHex(bytes))
    if (envelope.application.protocol === 'http2_responses') envelope.application.calls[0]!.streamId = 99
    host.introduced({ ...sibling(5), functionName: 'echo' })
    const { descriptor } = await connection()
    expect(host.take({ envelope, descriptor }, 5)).toEqual({
      reason: 'malformed',
      detail: 'the response on stream 99: there is no such stream',
    })
    expect([descriptor.open, host.size]).toEqual([true, 0])
    descriptor.close()
  })
})

describe('a container that drains', () => {
  it('has so many connections on their way at once, and no more', async () => {
    host.introduced({ ...sibling(5), functionName: 'echo' })
    for (let i = 0; i < 300; i++) {
      const { descriptor } = await connection()
      take({ envelope: plain(''), descriptor })
    }
    host.drain()
    expect(sent).toHaveLength(256)
    for (const { settle } of sent.slice(0, 10)) {
      inCustody--
      settle({ state: 'gone' })
    }
    expect(sent).toHaveLength(266)
    while (sent.length > 0) {
      inCustody--
      sent.shift()!.settle({ state: 'gone' })
    }
    expect([host.size, host.counters.moved]).toEqual([0, 300])
  })
})

describe('the least loaded container', () => {
  it('is offered what moves', async () => {
    for (const id of [5, 6]) host.introduced(sibling(id))
    host.loads([
      { id: 5, connections: 9 },
      { id: 6, connections: 7 },
    ])
    for (let i = 0; i < 3; i++) {
      const { descriptor } = await connection()
      take({ envelope: plain(GET_HELLO), descriptor })
    }
    expect(sent.map(({ target }) => target)).toEqual([6, 6, 5])
  })
})

describe('an order to move a connection', () => {
  const ECHO = { ...sibling(5), name: 'echo-5', functionName: 'echo' }
  const ID = '00'.repeat(16)
  let reports: MoveReport[]
  const move = (id = ID, target = 5): void => host.move(fromHex(id), target, report => reports.push(report))
  beforeEach(() => {
    reports = []
    host.introduced(ECHO)
  })

  it('is carried out, and reported with the generation of the new owner', async () => {
    host.introduced({ ...ECHO, id: 6 })
    const { descriptor } = await connection()
    take({ envelope: plain(''), descriptor })
    move(ID, 6)
    expect(sent.map(({ target }) => target)).toEqual([6])
    expect(host.list()).toMatchObject([{ phase: 'frozen' }])
    move()
    expect(reports).toEqual([{ outcome: 'kept', generation: 0, detail: 'it is already moving' }])
    sent[0]!.settle({ state: 'gone' })
    expect(reports[1]).toEqual({ outcome: 'moved', generation: 1, detail: '' })
    expect(host.size).toBe(0)
    move()
    expect(reports[2]).toMatchObject({ outcome: 'unknown' })
  })

  it('leaves the connection here, alive, if the target does not take it or is gone', async () => {
    const { client, descriptor, text } = await connection()
    take({ envelope: plain(''), descriptor })
    move()
    sent[0]!.settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'draining', detail: 'soon' } })
    move(ID, 99)
    expect(reports).toEqual([
      { outcome: 'kept', generation: 0, detail: 'soon' },
      { outcome: 'kept', generation: 0, detail: 'that container is gone' },
    ])
    expect(sent).toHaveLength(1)
    client.write('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await text()).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('is reported when its owner is unknown, and when a request made it go elsewhere', async () => {
    host.introduced(sibling(7))
    const [lost, elsewhere] = [await connection(), await connection()]
    take({ envelope: plain(''), descriptor: lost.descriptor })
    move()
    sent[0]!.settle({ state: 'ended', reason: 'expired' })
    expect(reports[0]).toMatchObject({ outcome: 'ended' })
    take({ envelope: plain(GET_HELLO), descriptor: elsewhere.descriptor })
    move('00000000000000000000000000000001')
    expect(reports).toHaveLength(1)
    sent[1]!.settle({ state: 'gone' })
    expect(reports[1]).toMatchObject({ outcome: 'unknown' })
  })

  it('waits for the response', async () => {
    let respond: (answer: { status: number; body: string }) => void = () => {}
    answerLater = new Promise(resolve => {
      respond = resolve
    })
    const { client, descriptor } = await connection()
    take({ envelope: plain('GET /later HTTP/1.1\r\nHost: a\r\n\r\n'), descriptor })
    move()
    expect([sent.length, host.list()[0]?.phase]).toEqual([0, 'busy'])
    const answered = new Promise(resolve => client.once('data', resolve))
    respond({ status: 200, body: 'late' })
    expect(await answered).toMatch(/late$/)
    expect(sent.map(({ target }) => target)).toEqual([5])
    sent[0]!.settle({ state: 'gone' })
    expect(reports).toEqual([{ outcome: 'moved', generation: 1, detail: '' }])
  })
})

describe('requests', () => {
  const request = {
    ...{
      method: 'GET',
      target: '/echo/x',
      headers: [],
      host: 'a',
      path: '/echo/x',
      query: '',
      body: new Uint8Array(0),
    },
    ...{
      tls: false,
      alpn: undefined,
      serverName: undefined,
      remoteAddress: undefined,
      hops: 0,
      requestIndex: 0,
    },
  }

  it('are lent to the containers of their function in turn, if there are any', () => {
    expect(host.reaches('hello')).toBe(false)
    const answers: unknown[] = []
    host.lend('hello', request, answer => answers.push(answer))
    expect(answers).toEqual([undefined])
    for (const id of [5, 6]) host.introduced(sibling(id))
    expect(host.reaches('hello')).toBe(true)
    for (let i = 0; i < 3; i++) host.lend('hello', request, () => {})
    expect(lent).toEqual([5, 6, 5])
  })

  it('are borrowed, unless the container is about to stop', async () => {
    const answer = await new Promise(resolve => host.borrow(request, resolve))
    expect(answer).toMatchObject({ outcome: 'answered', status: 200, body: utf8('/echo/x') })
    host.drain()
    expect(await new Promise(resolve => host.borrow(request, resolve))).toMatchObject({ reason: 'busy' })
  })

  it('belong to the function of their path, or else to that of their host', () => {
    expect(host.ownerOf('/echo/x', 'hello.local')).toEqual({ functionName: 'echo', functionPath: '/x' })
    expect(host.ownerOf('/x', 'Hello.local')).toEqual({ functionName: 'hello', functionPath: '/x' })
    expect(host.ownerOf('/x', 'unknown.local')).toBeUndefined()
    expect(host.ownerOf('/x', undefined)).toBeUndefined()
  })
})

describe('keys', () => {
  const peer = (id: number, functionName: string): Peer => ({
    id,
    role: 'container',
    name: `${functionName}-${id}`,
    functionName,
    publicKey: new Uint8Array(32),
  })

  it('are shared with containers of the same function, and answered once', () => {
    host.introduced(peer(7, 'hello'))
    expect(shared).toEqual([])
    host.introduced(peer(8, 'echo'))
    expect(shared.map(({ target }) => target)).toEqual([8])
    const sibling = newRing()
    host.keys(sibling.share(), 8)
    host.keys(sibling.share(), 8)
    expect(shared.map(({ target }) => target)).toEqual([8, 8])
    expect(host.keyRing.size).toBe(2)
    sibling.merge(shared[1]!.keys)
    expect(sibling.size).toBe(2)
  })

  it('of another function are none of ours', () => {
    host.introduced(peer(7, 'hello'))
    host.keys(newRing().share(), 7)
    expect(host.keyRing.size).toBe(1)
    expect(warnings).toEqual([{ from: 7 }])
  })
})
