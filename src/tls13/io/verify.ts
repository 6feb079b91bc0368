import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { equal } from '../../wire/index.ts'
import { configurationError, peerError, TlsError } from '../alert.ts'
import type { CertificateVerifier } from '../authentication.ts'
import { malformed, rulesOf } from './certificate-rules.ts'
import { parseCertificates } from './pem.ts'

export interface VerifierOptions {
  /** Whom to trust: PEM (perhaps several in one text) or DER; default: the roots that come with Node. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Milliseconds since 1970; default: the session's `now`. */
  readonly now?: () => number
  /** Whose certificates are judged; default: servers'. Those of clients have no name to check. */
  readonly purpose?: 'server' | 'client'
  /** Whether the certificate must be for the server's name; default true for a server's. */
  readonly checkName?: boolean
  /** The host name or IP address it must be for; default: the session's server name. */
  readonly name?: string
}

/** id-kp-serverAuth and id-kp-clientAuth (RFC 5280 §4.2.1.12). */
const PURPOSES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const
type Purpose = keyof typeof PURPOSES
/** Certificates looked at in one chain, and signatures checked: both are work that a server can ask for. */
const CHAIN_LIMIT = 16
const SIGNATURE_LIMIT = 32

/**
 * A verifier over the platform's X.509: a path of signatures from the end-entity certificate to an authority
 * that is trusted, each certificate valid now and each issuer an authority, as far as its path length goes;
 * the end-entity's purpose (serverAuth or clientAuth), its key usage, and a server's name (RFC 9525: the
 * subjectAltName alone).
 *
 * Revocation is not looked at. Certificates with name constraints, critical as they must be, are refused.
 * @throws TypeError if `ca` holds no certificate. The verifier throws TlsError: bad_certificate — malformed,
 * a signature that does not fit, a weak hash, or another name; certificate_expired — not valid now;
 * unknown_ca — no path to an authority that is trusted; unsupported_certificate — not for servers (or
 * clients), or a critical extension that is not understood; internal_error — there is no name to check
 */
export function verifier(options: VerifierOptions = {}): CertificateVerifier {
  const anchors = options.ca === undefined ? undefined : parseCertificates(options.ca)
  if (anchors?.length === 0) throw new TypeError('ca: no certificate to trust')
  const { purpose = 'server', checkName: checksName = purpose === 'server' } = options
  return (chain, context) => {
    const now = options.now?.() ?? context.now
    const [leaf, ...others] = chain.slice(0, CHAIN_LIMIT).map(read)
    if (leaf === undefined) throw peerError('bad_certificate', 'no_certificate', 'an empty chain')
    const rules = rulesOf(leaf)
    checkValidity(leaf, now)
    checkPurpose(leaf, purpose)
    if (!rules.maySign)
      throw peerError(
        'unsupported_certificate',
        'key_may_not_sign',
        `the key of ${nameOf(leaf)} may not sign`,
      )
    if (checksName) checkName(leaf, options.name ?? context.serverName)
    new PathSearch(others, anchors ?? defaultAnchors(), now, purpose).from(leaf)
    const publicKey = Uint8Array.from(leaf.publicKey.export({ type: 'spki', format: 'der' }))
    if (!rules.mayDelegate) return { publicKey }
    const delegation = { notBefore: Date.parse(leaf.validFrom), notAfter: Date.parse(leaf.validTo) }
    return { publicKey, delegation }
  }
}

let roots: X509Certificate[] | undefined

/** Parsed when they are first needed: there are more than a hundred. */
function defaultAnchors(): readonly X509Certificate[] {
  roots ??= rootCertificates.map(pem => new X509Certificate(pem))
  return roots
}

function read(der: Uint8Array): X509Certificate {
  try {
    const certificate = new X509Certificate(der)
    // The key is parsed only when it is asked for; a kind that OpenSSL does not know throws there.
    void certificate.publicKey
    return certificate
  } catch (cause) {
    throw malformed(cause)
  }
}

function checkValidity(certificate: X509Certificate, now: number): void {
  if (now < Date.parse(certificate.validFrom)) {
    throw peerError(
      'certificate_expired',
      'certificate_not_yet_valid',
      `${nameOf(certificate)} is not valid before ${certificate.validFrom}`,
    )
  }
  // The negation also catches a date that cannot be read.
  if (!(now <= Date.parse(certificate.validTo))) {
    throw peerError(
      'certificate_expired',
      'certificate_has_expired',
      `${nameOf(certificate)} expired on ${certificate.validTo}`,
    )
  }
}

