import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkpointRecords, HEADER_LENGTH, type LegCheckpoint, markRecord } from '../../src/transfer/leg.ts'
import { RETAINED, Relay } from '../../src/transfer/relay.ts'
import { RelayState } from '../../src/transfer/relay-state.ts'
import { concat, DecodeError, decode, EMPTY, encode } from '../../src/wire/index.ts'

const TYPES = { alert: 21, handshake: 22, data: 23 } as const

function record(type: keyof typeof TYPES, length: number, fill = 7): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + length).fill(fill)
  bytes.set([TYPES[type], 3, 3, length >> 8, length & 0xff])
  return bytes
}

const checkpoint = (received: number, generation = 0, size = 40): LegCheckpoint => ({
  functionName: 'echo',
  generation,
  received,
  sealed: new Uint8Array(size).fill(generation),
})

/** A relay, and what its client got. */
function scene(inbound = 10) {
  const relay = new Relay(new Uint8Array(inbound).fill(1))
  const got: Uint8Array[] = []
  const feed = (...parts: readonly Uint8Array[]): void => {
    for (const part of parts) {
      // What is read lies in memory that is filled again.
      const borrowed = part.slice()
      got.push(...relay.fromLeg(borrowed).map(one => one.slice()))
      borrowed.fill(0xee)
    }
  }
  return { relay, feed, got: () => concat(...got) }
}

describe('what the client gets', () => {
  it('is every record as it is, without marks, however the bytes are cut', () => {
    const item = fc.oneof(
      fc.record({ kind: fc.constant('record' as const), length: fc.nat(300), fill: fc.nat(255) }),
      fc.record({ kind: fc.constant('checkpoint' as const), size: fc.integer({ min: 1, max: 200_000 }) }),
      fc.record({ kind: fc.constant('held' as const), length: fc.nat(100) }),
    )
    const property = fc.property(
      fc.array(item, { maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 40_000 })),
      (items, cuts) => {
        const { relay, feed, got } = scene()
        const expected: Uint8Array[] = []
        const sent: Uint8Array[] = []
        let records = 0
        for (const one of items) {
          if (one.kind === 'record') {
            sent.push(record('data', one.length, one.fill))
            expected.push(sent.at(-1)!)
            records++
          } else {
            if (one.kind === 'held') {
              const update = record('data', one.length)
              expected.push(update)
              sent.push(markRecord('hold'), update)
            }
            sent.push(...checkpointRecords(checkpoint(10, 0, one.kind === 'held' ? 9 : one.size)))
            records = 0
          }
        }
        const all = concat(...sent)
        for (let at = 0; at < all.length; ) {
          const size = cuts.next().value as number
          feed(all.subarray(at, at + size))
          at += size
        }
        expect(got()).toEqual(concat(...expected))
        expect(relay.failure).toBeUndefined()
        const end = relay.legEnded()
        if (end.kind === 'takeOver') expect(end.from.records).toBe(records)
      },
    )
    fc.assert(property, { numRuns: 60 })
  })

  it('is the same when one gateway after the other goes on with it, at any byte', () => {
    const stream = concat(
      record('handshake', 90),
      ...checkpointRecords(checkpoint(10, 0, 70_000)).map(one => one),
      record('data', 50),
      markRecord('hold'),
      record('data', 20),
      ...checkpointRecords(checkpoint(12, 1)),
      record('data', 30),
      record('data', 40).subarray(0, 17),
    )
    const run = (moves: readonly number[]) => {
      let relay = new Relay(new Uint8Array(10).fill(1))
      const got: Uint8Array[] = []
      let at = 0
      const feed = (end: number): void => {
        got.push(...relay.fromLeg(stream.slice(at, end)).map(one => one.slice()))
        at = end
      }
      for (const cut of [...new Set([60, ...moves])].sort((a, b) => a - b)) {
        feed(cut)
        if (cut === 60) relay.fromClient(new Uint8Array(5).fill(2))
        if (moves.includes(cut)) relay = Relay.restore(decode(RelayState, encode(RelayState, relay.export())))
      }
      feed(stream.length)
      return { got: concat(...got), end: relay.legEnded() }
    }
    const expected = run([])
    expect(expected.end).toMatchObject({
      kind: 'takeOver',
      from: { checkpoint: { generation: 1 }, records: 1, retained: new Uint8Array(3).fill(2) },
    })
    const cuts = Array.from(stream.keys()).filter(
      at => at < 200 || at > stream.length - 300 || at % 997 === 0,
    )
    for (const cut of cuts) expect(run([cut])).toEqual(expected)
    expect(run(cuts)).toEqual(expected)
  })

  it('and its end are remembered by the successor', () => {
    for (const mark of ['goodbye', 'broken'] as const) {
      const { relay, feed } = scene()
      feed(record('data', 5), markRecord(mark))
      const next = Relay.restore(decode(RelayState, encode(RelayState, relay.export())))
      expect(next.legEnded()).toEqual(relay.legEnded())
    }
    const { relay } = scene()
    relay.fromClient(new Uint8Array(RETAINED))
    const next = Relay.restore(relay.export())
    expect([next.survivable, next.retained]).toEqual([false, 0])
    expect(() => Relay.restore({ ...relay.export(), checkpoint: Uint8Array.of(1) })).toThrow(DecodeError)
  })

  it('never is a part of a record, and of what is held back nothing before its checkpoint', () => {
    const { relay, feed, got } = scene()
    feed(record('handshake', 90), record('data', 100).subarray(0, 104))
    expect(got().length).toBe(95)
    feed(record('data', 100).subarray(104), markRecord('hold'), record('data', 20))
    expect(got().length).toBe(95 + 105)
    feed(...checkpointRecords(checkpoint(10)))
    expect(got().length).toBe(95 + 105 + 25)
    const end = relay.legEnded()
    expect(end).toMatchObject({ kind: 'takeOver', from: { records: 0 } })
  })
})

