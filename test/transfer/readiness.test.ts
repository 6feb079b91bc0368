import { closeSync, openSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createPair, NativeChannel } from '../../src/transfer/channels/native.ts'
import { Readiness } from '../../src/transfer/channels/readiness.ts'
import { type Libc, probe } from '../../src/transfer/native/libc.ts'
import { Descriptor } from '../../src/transfer/stream.ts'

const EMPTY = new Uint8Array(0)
const probed = probe()

describe.runIf(probed.available)('a socket that is watched', () => {
  const { libc } = probed as { libc: Libc }
  let ours: number
  let theirs: number
  let watched: Readiness
  let ready: ReturnType<typeof vi.fn<() => void>>

  beforeEach(() => {
    const [one, other] = libc.socketPair('seqpacket')
    ours = one
    theirs = other
    ready = vi.fn<() => void>()
    watched = new Readiness(Descriptor.fromFd(ours), ready)
  })

  afterEach(() => {
    watched.close()
    if (theirs >= 0) closeSync(theirs)
  })

  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
  }

  it('says nothing as long as nothing comes', async () => {
    await turns(20)
    expect(ready).not.toHaveBeenCalled()
  })

  it('says that a message waits, turn by turn until it is taken, and takes none itself', async () => {
    libc.sendMessage(theirs, new Uint8Array([1, 2, 3]), EMPTY, [theirs])
    await vi.waitUntil(() => ready.mock.calls.length >= 3)
    const received = libc.receiveMessage(watched.fd)
    expect(received).toMatchObject({ bytes: new Uint8Array([1, 2, 3]), refused: undefined })
    if (typeof received === 'object') for (const fd of received.descriptors) closeSync(fd)
    ready.mockClear()
    await turns(20)
    expect(ready).not.toHaveBeenCalled()
  })

  it('says that the peer has ended', async () => {
    closeSync(theirs)
    theirs = -1
    await vi.waitUntil(() => ready.mock.calls.length > 0)
    expect(libc.receiveMessage(watched.fd)).toBe('EOF')
  })

  it('says nothing once it is closed, also from within', async () => {
    ready.mockImplementation(() => watched.close())
    libc.sendMessage(theirs, new Uint8Array(1), EMPTY, [])
    await vi.waitUntil(() => ready.mock.calls.length > 0)
    await turns(20)
    expect(ready).toHaveBeenCalledTimes(1)
    expect(watched.fd).toBe(-1)
    expect(libc.sendMessage(theirs, new Uint8Array(1), EMPTY, [])).toMatch(/^(EPIPE|ECONNRESET)$/)
  })

  it('is no file, which is closed', () => {
    const descriptor = Descriptor.fromFd(openSync('/proc/self/status', 'r'))
    expect(() => new Readiness(descriptor, ready)).toThrow(/ENOTSOCK/)
    expect(descriptor.open).toBe(false)
  })
})

// One message is taken at a time as long as no more come, then up to 64 in one turn.
describe.runIf(probed.available)('no message is left behind', () => {
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

  // The one at hand lies in memory that is used again.
  it.each([1, 300, 3000])('nor changed by another that is taken meanwhile, of %i bytes', async length => {
    const seen: string[] = []
    other.onMessage = (from, payload) => {
      const first = payload.join()
      if (seen.length === 0) {
        seen.push('')
        other.poll(from)
      }
      seen.push(String(payload.join() === first && payload.every(byte => byte === payload[0])))
      seen.push(String(payload[0]))
    }
    for (let i = 1; i <= 3; i++) one.send(2, new Uint8Array(length).fill(i))
    await vi.waitUntil(() => seen.length === 7, 5000)
    expect(seen).toEqual(['', 'true', '2', 'true', '3', 'true', '1'])
    for (let i = 4; i <= 5; i++) one.send(2, new Uint8Array(length).fill(i))
    await vi.waitUntil(() => seen.length === 11, 5000)
    expect(seen.slice(7)).toEqual(['true', '4', 'true', '5'])
  })

  it('by a handler that throws', async () => {
    let taken = 0
    const thrown: unknown[] = []
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', error => thrown.push(error))
    try {
      other.onMessage = () => {
        if (++taken % 3 === 0) throw new Error('once in a while')
      }
      for (let i = 0; i < 30; i++) one.send(2, EMPTY)
      await vi.waitUntil(() => taken === 30, 5000)
      expect(thrown.length).toBe(10)
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    }
  })

  it('of a peer that has closed its end', async () => {
    let taken = 0
    let lost = ''
    other.onMessage = () => taken++
    other.onLost = (_id, reason) => {
      lost = `${taken}: ${reason}`
    }
    for (let i = 0; i < 100; i++) one.send(2, EMPTY)
    one.close()
    await vi.waitUntil(() => lost !== '', 5000)
    expect(lost).toBe('100: its end is closed')
  })
})
