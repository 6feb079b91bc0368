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

/** RFC 9345, Section 4: a key that a certificate's owner lets somebody use for a while. */
export const Credential = struct('Credential', {
  /** Seconds from the notBefore of the certificate. */
  validTime: uint32,
  /** The scheme of the CertificateVerify that goes with it. */
  dcCertVerifyAlgorithm: uint16,
  subjectPublicKeyInfo: opaque(1, 2 ** 24 - 1),
})

/** RFC 9345, Section 4. */
export const DelegatedCredential = struct('DelegatedCredential', {
  cred: Credential,
  algorithm: uint16,
  signature: opaque(1, 2 ** 16 - 1),
})
export type DelegatedCredential = TypeOf<typeof DelegatedCredential>

/** Seconds that a credential may still be valid for when it is used (RFC 9345, Section 4.1.3): seven days. */
export const MAXIMUM_VALIDITY = 7 * 24 * 3600

/** What the certificate's key signs (RFC 9345, Section 4). */
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
 * Delegates: the owner of a certificate signs a short-lived key for somebody else.
 * @param certificate DER; it must allow delegation @param owner the certificate's key
 * @param delegate its key, and the one scheme that it will sign with @param validTime seconds from the certificate's notBefore
 */
export function delegate(
  certificate: Uint8Array,
  owner: Signer,
  delegated: { readonly publicKey: Uint8Array; readonly signer: Signer | RemoteSigner },
  validTime: number,
): DelegatedKey {
  const { publicKey: subjectPublicKeyInfo, signer } = delegated
  const cred = { validTime, dcCertVerifyAlgorithm: signer.scheme, subjectPublicKeyInfo }
  const signature = owner.sign(signedContent('server', certificate, cred, owner.scheme))
  const credential = encode(DelegatedCredential, { cred, algorithm: owner.scheme, signature })
  return { credential, algorithm: owner.scheme, signer }
}

/**
 * Judges a server's delegated credential (RFC 9345, Section 4.1.3).
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
    throw peerError('illegal_parameter', 'the certificate does not allow delegation')
  const left = trusted.delegation.notBefore + validTime * 1000 - now
  if (left < 0) throw peerError('illegal_parameter', 'the delegated credential has expired')
  if (left > MAXIMUM_VALIDITY * 1000)
    throw peerError('illegal_parameter', 'the delegated credential is valid for too long')
  if (!offered.includes(scheme)) {
    throw peerError(
      'illegal_parameter',
      `a delegated credential for ${nameOf(SignatureScheme, scheme)}, which was not offered`,
    )
  }
  const verifier = provider.signatureAlgorithms.find(one => one.scheme === algorithm)
  if (
    verifier?.verify(trusted.publicKey, signedContent('server', certificate, cred, algorithm), signature) !==
    true
  ) {
    throw peerError('illegal_parameter', 'the signature of the delegated credential does not fit')
  }
  return { publicKey: subjectPublicKeyInfo, scheme }
}

function open(credential: Uint8Array): DelegatedCredential {
  try {
    return decode(DelegatedCredential, credential)
  } catch (error) {
    if (error instanceof DecodeError)
      throw peerError('decode_error', `delegated_credential: ${error.message}`)
    throw error
  }
}
