import { describe, expect, test } from 'vitest'
import { ContentType } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { giveMemory, RECORDS_AT_ONCE, takeMemory } from '../../src/tls13/record-memory.ts'
import { RecordOutput } from '../../src/tls13/record-output.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'

const PIECE = RECORDS_AT_ONCE * 2 ** 14

/** Empties the list, so that a test knows what is in it. */
function drain(): void {
  for (let i = 0; i < 100; i++) takeMemory(PIECE)
}

describe('memory for records', () => {
  test('what is given back is used again, once', () => {
    drain()
    const first = takeMemory(PIECE)
    giveMemory(first)
    giveMemory(first)
    const second = takeMemory(20_000)
    expect(second.length).toBe(20_000)
    expect(second.buffer).toBe(first.buffer)
    expect(takeMemory(PIECE).buffer).not.toBe(first.buffer)
  })

  test('nothing that came from elsewhere is taken, nor what is small or larger than a piece', () => {
    drain()
    const strangers = [
      new Uint8Array(takeMemory(PIECE).buffer.byteLength),
      takeMemory(100),
      takeMemory(10 * PIECE),
    ]
    for (const stranger of strangers) giveMemory(stranger)
    const buffers = strangers.map(({ buffer }) => buffer)
    expect(buffers).not.toContain(takeMemory(PIECE).buffer)
    expect(takeMemory(100).buffer.byteLength).toBe(100)
  })

  test('only so much is kept', () => {
    drain()
    const many = Array.from({ length: 100 }, () => takeMemory(PIECE))
    const buffers = new Set(many.map(({ buffer }) => buffer))
    for (const one of many) giveMemory(one)
    const again = Array.from({ length: 100 }, () => takeMemory(PIECE))
    expect(again.filter(({ buffer }) => buffers.has(buffer)).length).toBe(16)
  })

  test('output that was not given back stays as it is while other output is made', () => {
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
        for (const bytes of taken) giveMemory(bytes)
      }
    }
    const all = concat(...kept)
    for (let at = 0; at < all.length; at += 5 + 2 ** 14 + 17) {
      const record = all.subarray(at, at + 5 + 2 ** 14 + 17)
      expect(reader.open(record.subarray(0, 5), record.subarray(5)).content).toEqual(
        content.subarray(0, 2 ** 14),
      )
    }
  })
})
