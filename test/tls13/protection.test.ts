import { describe, expect, it } from 'vitest'
import { trafficKeys } from '../../src/tls13/key-schedule.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { plaintextRecord, RawRecord, readRecord } from '../../src/tls13/record.ts'
import { concat, EMPTY, fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { alertOf } from '../support/alert.ts'
import { providers } from '../support/providers.ts'

const suites = providers.flatMap(({ name, cipherSuites }) =>
  cipherSuites.map(suite => ({ title: `${name} ${suite.name}`, suite })),
)

const open = (protection: Protection, record: Uint8Array) => protection.open(readRecord(record, 0, true)!)

describe.each(suites)('$title', ({ suite }) => {
  const at = (sequenceNumber: number, secret = 1): Protection =>
    new Protection(suite, { trafficSecret: new Uint8Array(suite.hash.length).fill(secret), sequenceNumber })

  it('a record opens to what was sealed', () => {
    const record = at(0).seal(23, utf8('hello'))
    expect([...record.subarray(0, 5)]).toEqual([23, 3, 3, 0, 5 + 1 + 16])
    expect(open(at(0), record)).toEqual({ type: 23, content: utf8('hello'), length: 6 })
  })

  it('padding is taken off, content of zeros is not', () => {
    const record = at(0).seal(22, fromHex('010000'), 7)
    expect(record.length).toBe(5 + 3 + 1 + 7 + 16)
    expect(open(at(0), record)).toEqual({ type: 22, content: fromHex('010000'), length: 11 })
  })

  it('the nonce is the sequence number, padded on the left, XORed into the iv (§5.3)', () => {
    const secret = new Uint8Array(suite.hash.length).fill(1)
    const { key, iv } = trafficKeys(suite.hash, suite.aead, secret)
    for (const [number, digits] of [
      [0, '0000000000000000'],
      [1, '0000000000000001'],
      [0x1_0000_0000, '0000000100000000'],
      [Number.MAX_SAFE_INTEGER - 1, '001ffffffffffffe'],
    ] as const) {
      // GCM's own limit stands far below these numbers; the numbers themselves are what is tried here
      const unlimited = { ...suite, aead: { ...suite.aead, confidentialityLimit: Number.MAX_SAFE_INTEGER } }
      const record = new Protection(unlimited, { trafficSecret: secret, sequenceNumber: number }).seal(
        23,
        utf8('x'),
      )
      const mask = concat(new Uint8Array(4), fromHex(digits))
      const nonce = iv.map((byte, i) => byte ^ mask[i]!)
      const sealed = suite.aead
        .withKey(key)
        .seal(nonce, record.subarray(0, 5), concat(utf8('x'), fromHex('17')))
      expect([number, hex(record.subarray(5))]).toEqual([number, hex(sealed)])
    }
  })

  it('both sides count: no two records are sealed under one nonce', () => {
    const [writer, reader] = [at(0), at(0)]
    const seen = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const record = writer.seal(23, utf8('same'))
      seen.add(hex(record))
      expect(open(reader, record).content).toEqual(utf8('same'))
      expect([writer.state.sequenceNumber, reader.state.sequenceNumber]).toEqual([i + 1, i + 1])
    }
    expect(seen.size).toBe(20)
  })

  it('it can be thrown away and built again from its state at any time', () => {
    const first = at(0)
    first.seal(23, EMPTY)
    const again = new Protection(suite, { ...first.state })
    expect(hex(again.seal(23, utf8('x')))).toBe(hex(first.seal(23, utf8('x'))))
  })

  it('a wrong number, secret, header, byte or length does not open', () => {
    const record = at(5).seal(23, utf8('hello'))
    const wrong: readonly [string, () => unknown][] = [
      ['number', () => open(at(4), record)],
      ['secret', () => open(at(5, 2), record)],
      ['header', () => open(at(5), concat(fromHex('1703040016'), record.subarray(5)))],
      ['first byte', () => open(at(5), record.with(5, record[5]! ^ 1))],
      ['last byte', () => open(at(5), record.with(-1, record.at(-1)! ^ 1))],
      ['length', () => at(5).open(new RawRecord(record, 0, record.length - 1))],
      ['nothing', () => at(5).open(new RawRecord(record, 0, 5))],
    ]
    for (const [what, work] of wrong) expect([what, alertOf(work)]).toEqual([what, 'bad_record_mac'])
  })

  it('limits of the inner plaintext (§5.4)', () => {
    const full = new Uint8Array(2 ** 14).fill(1)
    expect(open(at(0), at(0).seal(23, full)).content.length).toBe(2 ** 14)
    expect(alertOf(() => open(at(0), at(0).seal(23, concat(full, fromHex('01')))))).toBe('record_overflow')
    expect(alertOf(() => open(at(0), at(0).seal(23, full, 1)))).toBe('record_overflow')
    expect(open(at(0), at(0).seal(23, EMPTY, 2 ** 14)).content).toEqual(EMPTY)
    expect(alertOf(() => open(at(0), at(0).seal(0, EMPTY, 3)))).toBe('unexpected_message')
  })
})

