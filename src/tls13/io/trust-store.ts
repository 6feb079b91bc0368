import { createHash, X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { Recent } from '../recent.ts'
import { subjectOf } from './certificate-fields.ts'
import { DerError } from './der.ts'
import { parseCertificates } from './pem.ts'

/** What a caller may name as trusted: PEM (perhaps several in one text) or DER. */
export type TrustedCertificates = string | Uint8Array | readonly (string | Uint8Array)[]

/** The authorities that are trusted. It does not change: another set of them is another store. */
export class TrustStore {
  /** SHA-256 of all of them, so that two stores with one id trust the same. */
  readonly id: Uint8Array
  readonly #ids = new Set<string>()
  readonly #bySubject = new Map<string, X509Certificate[]>()

  constructor(anchors: readonly X509Certificate[]) {
    const all = createHash('sha256')
    for (const anchor of anchors) {
      const id = fingerprint(anchor)
      all.update(id)
      this.#ids.add(id)
      const subject = nameOf(anchor)
      if (subject === undefined) continue
      const others = this.#bySubject.get(subject)
      if (others === undefined) this.#bySubject.set(subject, [anchor])
      else others.push(anchor)
    }
    this.id = all.digest()
  }

  /** Whether it is itself one of the trusted ones, byte by byte. */
  has(certificate: X509Certificate): boolean {
    return this.#ids.has(fingerprint(certificate))
  }

  /**
   * Those that a certificate may mean by the name of its issuer, in the order in which they were given.
   * @param subject the key of a `DistinguishedName`
   */
  named(subject: string): readonly X509Certificate[] {
    return this.#bySubject.get(subject) ?? []
  }
}

/** Undefined for a certificate that is no DER: none can have been issued by it. */
function nameOf({ raw }: X509Certificate): string | undefined {
  try {
    return subjectOf(raw).key
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

function fingerprint({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('binary')
}

/** Stores that are remembered by what was given for them; a program has one or a few. */
const STORES = new Recent<TrustStore>(8)

/**
 * The store of the given certificates, read once for as long as they are given again.
 * @throws TypeError if there is none, or for something that is no certificate
 */
export function trustStore(given: TrustedCertificates): TrustStore {
  const key = digestOf(given)
  const known = STORES.get(key)
  if (known !== undefined) return known
  const anchors = parseCertificates(given)
  if (anchors.length === 0) throw new TypeError('ca: no certificate to trust')
  const store = new TrustStore(anchors)
  STORES.set(key, store)
  return store
}

/** Of kind, length and bytes of each part. */
function digestOf(given: TrustedCertificates): string {
  const parts = typeof given === 'string' || given instanceof Uint8Array ? [given] : given
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${typeof part} ${part.length} `).update(part)
  return hash.digest('binary')
}

let roots: TrustStore | undefined

/** Node's own roots, read when they are first needed: there are more than a hundred. */
export function defaultTrustStore(): TrustStore {
  roots ??= new TrustStore(rootCertificates.map(pem => new X509Certificate(pem)))
  return roots
}
