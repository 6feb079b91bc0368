import { describe, expect, it } from 'vitest'
import { certificateBlocks, PemError } from '../../src/wire/pem.ts'

const block = (label: string, base64 = 'MAMCAQE=') =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`
const GOOD = block('CERTIFICATE')
const DER = Uint8Array.of(0x30, 3, 2, 1, 1)
const found = (text: string) => certificateBlocks(text).map(({ name }) => name)

describe('the certificates of a PEM text', () => {
  it('in order, whatever stands between and around them', () => {
    expect(certificateBlocks(GOOD)).toEqual([{ name: 'block 1 (line 1)', der: DER }])
    expect(found(`# a bundle\nsubject=CN = x\n${GOOD}\n${GOOD}the end`)).toEqual([
      'block 1 (line 3)',
      'block 2 (line 7)',
    ])
  })
  it.each(['X509 CERTIFICATE', 'X.509 CERTIFICATE'])('of type %s, as old programs write them', label => {
    expect(found(`${block(label)}${GOOD}`)).toEqual(['block 1 (line 1)', 'block 2 (line 4)'])
  })
  it.each([
    'PRIVATE KEY',
    'EC PARAMETERS',
    'X509 CRL',
    'CERTIFICATE REQUEST',
    'NEW CERTIFICATE REQUEST',
    'DH PARAMETERS',
    'PUBLIC KEY',
  ])('beside a block of type %s, which is counted and passed over', label => {
    expect(found(`${block(label, 'not base64: passed over')}${GOOD}`)).toEqual(['block 2 (line 4)'])
  })
  it('with any ends of lines, blanks around them, a mark in front, and lines of any length', () => {
    expect(found(`\ufeff${GOOD.replaceAll('\n', '\r\n')}`)).toEqual(['block 1 (line 1)'])
    expect(found(GOOD.replaceAll('\n', '\r'))).toEqual(['block 1 (line 1)'])
    expect(found(GOOD.replace(/^/gm, '  ').replaceAll('\n', ' \n'))).toEqual(['block 1 (line 1)'])
    expect(certificateBlocks(block('CERTIFICATE', 'M\nAMC AQ\nE='))[0]!.der).toEqual(DER)
  })
})

describe('a PEM text that is broken', () => {
  it.each<[string, string, string]>([
    ['nothing', '', 'a text that contains no PEM certificate'],
    ['a key alone', block('PRIVATE KEY'), 'a text that contains no PEM certificate: PRIVATE KEY'],
    [
      'what openssl ecparam -genkey writes',
      block('EC PARAMETERS') + block('EC PRIVATE KEY'),
      'a text that contains no PEM certificate: EC PARAMETERS, EC PRIVATE KEY',
    ],
    [
      'a certificate with settings of OpenSSL',
      `${GOOD}${block('TRUSTED CERTIFICATE')}`,
      'block 2 (line 4) is a TRUSTED CERTIFICATE, and its trust settings are not understood here; ' +
        '`openssl x509 -in FILE -out NEW` makes a plain one',
    ],
    ['PKCS #7', `${GOOD}${block('PKCS7')}`, 'block 2 (line 4) is of type PKCS7, which is not read'],
    [
      'a type in small letters',
      block('certificate'),
      'block 1 (line 1) is of type certificate, which is not read',
    ],
    [
      'an attribute certificate',
      `${GOOD}${block('ATTRIBUTE CERTIFICATE')}`,
      'block 2 (line 4) is of type ATTRIBUTE CERTIFICATE, which is not read',
    ],
    ['no end', `${GOOD}-----BEGIN CERTIFICATE-----\nMAMC`, 'block 2 (line 4) does not end'],
    [
      'no end before the next one',
      `-----BEGIN CERTIFICATE-----\nMAMC\n${GOOD}`,
      'block 1 (line 1) does not end before line 3',
    ],
    ['no beginning', `${GOOD}MAMC\n-----END CERTIFICATE-----`, 'line 5 ends a block that does not begin'],
    [
      'two types',
      '-----BEGIN CERTIFICATE-----\nMAMC\n-----END PRIVATE KEY-----',
      'block 1 (line 1) begins as CERTIFICATE and ends as PRIVATE KEY',
    ],
    [
      'a dash too few',
      `${GOOD}-----BEGIN CERTIFICATE----\nMAMC\n-----END CERTIFICATE-----`,
      'line 4 neither begins nor ends a block: "-----BEGIN CERTIFICATE----"',
    ],
    ['nothing inside', `${GOOD}${block('CERTIFICATE', '')}`, 'block 2 (line 4) is empty'],
    [
      'no base64',
      `${GOOD}${block('CERTIFICATE', 'MAM%')}`,
      'block 2 (line 4) holds something else than base64',
    ],
    [
      'padding in the middle',
      block('CERTIFICATE', 'MA==MAMC'),
      'block 1 (line 1) holds something else than base64',
    ],
    [
      'a base64 that is cut',
      block('CERTIFICATE', 'MAMCAQE'),
      'block 1 (line 1) holds something else than base64',
    ],
  ])('%s', (_, text, message) => {
    expect(() => certificateBlocks(text)).toThrow(new PemError(message))
  })
})
