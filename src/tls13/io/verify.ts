import { X509Certificate } from 'node:crypto'
import { equal } from '../../wire/index.ts'
import { configurationError, peerError, TlsError } from '../alert.ts'
import type { CertificateVerifier } from '../authentication.ts'
import { isRsa, malformed, rulesOf } from './certificate-rules.ts'
import { DerError } from './der.ts'
import { familyOf } from './ip-address.ts'
import { checkPurpose, checkValidity, nameOf, PathSearch, type Purpose } from './path-search.ts'
import { defaultTrustStore, type TrustedCertificates, type TrustStore, trustStore } from './trust-store.ts'
import { type Verdict, Verdicts, verdictKey } from './verdicts.ts'

export interface VerifierOptions {
  /** Whom to trust: PEM (perhaps several in one text) or DER; default: the roots that come with Node. */
  readonly ca?: TrustedCertificates
  /** Milliseconds since 1970; default: the session's `now`. */
  readonly now?: () => number
  /** Whose certificates are judged; default: servers'. Those of clients have no name to check. */
  readonly purpose?: 'server' | 'client'
  /** Whether the certificate must be for the server's name; default true for a server's. */
  readonly checkName?: boolean
  /** The host name or IP address it must be for; default: the session's server name. */
  readonly name?: string
  /**
   * Whether a chain that was trusted before is judged by its dates alone (default), or all over again each
   * time.
   */
  readonly remember?: boolean
}

/** Certificates looked at in one chain: they are work that a peer can ask for. */
const CHAIN_LIMIT = 16

/** Chains that some verifier of this process has trusted. */
const VERDICTS = new Verdicts(1024, 2 ** 20)

/**
 * A verifier over the platform's X.509: a path of signatures from the end-entity certificate to an authority
 * that is trusted, each certificate valid now and each issuer an authority, as far as its path length goes;
 * the end-entity's purpose (serverAuth or clientAuth), its key usage, and a server's name (RFC 9525: the
 * subjectAltName alone).
 *
 * Name constraints and policy constraints are obeyed, whether they are marked critical or not, those of an
 * authority that is trusted itself too. Where several paths lead to an authority, one that holds is enough.
 * Revocation is not looked at. docs/certificates.md has the rules, and where `openssl verify` has others.
 * @throws TypeError if `ca` holds no certificate. The verifier throws TlsError: bad_certificate — malformed,
 * a signature that does not fit, a weak hash, or another name; certificate_expired — not valid now;
 * unknown_ca — no path to an authority that is trusted; unsupported_certificate — not for servers (or
 * clients), a critical extension or a constraint that is not understood; certificate_unknown — a name that an
 * authority may not vouch for, or no policy where one is needed; internal_error — there is no name to check
 */
export function verifier(options: VerifierOptions = {}): CertificateVerifier {
  const given = options.ca === undefined ? undefined : trustStore(options.ca)
  const { purpose = 'server', remember = true } = options
  const { checkName: checksName = purpose === 'server' } = options
  return (chain, context) => {
    const now = options.now?.() ?? context.now
    const name = checksName ? (options.name ?? context.serverName) : undefined
    const trusted = given ?? defaultTrustStore()
    const judged: Case = { chain: chain.slice(0, CHAIN_LIMIT), now, trusted, purpose, checksName, name }
    // Without a name that is to be checked there is an error to come.
    if (!remember || (checksName && name === undefined)) return judge(judged).trusted
    const key = verdictKey(trusted.id, purpose, name, judged.chain)
    const known = VERDICTS.get(key, now)
    if (known !== undefined) return known
    const verdict = judge(judged)
    VERDICTS.set(key, verdict)
    return verdict.trusted
  }
}

/** All that a verdict hangs on. */
interface Case {
  readonly chain: readonly Uint8Array[]
  readonly now: number
  readonly trusted: TrustStore
  readonly purpose: Purpose
  readonly checksName: boolean
  readonly name: string | undefined
}

function judge(judged: Case): Verdict {
  try {
    return judgeChain(judged)
  } catch (error) {
    // The platform reads names and keys when they are asked for, and throws then; its errors have a code.
    throw error instanceof TlsError || !(error instanceof Error && 'code' in error) ? error : malformed(error)
  }
}

function judgeChain({ chain, now, trusted, purpose, checksName, name }: Case): Verdict {
  const [leaf, ...others] = chain.map(read)
  if (leaf === undefined) throw peerError('bad_certificate', 'no_certificate', 'an empty chain')
  const rules = rulesOf(leaf)
  checkValidity(leaf, now)
  checkPurpose(leaf, purpose)
  if (!rules.maySign)
    throw peerError('unsupported_certificate', 'key_may_not_sign', `the key of ${nameOf(leaf)} may not sign`)
  if (checksName) checkName(leaf, name)
  const path = new PathSearch(others, trusted, now, purpose).from(leaf)
  const publicKey = publicKeyOf(leaf)
  const dates = path.map(rulesOf)
  const { notBefore, notAfter } = rules
  return {
    trusted: rules.mayDelegate ? { publicKey, delegation: { notBefore, notAfter } } : { publicKey },
    notBefore: Math.max(...dates.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...dates.map(({ notAfter }) => notAfter)),
  }
}

/**
 * SubjectPublicKeyInfo. Of RSA keys the platform has read more than one form: it writes them as they should
 * be.
 */
function publicKeyOf(certificate: X509Certificate): Uint8Array {
  const { publicKey } = certificate
  if (!isRsa(publicKey)) return Uint8Array.from(rulesOf(certificate).publicKey)
  return Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }))
}

function read(der: Uint8Array): X509Certificate {
  try {
    const certificate = new X509Certificate(der)
    // The key is parsed only when it is asked for; a kind that OpenSSL does not know throws there.
    void certificate.publicKey
    // OpenSSL reads BER and overlooks what follows.
    if (!equal(certificate.raw, der)) throw new DerError('it is no DER')
    return certificate
  } catch (cause) {
    throw malformed(cause)
  }
}

function checkName(leaf: X509Certificate, name: string | undefined): void {
  if (name === undefined) {
    throw configurationError('internal_error', 'no_name_to_check', 'no name to check the certificate against')
  }
  const fits = familyOf(name)
    ? leaf.checkIP(name)
    : leaf.checkHost(name, { subject: 'never', partialWildcards: false })
  if (fits === undefined) {
    const names = leaf.subjectAltName ?? 'no name'
    // No alert of RFC 8446 says so; this is the one that other stacks send.
    throw peerError('bad_certificate', 'wrong_name', `${nameOf(leaf)} is for ${names}, not for ${name}`)
  }
}
