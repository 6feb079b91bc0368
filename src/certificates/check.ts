import type { X509Certificate } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { CertificateError, type CertificateProblemKind, readChain, readKey } from './load.ts'

/** The common name of the throw-away authority. Certificates that it issued are ours to replace. */
export const AUTHORITY_NAME = 'hotpotato throw-away authority'

/** The file name, without its ending, of the authority's certificate and key. */
export const AUTHORITY_FILE = 'ca'

/** A certificate: the name of its files, and the hosts that it must cover. */
export interface CertificateName {
  readonly name: string
  /** Host names, each perhaps with `*` as its first label. */
  readonly hosts?: readonly string[]
  /**
   * Hosts that the configuration does not name. Ours are made for all of them; of a certificate from
   * elsewhere it is enough that it covers one.
   */
  readonly defaults?: readonly string[]
}

/** One thing that is wrong in a certificate directory, and what to do about it. */
export interface CertificateProblem {
  readonly file: string
  readonly kind: CertificateProblemKind
  /** A sentence that names the file, the trouble and what ends it. */
  readonly message: string
  /** The command that makes the file; undefined for what is not ours to make. */
  readonly command: string | undefined
}

/** Makes what is missing, and anew what of ours is of no use. */
export const MAKE = 'npx --no hotpotato certs'
/** Makes all of ours anew. */
export const RENEW = 'npx --no hotpotato certs --renew'

/** The hosts that a certificate of ours is made for: `NAME.local`, `NAME.localhost`, and those it must. */
export function hostsOf({ name, hosts = [], defaults = [] }: CertificateName): readonly string[] {
  return [...new Set([`${name}.local`, `${name}.localhost`, ...hosts, ...defaults])]
}

/**
 * Who has made the files `NAME.crt` and `NAME.key`. They are `ours` if our authority, this one or an earlier
 * one, has issued that certificate, and the key is its key or is missing. What cannot be read, and a key
 * whose certificate is missing or another one, may be a user's own: it counts as `foreign`.
 */
export function originOf(directory: string, name: string): 'none' | 'ours' | 'foreign' {
  const [file, keyFile] = filesOf(directory, name)
  const hasKey = isThere(keyFile)
  if (!isThere(file)) return hasKey ? 'foreign' : 'none'
  const leaf = attempt(() => readChain(file)[0]!)
  if (leaf === undefined || !isOurs(leaf)) return 'foreign'
  // A user's own authority may lie under the same name.
  if (name === AUTHORITY_FILE && leaf.subject !== leaf.issuer) return 'foreign'
  if (!hasKey) return 'ours'
  const key = attempt(() => readKey(keyFile))
  return key !== undefined && leaf.checkPrivateKey(key) ? 'ours' : 'foreign'
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
  const certificates = names.map(entry => (typeof entry === 'string' ? { name: entry } : entry))
  const authority = attempt(() => readChain(join(directory, `${AUTHORITY_FILE}.crt`))[0]!)
  const problems = certificates.flatMap(one =>
    new Check(directory, one.name).certificate(one, authority, now),
  )
  const needsAuthority = certificates.some(({ name }) => originOf(directory, name) !== 'foreign')
  return needsAuthority ? [...checkAuthority(directory, now), ...problems] : problems
}

/** What is wrong with the authority's own certificate. @param now milliseconds since 1970 */
export function checkAuthority(directory: string, now: number): CertificateProblem[] {
  return new Check(directory, AUTHORITY_FILE).authority(now)
}

/** Whether the throw-away authority, this one or an earlier one, issued the certificate. */
function isOurs(leaf: X509Certificate): boolean {
  return leaf.issuer === `CN=${AUTHORITY_NAME}`
}

/** One pair of files, and what is found in it. */
class Check {
  readonly #file: string
  readonly #keyFile: string
  readonly #origin: ReturnType<typeof originOf>
  readonly #isAuthority: boolean
  readonly #problems: CertificateProblem[] = []

  constructor(directory: string, name: string) {
    const [file, keyFile] = filesOf(directory, name)
    this.#file = file
    this.#keyFile = keyFile
    this.#origin = originOf(directory, name)
    this.#isAuthority = name === AUTHORITY_FILE
  }

