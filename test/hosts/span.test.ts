import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Frame } from '../../src/hosts/frames.ts'
import { Span } from '../../src/hosts/span.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { openPair } from '../../src/transfer/pair.ts'
import { openStream } from '../../src/transfer/stream.ts'
import { HandClock } from '../support/hand-clock.ts'

/* One connection's bytes between two hosts: the end that a client, or its leg, is at. */

/** Milliseconds that are waited for a client which takes nothing. */
const LINGER = 30_000

describe.runIf(probe().available)('a span', () => {
  let clock: HandClock
  let sent: Frame[]
  let span: Span
  let near: ByteStream
  let over: boolean
  let taken: number

  beforeEach(async () => {
    clock = new HandClock()
    sent = []
    over = false
    taken = 0
    const [ours, theirs] = await openPair()
    const owner = {
      clock,
      blocked: false,
      send: (frame: Frame) => sent.push(frame),
      ended: () => {
        over = true
      },
    }
    span = new Span(1, owner, ours)
    span.open()
    near = openStream(theirs, { kind: 'raw' })
    near.read({
      bytes: view => {
        taken += view.length
        near.pause()
      },
      end: () => {},
      error: () => {},
    })
    near.pause()
  })
  afterEach(() => {
    span.close()
    near.destroy()
  })

  /** The other host says all that it may, and that this was all. */
  function allOfIt(): number {
    for (let i = 0; i < 5; i++) span.data(new Uint8Array(196_608 / 4))
    span.data(new Uint8Array(196_608))
    span.farEnd()
    return (5 * 196_608) / 4 + 196_608
  }

  it('waits for a client that takes slowly what came before the end, and gives it all of it', async () => {
    const all = allOfIt()
    while (taken < all) {
      const before = taken
      near.resume()
      await vi.waitUntil(() => taken > before, 20_000)
      clock.pass(LINGER - 1000)
      if (taken < all) expect(over).toBe(false)
    }
    clock.pass(2 * LINGER)
    expect(over).toBe(true)
  })

  it('is broken off when its client takes nothing', () => {
    allOfIt()
    clock.pass(LINGER - 1)
    expect(over).toBe(false)
    clock.pass(1)
    expect([over, sent.at(-1)]).toEqual([true, { kind: 'reset', span: 1 }])
  })

  it('has nothing behind its end', () => {
    allOfIt()
    expect(() => span.data(new Uint8Array(1))).toThrow(RangeError)
    span.farEnd()
    expect(over).toBe(false)
  })
})
