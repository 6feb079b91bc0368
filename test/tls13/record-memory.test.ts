import { describe, expect, it } from 'vitest'
import { ContentType } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { readRecord } from '../../src/tls13/record.ts'
import { MemoryPool, RECORDS_AT_ONCE, recycle } from '../../src/tls13/record-memory.ts'
import { RecordOutput } from '../../src/tls13/record-output.ts'
import { trafficState } from '../../src/tls13/state.ts'
import { concat, EMPTY, SmallMemory } from '../../src/wire/index.ts'

const PIECE = RECORDS_AT_ONCE * 2 ** 14

describe('memory for small records', () => {
  it('has one piece, which nothing else gets until it has come back', () => {
    const memory = new SmallMemory()
    const first = memory.take(100)
    const others = Array.from({ length: 40 }, () => memory.take(100).fill(1))
    first.fill(2)
    expect(others.every(other => other.every(byte => byte === 1))).toBe(true)
    memory.give(others[0]!)
    expect(memory.take(100).buffer).not.toBe(first.buffer)
    memory.give(first)
    expect(memory.take(50).buffer).toBe(first.buffer)
    expect(memory.take(50).buffer).not.toBe(first.buffer)
  })

  it('is lent as long as only a part of it has come back', () => {
    const memory = new SmallMemory()
    const lent = memory.take(100)
    memory.give(lent.subarray(0, 50))
    expect(memory.take(100).buffer).not.toBe(lent.buffer)
  })

  it('gives up what does not come back, and takes it back no more', () => {
    const memory = new SmallMemory()
    const lost = memory.take(100)
    const next = Array.from({ length: 64 }, () => memory.take(100))
    memory.give(lost)
    expect(memory.take(100).buffer).not.toBe(lost.buffer)
    memory.give(next.at(-1)!)
    expect(memory.take(100).buffer).toBe(next.at(-1)!.buffer)
  })

  it('has new memory where the old one was handed to a worker, and none for what is large', () => {
    const memory = new SmallMemory()
    const gone = memory.take(10)
    memory.give(gone)
    structuredClone(gone, { transfer: [gone.buffer as ArrayBuffer] })
    expect(memory.take(10).length).toBe(10)
    const large = memory.take(5000)
    memory.give(large)
    expect(memory.take(5000).buffer).not.toBe(large.buffer)
  })

  it('is used again by what the stream has taken, and not before', () => {
    const sealer = new Protection(node.cipherSuites[0]!, trafficState(new Uint8Array(32)))
    const content = new Uint8Array(20)
    const sealAndRecycle = (): Uint8Array => {
      const record = sealer.seal(ContentType.application_data, content)
      recycle([record])
      return record
    }
    // Others in this process may have it, and never give it back.
    let before = sealAndRecycle()
    for (let i = 0; i < 20_000; i++) {
      const now = sealAndRecycle()
      if (now === before) break
      before = now
    }
    const first = sealer.seal(ContentType.application_data, content)
    const copy = first.slice()
    const second = sealer.seal(ContentType.application_data, content)
    expect(second).not.toEqual(copy)
    expect(first).toEqual(copy)
    recycle([first, second])
    sealer.seal(ContentType.application_data, content)
    expect(first).not.toEqual(copy)
    recycle([first])
  })
})

describe('memory for records', () => {
  it('what is given back is used again, once', () => {
    const pool = new MemoryPool(1000, 4)
    const first = pool.take(1000)
    pool.give(first)
    pool.give(first)
    const second = pool.take(300)
    expect(second.length).toBe(300)
    expect(second.buffer).toBe(first.buffer)
    expect(pool.take(1000).buffer).not.toBe(first.buffer)
  })

  it('nothing that came from elsewhere is taken, nor what is larger than a piece', () => {
    const pool = new MemoryPool(1000, 4)
    const strangers = [new Uint8Array(1000), new MemoryPool(1000, 4).take(1000), pool.take(1001)]
    for (const stranger of strangers) pool.give(stranger)
    expect(strangers.map(({ buffer }) => buffer)).not.toContain(pool.take(1000).buffer)
    expect(strangers[2]!.length).toBe(1001)
  })

  it('only so much is kept', () => {
    const pool = new MemoryPool(1000, 4)
    const many = Array.from({ length: 9 }, () => pool.take(1000))
    const buffers = new Set(many.map(({ buffer }) => buffer))
    expect(buffers.size).toBe(9)
    for (const one of many) pool.give(one)
    const again = Array.from({ length: 9 }, () => pool.take(1000))
    expect(again.filter(({ buffer }) => buffers.has(buffer)).length).toBe(4)
  })

  it('output that was not given back stays as it is while other output is made', () => {
    const suite = node.cipherSuites[0]!
    const output = new RecordOutput(EMPTY)
    const state = { trafficSecret: new Uint8Array(32), sequenceNumber: 0 }
    output.protection = new Protection(suite, state)
    const reader = new Protection(suite, { ...state })
    const content = new Uint8Array(PIECE).map((_, i) => i)
    const kept: Uint8Array[] = []
    for (let i = 0; i < 6; i++) {
      output.content(ContentType.application_data, content)
      const taken = output.take()
      if (i % 2 === 0) kept.push(...taken)
      else {
        kept.push(concat(...taken))
        recycle(taken)
      }
    }
    const all = concat(...kept)
    for (let at = 0; at < all.length; at += 5 + 2 ** 14 + 17) {
      const record = all.subarray(at, at + 5 + 2 ** 14 + 17)
      expect(reader.open(readRecord(record, 0, true)!).content).toEqual(content.subarray(0, 2 ** 14))
    }
  })
})
