import 'reflect-metadata'
import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import * as x509 from '@peculiar/x509'
import {
  AUTHORITY_FILE,
  AUTHORITY_NAME,
  type CertificateName,
  checkAuthority,
  checkCertificates,
  hostsOf,
  isOurs,
} from './check.ts'
import { makeDirectory } from './directory.ts'
import { CertificateError, loadCertificate, readChain } from './load.ts'

export { type CertificateName, type CertificateProblem, checkCertificates } from './check.ts'
export { CertificateError, type LoadedCertificate, loadCertificate } from './load.ts'

/** The keys that certificates can be made for. */
export const KEY_ALGORITHMS = ['p256', 'p384', 'ed25519', 'rsa'] as const
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number]

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
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Which names were made, and which were there already and in order. */
export interface MadeCertificates {
  readonly made: readonly string[]
  readonly kept: readonly string[]
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

const LOCALHOST = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
  { type: 'ip', value: '::1' },
] as const

/** Who signs: the authority's certificate and its private key. */
interface Authority {
  readonly certificate: x509.X509Certificate
  readonly privateKey: Key
  readonly algorithm: KeyAlgorithm
}

/**
 * Makes the certificates that are missing, and replaces those of ours that are of no use any more; with
 * `renew`, makes all of them and the authority anew. The authority's key is kept (0600), so that a function
 * can be added without changing it.
 * @throws CertificateError the authority is of no use, or a faulty certificate is not ours to replace
 */
export async function makeCertificates(options: MakeOptions): Promise<MadeCertificates> {
  const { directory, certificates, algorithm = 'p256', renew = false, keepAuthority = false, now } = options
  for (const { name } of certificates) checkName(name)
  try {
    makeDirectory(resolve(directory))
    chmodSync(directory, 0o700)
  } catch (error) {
    throw unwritable(directory, error)
  }
  const there = existsSync(join(directory, `${AUTHORITY_FILE}.crt`))
  const keep = there && (!renew || keepAuthority)
  const authority = keep
    ? await readAuthority(directory, now)
    : await makeAuthority(directory, algorithm, now)
  const made: string[] = []
  const kept: string[] = []
  for (const certificate of certificates) {
    if (!renew && isKept(directory, certificate, now)) {
      kept.push(certificate.name)
      continue
    }
    await makeLeaf(authority, certificate, options)
    made.push(certificate.name)
  }
  return { made, kept }
}

function checkName(name: string): void {
  if (!/^[a-z0-9-]{1,63}$/.test(name)) {
    throw new RangeError(`${JSON.stringify(name)} is not a certificate name: 1 to 63 of a-z, 0-9 and -`)
  }
  if (name === AUTHORITY_FILE) throw new RangeError(`${name} is the name of the authority's own files`)
}

/** Whether the files are in order. Faulty ones are replaced only if no file of another origin is lost. */
function isKept(directory: string, certificate: CertificateName, now: number): boolean {
  const problems = checkCertificates(directory, [certificate], now)
  if (problems.length === 0) return true
  const { name } = certificate
  const file = join(directory, `${name}.crt`)
  const key = join(directory, `${name}.key`)
  if (!existsSync(file) && !existsSync(key)) return false
  try {
    if (isOurs(readChain(file)[0]!)) return false
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
  }
  const [first] = problems
  throw new CertificateError(
    first!.file,
    first!.kind,
    `${first!.message} (${name}.crt and ${name}.key were not made by hotpotato and stay until then)`,
  )
}

async function makeAuthority(directory: string, algorithm: KeyAlgorithm, now: number): Promise<Authority> {
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
  await writePair(directory, AUTHORITY_FILE, certificate, keys.privateKey)
  return { certificate, privateKey: keys.privateKey, algorithm }
}

async function readAuthority(directory: string, now: number): Promise<Authority> {
  const [problem] = checkAuthority(directory, now)
  if (problem !== undefined) throw new CertificateError(problem.file, problem.kind, problem.message)
  const { chain, privateKey } = loadCertificate(directory, AUTHORITY_FILE)
  const certificate = new x509.X509Certificate(chain[0]!)
  const algorithm = algorithmOf(
    createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' }),
  )
  const key = await webcrypto.subtle.importKey('pkcs8', privateKey, ALGORITHMS[algorithm], true, ['sign'])
  return { certificate, privateKey: key, algorithm }
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
): Promise<void> {
  const { algorithm = 'p256', purpose = 'server', localhost = purpose === 'server', now } = options
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
    ],
  })
  await writePair(options.directory, certificate.name, leaf, keys.privateKey)
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

/**
 * Writes `NAME.key` and `NAME.crt`, both whole or neither. @throws CertificateError they cannot be written
 */
async function writePair(
  directory: string,
  name: string,
  certificate: x509.X509Certificate,
  privateKey: Key,
): Promise<void> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  const files = [
    [`${name}.key`, `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`, 0o600],
    [`${name}.crt`, `${certificate.toString('pem')}\n`, 0o644],
  ] as const
  const staged = files.map(([file]) => join(directory, `${file}.${process.pid}.tmp`))
  try {
    for (const [index, [, text, mode]] of files.entries()) stage(staged[index]!, text, mode)
    for (const [index, [file]] of files.entries()) renameSync(staged[index]!, join(directory, file))
  } catch (error) {
    for (const one of staged) rmSync(one, { force: true })
    throw unwritable(join(directory, `${name}.key`), error)
  }
}

/**
 * A neighbour to be renamed: a reader sees the old file or the new one, and no key is ever readable by
 * others.
 */
function stage(file: string, text: string, mode: number): void {
  rmSync(file, { force: true })
  const descriptor = openSync(file, 'wx', mode)
  try {
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function unwritable(file: string, error: unknown): CertificateError {
  const { code, message } = error as NodeJS.ErrnoException
  const said = `${file} cannot be written (${code ?? message}); choose another HOTPOTATO_CERTS_DIR`
  return new CertificateError(file, 'unwritable', said)
}
