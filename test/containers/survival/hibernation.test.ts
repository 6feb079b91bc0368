import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { hibernate, isStill, thaw } from '../../../src/containers/survival/hibernation.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { freshServerState } from '../../../src/tls13/state.ts'
import { withCheckpoint } from '../../../src/transfer/checkpoint.ts'
import type { Release } from '../../../src/transfer/custody.ts'
import { type Envelope, freshEnvelope } from '../../../src/transfer/envelope.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import type { Hibernated } from '../../../src/transfer/hibernated.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { Descriptor } from '../../../src/transfer/stream.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { type TcpPair, tcpPair } from '../../support/tcp-pair.ts'

const SESSION = new Uint8Array(16).fill(7)
const REQUEST = 'GET /secret HTTP/1.1\r\n'
/** `TCP_ESTABLISHED` of Linux. */
const ESTABLISHED = 1
const client = { remoteAddress: '192.0.2.1' }

const native = probe()
describe.runIf(native.available)('a connection whose function goes to sleep', () => {
  const libc = native.available ? native.libc : (undefined as never)
  let pair: TcpPair
  let socket: Descriptor
  let ring: KeyRing
  let sent: { readonly gateway: number; readonly state: Hibernated }[]
  let releases: Release[]

  beforeEach(async () => {
    pair = await tcpPair()
    socket = Descriptor.fromFd(libc.duplicate(pair.fd))
    ring = makeRing()
    sent = []
    releases = []
  })
  afterEach(() => {
    socket.close()
    pair.close()
  })

  const makeRing = (): KeyRing =>
    new KeyRing(node, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
  const envelope = (inbound = utf8(REQUEST)): Envelope => ({
    ...freshEnvelope(SESSION, 1000, undefined, { requestsServed: 3, inbound }),
    ...{ generation: 4, hops: 2, extensions: writeExtensions({ client }) },
  })
  function give(given = envelope()): Hibernated {
    const frozen = {
      envelope: given,
      descriptor: socket,
      companions: [],
      offering() {},
      returnTo: () => undefined,
    }
    const sendHibernated = (_: string, gateway: number, _session: unknown, state: Hibernated): void => {
      sent.push({ gateway, state: { ...state, checkpoint: state.checkpoint.slice() } })
    }
    const sleeper = { functionName: 'echo', checkpoints: ring.checkpoints, courier: { sendHibernated } }
    hibernate(sleeper as never, 9, frozen, release => releases.push(release))
    return sent.at(-1)?.state as Hibernated
  }
  const until = (happened: () => boolean): Promise<void> =>
    new Promise(resolve => {
      const look = (): void => (happened() ? resolve() : void setImmediate(look))
      look()
    })
  const session = { sessionId: SESSION, generation: 6 }

  it('goes to the gateway sealed, with what the gateway has to know', () => {
    const { checkpoint, ...state } = give()
    expect([sent[0]!.gateway, state]).toEqual([
      9,
      {
        ...{
          functionName: 'echo',
          generation: 4,
          told: false,
          answerable: true,
          waits: false,
          left: 0,
          slot: undefined,
        },
      },
    ])
    expect(Buffer.from(checkpoint).includes('secret')).toBe(false)
  })

  it('is woken at once where a whole request or a whole record has come, and for no part of one', () => {
    const record = Uint8Array.of(0x17, 3, 3, 0, 2, 9, 9)
    const over = (records: Uint8Array): Envelope => ({
      ...envelope(utf8('')),
      tls: freshServerState(records),
    })
    const waits = [
      envelope(utf8(REQUEST)),
      envelope(utf8(`${REQUEST}host: a.test\r\n\r\n`)),
      over(record.subarray(0, 4)),
      over(record.subarray(0, 6)),
      over(record),
    ].map(one => give(one).waits)
    expect(waits).toEqual([false, true, false, false, true])
  })

  it('is what it was when a container of its function opens it', () => {
    const { still, envelope: found } = thaw(ring.checkpoints, give(), session)!
    expect(found).toEqual({ ...envelope(), generation: 6 })
    expect(isStill(still, socket)).toBe(true)
  })

  it('is opened by those who have the key, and for its own session and generation', () => {
    const state = give()
    expect(thaw(makeRing().checkpoints, state, session)).toBeUndefined()
    expect(thaw(ring.checkpoints, { ...state, generation: 5 }, session)).toBeUndefined()
    const other = { ...session, sessionId: new Uint8Array(16) }
    expect(thaw(ring.checkpoints, state, other)).toBeUndefined()
  })

  it('is no checkpoint that a container has left in case that it dies', () => {
    const left = { busy: false, attempts: 0, envelope: envelope() }
    const checkpoint = withCheckpoint(left, bytes =>
      ring.checkpoints.seal({ sessionId: SESSION, generation: 4, received: 0 }, bytes).slice(),
    )
    expect(thaw(ring.checkpoints, { ...give(), checkpoint }, session)).toBeUndefined()
  })

  it('is not woken a second time, once something has been read or written', async () => {
    const { still } = thaw(ring.checkpoints, give(), session)!
    pair.client.write('x')
    await until(() => libc.tcpCounts(pair.fd).unread > 0)
    // What waits in the kernel is for the one that wakes.
    expect(isStill(still, socket)).toBe(true)
    pair.accepted.resume()
    await once(pair.accepted, 'data')
    expect(isStill(still, socket)).toBe(false)
  })

  it('is not woken on another socket', async () => {
    const { still } = thaw(ring.checkpoints, give(), session)!
    const other = await tcpPair()
    expect(isStill(still, other)).toBe(false)
    other.close()
  })

  it('stays where it is if its socket is over', async () => {
    pair.client.resetAndDestroy()
    await until(() => libc.tcpCounts(pair.fd).state !== ESTABLISHED)
    give()
    expect([sent, releases]).toEqual([[], [{ state: 'owned', verdict: undefined }]])
  })
})