it('a key that has sealed all it may seals no more (§5.5)', () => {
  const { suite } = suites[0]!
  const tired = { ...suite, aead: { ...suite.aead, confidentialityLimit: 3 } }
  const protection = new Protection(tired, { trafficSecret: new Uint8Array(32), sequenceNumber: 0 })
  for (const left of [3, 2, 1]) {
    expect(protection.recordsLeft).toBe(left)
    protection.seal(23, EMPTY)
  }
  expect(alertOf(() => protection.seal(23, EMPTY))).toBe('internal_error')
  expect(protection.state.sequenceNumber).toBe(3)
})

it('a view of a protection is a copy', () => {
  const { suite } = suites[0]!
  const protection = new Protection(suite, { trafficSecret: new Uint8Array(32).fill(1), sequenceNumber: 4 })
  const view = protection.view()
  expect(view.sequenceNumber).toBe(4)
  view.trafficSecret.fill(9)
  expect(protection.view().trafficSecret[0]).toBe(1)
})

describe('records', () => {
  it('a record that is not whole is none', () => {
    const record = plaintextRecord(22, fromHex('010203'))
    expect(hex(record)).toBe('1603030003010203')
    for (let length = 0; length < record.length; length++) {
      expect(readRecord(record.subarray(0, length), 0, false)).toBeUndefined()
    }
    const two = concat(record, record.subarray(0, 4))
    const { type, header, fragment, length } = readRecord(two, 0, false)!
    expect([type, hex(header), hex(fragment), length]).toEqual([22, '1603030003', '010203', 8])
    expect(readRecord(two, 8, false)).toBeUndefined()
  })

  it('legacy_record_version is ignored (§5.1), and a first hello may say 0x0301', () => {
    for (const version of ['0301', '0303', '0000', 'ffff']) {
      expect(readRecord(fromHex(`16${version}0001aa`), 0, false)?.fragment).toEqual(fromHex('aa'))
    }
    expect(hex(plaintextRecord(22, fromHex('aa'), 0x0301))).toBe('1603010001aa')
  })

  it('limits of the fragment (§5.1, §5.2)', () => {
    const header = (type: number, length: number) => Uint8Array.of(type, 3, 3, length >> 8, length & 0xff)
    const rows: readonly [number, number, boolean, string | undefined][] = [
      [22, 2 ** 14, false, undefined],
      [22, 2 ** 14 + 1, false, 'record_overflow'],
      [23, 2 ** 14 + 256, true, undefined],
      [23, 2 ** 14 + 257, true, 'record_overflow'],
      [23, 2 ** 14 + 1, false, 'record_overflow'],
      // what is not protected has the smaller limit, keys or not
      [20, 2 ** 14 + 1, true, 'record_overflow'],
    ]
    for (const [type, length, keyed, alert] of rows) {
      const bytes = header(type, length)
      expect([type, length, alertOf(() => readRecord(bytes, 0, keyed))]).toEqual([type, length, alert])
    }
  })

  it('the first byte is enough to know what is not TLS', () => {
    for (let type = 0; type < 256; type++) {
      const alert = alertOf(() => readRecord(Uint8Array.of(type), 0, false))
      expect([type, alert]).toEqual([type, type >= 20 && type <= 23 ? undefined : 'unexpected_message'])
    }
  })
})
