import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type * as X509 from '@peculiar/x509'
import { optionalPackage } from '../platform/optional-package.ts'
import {
  AUTHORITY_FILE,
  AUTHORITY_NAME,
  type CertificateName,
  checkAuthority,
  checkCertificates,
  hostsOf,
  originOf,
  RENEW,
} from './check.ts'
import { makeDirectory } from './directory.ts'
import { replacePair, unwritable } from './files.ts'
import type { KeyAlgorithm } from './key-algorithms.ts'
import { CertificateError, type LoadedCertificate, loadCertificate } from './load.ts'

export { type CertificateName, type CertificateProblem, checkCertificates, MAKE } from './check.ts'
export { KEY_ALGORITHMS, type KeyAlgorithm } from './key-algorithms.ts'
export { CertificateError, type LoadedCertificate, loadCertificate } from './load.ts'

export interface MakeOptions {
  /** Where the files go; made with mode 0700 if it is not there. */
  readonly directory: string
  readonly certificates: readonly CertificateName[]
  /** For every key that is made now; p256 by default. */
  readonly algorithm?: KeyAlgorithm
  /** Make everything anew: the authority too, unless `keepAuthority`. */
  readonly renew?: boolean
  /** With `renew`: only the named certificates, under the authority that is there. */
  readonly keepAuthority?: boolean
  /** Whether the certificates cover localhost, 127.0.0.1 and ::1 too; by default, servers' do. */
  readonly localhost?: boolean
  /** Whom the certificates identify: servers by default, or clients that are asked for one. */
  readonly purpose?: 'server' | 'client'
  /** Whether their keys may sign delegated credentials (RFC 9345 §4.2): then `keys: signer` makes such. */
  readonly delegation?: boolean
  /** Milliseconds since 1970. */
  readonly now: number
}

/** What became of each name. */
export interface MadeCertificates {
  readonly made: readonly string[]
  /** There already and in order. */
  readonly kept: readonly string[]
  /** To be renewed, but not made by us: they stay as they are. */
  readonly foreign: readonly string[]
  /** The files, without their directory, in which what was replaced is kept. */
  readonly backups: readonly string[]
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
const AUTHORITY_DAYS = 365
const LEAF_DAYS = 90

type Key = webcrypto.CryptoKey
type KeyPair = webcrypto.CryptoKeyPair
type Algorithm = webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams | webcrypto.Algorithm

// PKCS#1 v1.5 is for the certificates alone; a key of type rsaEncryption signs handshakes with RSASSA-PSS
// (RFC 8446 §4.2.3).
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 } as const
const ALGORITHMS: Readonly<Record<KeyAlgorithm, Algorithm>> = {
  p256: { name: 'ECDSA', namedCurve: 'P-256' },
  p384: { name: 'ECDSA', namedCurve: 'P-384' },
  ed25519: { name: 'Ed25519' },
  rsa: { ...RSA, publicExponent: Uint8Array.of(1, 0, 1) },
}

/** id-pe-delegationUsage, whose value is NULL, in DER. */
const DELEGATION_USAGE = '1.3.6.1.4.1.44363.44'
const NULL = Uint8Array.of(5, 0)

const LOCALHOST = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
  { type: 'ip', value: '::1' },
] as const

/** Who signs: the authority's certificate and its private key. */
interface Authority {
  readonly certificate: X509.X509Certificate
  readonly privateKey: Key
  readonly algorithm: KeyAlgorithm
}

/** What makes certificates: loaded for the first that is made, as a user who has all of them needs none. */
function maker(): Promise<typeof X509> {
  return optionalPackage('@peculiar/x509', 'making certificates', async () => {
    await import('reflect-metadata')
    return import('@peculiar/x509')
  })
}

/**
 * Makes the certificates that are missing, and replaces those of ours that are of no use any more; with
 * `renew`, makes all of ours and the authority anew. What our authority has not issued is never replaced, and
 * what is replaced is kept under another name. The authority's key is kept (0600), so that a function can be
 * added without changing it.
 * @throws CertificateError the authority is of no use, or a faulty certificate is not ours to replace
 */
export async function makeCertificates(options: MakeOptions): Promise<MadeCertificates> {
  const { directory, certificates, algorithm = 'p256', renew = false, keepAuthority = false, now } = options
  for (const { name } of certificates) checkName(name)
  refuseForeign(options)
  try {
    makeDirectory(resolve(directory))
  } catch (error) {
    throw unwritable(directory, error)
  }
  const backups: string[] = []
  const keep = existsSync(join(directory, `${AUTHORITY_FILE}.crt`)) && (!renew || keepAuthority)
  // Who has brought all certificates along needs no authority of ours.
  const needless = !renew && certificates.length > 0 && certificates.every(isForeign(directory))
  let authority = keep || needless ? undefined : await makeAuthority(directory, algorithm, now, backups)
  const loaded = keep && !needless ? loadAuthority(directory, now) : undefined
  const made: string[] = []
  const kept: string[] = []
  const foreign: string[] = []
  for (const certificate of certificates) {
    const { name } = certificate
    if (!renew && checkCertificates(directory, [certificate], now).length === 0) kept.push(name)
    else if (originOf(directory, name) === 'foreign') foreign.push(name)
    else {
      authority ??= await signing(loaded!)
      backups.push(...(await makeLeaf(authority, certificate, options)))
      made.push(name)
    }
  }
  return { made, kept, foreign, backups }
}

function isForeign(directory: string): (certificate: CertificateName) => boolean {
  return ({ name }) => originOf(directory, name) === 'foreign'
}

