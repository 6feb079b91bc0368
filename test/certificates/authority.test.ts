import { execFileSync, spawnSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  checkCertificates,
  KEY_ALGORITHMS,
  loadCertificate,
  makeCertificates,
} from '../../src/certificates/authority.ts'

const NOW = Date.UTC(2030, 5, 1, 12, 0, 0, 500)
const DAY = 86_400_000
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

let directory: string
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'hotpotato-certs-')), 'certs')
})
afterEach(() => rmSync(join(directory, '..'), { recursive: true }))

const make = (names: readonly string[], more: object = {}) =>
  makeCertificates({ directory, certificates: names.map(name => ({ name })), now: NOW, ...more })
const path = (file: string) => join(directory, file)
const certificate = (file: string) => new X509Certificate(readFileSync(path(file)))
const kinds = (names: readonly string[], now = NOW) =>
  checkCertificates(directory, names, now).map(
    ({ file, kind }) => `${file.slice(directory.length + 1)} ${kind}`,
  )

describe('makeCertificates', () => {
  it.each(KEY_ALGORITHMS)(
    'makes a leaf with a key of type %s that its authority has signed',
    async algorithm => {
      await make(['echo'], { algorithm })
      const leaf = certificate('echo.crt')
      const type = { p256: 'prime256v1', p384: 'secp384r1', ed25519: 'ed25519', rsa: 2048 }[algorithm]
      const details = leaf.publicKey.asymmetricKeyDetails
      expect(details?.namedCurve ?? details?.modulusLength ?? leaf.publicKey.asymmetricKeyType).toBe(type)
      expect(leaf.verify(certificate('ca.crt').publicKey)).toBe(true)
      expect(leaf.checkIssued(certificate('ca.crt'))).toBe(true)
      expect(checkCertificates(directory, ['echo'], NOW)).toEqual([])
    },
  )

  it.skipIf(!hasOpenssl).each(KEY_ALGORITHMS)('satisfies openssl verify with %s', async algorithm => {
    await make(['echo'], { algorithm })
    const time = String(NOW / 1000 + 60).split('.')[0]!
    const verify = (file: string, ...more: string[]) =>
      spawnSync('openssl', [
        'verify',
        '-x509_strict',
        '-attime',
        time,
        '-CAfile',
        path('ca.crt'),
        ...more,
        path(file),
      ])
    expect(
      String(verify('echo.crt', '-purpose', 'sslserver', '-verify_hostname', 'echo.local').stdout),
    ).toContain(': OK')
    expect(verify('echo.crt', '-purpose', 'sslserver', '-verify_hostname', 'other.local').status).not.toBe(0)
    expect(verify('echo.crt', '-purpose', 'sslclient').status).not.toBe(0)
    const host = execFileSync('openssl', [
      'x509',
      '-noout',
      '-in',
      path('echo.crt'),
      '-checkhost',
      'echo.local',
    ])
    expect(String(host)).toContain('does match certificate')
  })

  it.skipIf(!hasOpenssl)('sets the extensions that RFC 5280 asks for', async () => {
    await make(['echo'])
    const text = (file: string) =>
      String(execFileSync('openssl', ['x509', '-noout', '-text', '-in', path(file)]))
    const authority = text('ca.crt').replace(/\s+/g, ' ')
    expect(authority).toContain('Basic Constraints: critical CA:TRUE, pathlen:0')
    expect(authority).toContain('Key Usage: critical Certificate Sign, CRL Sign')
    const leaf = text('echo.crt').replace(/\s+/g, ' ')
    expect(leaf).toContain('Basic Constraints: critical CA:FALSE')
    expect(leaf).toContain('Key Usage: critical Digital Signature')
    expect(leaf).toContain('Extended Key Usage: TLS Web Server Authentication')
    const keyId = /Subject Key Identifier: ([0-9A-F:]+)/
    expect(/Authority Key Identifier: (?:keyid:)?([0-9A-F:]+)/.exec(leaf)?.[1]).toBe(
      keyId.exec(authority)?.[1],
    )
  })

  it('names NAME.local, NAME.localhost, the hosts, and localhost by default', async () => {
    await makeCertificates({
      directory,
      now: NOW,
      certificates: [{ name: 'echo', hosts: ['*.echo.local', 'echo.local'] }],
    })
    const all =
      'DNS:echo.local, DNS:echo.localhost, DNS:*.echo.local, ' +
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1'
    expect(certificate('echo.crt').subjectAltName).toBe(all)
    await make(['echo'], { renew: true, localhost: false })
    expect(certificate('echo.crt').subjectAltName).toBe('DNS:echo.local, DNS:echo.localhost')
  })

  it('holds for 90 days from an hour ago, and never longer than its authority', async () => {
    await make(['echo'])
    expect(Date.parse(certificate('echo.crt').validFrom)).toBe(NOW - 500 - 3_600_000)
    expect(Date.parse(certificate('echo.crt').validTo)).toBe(NOW - 500 + 90 * DAY)
    expect(Date.parse(certificate('ca.crt').validTo)).toBe(NOW - 500 + 365 * DAY)
    await make(['late'], { now: NOW + 300 * DAY })
    expect(certificate('late.crt').validTo).toBe(certificate('ca.crt').validTo)
  })

  it('gives every certificate its own positive serial number of 16 bytes', async () => {
    await make(['a', 'b'])
    const serials = ['ca.crt', 'a.crt', 'b.crt'].map(file => certificate(file).serialNumber)
    expect(new Set(serials).size).toBe(3)
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/)
  })

  it('keeps keys to their owner and leaves nothing half-written behind', async () => {
    await make(['echo'])
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    for (const file of ['ca.key', 'echo.key']) expect(statSync(path(file)).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory).sort()).toEqual(['ca.crt', 'ca.key', 'echo.crt', 'echo.key'])
  })

  it('adds a function without touching the authority or its other certificates', async () => {
    await make(['echo'])
    const before = ['ca.crt', 'ca.key', 'echo.crt', 'echo.key'].map(file => readFileSync(path(file), 'utf8'))
    expect(await make(['echo', 'resize'], { algorithm: 'rsa' })).toMatchObject({
      made: ['resize'],
      kept: ['echo'],
    })
    expect(
      ['ca.crt', 'ca.key', 'echo.crt', 'echo.key'].map(file => readFileSync(path(file), 'utf8')),
    ).toEqual(before)
    expect(kinds(['echo', 'resize'])).toEqual([])
  })

  it('makes everything anew, or only the leaf, when told to renew', async () => {
    await make(['echo'])
    const [authority, leaf] = [certificate('ca.crt').serialNumber, certificate('echo.crt').serialNumber]
    await make(['echo'], { renew: true, keepAuthority: true })
    expect(certificate('ca.crt').serialNumber).toBe(authority)
    const second = certificate('echo.crt').serialNumber
    expect(second).not.toBe(leaf)
    await make(['echo'], { renew: true })
    expect(certificate('ca.crt').serialNumber).not.toBe(authority)
    expect(certificate('echo.crt').serialNumber).not.toBe(second)
  })

  it('replaces an expired leaf of its own under the same authority', async () => {
    await make(['echo'])
    expect(await make(['echo'], { now: NOW + 91 * DAY })).toMatchObject({ made: ['echo'], kept: [] })
    expect(kinds(['echo'], NOW + 91 * DAY)).toEqual([])
  })

  it('refuses to sign with an expired authority', async () => {
    await make(['echo'])
    await expect(make(['late'], { now: NOW + 366 * DAY })).rejects.toThrow(/ca\.crt expired.*--renew/)
  })

  it.each(['ca', '../x', 'A', '', 'x'.repeat(64)])('refuses the name %j', async name => {
    await expect(make([name])).rejects.toThrow(RangeError)
  })

  it('manages a name of 63 characters', async () => {
    const name = 'x'.repeat(63)
    await make([name])
    expect(kinds([name])).toEqual([])
  })
})

