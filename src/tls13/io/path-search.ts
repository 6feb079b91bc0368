import type { X509Certificate } from 'node:crypto'
import { equal } from '../../wire/index.ts'
import { configurationError, peerError, TlsError } from '../alert.ts'
import { checkPolicies } from './certificate-policies.ts'
import { malformed, rulesOf } from './certificate-rules.ts'
import { DerError } from './der.ts'
import { COMPARISON_LIMIT, type Comparisons, checkNames } from './name-constraints.ts'
import type { TrustStore } from './trust-store.ts'

/** id-kp-serverAuth and id-kp-clientAuth (RFC 5280 §4.2.1.12). */
const PURPOSES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const
export type Purpose = keyof typeof PURPOSES

/** Signatures checked for one chain: they are work that a peer can ask for. */
const SIGNATURE_LIMIT = 32

/** Looks for a path to an anchor, depth first; the first thing that went wrong is told if there is none. */
export class PathSearch {
  readonly #others: readonly X509Certificate[]
  readonly #trusted: TrustStore
  readonly #now: number
  readonly #purpose: Purpose
  #signaturesLeft = SIGNATURE_LIMIT
  readonly #comparisons: Comparisons = { left: COMPARISON_LIMIT }
  #problem: TlsError | undefined

  constructor(others: readonly X509Certificate[], trusted: TrustStore, now: number, purpose: Purpose) {
    this.#others = others
    this.#trusted = trusted
    this.#now = now
    this.#purpose = purpose
  }

  /**
   * @returns the path: the end-entity certificate first, an anchor last; the two may be one
   * @throws TlsError if no path leads from the end-entity certificate to an anchor
   */
  from(leaf: X509Certificate): readonly X509Certificate[] {
    // A certificate that is itself trusted needs no issuer.
    if (this.#trusted.has(leaf)) return [leaf]
    const path = this.#reaches([leaf])
    if (path !== undefined) return path
    throw (
      this.#problem ??
      configurationError('unknown_ca', 'untrusted_issuer', `no trusted authority issued ${nameOf(leaf)}`)
    )
  }

  /** @param path from the end-entity certificate up to the one whose issuer is looked for */
  #reaches(path: readonly X509Certificate[]): readonly X509Certificate[] | undefined {
    const last = path.at(-1)!
    const { issuer } = rulesOf(last)
    const anchor = this.#trusted
      .named(issuer)
      .find(one => this.#tried(() => this.#check(path, last, one)) && this.#tried(() => hasPolicies(path)))
    if (anchor !== undefined) return [...path, anchor]
    for (const other of this.#others) {
      if (path.some(one => equal(one.raw, other.raw))) continue
      if (!this.#tried(() => this.#check(path, last, other))) continue
      const whole = this.#reaches([...path, other])
      if (whole !== undefined) return whole
    }
    return undefined
  }

  /** Whether what is tried holds; the first thing that went wrong is kept. */
  #tried(attempt: () => boolean): boolean {
    try {
      return attempt()
    } catch (error) {
      if (!(error instanceof TlsError)) throw error
      this.#problem ??= error
      return false
    }
  }

  /** @returns false for one that did not issue it @throws TlsError for one that may not have done so */
  #check(path: readonly X509Certificate[], certificate: X509Certificate, issuer: X509Certificate): boolean {
    if (rulesOf(certificate).issuer !== rulesOf(issuer).subject) return false
    // Key identifiers and the key usage keyCertSign are compared by the platform.
    if (!certificate.checkIssued(issuer)) return false
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
    const between = path.slice(1).filter(one => !rulesOf(one).selfIssued).length
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
    this.#checkNames(path, issuer)
    return true
  }

  /** All below an authority are bound by its constraints, whether it is trusted itself or vouched for. */
  #checkNames(path: readonly X509Certificate[], issuer: X509Certificate): void {
    const { nameConstraints } = rulesOf(issuer)
    if (nameConstraints === undefined) return
    for (const [index, certificate] of path.entries()) {
      const { names, hostsInSubject, selfIssued } = rulesOf(certificate)
      // An authority may have certificates of its own for new keys (RFC 5280 §6.1.3 (b)).
      if (index > 0 && selfIssued) continue
      const all = index === 0 ? [...names, ...hostsInSubject] : names
      checkNames(all, nameConstraints, this.#comparisons, nameOf(issuer), nameOf(certificate))
    }
  }
}

/** @throws TlsError certificate_unknown, bad_certificate */
function hasPolicies(path: readonly X509Certificate[]): true {
  try {
    checkPolicies(path.map(one => rulesOf(one).policies))
    return true
  } catch (error) {
    throw error instanceof DerError ? malformed(error) : error
  }
}

/** @throws TlsError certificate_expired unless it is valid at this time */
export function checkValidity(certificate: X509Certificate, now: number): void {
  const { notBefore, notAfter } = rulesOf(certificate)
  // The negations also catch a clock without a time.
  if (!(now >= notBefore)) {
    throw peerError(
      'certificate_expired',
      'certificate_not_yet_valid',
      `${nameOf(certificate)} is not valid before ${certificate.validFrom}`,
    )
  }
  if (!(now <= notAfter)) {
    throw peerError(
      'certificate_expired',
      'certificate_has_expired',
      `${nameOf(certificate)} expired on ${certificate.validTo}`,
    )
  }
}

/**
 * Holds for the issuers too: an authority may be one for some purposes alone.
 * @throws TlsError unsupported_certificate
 */
export function checkPurpose(certificate: X509Certificate, purpose: Purpose): void {
  const { purposes } = rulesOf(certificate)
  if (purposes !== undefined && !purposes.includes(PURPOSES[purpose])) {
    throw peerError(
      'unsupported_certificate',
      'wrong_certificate_purpose',
      `${nameOf(certificate)} is not for a ${purpose}`,
    )
  }
}

/** How messages call a certificate. */
export function nameOf(certificate: X509Certificate): string {
  return (certificate.subject || 'a certificate without a subject').replaceAll('\n', ', ')
}
