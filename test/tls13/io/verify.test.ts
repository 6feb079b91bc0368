import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { TlsError } from '../../../src/tls13/alert.ts'
import { type VerifierOptions, verifier } from '../../../src/tls13/io/verify.ts'
import { because } from '../../support/alert.ts'
import { DAY, type Entity, type EntityOptions, makeEntity, TODAY } from '../../support/certificates.ts'

const NAMES = [
  { type: 'dns', value: 'echo.local' },
  { type: 'dns', value: '*.echo.local' },
  { type: 'ip', value: '127.0.0.1' },
] as const
const SERVER: Omit<EntityOptions, 'issuer'> = {
  subject: 'server',
  names: NAMES,
  authority: false,
  keyUsage: x509.KeyUsageFlags.digitalSignature,
  purposes: [x509.ExtendedKeyUsage.serverAuth],
}
const SIGNS_CERTIFICATES = x509.KeyUsageFlags.keyCertSign

let root: Entity
let middle: Entity
let leaf: Entity

beforeAll(async () => {
  root = await makeEntity({ subject: 'root', authority: true, keyUsage: SIGNS_CERTIFICATES })
  middle = await makeEntity({
    subject: 'middle',
    issuer: root,
    authority: 0,
    keyUsage: SIGNS_CERTIFICATES,
  })
  leaf = await makeEntity({ ...SERVER, issuer: middle })
})

/** 'fine', or the alert that the verifier throws. */
function judge(
  chain: readonly Entity[],
  options: VerifierOptions & { readonly serverName?: string | undefined } = {},
): string {
  const { serverName = 'echo.local', ...rest } = options
  const name = 'serverName' in options ? options.serverName : serverName
  try {
    const verify = verifier({ ca: root.pem, ...rest })
    const { publicKey } = verify(
      chain.map(one => one.der),
      { serverName: name, now: TODAY },
    )
    expect(publicKey).toEqual(new Uint8Array(chain[0]!.certificate.publicKey.rawData))
    return 'fine'
  } catch (error) {
    if (!(error instanceof TlsError)) throw error
    return `${error.alert}: ${error.reason}`
  }
}

describe('paths', () => {
  it('leaf, intermediate, root', () => expect(judge([leaf, middle])).toBe('fine'))
  it('the root may be sent too', () => expect(judge([leaf, middle, root])).toBe('fine'))
  it('the order behind the leaf does not matter', () => expect(judge([leaf, root, middle])).toBe('fine'))
  it('DER is as good as PEM', () => expect(judge([leaf, middle], { ca: [root.der] })).toBe('fine'))
  it('several authorities in one text', async () => {
    const other = await makeEntity({ subject: 'other', authority: true })
    expect(judge([leaf, middle], { ca: `${other.pem}\n${root.pem}` })).toBe('fine')
  })
  it('a leaf that is itself trusted', async () => {
    const self = await makeEntity(SERVER)
    expect(judge([self], { ca: self.pem })).toBe('fine')
    expect(judge([self])).toBe('unknown_ca: untrusted_issuer')
  })
  it('an intermediate that is missing', () => expect(judge([leaf])).toBe('unknown_ca: untrusted_issuer'))
  it('another root', async () => {
    const other = await makeEntity({ subject: 'other', authority: true })
    expect(judge([leaf, middle], { ca: other.pem })).toBe('unknown_ca: untrusted_issuer')
  })
  it('another root of the same name', async () => {
    const other = await makeEntity({ subject: 'root', authority: true })
    expect(judge([leaf, middle], { ca: other.pem })).toBe('unknown_ca: untrusted_issuer')
  })
  it("Node's own roots do not know ours", () => {
    expect(() => verifier()([leaf.der, middle.der], { serverName: 'echo.local', now: TODAY })).toThrow(
      because('untrusted_issuer'),
    )
  })
  it('a signature that does not fit', () => {
    const spoilt = leaf.der.slice()
    spoilt[spoilt.length - 1]! ^= 1
    expect(judge([{ ...leaf, der: spoilt }, middle])).toBe('bad_certificate: wrong_certificate_signature')
  })
  it('a leaf that plays authority', async () => {
    const forged = await makeEntity({ ...SERVER, subject: 'forged', issuer: leaf })
    expect(judge([forged, leaf, middle])).toBe('unknown_ca: untrusted_issuer')
  })
  it('an issuer without basicConstraints is none', async () => {
    const silent = await makeEntity({ subject: 'silent', issuer: root })
    const child = await makeEntity({ ...SERVER, issuer: silent })
    expect(judge([child, silent])).toBe('unknown_ca: issuer_without_authority')
  })
  it('an authority that may not sign certificates', async () => {
    const issuer = await makeEntity({
      subject: 'crl only',
      issuer: root,
      authority: true,
      keyUsage: x509.KeyUsageFlags.cRLSign,
    })
    expect(judge([await makeEntity({ ...SERVER, issuer }), issuer])).toBe('unknown_ca: untrusted_issuer')
  })
  it('a path longer than its issuer allows', async () => {
    const deeper = await makeEntity({ subject: 'deeper', issuer: middle, authority: true })
    const child = await makeEntity({ ...SERVER, issuer: deeper })
    expect(judge([child, deeper, middle])).toBe('unknown_ca: path_too_long')
  })
  it('two authorities that vouch for each other', async () => {
    const a = await makeEntity({ subject: 'a', authority: true })
    const b = await makeEntity({ subject: 'b', issuer: a, authority: true })
    const again = await makeEntity({ subject: 'a', issuer: b, authority: true, keys: a.keys })
    const child = await makeEntity({ ...SERVER, issuer: b })
    expect(judge([child, b, again])).toBe('unknown_ca: untrusted_issuer')
  })
  it('a thicket of equal names ends', async () => {
    const keys = root.keys
    const twins: Entity[] = []
    for (let i = 0; i < 15; i++) {
      twins.push(await makeEntity({ subject: 'twin', authority: true, keys, to: TODAY + (i + 1) * DAY }))
    }
    const child = await makeEntity({ ...SERVER, issuer: twins[0]! })
    expect(judge([child, ...twins], { ca: leaf.pem })).toBe('bad_certificate: chain_too_long')
  })
})