  authority(now: number): CertificateProblem[] {
    const authority = this.#read(() => readChain(this.#file)[0]!)
    if (authority !== undefined) this.#dates(authority, now)
    return this.#problems
  }

  certificate(
    certificate: CertificateName,
    authority: X509Certificate | undefined,
    now: number,
  ): CertificateProblem[] {
    const leaf = this.#read(() => readChain(this.#file)[0]!)
    const key = this.#read(() => readKey(this.#keyFile))
    if (leaf === undefined) return this.#problems
    if (key !== undefined && !leaf.checkPrivateKey(key))
      this.#add(this.#keyFile, 'key_mismatch', `${this.#keyFile} is not the private key of its certificate`)
    this.#dates(leaf, now)
    this.#hosts(certificate, leaf)
    if (isOurs(leaf) && authority !== undefined && !leaf.verify(authority.publicKey)) {
      const reason = `${this.#file} was issued by an earlier ${AUTHORITY_FILE}.crt`
      this.#add(this.#file, 'stale_authority', reason)
    }
    return this.#problems
  }

  #dates(one: X509Certificate, now: number): void {
    if (now < Date.parse(one.validFrom))
      this.#add(this.#file, 'not_yet_valid', `${this.#file} is not valid before ${one.validFrom}`)
    if (now > Date.parse(one.validTo))
      this.#add(this.#file, 'expired', `${this.#file} expired on ${one.validTo}`)
  }

  #hosts(certificate: CertificateName, leaf: X509Certificate): void {
    const { hosts = [], defaults = [] } = certificate
    const missing = (all: readonly string[]): string[] => all.filter(host => !covers(leaf, host))
    const ours = this.#origin === 'ours'
    const some = ours || defaults.length === 0 || missing(defaults).length < defaults.length
    const named = [...missing(ours ? hostsOf(certificate) : hosts), ...(some ? [] : [defaults.join(' or ')])]
    if (named.length === 0) return
    const what = `the ${named.length === 1 ? 'host' : 'hosts'} ${named.join(', ')}`
    this.#add(this.#file, 'wrong_name', `${this.#file} does not cover ${what}`)
  }

  #read<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      this.#add(error.file, error.kind, error.message)
      return undefined
    }
  }

  #add(file: string, kind: CertificateProblemKind, reason: string): void {
    if (this.#origin === 'foreign') {
      const message = `${reason}; hotpotato did not make it and leaves it alone: ${this.#advice(kind)}`
      this.#problems.push({ file, kind, message, command: undefined })
      return
    }
    // An authority is trusted by clients: it is not replaced unless that is asked for.
    const command = this.#isAuthority && kind !== 'missing' ? RENEW : MAKE
    this.#problems.push({ file, kind, message: `${reason}; make it with: ${command}`, command })
  }

  /** What the owner of a certificate can do that hotpotato did not make; never to give it up. */
  #advice(kind: CertificateProblemKind): string {
    if (this.#isAuthority)
      return 'put another one in its place yourself, or let `certificates` name another directory'
    const other = 'or give the function another `certificate` name, and hotpotato makes that one'
    switch (kind) {
      case 'wrong_name':
        return `get one that does, name in \`hosts\` of the function what it covers, ${other}`
      case 'key_mismatch':
        return `put the key of ${this.#file} there, ${other}`
      case 'expired':
      case 'not_yet_valid':
        return `get one from its authority that is valid, ${other}`
      default:
        return `put one there that belongs to the other file and can be read, ${other}`
    }
  }
}

/** A wildcard is looked for with a label in its place: OpenSSL matches names, not patterns. */
export function covers(leaf: X509Certificate, host: string): boolean {
  return leaf.checkHost(host.replace(/^\*/, 'any'), { subject: 'never' }) !== undefined
}

function filesOf(directory: string, name: string): readonly [certificate: string, key: string] {
  return [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
}

/** A link that leads nowhere is there: what it led to may come back. */
function isThere(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    // What is to be a folder of its path is a file.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false
    throw error
  }
}

/** What cannot be read is as good as not there. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    return undefined
  }
}
