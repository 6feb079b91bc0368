import { concat, EMPTY, equal, utf8 } from '../wire/index.ts'
import { configurationError, peerError } from './alert.ts'
import { nameOf, SignatureScheme } from './codepoints.ts'
import type { CryptoProvider, HashAlgorithm, Signer } from './crypto/provider.ts'
import { hkdfExpandLabel } from './key-schedule.ts'

/** A certificate chain and a private key that fits it, ready to sign. */
export interface Certificate {
  /** DER, the end-entity certificate first. */
  readonly chain: readonly Uint8Array[]
  /** The key, once per scheme that it can sign with, in order of preference. */
  readonly signers: readonly (Signer | RemoteSigner)[]
  /**
   * Server names that this certificate is for, exact (`echo.local`) or wildcard (`*.echo.local`); none: for
   * any name.
   */
  readonly names?: readonly string[]
  /** An OCSPResponse in DER, stapled if the client asks (RFC 8446 §4.4.2.1). */
  readonly ocspResponse?: Uint8Array
  /** A SignedCertificateTimestampList (RFC 6962 §3.3), sent if the client asks. */
  readonly signedCertificateTimestamps?: Uint8Array
  /** A short-lived key in place of the certificate's, for clients that offer to take one (RFC 9345). */
  readonly delegated?: DelegatedKey
}

/** A private key that is held elsewhere: the session asks for its signatures. */
export interface RemoteSigner {
  readonly scheme: number
  readonly sign?: undefined
}

/** A DelegatedCredential (RFC 9345 §4) as it goes over the wire, and the key that it is for. */
export interface DelegatedKey {
  readonly credential: Uint8Array
  /** The scheme of the credential's own signature, which the client must take, too. */
  readonly algorithm: number
  readonly signer: Signer | RemoteSigner
  /**
   * Milliseconds since 1970, from when on it is not used any more; default: never, and clients refuse it when
   * its time is over.
   */
  readonly notAfter?: number
}

/**
 * Binds a private key to every scheme of the provider that it fits.
 * @param privateKey PKCS#8, DER
 * @throws TlsError internal_error (configuration) if it fits none
 */
export function certificateWithKey(
  provider: CryptoProvider,
  chain: readonly Uint8Array[],
  privateKey: Uint8Array,
  names?: readonly string[],
): Certificate {
  const signers = provider.signatureAlgorithms.flatMap(algorithm => algorithm.signer(privateKey) ?? [])
  if (signers.length === 0) {
    throw configurationError(
      'internal_error',
      'no_scheme_for_key',
      `provider ${provider.name} has no signature scheme for this private key`,
    )
  }
  return { chain, signers, ...(names === undefined ? {} : { names }) }
}

/** What a verifier is told about the certificates it judges. */
export interface VerifierContext {
  /** The name that the client asked for; undefined if it asked for none. */
  readonly serverName: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  /** What was stapled to the end-entity certificate: an OCSPResponse, DER. */
  readonly ocspResponse?: Uint8Array
  /** A SignedCertificateTimestampList (RFC 6962 §3.3). */
  readonly signedCertificateTimestamps?: Uint8Array
}

/** What a verifier gives for a chain that it trusts. */
export interface Trusted {
  /** The end-entity's SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /**
   * Only for a certificate that allows delegation (RFC 9345 §4.2): from when to when it is valid, in
   * milliseconds since
   * 1970. A credential's time counts from the one and ends before the other.
   */
  readonly delegation?: { readonly notBefore: number; readonly notAfter: number }
}

/**
 * Judges the peer's certificate chain (RFC 8446 §4.4.2.4) and gives the end-entity's public key.
 * Parsing and trusting certificates is the business of a platform or a library, never of this stack.
 * @param chain DER, the end-entity certificate first, never empty
 * @throws TlsError bad_certificate, certificate_expired, unknown_ca, certificate_unknown, …
 */
export type CertificateVerifier = (chain: readonly Uint8Array[], context: VerifierContext) => Trusted

/**
 * The certificates for a server name: those that name it, then those with a wildcard for it; those for any
 * name if there are none.
 */
export function certificatesFor(
  certificates: readonly Certificate[],
  serverName: string | undefined,
): readonly Certificate[] {
  const name = serverName?.toLowerCase()
  const named = (wild: boolean) =>
    certificates.filter(
      ({ names }) =>
        name !== undefined &&
        names?.some(pattern => pattern.startsWith('*.') === wild && matches(pattern, name)),
    )
  const exact = named(false)
  const found = [...exact, ...named(true).filter(one => !exact.includes(one))]
  return found.length > 0 ? found : certificates.filter(({ names }) => names === undefined)
}

