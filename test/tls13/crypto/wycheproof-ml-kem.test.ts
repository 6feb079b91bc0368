import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../../src/tls13/codepoints.ts'
import { hybridGroups, mlKem768 } from '../../../src/tls13/crypto/hybrid.ts'
import { noble } from '../../../src/tls13/crypto/noble.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { KeyExchangeGroup, Random } from '../../../src/tls13/crypto/provider.ts'
import { concat, fromHex, hex } from '../../../src/wire/index.ts'

/** Fields are hex; `comment` and `flags` say what a case tries. */
interface Case {
  readonly tcId: number
  readonly comment?: string
  readonly result: 'valid' | 'invalid'
  readonly seed: string
  readonly m: string
  readonly ek: string
  readonly c: string
  readonly K: string
}

interface VectorFile {
  readonly numberOfTests: number
  readonly testGroups: readonly { readonly tests: readonly Case[] }[]
}

/**
 * ML-KEM as a group shows it, bytes in hex; undefined if refused. The expanded private key (`dk`) never
 * shows.
 */
interface Kem {
  encapsulationKey(seed: string): string
  encapsulate(message: string, encapsulationKey: string): { c: string; K: string } | undefined
  decapsulate(seed: string, ciphertext: string): string | undefined
}

/** The classic group in a hybrid. */
const CLASSIC: Readonly<Record<number, number>> = { 4588: NamedGroup.x25519, 4587: NamedGroup.secp256r1 }

/** `HOTPOTATO_LONG=1` goes through the hybrids over noble as well: their halves are tried alone before. */
const PROVIDERS = process.env.HOTPOTATO_LONG === '1' ? [node, noble] : [node]

/** ML-KEM alone, and ML-KEM as one half of each hybrid: the same cases through all of them. */
const subjects: readonly { readonly title: string; readonly kem: Kem }[] = [
  { title: mlKem768.name, kem: half(mlKem768) },
  ...PROVIDERS.flatMap(provider =>
    hybridGroups(provider.groups).map(group => {
      const classic = provider.groups.find(({ id }) => id === CLASSIC[group.id])!
      return { title: `${group.name} over ${provider.name}`, kem: half(group, classic) }
    }),
  ),
]

describe.each(subjects)('Wycheproof over $title', ({ kem }) => {
  it('mlkem_768_keygen_seed', () => {
    const tried = each('mlkem_768_keygen_seed', ({ seed, ek }) => {
      expect(kem.encapsulationKey(seed)).toBe(ek)
    })
    expect(tried).toEqual({ valid: 100, invalid: 0 })
  })

  it('mlkem_768_encaps', () => {
    const tried = each('mlkem_768_encaps', ({ m, ek, c, K, result }) => {
      expect(kem.encapsulate(m, ek)).toEqual(result === 'valid' ? { c, K } : undefined)
    })
    expect(tried).toEqual({ valid: 133, invalid: 132 })
  })

  it('mlkem_768', () => {
    const tried = each('mlkem_768', ({ seed, ek, c, K, result }) => {
      if (ek !== undefined) expect(kem.encapsulationKey(seed)).toBe(ek)
      expect(kem.decapsulate(seed, c)).toBe(result === 'valid' ? K : undefined)
    })
    expect(tried).toEqual({ valid: 153, invalid: 40 })
  })
})

/** Runs all cases of a file; says which one it was if one fails. @returns how many of each kind were run */
function each(name: string, run: (one: Case) => void): { valid: number; invalid: number } {
  const url = new URL(`../../../vectors/wycheproof/${name}_test.json`, import.meta.url)
  const file: VectorFile = JSON.parse(readFileSync(url, 'utf8'))
  const tried = { valid: 0, invalid: 0 }
  for (const one of file.testGroups.flatMap(group => group.tests)) {
    try {
      run(one)
    } catch (error) {
      throw new Error(`case ${one.tcId}, ${one.comment ?? 'no comment'}: ${error}`)
    }
    tried[one.result]++
  }
  expect(tried.valid + tried.invalid).toBe(file.numberOfTests)
  return tried
}

/**
 * ML-KEM in a group. In a hybrid the classic half is always the same, and is taken off everything that comes
 * out.
 */
function half(group: KeyExchangeGroup, classic?: KeyExchangeGroup): Kem {
  const mlKemFirst = group.name !== 'SecP256r1MLKEM768'
  const join = (mlKem: Uint8Array, other: Uint8Array): Uint8Array =>
    mlKemFirst ? concat(mlKem, other) : concat(other, mlKem)
  const take = (bytes: Uint8Array, other: Uint8Array): string =>
    hex(mlKemFirst ? bytes.subarray(0, bytes.length - other.length) : bytes.subarray(other.length))
  const scalar = classic === undefined ? new Uint8Array(0) : new Uint8Array(32).fill(7)
  const own = classic?.generate(() => scalar)
  const share = own?.keyExchange ?? scalar
  const secret = classic?.complete(scalar, share) ?? scalar
  /** The two draws of a call, in the order of the halves. */
  const random = (mlKem: string): Random => {
    const draws = classic === undefined ? [fromHex(mlKem)] : [fromHex(mlKem), scalar]
    if (!mlKemFirst) draws.reverse()
    return () => draws.shift()!
  }
  /** A private key of another length is a RangeError. */
  const refused = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }
  return {
    encapsulationKey: seed => take(group.generate(random(seed)).keyExchange, share),
    encapsulate(message, key) {
      const answer = group.respond(random(message), join(fromHex(key), share))
      return answer && { c: take(answer.keyExchange, share), K: take(answer.sharedSecret, secret) }
    },
    decapsulate: (seed, ciphertext) =>
      refused(() => {
        const shared = group.complete(join(fromHex(seed), scalar), join(fromHex(ciphertext), share))
        return shared && take(shared, secret)
      }),
  }
}
