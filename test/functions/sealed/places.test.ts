import { describe, expect, it } from 'vitest'
import { type Placeable, Places } from '../../../src/functions/sealed/places.ts'
import type { Credential } from '../../../src/sealed/credential.ts'
import { HandClock } from '../../support/hand-clock.ts'

const MINUTE = 60_000
const keyOf = (byte: number): Credential => ({ kind: 'data-key', key: new Uint8Array(32).fill(byte) })

class Counted implements Placeable {
  ended = false
  end(): void {
    this.ended = true
  }
}

function setUp(milliseconds: number) {
  const clock = new HandClock()
  const places = new Places<Counted>(clock, milliseconds)
  const start = (byte: number) => places.add(new Counted(), Promise.resolve(), keyOf(byte))
  return { clock, places, start }
}

describe('a worker of a sealed function', () => {
  it('is joined with its own key alone', () => {
    const { places, start } = setUp(0)
    const place = start(1)
    expect(places.join(keyOf(1))).toBe(place)
    expect(places.join(keyOf(2))).toBeUndefined()
    expect(places.join({ ...keyOf(1), kind: 'age-identity' })).toBeUndefined()
  })

  it('ends with its last request where no key is remembered, and is joined for a minute', () => {
    const { clock, places, start } = setUp(0)
    const place = start(1)
    clock.pass(MINUTE)
    expect(places.join(keyOf(1))).toBe(place)
    clock.pass(1)
    expect(places.join(keyOf(1))).toBeUndefined()
    places.release(place)
    expect(place.worker.ended).toBe(false)
    places.release(place)
    expect(place.worker.ended).toBe(true)
    expect(clock.waiting).toBe(0)
  })

  it('that waits is joined at any age, and ends T after its last request', () => {
    const { clock, places, start } = setUp(60 * MINUTE)
    const place = start(1)
    for (let i = 0; i < 100; i++) {
      places.release(place)
      clock.pass(60 * MINUTE - 1)
      expect(places.join(keyOf(1))).toBe(place)
    }
    clock.pass(600 * MINUTE)
    places.release(place)
    clock.pass(60 * MINUTE - 1)
    expect(place.worker.ended).toBe(false)
    clock.pass(1)
    expect(place.worker.ended).toBe(true)
    expect(places.join(keyOf(1))).toBeUndefined()
  })

  it('that has waited longest makes room for another key, and one at work never does', () => {
    const { clock, places, start } = setUp(60 * MINUTE)
    const all = Array.from({ length: 16 }, (_, index) => start(index))
    expect(places.makeRoom()).toBe(false)
    for (const place of all.slice(1).toReversed()) {
      places.release(place)
      clock.pass(1)
    }
    places.join(keyOf(15))
    places.release(all[15]!)
    expect(places.makeRoom()).toBe(true)
    const ended = all.flatMap(({ worker }, index) => (worker.ended ? [index] : []))
    expect(ended).toEqual([14])
  })

  it('is known by what no key can be read from, so that the worker alone keeps it', () => {
    const { places } = setUp(60 * MINUTE)
    const key = Buffer.alloc(32, 7)
    const credential: Credential = { kind: 'data-key', key }
    const place = places.add(new Counted(), Promise.resolve(), credential)
    expect(Buffer.from(place.fingerprint).includes(key)).toBe(false)
    key.fill(0)
    expect(places.join(keyOf(7))).toBe(place)
  })

  it('that has ended by itself gives its place back', () => {
    const { places, start } = setUp(0)
    const all = Array.from({ length: 16 }, (_, index) => start(index))
    all[3]!.worker.ended = true
    expect(places.join(keyOf(3))).toBeUndefined()
    expect(places.makeRoom()).toBe(true)
    places.endAll()
    expect(all.every(({ worker }) => worker.ended)).toBe(true)
  })
})
