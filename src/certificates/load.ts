import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { closeSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CertificateBlock, certificateBlocks, PemError } from '../wire/pem.ts'

/** A certificate chain with its private key, as a server's configuration wants them. */
export interface LoadedCertificate {
  /** DER, the leaf first, each certified by the next (RFC 8446 §4.4.2). */
  readonly chain: readonly Uint8Array[]
  /** PKCS#8 in DER. */
  readonly privateKey: Uint8Array
}

/** What can be wrong with one file of a certificate directory. */
export type CertificateProblemKind =
  | 'missing'
  | 'unwritable'
  | 'unparsable'
  | 'not_yet_valid'
  | 'expired'
  | 'key_mismatch'
  | 'wrong_name'
  | 'stale_authority'
  | 'foreign'

/** A certificate or key file that is of no use; the message names it. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
  readonly file: string
  readonly kind: CertificateProblemKind

  constructor(file: string, kind: CertificateProblemKind, message: string) {
    super(message)
    this.file = file
    this.kind = kind
  }
}

/**
 * Reads `NAME.crt` (PEM, one certificate or a chain with the leaf first) and `NAME.key` (an unencrypted PEM
 * key). Whether the dates and the names are right is the business of `checkCertificates`.
 * @param inherited descriptors that have these files open; they are read instead, and closed
 * @throws CertificateError a file is missing or unparsable, or the key is not the leaf's
 */
export function loadCertificate(
  directory: string,
  name: string,
  inherited?: { readonly chain: number; readonly key: number },
): LoadedCertificate {
  const certificateFile = join(directory, `${name}.crt`)
  const keyFile = join(directory, `${name}.key`)
  const chain = readChain(certificateFile, inherited?.chain)
  const key = readKey(keyFile, inherited?.key)
  if (!chain[0]!.checkPrivateKey(key)) {
    throw new CertificateError(
      keyFile,
      'key_mismatch',
      `${keyFile} is not the private key of ${certificateFile}`,
    )
  }
  return {
    chain: chain.map(one => bytes(one.raw)),
    privateKey: bytes(key.export({ type: 'pkcs8', format: 'der' })),
  }
}

/**
 * The certificates of a PEM file, at least one. @param opened a descriptor that has it open, to be closed
 * @throws CertificateError missing, or not a certificate
 */
export function readChain(file: string, opened?: number): X509Certificate[] {
  const unparsable = (what: string) => new CertificateError(file, 'unparsable', `${file}: ${what}`)
  const text = read(file, opened)
  let blocks: readonly CertificateBlock[]
  try {
    blocks = certificateBlocks(text)
  } catch (error) {
    throw error instanceof PemError ? unparsable(error.message) : error
  }
  return blocks.map(({ name, der }) => {
    try {
      return new X509Certificate(der)
    } catch {
      throw unparsable(`${name} is not an X.509 certificate`)
    }
  })
}

/**
 * The private key of a PEM file. @param opened as in {@link readChain}
 * @throws CertificateError missing, encrypted, or not a key
 */
export function readKey(file: string, opened?: number): KeyObject {
  const pem = read(file, opened)
  try {
    return createPrivateKey(pem)
  } catch {
    throw new CertificateError(file, 'unparsable', `${file} is not an unencrypted PEM private key`)
  }
}

function read(file: string, opened?: number): string {
  try {
    return readFileSync(opened ?? file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new CertificateError(file, 'missing', `${file} does not exist`)
    throw new CertificateError(file, 'unparsable', `${file} cannot be read (${code ?? 'unknown error'})`)
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
}

/** A copy that is no Buffer and shares memory with nothing. */
function bytes(buffer: Uint8Array): Uint8Array {
  return Uint8Array.from(buffer)
}

/** When a certificate (DER) is valid, in milliseconds since 1970. */
export function validityOf(certificate: Uint8Array): {
  readonly notBefore: number
  readonly notAfter: number
} {
  const { validFrom, validTo } = new X509Certificate(certificate)
  return { notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) }
}
