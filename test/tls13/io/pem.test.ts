import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { node } from '../../../src/tls13/crypto/node.ts'
import { certificateFromPem, parseCertificates } from '../../../src/tls13/io/pem.ts'
import { verifier } from '../../../src/tls13/io/verify.ts'
import { make, pem } from '../../support/chains/make.ts'

const [one, two] = [make('one', { authority: true }), make('two', { authority: true })]
const subjects = (given: Parameters<typeof parseCertificates>[0]) =>
  parseCertificates(given).map(({ subject }) => subject)

describe('certificates', () => {
  it('of a text, of several, in DER, and of a text that comes as bytes', () => {
    const both = ['CN=one', 'CN=two']
    const bundle = pem(one.der) + pem(two.der)
    expect(subjects(bundle)).toEqual(both)
    expect(subjects([pem(one.der), two.der])).toEqual(both)
    expect(subjects(Buffer.from(bundle))).toEqual(both)
    expect(subjects(bundle.replaceAll('CERTIFICATE', 'X509 CERTIFICATE'))).toEqual(both)
  })
  it.each<[string, string | Uint8Array, string]>([
    [
      'a block of a bundle',
      pem(one.der) + pem(two.der.subarray(0, -1)),
      'block 2 (line %) is not an X.509 certificate',
    ],
    [
      'a block with more behind it',
      pem(one.der) + pem(Uint8Array.of(...two.der, 0)),
      'block 2 (line %) is not an X.509 certificate alone, in DER',
    ],
    [
      'trust settings',
      pem(one.der) + pem(two.der).replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE'),
      'block 2 (line %) is a TRUSTED CERTIFICATE, and its trust settings are not understood here; ' +
        '`openssl x509 -in FILE -out NEW` makes a plain one',
    ],
    ['DER that is cut', one.der.subarray(0, 99), 'this is not an X.509 certificate'],
    ['other bytes', Uint8Array.of(1, 2, 3), 'a text that contains no PEM certificate'],
  ])('%s: refused in one line, which names it', (_, given, message) => {
    const line = pem(one.der).split('\n').length
    const expected = new TypeError(message.replace('%', String(line)))
    expect(() => parseCertificates(given)).toThrow(expected)
    expect(() => verifier({ ca: given })).toThrow(expected)
    const { privateKey } = generateKeyPairSync('ed25519')
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    expect(() => certificateFromPem(node, given, key)).toThrow(expected)
  })
})
