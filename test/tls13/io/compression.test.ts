import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { CertificateCompression } from '../../../src/tls13/config.ts'
import { brotli, zlib } from '../../../src/tls13/io/compression.ts'
import { concat } from '../../../src/wire/index.ts'
import { seeded } from '../../support/random.ts'

const ALGORITHMS: readonly [string, CertificateCompression][] = [
  ['zlib', zlib],
  ['brotli', brotli],
]

describe.each(ALGORITHMS)('%s', (_, algorithm) => {
  const message = concat(new Uint8Array(3000).fill(7), seeded(1)(500))
  const compressed = algorithm.compress(message)

  it('gives back what it was given, and less than that on the way', () => {
    expect(compressed.length).toBeLessThan(message.length / 2)
    expect(algorithm.decompress(compressed, message.length)).toEqual(message)
  })

  it('remembers no other message than the one it is given', () => {
    const other = message.with(0, 8)
    expect(algorithm.decompress(algorithm.compress(other), other.length)).toEqual(other)
    expect(algorithm.compress(message)).toEqual(compressed)
  })

  it('does not expand beyond the length that it is told, nor stay below it', () => {
    for (const length of [0, 1, message.length - 1, message.length + 1]) {
      expect([length, algorithm.decompress(compressed, length)]).toEqual([length, undefined])
    }
  })

  it('takes nothing that is cut, goes on, or is changed', () => {
    for (let length = 0; length < compressed.length; length += 7) {
      expect(algorithm.decompress(compressed.subarray(0, length), message.length)).toBeUndefined()
    }
    expect(algorithm.decompress(concat(compressed, Uint8Array.of(0)), message.length)).toBeUndefined()
    const changed = compressed.with(2, compressed[2]! ^ 0xff)
    expect(algorithm.decompress(changed, message.length)).not.toEqual(message)
  })
})

it('a bomb is not expanded', () => {
  const bomb = new Uint8Array(deflateSync(new Uint8Array(64 * 1024 * 1024)))
  const before = process.memoryUsage().arrayBuffers
  expect(zlib.decompress(bomb, 4000)).toBeUndefined()
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
})