describe('when the leg has ended', () => {
  it('a connection to which nothing was sent is delivered anew, with all that came', () => {
    const { relay, feed } = scene(3)
    relay.fromClient(new Uint8Array([5, 6]))
    feed(record('handshake', 50).subarray(0, 54))
    expect(relay.survivable).toBe(true)
    expect(relay.legEnded()).toEqual({ kind: 'anew', inbound: new Uint8Array([1, 1, 1, 5, 6]) })
  })

  it('no successor can go on between the first record and the first checkpoint', () => {
    const { relay, feed } = scene()
    feed(record('handshake', 50))
    expect(relay.survivable).toBe(false)
    expect(relay.legEnded()).toEqual({ kind: 'lost', reason: 'the handshake was not complete' })
  })

  it('a successor gets the newest checkpoint, the records since, and what else the client has sent', () => {
    const { relay, feed } = scene(10)
    relay.fromClient(new Uint8Array(20).fill(2))
    feed(...checkpointRecords(checkpoint(25)), record('data', 9), record('data', 9))
    relay.fromClient(new Uint8Array(4).fill(3))
    expect(relay.retained).toBe(9)
    const end = relay.legEnded()
    expect(end).toEqual({
      kind: 'takeOver',
      from: {
        checkpoint: checkpoint(25),
        records: 2,
        retained: new Uint8Array([2, 2, 2, 2, 2, 3, 3, 3, 3]),
      },
    })
  })

  it('only protected records count', () => {
    const { relay, feed } = scene()
    feed(...checkpointRecords(checkpoint(10)), record('handshake', 9), record('data', 9), record('alert', 2))
    expect(relay.legEnded()).toMatchObject({ from: { records: 1 } })
  })

  it('a second successor goes on from the same checkpoint, and counts what the first one sent', () => {
    const { relay, feed } = scene()
    feed(...checkpointRecords(checkpoint(10)), record('data', 9), record('data', 9).subarray(0, 8))
    expect(relay.legEnded()).toMatchObject({ from: { records: 1 } })
    // The part of a record is gone with its sealer; the next byte begins a new one.
    feed(record('data', 30))
    expect(relay.legEnded()).toMatchObject({ from: { records: 2 } })
    feed(markRecord('hold'), record('data', 30))
    expect(relay.legEnded()).toMatchObject({ from: { records: 2 } })
  })

  it('an end that was announced is one', () => {
    const { relay, feed } = scene()
    feed(...checkpointRecords(checkpoint(10)), markRecord('goodbye'))
    expect(relay.legEnded()).toEqual({ kind: 'goodbye' })
    const other = scene()
    other.feed(...checkpointRecords(checkpoint(10)), markRecord('broken'))
    expect(other.relay.legEnded()).toMatchObject({ kind: 'broken' })
  })
})

describe('what is retained', () => {
  it('has a bound; beyond it the connection outlives no container until the next checkpoint', () => {
    const { relay, feed } = scene()
    feed(...checkpointRecords(checkpoint(10)))
    relay.fromClient(new Uint8Array(RETAINED))
    expect([relay.survivable, relay.retained]).toEqual([true, RETAINED])
    relay.fromClient(new Uint8Array(1))
    expect([relay.survivable, relay.retained]).toEqual([false, 0])
    feed(...checkpointRecords(checkpoint(10 + RETAINED)))
    expect(relay.survivable).toBe(false)
    relay.fromClient(new Uint8Array(5))
    expect(relay.legEnded()).toMatchObject({
      kind: 'lost',
      reason: expect.stringContaining('since the last'),
    })
    feed(...checkpointRecords(checkpoint(10 + RETAINED + 6)))
    expect(relay.survivable).toBe(true)
    relay.fromClient(new Uint8Array([9]))
    expect(relay.legEnded()).toMatchObject({ kind: 'takeOver', from: { retained: new Uint8Array([9]) } })
  })
})

describe('a container that does not speak as on a leg', () => {
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['a record type that TLS does not have', [Uint8Array.of(99, 3, 3, 0, 0)]],
    ['a record that is too long', [Uint8Array.of(23, 3, 3, 0x41, 1)]],
    ['an unknown mark', [Uint8Array.of(0xf5, 0, 77, 0, 0)]],
    ['a malformed checkpoint', [markRecord('checkpoint', Uint8Array.of(1))]],
    ['a checkpoint of bytes that were never sent', checkpointRecords(checkpoint(11))],
    [
      'a checkpoint of an earlier owner',
      [...checkpointRecords(checkpoint(10, 3)), ...checkpointRecords(checkpoint(10, 2))],
    ],
    ['too much that waits for a checkpoint', [markRecord('hold'), ...Array(20).fill(record('data', 16_000))]],
  ]
  it.each(cases)('is found out, and its client gets nothing more: %s', (_what, parts) => {
    const { relay, feed, got } = scene()
    feed(...parts)
    const before = got().length
    expect(relay.failure).toContain('broke the rules of a leg')
    feed(record('data', 10))
    expect(got().length).toBe(before)
    expect(relay.legEnded()).toMatchObject({ kind: 'broken' })
  })

  it('an empty read changes nothing', () => {
    const { relay, feed, got } = scene()
    feed(EMPTY)
    expect(got()).toEqual(EMPTY)
    expect(relay.failure).toBeUndefined()
  })
})
