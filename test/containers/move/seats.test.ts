import { beforeEach, describe, expect, it } from 'vitest'
import { KEPT, type Seat, Seats } from '../../../src/containers/move/seats.ts'
import type { ByteStream } from '../../../src/transfer/byte-stream.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { connectedPair } from '../../support/pair.ts'

let clock: HandClock
let seats: Seats
let closed: string[]

beforeEach(() => {
  clock = new HandClock()
  seats = new Seats(clock)
  closed = []
})

const idOf = (number: number): Uint8Array => {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setUint32(12, number)
  return id
}

function keep(number: number, more: Partial<Seat> = {}): Seat {
  const destroy = (): void => void closed.push(String(number))
  const stream = { destroy, read() {}, onDrain() {} } as unknown as ByteStream
  const seat = {
    ...{ sessionId: idOf(number), generation: 4, holder: 7, stream, session: undefined, state: undefined },
    ...more,
  }
  seats.keep(seat)
  return seat
}

describe('a seat', () => {
  it('is there once, for the container that has the connection, and for a later generation alone', () => {
    const seat = keep(1)
    const sessionId = idOf(1)
    expect(seats.take(8, { sessionId, generation: 5 })).toBeUndefined()
    for (const generation of [0, 4]) expect(seats.take(7, { sessionId, generation })).toBeUndefined()
    expect(seats.take(7, { sessionId: idOf(2), generation: 5 })).toBeUndefined()
    expect(closed).toEqual([])
    expect(seats.take(7, { sessionId, generation: 5 })).toBe(seat)
    expect(seats.take(7, { sessionId, generation: 6 })).toBeUndefined()
    clock.pass(KEPT)
    expect(closed).toEqual([])
  })

  it('is given up after a while, each at its time, by one timer', () => {
    keep(1)
    clock.pass(KEPT / 2)
    keep(2)
    expect(clock.waiting).toBe(1)
    clock.pass(KEPT / 2)
    expect(closed).toEqual(['1'])
    clock.pass(KEPT / 2)
    expect(closed).toEqual(['1', '2'])
    expect([seats.size, clock.waiting]).toEqual([0, 0])
  })

  it('is given up when the container is gone that has the connection, or says that it has ended', () => {
    for (const number of [1, 2]) keep(number)
    keep(3, { holder: 8 })
    seats.gone(8)
    expect(closed).toEqual(['3'])
    seats.drop(idOf(1), 8)
    expect(closed).toEqual(['3'])
    seats.drop(idOf(1), 7)
    seats.drop(idOf(2))
    expect(closed).toEqual(['3', '1', '2'])
  })

  it('is one of at most 1024: the oldest goes for a new one', () => {
    for (let number = 0; number < 1026; number++) {
      keep(number)
      clock.pass(1)
    }
    expect(seats.size).toBe(1024)
    expect(closed).toEqual(['0', '1'])
  })

  it('has nothing of what its connection was but the stream and the keys', () => {
    const { client, server: session } = connectedPair()
    client.send(new Uint8Array(10_000))
    session.feed(client.takeOutput()[0]!.slice())
    const state = session.release(true)
    expect(state.inboundRecords.length).toBeGreaterThan(10_000)
    expect(session.buffered).toBe(0)
    const { stream } = keep(1, { session, state })
    expect(stream.onDrain).toBeUndefined()
    expect(state.inboundRecords.length).toBe(0)
  })

  it('is given up with its keys, and all of them when the container stops', () => {
    const session = connectedPair().server
    const state = session.release(true)
    const { trafficSecret: secret } = state.write!
    expect(secret.some(byte => byte !== 0)).toBe(true)
    keep(1, { session, state })
    keep(2)
    seats.clear()
    expect(closed).toEqual(['1', '2'])
    expect([...secret].every(byte => byte === 0)).toBe(true)
    expect(() => session.takeBack({ read: 9, write: 9, inbound: new Uint8Array(0) })).toThrow('was not lent')
  })
})