function matches(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern.toLowerCase() === name
  // A wildcard stands for exactly one label (RFC 9525 §6.3).
  const dot = name.indexOf('.')
  return dot > 0 && name.slice(dot) === pattern.slice(1).toLowerCase()
}

/**
 * The first certificate and signer whose scheme the client takes (RFC 8446 §4.4.2.2).
 * @throws TlsError handshake_failure if there is none
 */
export function chooseCertificate(
  certificates: readonly Certificate[],
  offeredSchemes: readonly number[],
): { readonly certificate: Certificate; readonly signer: Signer | RemoteSigner } {
  for (const certificate of certificates) {
    for (const signer of certificate.signers) {
      if (offeredSchemes.includes(signer.scheme)) return { certificate, signer }
    }
  }
  const schemes = certificates.flatMap(({ signers }) =>
    signers.map(({ scheme }) => nameOf(SignatureScheme, scheme)),
  )
  throw configurationError(
    'handshake_failure',
    'no_common_signature_scheme',
    `the client accepts no signature of ${schemes.join(', ') || 'ours: no certificate'}`,
  )
}

/** Bytes of a certificate's identifier in a session state. */
export const CERTIFICATE_ID_LENGTH = 4

/**
 * A short name for what holds the public key that is signed for: the front of the hash of the end-entity
 * certificate. It tells a receiver which one was chosen.
 * @param delegated the key of the delegated credential signs, so it is named: a certificate may have several
 */
export function certificateId(
  hash: HashAlgorithm,
  { chain, delegated: key }: Certificate,
  delegated = false,
): Uint8Array {
  const named = delegated ? key?.credential : chain[0]
  return hash.digest(named ?? EMPTY).slice(0, CERTIFICATE_ID_LENGTH)
}

const SPACES = new Uint8Array(64).fill(0x20)

/** What a CertificateVerify signs (RFC 8446 §4.4.3). */
export function certificateVerifyContent(
  signedBy: 'client' | 'server',
  transcriptHash: Uint8Array,
): Uint8Array {
  return concat(SPACES, utf8(`TLS 1.3, ${signedBy} CertificateVerify`), Uint8Array.of(0), transcriptHash)
}

/**
 * Checks a CertificateVerify.
 * @param publicKey SubjectPublicKeyInfo, DER
 * @throws TlsError illegal_parameter for a scheme that was not offered or is for other keys, decrypt_error
 * for a signature that does not fit
 */
export function checkCertificateVerify(
  provider: CryptoProvider,
  publicKey: Uint8Array,
  message: { readonly algorithm: number; readonly signature: Uint8Array },
  content: Uint8Array,
): void {
  const algorithm = provider.signatureAlgorithms.find(({ scheme }) => scheme === message.algorithm)
  if (algorithm === undefined) {
    throw peerError(
      'illegal_parameter',
      'signature_scheme_not_offered',
      `signed with ${nameOf(SignatureScheme, message.algorithm)}, which was not offered`,
    )
  }
  if (!algorithm.verify(publicKey, content, message.signature)) {
    if (!algorithm.fits(publicKey)) {
      throw peerError(
        'illegal_parameter',
        'signature_scheme_of_other_keys',
        `signed with ${algorithm.name}, which does not go with the key`,
      )
    }
    throw peerError('decrypt_error', 'wrong_signature', 'the CertificateVerify signature is wrong')
  }
}

/** verify_data of a Finished, and of a PSK binder (RFC 8446 §4.4.4 and §4.2.11.2). */
export function finishedVerifyData(
  hash: HashAlgorithm,
  baseKey: Uint8Array,
  transcriptHash: Uint8Array,
): Uint8Array {
  const finishedKey = hkdfExpandLabel(hash, baseKey, 'finished', EMPTY, hash.length)
  return hash.hmac(finishedKey, transcriptHash)
}

/** @throws TlsError decode_error for a wrong length, decrypt_error for a wrong value */
export function checkFinished(
  hash: HashAlgorithm,
  baseKey: Uint8Array,
  transcriptHash: Uint8Array,
  verifyData: Uint8Array,
): void {
  if (verifyData.length !== hash.length)
    throw peerError('decode_error', 'wrong_finished_length', `a Finished of ${verifyData.length} bytes`)
  if (!equal(finishedVerifyData(hash, baseKey, transcriptHash), verifyData)) {
    throw peerError('decrypt_error', 'wrong_finished', 'the Finished does not match the handshake')
  }
}
