import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../src/transfer/envelope.ts'
import { examineEnvelope } from '../../src/transfer/examination.ts'
import { writeExtensions } from '../../src/transfer/extensions.ts'
import { fromHex } from '../../src/wire/index.ts'

const { vectors } = JSON.parse(
  readFileSync(new URL('../../vectors/transfer/envelope-v3.json', import.meta.url), 'utf8'),
) as { vectors: { name: string; bytes: string }[] }
const idle = fromHex(vectors.find(({ name }) => name === 'an idle HTTPS connection')!.bytes)

const said = writeExtensions({ leg: { received: 1 } })

const faults = (bytes: Uint8Array) =>
  examineEnvelope(bytes, noble).map(({ where, what }) => `${where}: ${what}`)

/** The faults of the idle connection after a change. */
function changed(change: (envelope: Envelope, tls: NonNullable<Envelope['tls']>) => unknown): string[] {
  const envelope = decodeEnvelope(idle)
  change(envelope, envelope.tls!)
  return faults(encodeEnvelope(envelope))
}

describe('examining an envelope', () => {
  it('finds nothing wrong with an idle connection', () => {
    expect(faults(idle)).toEqual([])
  })

  it('says where bytes stop making sense', () => {
    expect(faults(idle.slice(0, 100))).toEqual([expect.stringMatching(/^envelope: malformed: at byte \d+: /)])
    expect(faults(Uint8Array.of(0, 1))).toEqual([
      expect.stringMatching(/^envelope: version: format version 1/),
    ])
    expect(faults(new Uint8Array(0))).toEqual([expect.stringMatching(/^envelope: malformed/)])
  })

  it.each<[string, Parameters<typeof changed>[0], RegExp]>([
    [
      'an unknown suite',
      (_, tls) => Object.assign(tls, { cipherSuite: 0x1399 }),
      /cipher_suite: .* is not supported by the provider/,
    ],
    [
      'a suite of another hash',
      (_, tls) => Object.assign(tls, { cipherSuite: CipherSuiteId.TLS_AES_256_GCM_SHA384 }),
      /32 bytes where .* has 48/,
    ],
    ['no suite', (_, tls) => Object.assign(tls, { cipherSuite: 0 }), /CONNECTED without one/],
    ['nothing to open with', (_, tls) => Object.assign(tls, { read: undefined }), /without a read key/],
    ['nothing to seal with', (_, tls) => Object.assign(tls, { write: undefined }), /without a write key/],
    ['a worn-out key', (_, tls) => Object.assign(tls.write!, { sequenceNumber: 2 ** 40 }), /§5\.5/],
    [
      'one secret twice',
      (_, tls) => Object.assign(tls.write!, { trafficSecret: tls.read!.trafficSecret }),
      /both directions have the same key/,
    ],
    [
      'an extension that is none',
      envelope => Object.assign(envelope, { extensions: [{ type: 1, data: Uint8Array.of(1) }] }),
      /^extensions\.leg: at byte/,
    ],
    [
      'an extension twice',
      envelope => Object.assign(envelope, { extensions: [...said, ...said] }),
      /^extensions\.leg: it is present twice/,
    ],
    [
      'half a record to write',
      (_, tls) => Object.assign(tls, { outbound: Uint8Array.of(23, 3, 3, 0, 9, 1) }),
      /outbound: the last record is incomplete/,
    ],
    [
      'no record to write',
      (_, tls) => Object.assign(tls, { outbound: Uint8Array.of(1, 2, 3, 4, 5, 6) }),
      /outbound: the byte at 0 is 1, which is not a record type/,
    ],
    [
      'input that is no TLS',
      (_, tls) => Object.assign(tls, { inboundRecords: Uint8Array.of(0x47) }),
      /inbound_records: they begin with 71/,
    ],
    [
      'more moves than owners',
      envelope => Object.assign(envelope, { hops: 8 }),
      /hops: 8 moves, but only generation 7/,
    ],
  ])('finds %s', (_, change, fault) => {
    expect(changed(change).join('\n')).toMatch(fault)
  })
})
