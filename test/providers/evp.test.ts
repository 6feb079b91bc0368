import { createSecretKey, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CONTEXTS, contextCount } from '../../src/tls13/crypto/evp/contexts.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { concat } from '../../src/wire/index.ts'
import { evp, scripted } from '../support/providers.ts'

// What every provider must do is in the other files here; this is what only `evp` has: contexts, and memory
// that is not its own.
const probed = evp
if (probed.available) describe('evp', () => cases(probed.provider))
else it.skip(`evp: ${probed.reason}`)

function cases(provider: CryptoProvider): void {
  const suites = provider.cipherSuites.map((suite, index) => ({ name: suite.name, aead: suite.aead, index }))

  describe.each(suites)('$name', ({ aead, index }) => {
    const random = scripted(index + 1)
    const nonce = random(12)
    const header = random(5)

    // First, while there are few contexts: keys that are only forgotten keep theirs until others need them.
    it('a key that is wiped is gone, its context is used again, and other keys stay', () => {
      const other = aead.withKey(random(aead.keyLength))
      const before = other.seal(nonce, header, header)
      const all = contextCount()
      for (let i = 0; i < 2 * CONTEXTS; i++) {
        const keyed = aead.withKey(random(aead.keyLength))
        keyed.seal(nonce, header, header)
        keyed.wipe!()
        keyed.wipe!()
        expect(() => keyed.seal(nonce, header, header)).toThrow('wiped')
        expect(() => keyed.open(nonce, header, before)).toThrow('wiped')
      }
      expect(contextCount()).toBeLessThanOrEqual(all + 1)
      expect(other.seal(nonce, header, header)).toEqual(before)
    })

    it('seals into given memory what the others seal, and touches nothing beside it', () => {
      const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' })
      const input = fc.record({
        key: fc.uint8Array({ minLength: aead.keyLength, maxLength: aead.keyLength }),
        nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
        additionalData: bytes(1100),
        plaintext: bytes(2000),
        tail: bytes(130),
        before: fc.nat(30),
        after: fc.nat(30),
      })
      fc.assert(
        fc.property(input, ({ key, nonce, additionalData, plaintext, tail, before, after }) => {
          const whole = concat(plaintext, tail)
          const output = new Uint8Array(before + whole.length + 16 + after).fill(0xa5)
          aead.withKey(key).sealInto!(nonce, additionalData, plaintext, tail, output, before)
          for (const other of [node, noble]) {
            const sealed = other.cipherSuites[index]!.aead.withKey(key).seal(nonce, additionalData, whole)
            const expected = new Uint8Array(output.length).fill(0xa5)
            expected.set(sealed, before)
            expect(output).toEqual(expected)
            expect(aead.withKey(key).open(nonce, additionalData, sealed)).toEqual(whole)
          }
        }),
        { numRuns: 150 },
      )
    })

    it('refuses to seal where there is no room, and writes nothing then', () => {
      const keyed = aead.withKey(random(aead.keyLength))
      const output = new Uint8Array(40)
      const tail = random(3)
      for (const at of [-1, 2, 40, 1000, 0.5, Number.NaN]) {
        expect(() => keyed.sealInto!(nonce, header, random(20), tail, output, at)).toThrow(RangeError)
      }
      expect(output).toEqual(new Uint8Array(40))
      keyed.sealInto!(nonce, header, random(20), tail, output, 1)
      expect(keyed.open(nonce, header, output.subarray(1))?.subarray(20)).toEqual(tail)
    })

    it('takes no number for an address', () => {
      const keyed = aead.withKey(random(aead.keyLength))
      const number = { length: 4, valueOf: () => 4096 } as unknown as Uint8Array
      for (const wrong of [4096 as unknown as Uint8Array, number, '1234' as unknown as Uint8Array]) {
        expect(() => keyed.seal(nonce, header, wrong)).toThrow()
        expect(() => keyed.seal(nonce, wrong, header)).toThrow()
        expect(() => expect(keyed.open(nonce, header, wrong)).not.toBeUndefined()).toThrow()
      }
    })

    it('takes detached memory for no bytes', () => {
      const keyed = aead.withKey(random(aead.keyLength))
      const gone = new Uint8Array(2000)
      structuredClone(gone.buffer, { transfer: [gone.buffer] })
      expect(keyed.seal(nonce, gone, gone)).toEqual(keyed.seal(nonce, new Uint8Array(0), new Uint8Array(0)))
      expect(() => keyed.sealInto!(nonce, header, header, header, gone, 0)).toThrow(RangeError)
    })

    it('many keys share a bounded number of contexts, each with its own bytes', () => {
      const keys = Array.from({ length: 2 * CONTEXTS + 3 }, () => random(aead.keyLength))
      const keyed = keys.map(key => aead.withKey(key))
      const sealed = keyed.map(one => one.seal(nonce, header, header))
      const known = keys.map(key => node.cipherSuites[index]!.aead.withKey(key).seal(nonce, header, header))
      expect(sealed).toEqual(known)
      const full = contextCount()
      expect(full).toBeLessThanOrEqual(3 * CONTEXTS)
      for (let round = 0; round < 3; round++) {
        keyed.forEach((one, i) => {
          expect(one.open(nonce, header, sealed[i]!)).toEqual(header)
        })
        keyed.toReversed().forEach((one, i) => {
          expect(one.seal(nonce, header, header)).toEqual(known[known.length - 1 - i])
        })
      }
      expect(contextCount()).toBe(full)
      for (const one of keyed) one.wipe!()
    })

    it('does not open after a tag that did not fit, in between or in turn', () => {
      const [one, two] = [aead.withKey(random(aead.keyLength)), aead.withKey(random(aead.keyLength))]
      const sealed = one.seal(nonce, header, random(3000))
      for (let i = 0; i < 3; i++) {
        expect(two.open(nonce, header, sealed)).toBeUndefined()
        expect(one.open(nonce, header, sealed)).toHaveLength(3000)
        expect(one.seal(nonce, header, one.open(nonce, header, sealed)!)).toEqual(sealed)
      }
    })
  })

  it('leaves no error behind for node:crypto to stumble over', () => {
    const { aead } = provider.cipherSuites[0]!
    const keyed = aead.withKey(new Uint8Array(16))
    expect(keyed.open(new Uint8Array(12), new Uint8Array(5), new Uint8Array(40))).toBeUndefined()
    expect(createSecretKey(randomBytes(16)).export()).toHaveLength(16)
    expect(provider.groups[0]!.generate(node.random).keyExchange.length).toBeGreaterThan(0)
  })

  it('hashes what is large', () => {
    const { hash } = provider.cipherSuites[0]!
    const large = scripted(3)(100_000)
    expect(hash.digest(large)).toEqual(node.cipherSuites[0]!.hash.digest(large))
    expect(hash.hmac(large, large)).toEqual(node.cipherSuites[0]!.hash.hmac(large, large))
  })
}
