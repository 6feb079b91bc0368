import { expect, it } from 'vitest'
import { Credit, FrameReader, frameHead, WINDOW } from '../../../src/functions/sealed/frames.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'

const bytes = concat(
  frameHead('data', 7, 3),
  utf8('abc'),
  frameHead('end', 7, 0),
  frameHead('log', 0, 5),
  utf8('hello'),
)

it.each([1, 2, 8, 9, 10, 13, 1000])('frames come whole, in pieces of %i', size => {
  const reader = new FrameReader(100)
  const frames = []
  for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.slice(at, at + size)))
  expect(frames.map(({ type, call, payload }) => [type, call, Buffer.from(payload).toString()])).toEqual([
    ['data', 7, 'abc'],
    ['end', 7, ''],
    ['log', 0, 'hello'],
  ])
})

it('what is no frame, or too long, is refused', () => {
  expect(() => new FrameReader(100).push(new Uint8Array(9))).toThrow('is no frame')
  expect(() => new FrameReader(100).push(frameHead('data', 1, 101))).toThrow('is no frame')
})

it('content waits when the window is used up, and goes on when the other side has taken some', async () => {
  const credit = new Credit()
  expect(credit.spend(WINDOW - 1)).toBeUndefined()
  const waiting = credit.spend(1)
  expect(waiting).toBeInstanceOf(Promise)
  credit.grant(10)
  await waiting
  expect(credit.spend(9)).toBeUndefined()
})
