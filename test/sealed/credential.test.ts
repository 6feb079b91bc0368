import { describe, expect, it } from 'vitest'
import { readCredential, writeDataKey } from '../../src/sealed/credential.ts'
import { utf8 } from '../../src/wire/index.ts'
import { seeded } from '../support/random.ts'

const key = seeded(3)(32)
const read = (text: string) => readCredential(utf8(text))

describe('what a request brings', () => {
  it('is a data key, in base64url or base64, with its padding or without', () => {
    const spelled = writeDataKey(key)
    expect(spelled).toMatch(/^data-key [\w-]{43}$/)
    for (const text of [spelled, `${spelled}=`, spelled.replaceAll('-', '+').replace('data+', 'data-')])
      expect(read(text)).toEqual({ kind: 'data-key', key })
  })

  it('is an identity of age, as it stands', () => {
    const identity = 'AGE-SECRET-KEY-1QQQ'
    expect(read(`age-identity ${identity}`)).toEqual({ kind: 'age-identity', key: utf8(identity) })
  })

  it.each([
    '',
    'data-key',
    'data-key ',
    'data-key AAAA',
    `data-key ${'A'.repeat(42)}`,
    `data-key ${'A'.repeat(45)}`,
    `data-key ${'A'.repeat(42)}B`,
    `data-key ${'A'.repeat(42)}!`,
    `Data-Key ${'A'.repeat(43)}`,
    'age-identity ',
    'age-identity two words',
    'age-identity AGE-SECRET-KEY-1QQ QQ',
    'age-identity age-secret-key-1qqq',
    `age-identity AGE-SECRET-KEY-1${'Q'.repeat(1010)}`,
    'AGE-IDENTITY AGE-SECRET-KEY-1QQQ',
    'Bearer abc',
  ])('is nothing else: %j', text => {
    expect(read(text)).toBeUndefined()
  })

  it('lies in memory of its own, outside of the heap', () => {
    const credential = read(writeDataKey(key))
    expect(credential?.kind === 'data-key' && credential.key.buffer.byteLength).toBe(32)
  })
})