/** @throws CertificateError what is asked for would replace what we have not made */
function refuseForeign({ directory, certificates, renew, keepAuthority, now }: MakeOptions): void {
  for (const one of certificates) {
    if (originOf(directory, one.name) !== 'foreign') continue
    const file = join(directory, `${one.name}.crt`)
    if (renew && keepAuthority)
      throw new CertificateError(file, 'foreign', `${file} or its key was not made by hotpotato: both stay`)
    const [broken] = renew ? [] : checkCertificates(directory, [one], now)
    if (broken !== undefined) throw new CertificateError(broken.file, broken.kind, broken.message)
  }
}

/** Whether files can have that name: the authority's own cannot be asked for. */
export function isCertificateName(name: string): boolean {
  return /^[a-z0-9-]{1,63}$/.test(name) && name !== AUTHORITY_FILE
}

function checkName(name: string): void {
  if (isCertificateName(name)) return
  const rule = `1 to 63 of a-z, 0-9 and -, and not ${AUTHORITY_FILE}`
  throw new RangeError(`${JSON.stringify(name)} is not a certificate name: ${rule}`)
}

/** @throws CertificateError an authority of another origin is there: it may be a user's own */
async function makeAuthority(
  directory: string,
  algorithm: KeyAlgorithm,
  now: number,
  backups: string[],
): Promise<Authority> {
  if (originOf(directory, AUTHORITY_FILE) === 'foreign') {
    const file = join(directory, `${AUTHORITY_FILE}.crt`)
    const key = `${AUTHORITY_FILE}.key`
    const what = `${file} or ${key} beside it was not made by hotpotato, which leaves both alone`
    const advice =
      'name the certificates that are to be renewed, or let `certificates` name another directory'
    throw new CertificateError(file, 'foreign', `${what}: ${advice}`)
  }
  const x509 = await maker()
  const keys = await generate(algorithm)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${AUTHORITY_NAME}`,
    ...validity(now, now + AUTHORITY_DAYS * DAY),
    keys,
    signingAlgorithm: signatureOf(algorithm),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  backups.push(...(await writePair(directory, AUTHORITY_FILE, certificate, keys.privateKey)))
  return { certificate, privateKey: keys.privateKey, algorithm }
}

/** An authority that signs. */
async function signing({ chain, privateKey }: LoadedCertificate): Promise<Authority> {
  const { X509Certificate } = await maker()
  const certificate = new X509Certificate(chain[0]!)
  const algorithm = algorithmOf(
    createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' }),
  )
  const key = await webcrypto.subtle.importKey('pkcs8', privateKey, ALGORITHMS[algorithm], true, ['sign'])
  return { certificate, privateKey: key, algorithm }
}

/** @throws CertificateError it cannot sign: no other one is made by itself, as it is trusted */
function loadAuthority(directory: string, now: number): LoadedCertificate {
  const [problem] = checkAuthority(directory, now)
  if (problem !== undefined) throw new CertificateError(problem.file, problem.kind, problem.message)
  try {
    return loadCertificate(directory, AUTHORITY_FILE)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    const advice =
      originOf(directory, AUTHORITY_FILE) === 'ours'
        ? `make another authority, and all of its certificates, with: ${RENEW}`
        : `put the key of ${AUTHORITY_FILE}.crt there`
    throw new CertificateError(error.file, error.kind, `${error.message}; ${advice}`)
  }
}

function algorithmOf(key: KeyObject): KeyAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'rsa'
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519'
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'p384' : 'p256'
}

async function makeLeaf(
  authority: Authority,
  certificate: CertificateName,
  options: MakeOptions,
): Promise<readonly string[]> {
  const { algorithm = 'p256', purpose = 'server', localhost = purpose === 'server', now } = options
  const { delegation = false } = options
  const x509 = await maker()
  const keys = await generate(algorithm)
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    // The host names may be longer than the 64 characters that a common name can hold; they stand in the SAN.
    subject: `CN=${certificate.name}`,
    issuer: authority.certificate.subject,
    ...validity(now, Math.min(now + LEAF_DAYS * DAY, authority.certificate.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: signatureOf(authority.algorithm),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[`${purpose}Auth`]]),
      new x509.SubjectAlternativeNameExtension([
        ...hostsOf(certificate).map(value => ({ type: 'dns', value }) as const),
        ...(localhost ? LOCALHOST : []),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      ...(delegation ? [new x509.Extension(DELEGATION_USAGE, false, NULL)] : []),
    ],
  })
  return writePair(options.directory, certificate.name, leaf, keys.privateKey)
}

function generate(algorithm: KeyAlgorithm): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHMS[algorithm], true, ['sign', 'verify']) as Promise<KeyPair>
}

/** What a key of that kind signs certificates with. */
function signatureOf(algorithm: KeyAlgorithm): { name: string; hash: string } {
  return { name: ALGORITHMS[algorithm].name, hash: algorithm === 'p384' ? 'SHA-384' : 'SHA-256' }
}

/** Starts an hour ago, because clocks differ; whole seconds, because that is what X.509 can say. */
function validity(now: number, end: number): { notBefore: Date; notAfter: Date } {
  const second = (time: number) => new Date(Math.floor(time / 1000) * 1000)
  return { notBefore: second(now - HOUR), notAfter: second(end) }
}

/** 16 random bytes as a positive integer that needs all of them (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** Writes `NAME.key` and `NAME.crt`. @returns where the old ones are kept @throws as {@link replacePair} */
async function writePair(
  directory: string,
  name: string,
  certificate: X509.X509Certificate,
  privateKey: Key,
): Promise<readonly string[]> {
  const { PemConverter } = await maker()
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return replacePair(directory, name, {
    key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
    certificate: `${certificate.toString('pem')}\n`,
  })
}
