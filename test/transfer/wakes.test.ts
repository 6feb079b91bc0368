import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createPair, NativeChannel } from '../../src/transfer/channels/native.ts'
import { probe } from '../../src/transfer/native/libc.ts'

const EMPTY = new Uint8Array(0)

// A reader takes 64 messages at a stretch; what follows has no byte of its own in the wake stream.
describe.runIf(probe().available)('the byte of one message wakes for those before it, too', () => {
  let one: NativeChannel
  let other: NativeChannel

  beforeEach(() => {
    one = NativeChannel.open(1)
    other = NativeChannel.open(2)
    const [ours, theirs] = createPair()
    one.addPeer(2, ours)
    other.addPeer(1, theirs)
  })

  afterEach(() => {
    one.close()
    other.close()
  })

  it.each([1, 64, 65, 128, 129, 199])('that comes while the reader has taken %i of 200', async when => {
    let taken = 0
    other.onMessage = () => {
      if (++taken === when) one.send(2, EMPTY)
    }
    for (let i = 0; i < 200; i++) one.send(2, EMPTY)
    await vi.waitUntil(() => taken >= 201, 5000)
    expect(taken).toBe(201)
  })
})
