import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import * as x509 from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { TlsError } from '../../../src/tls13/alert.ts'
import { rulesOf } from '../../../src/tls13/io/certificate-rules.ts'
import { verifier } from '../../../src/tls13/io/verify.ts'
import { because } from '../../support/alert.ts'
import { type Entity, makeEntity, TODAY } from '../../support/certificates.ts'

const NAMES = [{ type: 'dns', value: 'echo.local' }] as const
const CONTEXT = { serverName: 'echo.local', now: TODAY }

let root: Entity
beforeAll(async () => {
  root = await makeEntity({ subject: 'root', authority: true, keyUsage: x509.KeyUsageFlags.keyCertSign })
})

const trusts = (der: Uint8Array) => () => verifier({ ca: root.pem })([der], CONTEXT)
const made = (extensions: readonly x509.Extension[]) =>
  makeEntity({ subject: 'server', issuer: root, names: NAMES, extensions })

describe("Node's own roots", () => {
  it('are all read as two others read them: OpenSSL, and an ASN.1 library', () => {
    for (const pem of rootCertificates) {
      const certificate = new X509Certificate(pem)
      const rules = rulesOf(certificate)
      const expected = new x509.X509Certificate(pem)
      const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
      expect(Buffer.compare(rules.publicKey, spki), certificate.subject).toBe(0)
      const constraints = expected.getExtension(x509.BasicConstraintsExtension)
      const usage = expected.getExtension(x509.KeyUsagesExtension)
      const signs = !usage || (usage.usages & x509.KeyUsageFlags.digitalSignature) !== 0
      const expectedRules = { pathLength: constraints?.pathLength, maySign: signs }
      expect({ pathLength: rules.pathLength, maySign: rules.maySign }).toEqual(expectedRules)
    }
  })
})

describe('a certificate', () => {
  it('with bytes behind it', () => {
    const self = root.der
    expect(trusts(Uint8Array.of(...self, 0))).toThrow(because('malformed_certificate'))
  })
  it('with an extension twice', async () => {
    const policies = (bytes: readonly number[]) =>
      new x509.Extension('2.5.29.32', false, Uint8Array.from(bytes))
    const twice = await made([policies([0x30, 0]), policies([0x30, 0])])
    expect(trusts(twice.der)).toThrow(because('malformed_certificate'))
  })
  it('whose extensions hold no DER', async () => {
    const values = [
      ['2.5.29.19', [0x30, 0x80, 0, 0]], // of indefinite length
      ['2.5.29.19', [0x30, 3, 2, 1, 0xff]], // a negative path length
      ['2.5.29.19', [0x30, 0, 0]],
      ['2.5.29.15', [3, 0]],
      ['2.5.29.15', [3, 2, 8, 0x80]],
      ['2.5.29.15', [4, 2, 7, 0x80]],
    ] as const
    for (const [id, bytes] of values) {
      const { der } = await made([new x509.Extension(id, false, Uint8Array.from(bytes))])
      expect(trusts(der), `${id} ${bytes}`).toThrow(because('malformed_certificate'))
    }
  })
  it('that ends anywhere, or has a bit wrong, ends in a TlsError', async () => {
    const { der } = await made([])
    const verify = verifier({ ca: root.pem, remember: false })
    for (let at = 0; at < der.length; at++) {
      const changed = der.slice()
      changed[at]! ^= 1 << (at % 8)
      expect(() => verify([changed], CONTEXT), `byte ${at}`).toThrow(TlsError)
      expect(() => verify([der.subarray(0, at)], CONTEXT), `${at} bytes`).toThrow(TlsError)
    }
  })
})
