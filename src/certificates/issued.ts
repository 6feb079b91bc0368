import { createPrivateKey, X509Certificate } from 'node:crypto'
import { certificateBlocks, PemError } from '../wire/pem.ts'
import { covers } from './check.ts'
import { pem } from './der.ts'

/** Certificates of a chain, at most. */
const LONGEST = 10

/** What an authority has sent and what cannot be used; the message says why, in half a sentence. */
export class IssuedError extends Error {
  override readonly name = 'IssuedError'
}

/** What stands in a certificate that was issued. */
export interface Issued {
  /** The chain, the leaf first, and nothing else. */
  readonly pem: string
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** SHA-256 of the leaf, in hexadecimal digits. */
  readonly fingerprint: string
}

/**
 * Judges a chain that an authority has sent, before it is put in the place of another one.
 * @param text PEM @param privateKey PEM @param names that it has to cover @param now milliseconds since 1970
 * @throws IssuedError it is not what was asked for
 */
export function judgeIssued(text: string, privateKey: string, names: readonly string[], now: number): Issued {
  const chain = readIssued(text)
  const leaf = chain[0]!
  if (!leaf.checkPrivateKey(createPrivateKey(privateKey)))
    throw new IssuedError('the certificate is for another key than the one that was asked for')
  const missing = names.filter(name => !covers(leaf, name))
  if (missing.length > 0) throw new IssuedError(`the certificate does not cover ${missing.join(', ')}`)
  const found = issuedOf(chain)
  if (found.notAfter <= now) throw new IssuedError(`the certificate expired on ${leaf.validTo}`)
  for (const [index, one] of chain.entries()) {
    const issuer = chain[index + 1]
    if (issuer !== undefined && !(one.checkIssued(issuer) && one.verify(issuer.publicKey)))
      throw new IssuedError(`certificate ${index + 1} of the chain is not signed by the one behind it`)
  }
  return found
}

/** What a chain says of itself. @param text PEM @throws IssuedError it is no chain */
export function describeIssued(text: string): Issued {
  return issuedOf(readIssued(text))
}

function issuedOf(chain: readonly X509Certificate[]): Issued {
  const { validFrom, validTo, fingerprint256 } = chain[0]!
  return {
    pem: chain.map(one => pem('CERTIFICATE', one.raw)).join(''),
    notBefore: Date.parse(validFrom),
    notAfter: Date.parse(validTo),
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

function readIssued(text: string): X509Certificate[] {
  let chain: X509Certificate[]
  try {
    chain = certificateBlocks(text).map(({ der }) => new X509Certificate(der))
  } catch (error) {
    const why = error instanceof PemError ? error.message : 'a block is no X.509 certificate'
    throw new IssuedError(`what came is no chain of certificates: ${why}`)
  }
  if (chain.length > LONGEST) throw new IssuedError(`a chain of ${chain.length} certificates`)
  return chain
}
