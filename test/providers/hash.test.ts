import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { hex, utf8 } from '../../src/wire/index.ts'
import { providers } from '../support/providers.ts'

const ABC = {
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  sha384: 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
}

describe.each(providers)('$name', provider => {
  it.each(provider.cipherSuites)('$name has its hash', ({ hash }) => {
    expect(hex(hash.digest(utf8('abc')))).toBe(ABC[hash.name])
    expect(hash.digest(new Uint8Array(0)).length).toBe(hash.length)
    expect(hash.hmac(new Uint8Array(0), new Uint8Array(0)).length).toBe(hash.length)
    for (const result of [
      hash.digest(utf8('abc')),
      hash.hmac(utf8('key'), utf8('abc')),
      provider.random(9),
    ]) {
      expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
      expect(result.buffer.byteLength).toBe(result.length)
    }
  })

  it('draws random bytes of the length asked for, and new ones each time', () => {
    for (const length of [0, 1, 32, 1000]) expect(provider.random(length).length).toBe(length)
    expect(provider.random(32)).not.toEqual(provider.random(32))
  })
})

describe.each(providers)('$name and noble', provider => {
  it.each([0, 1, 2])('suite %i: equal digests and equal HMACs', index => {
    const [a, b] = [provider.cipherSuites[index]!.hash, noble.cipherSuites[index]!.hash]
    const bytes = fc.uint8Array({ maxLength: 600, size: 'max' })
    fc.assert(
      fc.property(bytes, bytes, (key, data) => {
        expect(b.digest(data)).toEqual(a.digest(data))
        expect(b.hmac(key, data)).toEqual(a.hmac(key, data))
      }),
    )
  })
})
