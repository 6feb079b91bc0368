import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Frame, FrameReader, frameBytes } from '../../src/hosts/frames.ts'
import { Fence, ReceiveWindow, SendWindow, WINDOW } from '../../src/hosts/window.ts'
import { concat, DecodeError } from '../../src/wire/index.ts'

/* What two links say to each other, and how much of it is underway. */

const bytes = fc.uint8Array({ maxLength: 300 })
const id = fc.nat()
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.constant({ kind: 'beat' } as const),
  fc.record({ kind: fc.constant('data' as const), span: id, bytes }),
  fc.record({ kind: fc.constant('credit' as const), span: id, bytes: id }),
  fc.record({
    kind: fc.constant('parcel' as const),
    ...{ from: id, to: id, span: id, itself: fc.boolean(), payload: bytes },
  }),
  fc.record({ kind: fc.constant('state' as const), span: id, origin: fc.constant('a'), tcp: bytes }),
)

describe('frames', () => {
  it('come out as they went in, in whatever pieces they travel', () => {
    fc.assert(
      fc.property(
        fc.array(frame),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (frames, sizes) => {
          const all = concat(...frames.map(frameBytes))
          const reader = new FrameReader()
          const found: Frame[] = []
          for (let at = 0, turn = 0; at < all.length; turn++) {
            // What was read is overwritten by the next read.
            const piece = all.slice(at, at + sizes[turn % sizes.length]!)
            at += piece.length
            found.push(...reader.push(piece))
            piece.fill(0xff)
          }
          expect(found).toEqual(frames)
        },
      ),
    )
  })

  it('that are too long, or none, are refused', () => {
    expect(() => new FrameReader().push(Uint8Array.of(0xff, 0, 0, 0))).toThrow(DecodeError)
    expect(() => new FrameReader().push(Uint8Array.of(0, 0, 0, 1, 99))).toThrow(DecodeError)
  })
})

describe('the window of a span', () => {
  it('lets as much leave as is passed on, and one read more', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 196_608 })), pieces => {
        const [sending, receiving] = [new SendWindow(), new ReceiveWindow()]
        let underway = 0
        for (const piece of pieces) {
          if (!sending.open) break
          sending.sent(piece)
          receiving.came(piece, 196_608)
          underway += piece
          expect(underway).toBeLessThan(WINDOW + 196_608)
          const credit = receiving.passed(piece)
          if (credit === 0) continue
          sending.credited(credit)
          underway -= credit
        }
        // All was passed on: it never stands still.
        expect(sending.open).toBe(true)
      }),
    )
  })

  it('is kept by both sides', () => {
    const [sending, receiving] = [new SendWindow(), new ReceiveWindow()]
    sending.sent(10)
    expect(() => sending.credited(11)).toThrow(RangeError)
    expect(() => receiving.came(100, 99)).toThrow(RangeError)
    receiving.came(WINDOW, WINDOW)
    expect(() => receiving.came(1, 99)).toThrow(RangeError)
  })
})

it('a late claim is not believed', () => {
  const fence = new Fence()
  expect([fence.admits('s', 5), fence.admits('s', 4), fence.admits('s', 5), fence.admits('t', 4)]).toEqual([
    ...[true, false, false, true],
  ])
  expect(fence.admits('s', 6)).toBe(true)
})