describe('dates', () => {
  it('a leaf that has expired, or is not valid yet', () => {
    expect(judge([leaf, middle], { now: () => TODAY + 31 * DAY })).toBe(
      'certificate_expired: certificate_has_expired',
    )
    expect(judge([leaf, middle], { now: () => TODAY - 2 * DAY })).toBe(
      'certificate_expired: certificate_not_yet_valid',
    )
  })
  it('an intermediate that has expired', async () => {
    const old = await makeEntity({ subject: 'old', issuer: root, authority: true, to: TODAY - 1 })
    expect(judge([await makeEntity({ ...SERVER, issuer: old }), old])).toBe(
      'certificate_expired: certificate_has_expired',
    )
  })
  it('the last second counts', () => {
    expect(judge([leaf, middle], { now: () => TODAY + 30 * DAY })).toBe('fine')
    expect(judge([leaf, middle], { now: () => TODAY + 30 * DAY + 1000 })).toBe(
      'certificate_expired: certificate_has_expired',
    )
  })
})

describe('names', () => {
  const named = (serverName: string | undefined) => judge([leaf, middle], { serverName })
  it('its own, in any case, and one label for the asterisk', () => {
    expect(named('echo.local')).toBe('fine')
    expect(named('ECHO.local')).toBe('fine')
    expect(named('eu.echo.local')).toBe('fine')
  })
  it('others', () => {
    expect(named('resize.local')).toBe('bad_certificate: wrong_name')
    expect(named('a.b.echo.local')).toBe('bad_certificate: wrong_name')
  })
  it('an address', () => {
    expect(judge([leaf, middle], { name: '127.0.0.1' })).toBe('fine')
    expect(judge([leaf, middle], { name: '127.0.0.2' })).toBe('bad_certificate: wrong_name')
  })
  it('the common name does not count', async () => {
    const { names: _none, ...nameless } = SERVER
    const old = await makeEntity({ ...nameless, subject: 'echo.local', issuer: root })
    expect(judge([old])).toBe('bad_certificate: wrong_name')
  })
  it('no name to check is an error, unless none is to be checked', () => {
    expect(named(undefined)).toBe('internal_error: no_name_to_check')
    expect(judge([leaf, middle], { serverName: undefined, checkName: false })).toBe('fine')
  })
})

