import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readArchive } from '../../src/sealed/archive.ts'
import { fits, openBundle, readBundle, sealBundle } from '../../src/sealed/bundle.ts'
import { CHUNK } from '../../src/sealed/chunks.ts'
import { SealedError } from '../../src/sealed/error.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { concat, fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { seeded } from '../support/random.ts'

const dataKey = seeded(1)(32)
const parts = { name: 'hello', version: '1.2', dataKey, wrappedKey: utf8('for nobody') }
const sealed = (content: Uint8Array): Uint8Array => sealBundle({ ...parts, content }, node)
const reasonOf = (bytes: Uint8Array, key = dataKey): string => {
  try {
    openBundle(bytes, key, node)
  } catch (error) {
    if (error instanceof SealedError) return error.reason
    throw error
  }
  return 'opened'
}

describe('a bundle', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])('of %i bytes opens to what was sealed', length => {
    const content = seeded(length)(length)
    const { header, content: opened } = openBundle(sealed(content), dataKey, node)
    expect(Buffer.compare(opened, content)).toBe(0)
    expect(header).toMatchObject({ name: 'hello', version: '1.2', length })
  })

  it('says its name, version and length to everybody, and nothing of its content', () => {
    const bytes = sealed(utf8('a word that nobody shall read'))
    expect(readBundle(bytes).header).toMatchObject({ name: 'hello', version: '1.2', length: 29 })
    expect(Buffer.from(bytes).includes('nobody shall')).toBe(false)
  })

  it('is another one each time, also its digest', () => {
    const [one, other] = [sealed(utf8('same')), sealed(utf8('same'))].map(bytes => readBundle(bytes))
    expect(hex(one!.header.digest)).not.toBe(hex(other!.header.digest))
    expect(hex(one!.chunks)).not.toBe(hex(other!.chunks))
  })

  it('cut at any byte opens to nothing', () => {
    const bytes = sealed(utf8('short'))
    const outcomes = new Set(Array.from(bytes, (_, end) => reasonOf(bytes.subarray(0, end))))
    expect([...outcomes].sort()).toEqual(['damaged', 'malformed'])
  })

  it('with any bit changed opens to nothing', () => {
    const bytes = sealed(utf8('short'))
    const outcomes = new Set<string>()
    for (let at = 0; at < bytes.length; at++)
      for (const bit of at % 7 === 0 ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8]) {
        const changed = bytes.slice()
        changed[at]! ^= 1 << bit
        outcomes.add(reasonOf(changed))
      }
    expect([...outcomes].sort()).toEqual(['damaged', 'malformed', 'wrong_key'])
  })

  it('whose chunks are in another order, doubled, missing or of another bundle opens to nothing', () => {
    const bytes = sealed(seeded(5)(3 * CHUNK))
    const other = sealed(seeded(6)(3 * CHUNK))
    const start = bytes.length - readBundle(bytes).chunks.length
    const chunk = (of: Uint8Array, index: number): Uint8Array => {
      const at = start + index * (CHUNK + 16)
      return of.subarray(at, at + CHUNK + 16)
    }
    const made = (...chunks: Uint8Array[]): Uint8Array => concat(bytes.subarray(0, start), ...chunks)
    const [a, b, c] = [chunk(bytes, 0), chunk(bytes, 1), chunk(bytes, 2)]
    expect(reasonOf(made(a, b, c))).toBe('opened')
    for (const wrong of [
      [b, a, c],
      [a, c, b],
      [a, a, c],
      [a, c],
      [a, b],
      [a, b, c, c],
      [a, b, chunk(other, 2)],
    ])
      expect(reasonOf(made(...wrong))).toBe('damaged')
  })

  it('with the front of another version, and the chunks of this one, opens to nothing', () => {
    const [older, newer] = [sealed(utf8('version 1')), sealed(utf8('version 2'))]
    const front = older.length - readBundle(older).chunks.length
    expect(reasonOf(concat(older.subarray(0, front), newer.subarray(front)))).toBe('damaged')
  })

  it('fits one key: others are told apart before anything is opened', () => {
    const bytes = sealed(utf8('short'))
    expect(fits(readBundle(bytes), dataKey, node)).toBe(true)
    for (const key of [seeded(2)(32), dataKey.subarray(0, 31), new Uint8Array(0)])
      expect([fits(readBundle(bytes), key, node), reasonOf(bytes, key)]).toEqual([false, 'wrong_key'])
  })

  it('is compared with a key in the same steps, however wrong that is', () => {
    const bundle = readBundle(sealed(utf8('short')))
    let steps = 0
    const counting = <T extends object>(of: T): T =>
      new Proxy(of, {
        get(target, name) {
          steps++
          const value = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    const suites = node.cipherSuites.map(suite => ({ ...suite, hash: counting(suite.hash) }))
    const watched = {
      ...bundle,
      header: { ...bundle.header, commitment: counting(bundle.header.commitment) },
    }
    const stepsFor = (key: Uint8Array): number => {
      steps = 0
      fits(watched, key, { ...node, cipherSuites: suites })
      return steps
    }
    const changed = (at: number): Uint8Array => dataKey.map((byte, index) => (index === at ? byte ^ 1 : byte))
    const right = stepsFor(dataKey)
    // Each byte of the commitment, and what is asked of the hash.
    expect(right).toBeGreaterThan(32)
    for (const wrong of [changed(0), changed(31), seeded(2)(32), new Uint8Array(32)])
      expect(stepsFor(wrong)).toBe(right)
  })

  it('of a format that is not known says so', () => {
    const bytes = sealed(utf8('short'))
    bytes[9] = 2
    expect(() => openBundle(bytes, dataKey, node)).toThrow('version 2 of the format')
    expect(() => openBundle(utf8('GET / HTTP/1.1'), dataKey, node)).toThrow('this is no bundle')
  })
})

describe('the golden bundles', () => {
  const golden = JSON.parse(
    readFileSync(new URL('../../vectors/sealed/bundle-v1.json', import.meta.url), 'utf8'),
  ) as { dataKey: string; content: string; bundles: { cipherSuite: number; bytes: string }[] }

  it.each(golden.bundles)(
    'of suite $cipherSuite are what is sealed, by every provider',
    ({ cipherSuite, bytes }) => {
      const content = fromHex(golden.content)
      const made = { name: 'hello', version: '1.0', content, dataKey: fromHex(golden.dataKey) }
      for (const { cipherSuites } of [node, noble]) {
        const crypto = { cipherSuites, random: (length: number) => new Uint8Array(length).fill(0x5a) }
        expect(hex(sealBundle({ ...made, wrappedKey: utf8('none'), cipherSuite }, crypto))).toBe(bytes)
        const opened = openBundle(fromHex(bytes), made.dataKey, crypto)
        expect(readArchive(opened.content).entry).toBe('hello.mjs')
      }
    },
  )
})
