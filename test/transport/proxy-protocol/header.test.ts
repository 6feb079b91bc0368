import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ProxyHeader,
  ProxyProtocolError,
  readProxyHeader,
  readTlvs,
  TlvType,
  tlv,
  trusting,
  writeV1,
  writeV2,
} from '../../../src/transport/proxy-protocol/index.ts'
import { formatIp, parseIp } from '../../../src/transport/proxy-protocol/ip.ts'
import { concat, fromHex, utf8 } from '../../../src/wire/index.ts'

const RUNS = process.env.HOTPOTATO_LONG === undefined ? 300 : 100_000

const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(formatIp)
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatIp)
const port = fc.nat(65_535)
const tlvs = fc.array(
  fc.record({
    type: fc.integer({ min: 0x05, max: 0xff }),
    value: fc.uint8Array({ maxLength: 100 }),
  }),
  { maxLength: 5 },
)

function headers(version: 1 | 2): fc.Arbitrary<ProxyHeader> {
  const of = (family: 'tcp4' | 'tcp6', address: fc.Arbitrary<string>) =>
    fc.record({
      version: fc.constant(version),
      command: fc.constant('proxy' as const),
      family: fc.constant(family),
      source: fc.record({ address, port }),
      destination: fc.record({ address, port }),
      tlvs: version === 1 ? fc.constant([]) : tlvs,
    })
  return fc.oneof(of('tcp4', ipv4), of('tcp6', ipv6))
}

const v1 = (line: string) => readProxyHeader(utf8(line))
const SIGNATURE = '0d0a0d0a000d0a515549540a'
const v2 = (rest: string) => readProxyHeader(fromHex(SIGNATURE + rest))