describe('checkCertificates', () => {
  beforeEach(() => make(['echo', 'resize']))

  it('says nothing of certificates that are in order', () => {
    expect(kinds(['echo', 'resize'])).toEqual([])
  })

  it('names what is missing and the command that makes it', () => {
    const problems = checkCertificates(directory, ['hello'], NOW)
    expect(problems.map(problem => problem.kind)).toEqual(['missing', 'missing'])
    expect(problems[0]!.message).toBe(
      `${path('hello.crt')} does not exist; make it with: npx --no hotpotato certs`,
    )
  })

  it('names what is not valid yet and what has expired, the authority first', () => {
    expect(kinds(['echo'], NOW - DAY)).toEqual(['ca.crt not_yet_valid', 'echo.crt not_yet_valid'])
    expect(kinds(['echo'], NOW + 91 * DAY)).toEqual(['echo.crt expired'])
    const [problem] = checkCertificates(directory, ['echo'], NOW + 366 * DAY)
    expect(problem).toMatchObject({
      file: path('ca.crt'),
      kind: 'expired',
      command: 'npx --no hotpotato certs --renew',
    })
  })

  it("names a key that is another certificate's", () => {
    writeFileSync(path('echo.key'), readFileSync(path('resize.key')))
    expect(kinds(['echo', 'resize'])).toEqual(['echo.key key_mismatch'])
  })

  it.each(['crt', 'key'])('names an unparsable .%s', ending => {
    writeFileSync(path(`echo.${ending}`), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    expect(kinds(['echo'])).toEqual([`echo.${ending} unparsable`])
  })

  it('names a certificate for another host', () => {
    writeFileSync(path('echo.crt'), readFileSync(path('resize.crt')))
    writeFileSync(path('echo.key'), readFileSync(path('resize.key')))
    expect(kinds(['echo'])).toEqual(['echo.crt wrong_name'])
    const certificates = [{ name: 'resize', hosts: ['pictures.example', '*.resize.local'] }]
    const [problem, ...others] = checkCertificates(directory, certificates, NOW)
    expect(problem?.message).toContain('does not cover the hosts pictures.example, *.resize.local;')
    expect(others).toEqual([])
  })

  it('names a leaf of an authority that was replaced', async () => {
    await make(['resize'], { renew: true })
    expect(kinds(['echo', 'resize'])).toEqual(['echo.crt stale_authority'])
  })

  it('asks for our authority if it has issued something', () => {
    rmSync(path('ca.crt'))
    expect(kinds(['echo'])).toEqual(['ca.crt missing'])
  })

  it.skipIf(!hasOpenssl)('does not ask for our authority when the certificates are from elsewhere', () => {
    rmSync(path('ca.crt'))
    const name = ['-nodes', '-subj', '/CN=elsewhere', '-addext', 'subjectAltName=DNS:echo.local']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', path('echo.key')]
    execFileSync('openssl', ['req', '-x509', ...key, ...name, '-out', path('echo.crt')], { stdio: 'ignore' })
    expect(checkCertificates(directory, ['echo'], Date.now() + 1000)).toEqual([])
  })
})

describe('loadCertificate', () => {
  it('gives the chain and the key in DER', async () => {
    await make(['echo'])
    writeFileSync(
      path('echo.crt'),
      readFileSync(path('echo.crt'), 'utf8') + readFileSync(path('ca.crt'), 'utf8'),
    )
    const { chain, privateKey } = loadCertificate(directory, 'echo')
    expect(chain.map(der => new X509Certificate(der).subject)).toEqual([
      'CN=echo',
      certificate('ca.crt').subject,
    ])
    expect(Object.getPrototypeOf(chain[0])).toBe(Uint8Array.prototype)
    expect(Object.getPrototypeOf(privateKey)).toBe(Uint8Array.prototype)
    const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
    expect(new X509Certificate(chain[0]!).checkPrivateKey(key)).toBe(true)
  })

  it('names the file that is of no use', async () => {
    await make(['echo', 'resize'])
    expect(() => loadCertificate(directory, 'hello')).toThrow(/hello\.crt does not exist/)
    writeFileSync(path('echo.key'), readFileSync(path('resize.key')))
    expect(() => loadCertificate(directory, 'echo')).toThrow(
      /echo\.key is not the private key of .*echo\.crt/,
    )
    writeFileSync(path('echo.key'), 'nothing')
    expect(() => loadCertificate(directory, 'echo')).toThrow(
      /echo\.key is not an unencrypted PEM private key/,
    )
  })
})
