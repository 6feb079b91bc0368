import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  FFDHE2048,
  FFDHE3072,
  FFDHE4096,
  FFDHE6144,
  FFDHE8192,
  integerOf,
} from '../../src/tls13/crypto/finite-field.ts'
import { select } from '../../src/tls13/crypto/selection.ts'
import { hex } from '../../src/wire/index.ts'
import { OPENSSL, OPENSSL_NOTE } from '../support/interop/openssl.ts'
import { providers } from '../support/providers.ts'

/* Are the groups of RFC 7919 what the RFC and OpenSSL say, with every provider? */

const FIELDS = [FFDHE2048, FFDHE3072, FFDHE4096, FFDHE6144, FFDHE8192]
const NAMES = FIELDS.map(({ name }) => name)

describe.each(FIELDS)('$name', field => {
  const size = field.keyExchangeLength
  const prime = field.prime()

  it.skipIf(OPENSSL === undefined)(`has the prime that ${OPENSSL_NOTE} has`, () => {
    const made = spawnSync('openssl', [
      'genpkey',
      '-genparam',
      '-algorithm',
      'DH',
      '-pkeyopt',
      `group:${field.name}`,
    ])
    const shown = spawnSync('openssl', ['asn1parse'], { input: made.stdout, encoding: 'utf8' }).stdout
    expect(/INTEGER +:([0-9A-F]{500,})/.exec(shown)?.[1]?.toLowerCase()).toBe(prime.toString(16))
  })

  it('has private keys of at least the bits of RFC 7919 §5.2', () => {
    const least = { ffdhe2048: 225, ffdhe3072: 275, ffdhe4096: 325, ffdhe6144: 375, ffdhe8192: 400 }
    expect(8 * field.privateKeyLength).toBeGreaterThanOrEqual(least[field.name as keyof typeof least])
    expect(8 * (field.privateKeyLength - 1)).toBeLessThan(least[field.name as keyof typeof least])
  })

  describe.each(providers)('with $name', provider => {
    const group = select(provider, { groups: [field.name] }).groups[0]!
    /** A private key, which is a small number. */
    const key = (exponent: number) => new Uint8Array(field.privateKeyLength).with(-1, exponent)

    it('shares and secrets are as long as the prime, with zeros in front', () => {
      const { keyExchange } = group.generate(() => key(3))
      expect(hex(keyExchange)).toBe('8'.padStart(2 * size, '0'))
      const answer = group.respond(() => key(5), keyExchange)!
      expect(hex(answer.keyExchange)).toBe('20'.padStart(2 * size, '0'))
      expect(hex(answer.sharedSecret)).toBe('8000'.padStart(2 * size, '0'))
      expect(group.complete(key(3), answer.keyExchange)).toEqual(answer.sharedSecret)
    })

    it('a share that is 0, 1, p - 1 or more is refused (RFC 8446 §4.2.8.1)', () => {
      const beyond = (1n << BigInt(8 * size)) - 1n
      for (const y of [0n, 1n, prime - 1n, prime, prime + 1n, prime + 2n, beyond]) {
        expect([y, group.respond(() => key(3), bytesOf(y, size))]).toEqual([y, undefined])
        expect([y, group.complete(key(3), bytesOf(y, size))]).toEqual([y, undefined])
      }
    })

    it('the largest share that is in range has a secret: its square is 4', () => {
      const largest = bytesOf(prime - 2n, size)
      expect(integerOf(group.complete(key(2), largest)!)).toBe(4n)
    })

    it('a private key of zeros is drawn again', () => {
      const script = [key(0), key(7)]
      expect(group.generate(() => script.shift()!).privateKey).toEqual(key(7))
      expect(() => group.complete(key(0), bytesOf(4n, size))).toThrow(RangeError)
      expect(() => group.generate(() => key(0))).toThrow(/random source/)
    })
  })
})

describe.each(providers)('$name', provider => {
  const named = (groups: readonly { readonly name: string }[]) =>
    groups.map(({ name }) => name).filter(name => name.startsWith('ffdhe'))

  it('has the two groups that are no burden behind all others, and the costly ones beside them', () => {
    expect(named(provider.groups)).toEqual(NAMES.slice(0, 2))
    expect(provider.groups.slice(-2).map(({ name }) => name)).toEqual(NAMES.slice(0, 2))
    expect(named(provider.costlyGroups!)).toEqual(NAMES.slice(2))
  })

  it('takes the costly ones where they are named, and not otherwise', () => {
    expect(named(select(provider).groups)).toEqual(NAMES.slice(0, 2))
    expect(named(select(provider, { groups: NAMES }).groups)).toEqual(NAMES)
    expect(named(select(provider, { costly: true }).groups)).toEqual(NAMES)
    expect(() => select(provider, { groups: ['ffdhe1024'] })).toThrow(/ffdhe3072, ffdhe4096.*ffdhe8192$/)
  })
})
