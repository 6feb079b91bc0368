import { describe, expect, it } from 'vitest'
import { ContentType } from '../../src/tls13/codepoints.ts'
import type { CipherSuite } from '../../src/tls13/crypto/provider.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { RecordOutput } from '../../src/tls13/record-output.ts'
import { concat, EMPTY, equal } from '../../src/wire/index.ts'
import { because } from '../support/alert.ts'
import { providers, scripted } from '../support/providers.ts'

const { application_data, handshake } = ContentType
const PLAINTEXT = 2 ** 14
const LENGTHS = [0, 1, 500, 511, 512, 513, PLAINTEXT - 1, PLAINTEXT, PLAINTEXT + 1, 3 * PLAINTEXT, 70_001]

const protectionFor = (suite: CipherSuite): Protection =>
  new Protection(suite, { trafficSecret: new Uint8Array(suite.hash.length).fill(9), sequenceNumber: 0 })

describe.each(providers)('$name', ({ cipherSuites }) => {
  it.each(cipherSuites)('$name: records that share memory are those that were made one by one', suite => {
    const random = scripted(suite.id)
    // zeros, more than fits, and a length that is no multiple of anything
    for (const padding of [undefined, () => 1e6, (length: number) => length % 700]) {
      const output = new RecordOutput(EMPTY, padding)
      output.protection = protectionFor(suite)
      const alone = protectionFor(suite)
      for (const length of LENGTHS) {
        const content = random(length)
        output.content(application_data, content)
        const expected: Uint8Array[] = []
        for (let at = 0; at < length; at += PLAINTEXT) {
          const part = content.subarray(at, at + PLAINTEXT)
          const zeros = Math.min(padding?.(part.length) ?? 0, PLAINTEXT - part.length)
          expected.push(alone.seal(application_data, part, zeros))
        }
        const taken = output.take()
        expect(taken.length).toBe(length > 0 ? 1 : 0)
        // To compare so many bytes one by one would take vitest seconds.
        expect(equal(concat(...taken), concat(...expected))).toBe(true)
        expect(output.protection.state.sequenceNumber).toBe(alone.state.sequenceNumber)
      }
    }
  })

  it('what was sealed before the key was worn is not lost', () => {
    const [suite] = cipherSuites
    const worn = { ...suite!, aead: { ...suite!.aead, confidentialityLimit: 2 } }
    const output = new RecordOutput(EMPTY)
    output.protection = protectionFor(worn)
    const content = new Uint8Array(3 * PLAINTEXT)
    expect(() => output.content(application_data, content)).toThrow(because('write_key_exhausted'))
    const alone = protectionFor(suite!)
    const parts = [0, 1].map(() => alone.seal(application_data, content.subarray(0, PLAINTEXT)))
    expect(concat(...output.take())).toEqual(concat(...parts))
    expect(output.protection.state.sequenceNumber).toBe(2)
  })

  it('a record that does not fit is refused before it spends a sequence number', () => {
    const protection = protectionFor(cipherSuites[0]!)
    const room = new Uint8Array(50)
    expect(() => protection.sealInto(handshake, new Uint8Array(28), 0, room, 1)).toThrow(RangeError)
    expect(protection.state.sequenceNumber).toBe(0)
    expect(protection.sealInto(handshake, new Uint8Array(27), 0, room, 1)).toBe(50)
  })
})