describe('a PROXY protocol header', () => {
  it('of version 1 is a line', () => {
    expect(v1('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET')).toEqual({
      length: 45,
      header: {
        version: 1,
        command: 'proxy',
        family: 'tcp4',
        source: { address: '192.0.2.1', port: 56324 },
        destination: { address: '198.51.100.2', port: 443 },
        tlvs: [],
      },
    })
    expect(v1('PROXY UNKNOWN whatever\r\n')?.header).toMatchObject({ family: 'unknown', source: undefined })
    const six = Array(8).fill('ffff').join(':')
    const longest = `PROXY TCP6 ${six} ${six} 65535 65535\r\n`
    expect([longest.length <= 107, v1(longest)?.length]).toEqual([true, longest.length])
  })

  it.each([
    ['another beginning', 'GET / HTTP/1.1\r\n'],
    ['another protocol', 'PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n'],
    ['LF alone', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n'],
    ['a line without an end', `PROXY UNKNOWN ${'x'.repeat(100)}`],
    ['zeros in front', 'PROXY TCP4 1.2.3.04 1.2.3.4 1 1\r\n'],
    ['a port that is none', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n'],
    ['a port with a sign', 'PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n'],
    ['two blanks', 'PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n'],
    ['the other family', 'PROXY TCP4 ::1 ::1 1 1\r\n'],
    ['a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n'],
    ['more', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n'],
  ])('of version 1 is refused for %s', (_, line) => {
    expect(() => v1(line)).toThrow(ProxyProtocolError)
  })

  it('of version 2 has addresses and TLVs', () => {
    const found = v2('2111000fc0000201c6336402dc0401bb010000')
    expect(found?.length).toBe(31)
    expect(found?.header).toMatchObject({
      version: 2,
      family: 'tcp4',
      source: { address: '192.0.2.1', port: 56324 },
      destination: { address: '198.51.100.2', port: 443 },
      tlvs: [{ type: TlvType.alpn }],
    })
    expect(v2('20000000')?.header).toMatchObject({ command: 'local', source: undefined })
    const unix = { version: 2, command: 'proxy', family: 'unix-stream', tlvs: [] } as const
    const header = { ...unix, source: { path: '/run/a' }, destination: { path: '/run/b' } }
    expect(readProxyHeader(writeV2(header))?.header).toEqual(header)
  })

  it.each([
    ['version 1 in binary', '11110000'],
    ['another command', '22110000'],
    ['another family', '21410000'],
    ['addresses that are not whole', '2111000bc0000201c6336402dc0401'],
    ['a TLV that is not whole', '2111000fc0000201c6336402dc0401bb010001'],
    ['half a TLV', '2111000ec0000201c6336402dc0401bb0100'],
    ['a checksum that does not fit', '21110013c0000201c6336402dc0401bb03000400000000'],
    ['more than is taken', '2111ffff'],
  ])('of version 2 is refused for %s', (_, rest) => {
    expect(() => v2(rest)).toThrow(ProxyProtocolError)
  })

  it('comes back as it was written, in pieces as well, and never takes what follows', () => {
    fc.assert(
      fc.property(fc.oneof(headers(1), headers(2)), fc.boolean(), (header, checksum) => {
        const bytes = header.version === 1 ? utf8(writeV1(header)) : writeV2(header, checksum)
        const found = readProxyHeader(concat(bytes, utf8('GET / HTTP/1.1\r\n\r\n')))
        expect(found?.length).toBe(bytes.length)
        const others = found!.header.tlvs.filter(({ type }) => type !== TlvType.crc32c)
        expect({ ...found!.header, tlvs: others }).toEqual(header)
        if (header.version === 2) expect(tlv(found!.header, TlvType.crc32c) !== undefined).toBe(checksum)
        for (let end = 0; end < bytes.length; end++)
          expect(readProxyHeader(bytes.subarray(0, end))).toBeUndefined()
      }),
      { numRuns: RUNS / 10 },
    )
  })

  it('of any rubbish, or with a bit wrong, is a header, not whole, or refused', () => {
    const broken = fc.tuple(headers(2), fc.nat(), fc.nat(7)).map(([header, at, bit]) => {
      const bytes = writeV2(header, true)
      bytes[at % bytes.length]! ^= 1 << bit
      return bytes
    })
    const rubbish = fc.uint8Array({ maxLength: 300 })
    const behind = (prefix: Uint8Array) => rubbish.map(bytes => concat(prefix, bytes))
    const all = fc.oneof(broken, rubbish, behind(utf8('PROXY ')), behind(fromHex(`${SIGNATURE}2111`)))
    fc.assert(
      fc.property(all, bytes => {
        try {
          const found = readProxyHeader(bytes)
          if (found !== undefined) expect(found.length).toBeLessThanOrEqual(bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyProtocolError)
        }
        try {
          readTlvs(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyProtocolError)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('that cannot be written is a mistake', () => {
    const header = { version: 1, command: 'proxy', family: 'tcp4', tlvs: [], destination: undefined } as const
    expect(() => writeV1({ ...header, source: { address: '::1', port: 1 } })).toThrow(TypeError)
    expect(() => writeV2({ ...header, version: 2, source: { address: '1.2.3', port: 1 } })).toThrow(TypeError)
  })
})

describe('an address', () => {
  it('is read and written as RFC 5952 has it', () => {
    for (const text of ['::', '::1', 'fe80::1', '1:0:0:2::3', '2001:db8::', '0:1:2:3:4:5:6:7', '1.2.3.4'])
      expect(formatIp(parseIp(text)!)).toBe(text)
    expect(formatIp(parseIp('::ffff:1.2.3.4')!)).toBe('::ffff:102:304')
    for (const text of [
      '',
      ':',
      ':::',
      '1::2::3',
      '1:2',
      '12345::',
      '1.2.3',
      '1.2.3.256',
      '::1.2.3.4:5',
      'g::',
    ])
      expect(parseIp(text)).toBeUndefined()
  })

  it('is one of a trusted proxy if a network contains it', () => {
    const trusts = trusting(['10.0.0.0/9', 'fd00::/8', '192.0.2.7', 'local'])
    const those = ['10.127.1.1', 'fd12::1', '192.0.2.7']
    const others = ['10.128.0.1', '11.0.0.1', 'fe00::1', '192.0.2.6', '::a00:1', 'rubbish']
    expect(those.map(address => trusts({ address }))).toEqual([true, true, true])
    expect(others.filter(address => trusts({ address }))).toEqual([])
    expect([trusts({}), trusting([])({}), trusting(['0.0.0.0/0'])({ address: '8.8.8.8' })]).toEqual([
      true,
      false,
      true,
    ])
    for (const entry of ['', 'a', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/8/8', '::/129'])
      expect(() => trusting([entry])).toThrow(TypeError)
  })
})