/** Holds for the issuers too: an authority may be one for some purposes alone. */
function checkPurpose(certificate: X509Certificate, purpose: Purpose): void {
  // What Node calls keyUsage are the OIDs of extKeyUsage; its types say that they are always there.
  const purposes = certificate.keyUsage as readonly string[] | undefined
  if (purposes !== undefined && !purposes.includes(PURPOSES[purpose])) {
    throw peerError(
      'unsupported_certificate',
      'wrong_certificate_purpose',
      `${nameOf(certificate)} is not for a ${purpose}`,
    )
  }
}

function checkName(leaf: X509Certificate, name: string | undefined): void {
  if (name === undefined) {
    throw configurationError('internal_error', 'no_name_to_check', 'no name to check the certificate against')
  }
  const fits = isIP(name)
    ? leaf.checkIP(name)
    : leaf.checkHost(name, { subject: 'never', partialWildcards: false })
  if (fits === undefined) {
    const names = leaf.subjectAltName ?? 'no name'
    // No alert of RFC 8446 says so; this is the one that other stacks send.
    throw peerError('bad_certificate', 'wrong_name', `${nameOf(leaf)} is for ${names}, not for ${name}`)
  }
}

/** Looks for a path to an anchor, depth first; the first thing that went wrong is told if there is none. */
class PathSearch {
  readonly #others: readonly X509Certificate[]
  readonly #anchors: readonly X509Certificate[]
  readonly #now: number
  readonly #purpose: Purpose
  #signaturesLeft = SIGNATURE_LIMIT
  #problem: TlsError | undefined

  constructor(
    others: readonly X509Certificate[],
    anchors: readonly X509Certificate[],
    now: number,
    purpose: Purpose,
  ) {
    this.#others = others
    this.#anchors = anchors
    this.#now = now
    this.#purpose = purpose
  }

  /** @throws TlsError if no path leads from the end-entity certificate to an anchor */
  from(leaf: X509Certificate): void {
    // A certificate that is itself trusted needs no issuer.
    if (this.#anchors.some(anchor => equal(anchor.raw, leaf.raw))) return
    if (this.#reaches([leaf])) return
    throw (
      this.#problem ??
      configurationError('unknown_ca', 'untrusted_issuer', `no trusted authority issued ${nameOf(leaf)}`)
    )
  }

  /** @param path from the end-entity certificate up to the one whose issuer is looked for */
  #reaches(path: readonly X509Certificate[]): boolean {
    const last = path.at(-1)!
    if (this.#anchors.some(anchor => this.#issued(path, last, anchor))) return true
    return this.#others.some(
      other =>
        !path.some(one => equal(one.raw, other.raw)) &&
        this.#issued(path, last, other) &&
        this.#reaches([...path, other]),
    )
  }

  #issued(path: readonly X509Certificate[], certificate: X509Certificate, issuer: X509Certificate): boolean {
    // Names, key identifiers and the key usage keyCertSign are compared by the platform.
    if (certificate.issuer !== issuer.subject || !certificate.checkIssued(issuer)) return false
    try {
      this.#check(path, certificate, issuer)
      return true
    } catch (error) {
      if (!(error instanceof TlsError)) throw error
      this.#problem ??= error
      return false
    }
  }

  #check(path: readonly X509Certificate[], certificate: X509Certificate, issuer: X509Certificate): void {
    if (!issuer.ca)
      throw peerError('unknown_ca', 'issuer_without_authority', `${nameOf(issuer)} is not an authority`)
    if (!rulesOf(certificate).stronglySigned) {
      throw peerError(
        'bad_certificate',
        'weak_certificate_signature',
        `${nameOf(certificate)} is signed with a weak algorithm, or an unknown one`,
      )
    }
    const { pathLength } = rulesOf(issuer)
    // RFC 5280 §4.2.1.9: the end-entity certificate does not count, nor do those that issued
    // themselves.
    const between = path.slice(1).filter(one => one.subject !== one.issuer).length
    if (pathLength !== undefined && between > pathLength) {
      throw peerError(
        'unknown_ca',
        'path_too_long',
        `${nameOf(issuer)} allows a path length of ${pathLength}`,
      )
    }
    if (this.#signaturesLeft-- <= 0)
      throw peerError('bad_certificate', 'chain_too_long', 'a chain that is too long to check')
    if (!certificate.verify(issuer.publicKey)) {
      throw peerError(
        'bad_certificate',
        'wrong_certificate_signature',
        `${nameOf(issuer)} did not sign ${nameOf(certificate)}`,
      )
    }
    checkPurpose(issuer, this.#purpose)
    checkValidity(issuer, this.#now)
  }
}

function nameOf(certificate: X509Certificate): string {
  return (certificate.subject || 'a certificate without a subject').replaceAll('\n', ', ')
}
