import { describe, expect, it } from 'vitest'
import { CHANGE_CIPHER_SPEC, plaintextRecord } from '../../src/tls13/record.ts'
import { Session } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { concat, decode, EMPTY, encode, utf8 } from '../../src/wire/index.ts'
import { connectedPair, outputOf, serverConfig } from '../support/pair.ts'
import { clientIn, Scene, type StateName, serverIn } from '../support/scene.ts'

/* What says nothing may come, but not without end: in a row, together, and over a move (RFC 8446 §5). */

const LIMIT = 32
const USER_CANCELED = Uint8Array.of(1, 90)
const keyUpdate = Uint8Array.of(24, 0, 0, 1, 0)
const REFUSED = [
  { type: 'alert', from: 'local', alert: 'unexpected_message', error: { reason: 'too_many_trifles' } },
]

/** How many of a kind a scene takes before it ends. The ChangeCipherSpec of a server is one that has come. */
function taken(scene: Scene, one: () => Uint8Array): number {
  const before = scene.subject.trifles?.inARow ?? 0
  for (let count = 0; count < 3 * LIMIT; count++) {
    const events = scene.subject.receive(one())
    if (events.length === 0) continue
    expect(events).toMatchObject(REFUSED)
    expect(scene.subject.closed).toBe(true)
    return before + count
  }
  return Infinity
}

const START_OF_SERVER: StateName[] = ['WAIT_SECOND_CLIENT_HELLO', 'WAIT_COOKIE', 'WAIT_FINISHED']
const START_OF_CLIENT: StateName[] = [
  'WAIT_SH',
  'WAIT_EE',
  'WAIT_CERT_CR',
  'WAIT_CERT',
  'WAIT_CV',
  'WAIT_FINISHED',
]

describe('ChangeCipherSpecs in a row', () => {
  it.each(START_OF_SERVER)('end a server in %s', state => {
    expect(taken(serverIn(state), () => CHANGE_CIPHER_SPEC)).toBe(LIMIT)
  })

  it.each(START_OF_CLIENT)('end a client in %s', state => {
    expect(taken(clientIn(state), () => CHANGE_CIPHER_SPEC)).toBe(LIMIT)
  })

  it('end a session that gets them all at once', () => {
    const { subject } = serverIn('WAIT_FINISHED')
    const many = concat(...Array.from({ length: 10_000 }, () => CHANGE_CIPHER_SPEC))
    expect(subject.receive(many)).toMatchObject(REFUSED)
  })

  it('do no harm in the number that is usual', () => {
    const scene = serverIn('WAIT_FINISHED')
    scene.subject.receive(concat(CHANGE_CIPHER_SPEC, CHANGE_CIPHER_SPEC))
    expect(scene.subject.receive(scene.genuine)).toMatchObject([{ type: 'handshake_complete' }])
  })
})

describe('alerts user_canceled in a row', () => {
  it.each<StateName>(['START', 'WAIT_SECOND_CLIENT_HELLO'])('end a server in %s, in the clear', state => {
    expect(taken(serverIn(state), () => plaintextRecord(21, USER_CANCELED))).toBe(LIMIT)
  })

  it.each<StateName>(['WAIT_FINISHED', 'CONNECTED'])('end a server in %s', state => {
    const scene = serverIn(state)
    expect(taken(scene, () => scene.writer()(21, USER_CANCELED))).toBe(LIMIT)
  })

  it.each<StateName>(['WAIT_SH'])('end a client in %s, in the clear', state => {
    expect(taken(clientIn(state), () => plaintextRecord(21, USER_CANCELED))).toBe(LIMIT)
  })

  it.each<StateName>(['WAIT_EE', 'WAIT_FINISHED', 'CONNECTED'])('end a client in %s', state => {
    const scene = clientIn(state)
    expect(taken(scene, () => scene.writer()(21, USER_CANCELED))).toBe(LIMIT)
  })
})

describe('what says nothing', () => {
  it('is counted together, whatever it is', () => {
    const scene = serverIn('WAIT_FINISHED')
    for (let i = 0; i < LIMIT / 2; i++) {
      expect(scene.subject.receive(CHANGE_CIPHER_SPEC)).toEqual([])
      expect(scene.subject.receive(scene.writer()(21, USER_CANCELED))).toEqual([])
    }
    expect(scene.subject.receive(CHANGE_CIPHER_SPEC)).toMatchObject(REFUSED)
  })

  it('is forgotten where something is said in between', () => {
    const scene = serverIn('CONNECTED')
    for (let i = 0; i < 4 * LIMIT; i++) {
      expect(scene.subject.receive(scene.writer()(21, USER_CANCELED))).toEqual([])
      if (i % LIMIT === 0) scene.subject.receive(scene.writer()(23, utf8('x')))
    }
  })

  it.each([
    ['records without content', (scene: Scene) => scene.writer()(23, EMPTY)],
    ['alerts user_canceled', (scene: Scene) => scene.writer()(21, USER_CANCELED)],
    ['KeyUpdates', (scene: Scene) => scene.handshake(keyUpdate)],
  ])('is counted on by another owner: %s', (_, one) => {
    let { server } = connectedPair()
    let taken = 0
    for (;;) {
      const events = server.receive(one(new Scene(server, [])))
      if (events.some(({ type }) => type === 'alert')) break
      outputOf(server)
      taken++
      const state = decode(SessionState, encode(SessionState, server.release()))
      server = Session.restore(state, serverConfig(), server.trifles)
      if (taken > 3 * LIMIT) break
    }
    expect(taken).toBe(LIMIT)
  })

  it('is counted on in the middle of a handshake', () => {
    const scene = serverIn('WAIT_FINISHED')
    for (let i = 0; i < LIMIT; i++) scene.subject.receive(CHANGE_CIPHER_SPEC)
    const state = decode(SessionState, encode(SessionState, scene.subject.release()))
    const moved = Session.restore(state, serverConfig(), scene.subject.trifles)
    expect(moved.receive(CHANGE_CIPHER_SPEC)).toMatchObject(REFUSED)
  })

  it('is next to nothing after a handshake', () => {
    const { client, server } = connectedPair()
    for (const { trifles } of [client, server]) {
      expect(trifles?.inARow ?? 0).toBe(0)
      expect(trifles?.spent ?? 0).toBeLessThan(5)
    }
  })
})
