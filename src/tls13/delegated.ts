import {
  concat,
  DecodeError,
  decode,
  encode,
  opaque,
  struct,
  type TypeOf,
  uint16,
  uint32,
  utf8,
} from '../wire/index.ts'
import { peerError } from './alert.ts'
import type { DelegatedKey, RemoteSigner, Trusted } from './authentication.ts'
import { nameOf, SignatureScheme } from './codepoints.ts'
import type { CryptoProvider, Signer } from './crypto/provider.ts'

/** RFC 9345 §4: a key that a certificate's owner lets another party use for a while. */
export const Credential = struct('Credential', {
  /** Seconds from the notBefore of the certificate. */
  validTime: uint32,
  /** The scheme of the CertificateVerify that goes with it. */
  dcCertVerifyAlgorithm: uint16,
  subjectPublicKeyInfo: opaque(1, 2 ** 24 - 1),
})

/** RFC 9345 §4. */
export const DelegatedCredential = struct('DelegatedCredential', {
  cred: Credential,
  algorithm: uint16,
  signature: opaque(0, 2 ** 16 - 1),
})
export type DelegatedCredential = TypeOf<typeof DelegatedCredential>

/** Seconds that a credential may still be valid for when it is used (RFC 9345 §4.1.3): seven days. */
export const MAXIMUM_VALIDITY = 7 * 24 * 3600

/** What the certificate's key signs (RFC 9345 §4). */
function signedContent(
  side: 'server' | 'client',
  certificate: Uint8Array,
  cred: TypeOf<typeof Credential>,
  algorithm: number,
) {
  const context = `TLS, ${side} delegated credentials`
  const scheme = encode(uint16, algorithm)
  return concat(
    new Uint8Array(64).fill(0x20),
    utf8(context),
    Uint8Array.of(0),
    certificate,
    encode(Credential, cred),
    scheme,
  )
}

/**
 * Delegates: the owner of a certificate signs a short-lived key for another party.
 * @param certificate DER; it must allow delegation, which is not looked at here @param owner the
 * certificate's key
 * @param delegated its key (SubjectPublicKeyInfo, DER), and the one scheme that it will sign with
 * @param notBefore of the certificate, milliseconds since 1970 @param validTime seconds from there; at most
 * seven days from now
 * @throws TypeError for a scheme that cannot be delegated to
 */
export function delegate(
  certificate: Uint8Array,
  owner: Signer,
  delegated: { readonly publicKey: Uint8Array; readonly signer: Signer | RemoteSigner },
  notBefore: number,
  validTime: number,
): DelegatedKey {
  const { publicKey: subjectPublicKeyInfo, signer } = delegated
  if (!mayBeDelegated(signer.scheme))
    throw new TypeError(`the peer accepts no delegated credential that signs with ${signer.scheme}`)
  const cred = { validTime, dcCertVerifyAlgorithm: signer.scheme, subjectPublicKeyInfo }
  const signature = owner.sign(signedContent('server', certificate, cred, owner.scheme))
  const credential = encode(DelegatedCredential, { cred, algorithm: owner.scheme, signature })
  return { credential, algorithm: owner.scheme, signer, notAfter: notBefore + validTime * 1000 }
}

/**
 * Judges a server's delegated credential (RFC 9345 §4.1.3).
 * @param certificate DER @param trusted what the verifier gave for the certificate
 * @returns the key and scheme of the CertificateVerify @throws TlsError illegal_parameter
 */
export function checkDelegated(
  provider: CryptoProvider,
  credential: Uint8Array,
  certificate: Uint8Array,
  trusted: Trusted,
  offered: readonly number[],
  now: number,
): { readonly publicKey: Uint8Array; readonly scheme: number } {
  const { cred, algorithm, signature } = open(credential)
  const { dcCertVerifyAlgorithm: scheme, subjectPublicKeyInfo, validTime } = cred
  if (trusted.delegation === undefined)
    throw peerError(
      'illegal_parameter',
      'delegation_not_allowed',
      'the certificate does not allow delegation',
    )
  const { notBefore, notAfter } = trusted.delegation
  const end = notBefore + validTime * 1000
  const left = end - now
  if (left < 0)
    throw peerError(
      'illegal_parameter',
      'delegated_credential_expired',
      'the delegated credential has expired',
    )
  if (left > MAXIMUM_VALIDITY * 1000)
    throw peerError(
      'illegal_parameter',
      'delegated_validity_too_long',
      'the delegated credential is valid for too long',
    )
  if (end > notAfter)
    throw peerError(
      'illegal_parameter',
      'delegated_validity_too_long',
      'the delegated credential is valid for longer than its certificate',
    )
  if (!offered.includes(scheme) || !mayBeDelegated(scheme)) {
    throw peerError(
      'illegal_parameter',
      'delegated_scheme_not_offered',
      `a delegated credential for ${nameOf(SignatureScheme, scheme)}, which was not offered`,
    )
  }
  const verifier = provider.signatureAlgorithms.find(one => one.scheme === algorithm)
  if (
    verifier?.verify(trusted.publicKey, signedContent('server', certificate, cred, algorithm), signature) !==
    true
  ) {
    throw peerError(
      'illegal_parameter',
      'wrong_delegated_signature',
      'the signature of the delegated credential is wrong',
    )
  }
  return { publicKey: subjectPublicKeyInfo, scheme }
}

/**
 * §4: an RSA key of the general kind is no delegate; a server that has only such a certificate must not
 * gain one by delegating.
 */
export function mayBeDelegated(scheme: number): boolean {
  const { rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512 } = SignatureScheme
  const forbidden: readonly number[] = [rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512]
  return !forbidden.includes(scheme)
}

function open(credential: Uint8Array): DelegatedCredential {
  try {
    return decode(DelegatedCredential, credential)
  } catch (error) {
    if (error instanceof DecodeError)
      throw peerError('decode_error', 'malformed_extension', `delegated_credential: ${error.message}`)
    throw error
  }
}
