import { describe, expect, it } from 'vitest'
import { errorOf, reasonOf, stringOf } from '../../src/wire/thrown.ts'

const no = (): never => {
  throw new Error('no')
}
const UNSHOWN = 'something that cannot be shown'
const HOSTILE: readonly [string, unknown][] = [
  ['an object without a prototype', Object.create(null)],
  ['one whose toString throws', { toString: no }],
  ['one whose toString is none', { toString: 1, valueOf: 1 }],
  ['a Proxy that refuses every question', new Proxy({}, { getPrototypeOf: no, get: no })],
  ['an error whose message throws', Object.defineProperty(new Error(''), 'message', { get: no })],
  ['an error whose message has no text', Object.assign(new Error(''), { message: Object.create(null) })],
]

describe('what was thrown', () => {
  it.each(HOSTILE)('is some text, and an Error: %s', (_, thrown) => {
    expect(typeof reasonOf(thrown)).toBe('string')
    expect(typeof stringOf(thrown)).toBe('string')
    expect(errorOf(thrown)).toBeInstanceOf(Error)
  })

  it('is what it says', () => {
    expect([undefined, null, 7, Symbol('s'), new RangeError('much')].map(reasonOf)).toEqual([
      'undefined',
      'null',
      '7',
      'Symbol(s)',
      'much',
    ])
    expect(stringOf(new RangeError('much'))).toBe('RangeError: much')
    expect(HOSTILE.slice(0, 4).map(([, thrown]) => reasonOf(thrown))).toEqual(Array(4).fill(UNSHOWN))
  })

  it('stays the same Error, or has what was thrown as its cause', () => {
    const error = new TypeError('it')
    expect(errorOf(error)).toBe(error)
    expect(errorOf(null)).toMatchObject({ message: 'null', cause: null })
  })
})
