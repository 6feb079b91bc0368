import { describe, expect, it } from 'vitest'
import { SUPERVISOR } from '../../src/transfer/channel.ts'
import type { ControlMessage } from '../../src/transfer/control.ts'
import { KEYS } from '../../src/transfer/keys/ring.ts'
import { Office } from './office.ts'

const HOUR = 3_600_000

/* What the signer gives to whom, and what it refuses. */

describe('the ring of a function', () => {
  it('is told to a container that starts when no other one lives', () => {
    const office = new Office()
    const first = office.introduce(2, 'echo')
    first.tell()
    office.say(SUPERVISOR, { kind: 'gone', id: 2 })
    const next = office.introduce(3, 'echo')
    expect(next.knows(first)).toBe(false)
    next.take()
    expect(next.knows(first)).toBe(true)
  })

  it('is told to no container of another function', () => {
    const office = new Office()
    const one = office.introduce(2, 'echo')
    one.tell()
    const other = office.introduce(3, 'hello')
    other.tell()
    other.take()
    expect(other.ring.size).toBe(1)
    const sibling = office.introduce(4, 'echo')
    sibling.take()
    expect([sibling.knows(one), sibling.knows(other)]).toEqual([true, false])
  })

  it('takes nothing that another container has sealed, or that is repeated', () => {
    const office = new Office()
    const one = office.introduce(2, 'echo')
    const other = office.introduce(3, 'hello')
    const words: ControlMessage = { kind: 'keys', sealed: one.sealer.seal(1, KEYS, one.ring.share()) }
    for (const from of [3, 2, 2]) office.say(from, words)
    expect(office.status()).toMatchObject({ ringsTold: 1, refused: 2, keyRing: 1 })
    other.take()
    expect(other.knows(one)).toBe(false)
  })

  it('goes on to the present epoch while no container lives, and is wiped when its time is over', () => {
    const office = new Office()
    const first = office.introduce(2, 'echo')
    first.tell()
    const { secret } = first.own
    const early = secret.slice()
    office.say(SUPERVISOR, { kind: 'gone', id: 2 })
    office.clock.pass(3 * HOUR)
    office.rings.turn()
    const next = office.introduce(3, 'echo')
    next.take()
    const kept = next.ring.find(first.own.origin)!
    expect(kept.epoch).toBe(first.own.epoch + 1)
    expect(kept.secret).not.toEqual(early)
    office.clock.pass(HOUR)
    office.rings.turn()
    expect(office.status().keyRing).toBe(0)
  })
})

describe('a process that', () => {
  it.each(['gateway', 'signer'] as const)('is a %s has nothing to ask', role => {
    const office = new Office()
    office.introduce(2, '', role).tell()
    expect(office.sent).toEqual([])
    expect(office.status()).toMatchObject({ containers: 0, ringsTold: 0, refused: 1 })
  })

  it('was not introduced is not heard, nor is the supervisor by any other pair', () => {
    const office = new Office()
    office.say(7, { kind: 'stop' })
    const one = office.introduce(2, 'echo')
    for (const kind of ['stop', 'statusRequest', 'drain'] as const) one.say({ kind })
    one.say({ kind: 'gone', id: 2 })
    expect(office.stopped).toBe(0)
    one.tell()
    expect(office.status()).toMatchObject({ containers: 1, ringsTold: 1, refused: 5 })
  })

  it('says what makes no sense again and again is cut off, and no other one is', () => {
    const office = new Office()
    const one = office.introduce(2, 'echo')
    const other = office.introduce(3, 'echo')
    for (let i = 0; i < 200; i++) office.desk.receive(2, Uint8Array.of(9, 9, 9), [])
    other.tell()
    expect([...office.cut]).toEqual([one.id])
    office.desk.lost(one.id, 'it is lost')
    expect(office.sent.at(-1)).toMatchObject({ to: SUPERVISOR, message: { kind: 'unreachable', id: one.id } })
    expect(office.status().ringsTold).toBe(1)
  })

  it('tells rings without end is not listened to for a while', () => {
    const office = new Office()
    const one = office.introduce(2, 'echo')
    for (let i = 0; i < 100; i++) one.tell()
    expect(office.status()).toMatchObject({ ringsTold: 16, refused: 84 })
    office.clock.pass(100_000)
    one.tell()
    expect(office.status().ringsTold).toBe(17)
  })

  it('has a key that is none is not introduced, and the others are', () => {
    const office = new Office()
    const publicKey = new Uint8Array(32)
    const peer = { id: 2, role: 'container', name: 'echo-1', functionName: 'echo', publicKey } as const
    office.say(SUPERVISOR, { kind: 'introduce', peer })
    office.introduce(3, 'echo')
    expect(office.status().containers).toBe(1)
  })

  it('is told to stop by the supervisor stops', () => {
    const office = new Office()
    office.say(SUPERVISOR, { kind: 'stop' })
    expect(office.stopped).toBe(1)
  })
})