describe('uses', () => {
  it('a certificate for clients', async () => {
    const client = await makeEntity({
      ...SERVER,
      issuer: root,
      purposes: [x509.ExtendedKeyUsage.clientAuth],
    })
    expect(judge([client])).toBe('unsupported_certificate: wrong_certificate_purpose')
  })
  it('an authority for clients alone', async () => {
    const issuer = await makeEntity({
      subject: 'clients only',
      issuer: root,
      authority: true,
      purposes: [x509.ExtendedKeyUsage.clientAuth],
    })
    expect(judge([await makeEntity({ ...SERVER, issuer }), issuer])).toBe(
      'unsupported_certificate: wrong_certificate_purpose',
    )
  })
  it('a key that may not sign', async () => {
    const keyUsage = x509.KeyUsageFlags.keyAgreement
    expect(judge([await makeEntity({ ...SERVER, issuer: root, keyUsage })])).toBe(
      'unsupported_certificate: key_may_not_sign',
    )
  })
  it('a certificate that says nothing of its use', async () => {
    expect(judge([await makeEntity({ subject: 'plain', issuer: root, names: NAMES })])).toBe('fine')
  })
  it('a critical extension that is not known', async () => {
    const strange = (critical: boolean) => new x509.Extension('1.2.3.4', critical, Uint8Array.of(5, 0))
    const make = (critical: boolean) =>
      makeEntity({ ...SERVER, issuer: root, extensions: [strange(critical)] })
    expect(judge([await make(true)])).toBe('unsupported_certificate: unknown_critical_extension')
    expect(judge([await make(false)])).toBe('fine')
  })
  it('SHA-1', async () => {
    expect(judge([await makeEntity({ ...SERVER, issuer: root, hash: 'SHA-1' })])).toBe(
      'bad_certificate: weak_certificate_signature',
    )
  })
  it('a short RSA key', async () => {
    const rsa = (modulusLength: number) => ({
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      modulusLength,
      publicExponent: Uint8Array.of(1, 0, 1),
    })
    expect(judge([await makeEntity({ ...SERVER, issuer: root, algorithm: rsa(1024) })])).toBe(
      'bad_certificate: weak_key',
    )
    expect(judge([await makeEntity({ ...SERVER, issuer: root, algorithm: rsa(2048) })])).toBe('fine')
  })
})

it('what is no certificate', () => {
  const context = { serverName: 'echo.local', now: TODAY }
  const verify = verifier({ ca: root.pem })
  expect(() => verify([Uint8Array.of(1, 2, 3)], context)).toThrow(because('malformed_certificate'))
  expect(() => verify([leaf.der, new Uint8Array(100)], context)).toThrow(because('malformed_certificate'))
  expect(() => verify([leaf.der.slice(0, -1)], context)).toThrow(because('malformed_certificate'))
  expect(() => verifier({ ca: 'no certificate' })).toThrow(TypeError)
  expect(() => verifier({ ca: [] })).toThrow(TypeError)
})

describe('of clients', () => {
  const CLIENT = { subject: 'somebody', purposes: [x509.ExtendedKeyUsage.clientAuth] }
  const judgeClient = (chain: readonly Entity[]) => judge(chain, { purpose: 'client', serverName: undefined })

  it('a certificate for clients, with any name or none', async () => {
    const issuer = root
    expect(judgeClient([await makeEntity({ ...CLIENT, issuer })])).toBe('fine')
    expect(judgeClient([await makeEntity({ subject: 'no word of purposes', issuer })])).toBe('fine')
  })
  it('a certificate for servers', () => {
    expect(judgeClient([leaf, middle])).toBe('unsupported_certificate: wrong_certificate_purpose')
  })
  it('an authority for servers alone', async () => {
    const issuer = await makeEntity({
      subject: 'for servers',
      issuer: root,
      authority: true,
      purposes: [x509.ExtendedKeyUsage.serverAuth],
    })
    expect(judgeClient([await makeEntity({ ...CLIENT, issuer }), issuer])).toBe(
      'unsupported_certificate: wrong_certificate_purpose',
    )
  })
})

describe('delegation (RFC 9345 §4.2)', () => {
  const usage = new x509.Extension('1.3.6.1.4.1.44363.44', false, Uint8Array.of(5, 0))
  const trusted = (one: Entity) =>
    verifier({ ca: root.pem })([one.der], { serverName: 'echo.local', now: TODAY }).delegation

  it('is allowed with both the extension and the key usage', async () => {
    const both = await makeEntity({ ...SERVER, issuer: root, extensions: [usage] })
    expect(trusted(both)).toEqual({ notBefore: TODAY - DAY, notAfter: TODAY + 30 * DAY })
  })
  it('and with neither alone', async () => {
    const { keyUsage: _, ...silent } = SERVER
    expect(trusted(await makeEntity({ ...silent, issuer: root, extensions: [usage] }))).toBeUndefined()
    expect(trusted(await makeEntity({ ...SERVER, issuer: root }))).toBeUndefined()
  })
})
