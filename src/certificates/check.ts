import type { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CertificateError, type CertificateProblemKind, readChain, readKey } from './load.ts'

/** The common name of the throw-away authority. Certificates that it issued are ours to replace. */
export const AUTHORITY_NAME = 'hotpotato throw-away authority'

/** The file name, without its ending, of the authority's certificate and key. */
export const AUTHORITY_FILE = 'ca'

/** A certificate: the name of its files, and the hosts that it must cover besides `NAME.local`. */
export interface CertificateName {
  readonly name: string
  /** Host names, each perhaps with `*` as its first label. */
  readonly hosts?: readonly string[]
}

/** One thing that is wrong in a certificate directory, and what to do about it. */
export interface CertificateProblem {
  readonly file: string
  readonly kind: CertificateProblemKind
  /** A sentence that names the file, the trouble and the command that ends it. */
  readonly message: string
  /** The command that renews the file. */
  readonly command: string
}

/** The hosts that a certificate of that name is made for. */
export function hostsOf(certificate: CertificateName): readonly string[] {
  return [...new Set([`${certificate.name}.local`, ...(certificate.hosts ?? [])])]
}

/**
 * Everything that is wrong with the certificates of these names; empty if all is well. Certificates of other
 * authorities are judged by their dates, keys and names alone; the throw-away authority is judged if anything
 * depends on it.
 * @param now milliseconds since 1970
 */
export function checkCertificates(
  directory: string,
  names: readonly (string | CertificateName)[],
  now: number,
): CertificateProblem[] {
  const problems: CertificateProblem[] = []
  const authority = readAuthority(directory)
  let needsAuthority = false
  for (const entry of names) {
    const certificate = typeof entry === 'string' ? { name: entry } : entry
    const leaf = attempt(problems, () => readChain(join(directory, `${certificate.name}.crt`))[0]!)
    if (leaf === undefined || isOurs(leaf)) needsAuthority = true
    checkKey(problems, join(directory, `${certificate.name}.key`), leaf)
    if (leaf !== undefined) checkLeaf(problems, directory, certificate, leaf, authority, now)
  }
  return needsAuthority ? [...checkAuthority(directory, now), ...problems] : problems
}

/** What is wrong with the authority's own certificate. @param now milliseconds since 1970 */
export function checkAuthority(directory: string, now: number): CertificateProblem[] {
  const problems: CertificateProblem[] = []
  const file = join(directory, `${AUTHORITY_FILE}.crt`)
  const authority = attempt(problems, () => readChain(file)[0]!)
  if (authority !== undefined) checkDates(problems, file, authority, now)
  return problems
}

/** Whether the throw-away authority, this one or an earlier one, issued the certificate. */
export function isOurs(leaf: X509Certificate): boolean {
  return leaf.issuer === `CN=${AUTHORITY_NAME}`
}

function readAuthority(directory: string): X509Certificate | undefined {
  return attempt([], () => readChain(join(directory, `${AUTHORITY_FILE}.crt`))[0]!)
}

function checkKey(problems: CertificateProblem[], file: string, leaf: X509Certificate | undefined): void {
  const key = attempt(problems, () => readKey(file))
  if (key !== undefined && leaf !== undefined && !leaf.checkPrivateKey(key)) {
    problems.push(problem(file, 'key_mismatch', `${file} is not the private key of its certificate`))
  }
}

function checkLeaf(
  problems: CertificateProblem[],
  directory: string,
  certificate: CertificateName,
  leaf: X509Certificate,
  authority: X509Certificate | undefined,
  now: number,
): void {
  const file = join(directory, `${certificate.name}.crt`)
  checkDates(problems, file, leaf, now)
  for (const host of hostsOf(certificate)) {
    // A wildcard is looked for with a label in its place: OpenSSL matches names, not patterns.
    const sample = host.replace(/^\*/, 'any')
    if (leaf.checkHost(sample, { subject: 'never' }) === undefined) {
      problems.push(problem(file, 'wrong_name', `${file} does not cover the host ${host}`))
    }
  }
  if (isOurs(leaf) && authority !== undefined && !leaf.verify(authority.publicKey)) {
    problems.push(problem(file, 'stale_authority', `${file} was issued by an earlier ${AUTHORITY_FILE}.crt`))
  }
}

function checkDates(problems: CertificateProblem[], file: string, one: X509Certificate, now: number): void {
  if (now < Date.parse(one.validFrom)) {
    problems.push(problem(file, 'not_yet_valid', `${file} is not valid before ${one.validFrom}`))
  }
  if (now > Date.parse(one.validTo)) {
    problems.push(problem(file, 'expired', `${file} expired on ${one.validTo}`))
  }
}

function attempt<T>(problems: CertificateProblem[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    problems.push(problem(error.file, error.kind, error.message))
    return undefined
  }
}

function problem(file: string, kind: CertificateProblemKind, reason: string): CertificateProblem {
  // Without --renew nothing is made over a file that is there, such as the other half of a pair.
  const alone =
    kind === 'missing' &&
    !existsSync(file.endsWith('.crt') ? file.replace(/crt$/, 'key') : file.replace(/key$/, 'crt'))
  const command = alone ? 'npm run certs' : 'npm run certs -- --renew'
  return { file, kind, message: `${reason}; make it with: ${command}`, command }
}
