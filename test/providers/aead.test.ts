import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import type { Aead, CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { pairs, providers, scripted } from '../support/providers.ts'

const SIZES = [0, 1, 15, 16, 17, 1000, 2 ** 14 + 1]
const suites = [
  CipherSuiteId.TLS_AES_128_GCM_SHA256,
  CipherSuiteId.TLS_AES_256_GCM_SHA384,
  CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256,
]

describe.each(pairs)('$title', ({ a, b }) => {
  it.each(suites)('suite %i seals to equal bytes and opens them', id => {
    const random = scripted(id)
    for (const size of SIZES) {
      for (const additionalLength of [0, 5, 16, 33]) {
        const [first, second] = keyed(random, id, a, b)
        const nonce = random(12)
        const additionalData = random(additionalLength)
        const plaintext = random(size)
        const sealed = first.seal(nonce, additionalData, plaintext)
        expect(sealed.length).toBe(size + 16)
        expect(second.seal(nonce, additionalData, plaintext)).toEqual(sealed)
        expect(second.open(nonce, additionalData, sealed)).toEqual(plaintext)
      }
    }
  })
})

describe.each(providers)('$name', provider => {
  describe.each(provider.cipherSuites)('$name', ({ aead }) => {
    const random = scripted(7)
    const key = random(aead.keyLength)
    const nonce = random(aead.ivLength)
    const keyed = aead.withKey(key)

    it('opens nothing in which any bit was changed', () => {
      const cases = fc.record({
        plaintext: fc.uint8Array({ maxLength: 80 }),
        additionalData: fc.uint8Array({ minLength: 1, maxLength: 20 }),
        part: fc.constantFrom('ciphertext' as const, 'additionalData' as const, 'nonce' as const),
        at: fc.nat(),
        bit: fc.nat({ max: 7 }),
      })
      fc.assert(
        fc.property(cases, ({ plaintext, additionalData, part, at, bit }) => {
          const input = { nonce, additionalData, ciphertext: keyed.seal(nonce, additionalData, plaintext) }
          expect(keyed.open(input.nonce, input.additionalData, input.ciphertext)).toEqual(plaintext)
          const changed = { ...input, [part]: flip(input[part], at, bit) }
          expect(keyed.open(changed.nonce, changed.additionalData, changed.ciphertext)).toBeUndefined()
        }),
        { numRuns: process.env.HOTPOTATO_LONG === '1' ? 200 : 60 },
      )
    })

    it('opens nothing that was cut or made longer', () => {
      const sealed = keyed.seal(nonce, key, random(40))
      for (let length = 0; length < sealed.length; length++) {
        expect(keyed.open(nonce, key, sealed.subarray(0, length))).toBeUndefined()
      }
      expect(keyed.open(nonce, key, Uint8Array.of(...sealed, 0))).toBeUndefined()
    })

    it('opens nothing that was sealed under another key', () => {
      const other = aead.withKey(flip(key, 0, 0))
      expect(other.open(nonce, key, keyed.seal(nonce, key, key))).toBeUndefined()
    })

    it('depends on the arguments alone, whatever came before', () => {
      const other = flip(nonce, 11, 0)
      const before = keyed.seal(nonce, key, key)
      keyed.seal(other, key, nonce)
      keyed.open(other, key, before)
      expect(keyed.seal(nonce, key, key)).toEqual(before)
      expect(aead.withKey(key).seal(nonce, key, key)).toEqual(before)
    })

    it('keeps its key when the caller wipes it', () => {
      const given = key.slice()
      const late = aead.withKey(given)
      given.fill(0)
      expect(late.seal(nonce, key, key)).toEqual(keyed.seal(nonce, key, key))
    })

    it('leaves its arguments as they were and gives memory of its own', () => {
      const backing = random(200)
      const copy = backing.slice()
      const sealed = keyed.seal(nonce, backing.subarray(3, 10), backing.subarray(11, 100))
      const opened = keyed.open(nonce, backing.subarray(3, 10), sealed)!
      expect(backing).toEqual(copy)
      for (const result of [sealed, opened]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
        expect(result.buffer).not.toBe(backing.buffer)
        expect(result.buffer.byteLength).toBe(result.length)
      }
    })

    it('refuses a key or a nonce of another length', () => {
      for (const length of [0, 15, 24, 33])
        expect(() => aead.withKey(new Uint8Array(length))).toThrow(RangeError)
      for (const length of [0, 8, 11, 13, 16]) {
        expect(() => keyed.seal(new Uint8Array(length), key, key)).toThrow(RangeError)
        expect(() => keyed.open(new Uint8Array(length), key, key)).toThrow(RangeError)
      }
    })
  })

  it('knows the limits of RFC 8446 §5.5', () => {
    expect(provider.cipherSuites.map(suite => [suite.id, suite.aead.confidentialityLimit])).toEqual([
      [CipherSuiteId.TLS_AES_128_GCM_SHA256, 23726566],
      [CipherSuiteId.TLS_AES_256_GCM_SHA384, 23726566],
      [CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256, Number.MAX_SAFE_INTEGER],
    ])
  })
})

function keyed(
  random: (length: number) => Uint8Array,
  id: number,
  ...of: readonly CryptoProvider[]
): [Aead, Aead] {
  const aeads = of.map(provider => provider.cipherSuites.find(suite => suite.id === id)!.aead)
  const key = random(aeads[0]!.keyLength)
  return [aeads[0]!.withKey(key), aeads[1]!.withKey(key)]
}

function flip(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const changed = bytes.slice()
  changed[at % changed.length]! ^= 1 << bit
  return changed
}
