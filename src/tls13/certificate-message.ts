import { DecodeError, decode, EMPTY, encode } from '../wire/index.ts'
import { peerError, TlsError } from './alert.ts'
import { type Certificate, chooseCertificate, type RemoteSigner } from './authentication.ts'
import type { CommonConfig } from './config.ts'
import type { Signer } from './crypto/provider.ts'
import {
  CertificateStatusType,
  EXTENSIONS,
  type ExtensionValues,
  readExtensions,
  writeExtensions,
} from './extensions.ts'
import { Certificate as CertificateMessage, type Extension, type MessageOf } from './messages.ts'
import { encodeWith } from './transition.ts'

/** What the peer said it takes: from its ClientHello or its CertificateRequest. */
export interface CertificateWishes {
  readonly signature_algorithms?: readonly number[] | undefined
  readonly compress_certificate?: readonly number[] | undefined
  readonly delegated_credential?: readonly number[] | undefined
  /** A CertificateRequest says nothing more in it (RFC 8446 §4.4.2.1). */
  readonly status_request?: { readonly statusType: number } | Uint8Array | undefined
  readonly signed_certificate_timestamp?: unknown
}

/** A certificate of ours, and who signs for it. */
export interface ChosenIdentity {
  readonly certificate: Certificate
  readonly signer: Signer | RemoteSigner
  /** The signer's key is the one of the certificate's delegated credential. */
  readonly delegated: boolean
}

/**
 * The certificate that suits the peer; a delegated key goes first where it is wanted (RFC 9345 §4.1).
 * @param now milliseconds since 1970 @throws TlsError handshake_failure
 */
export function chooseIdentity(
  certificates: readonly Certificate[],
  wishes: CertificateWishes,
  now: number,
): ChosenIdentity {
  const schemes = wishes.signature_algorithms ?? []
  for (const certificate of certificates) {
    const { delegated } = certificate
    if (delegated === undefined || now > (delegated.notAfter ?? now)) continue
    if (
      wishes.delegated_credential?.includes(delegated.signer.scheme) &&
      schemes.includes(delegated.algorithm)
    ) {
      return { certificate, signer: delegated.signer, delegated: true }
    }
  }
  return { ...chooseCertificate(certificates, schemes), delegated: false }
}

/** Our Certificate message, shortened if both sides know how (RFC 8446 §4.4.2; RFC 8879). */
export function certificateMessage(
  config: CommonConfig,
  { certificate, delegated }: ChosenIdentity,
  wishes: CertificateWishes,
  certificateRequestContext: Uint8Array = EMPTY,
): Uint8Array {
  const message: MessageOf<'certificate'> = {
    type: 'certificate',
    certificateRequestContext,
    certificateList: certificate.chain.map((certData, index) => ({
      certData,
      extensions: index === 0 ? endEntityExtensions(certificate, delegated, wishes) : [],
    })),
  }
  const compression = config.certificateCompression?.find(({ algorithm }) =>
    wishes.compress_certificate?.includes(algorithm),
  )
  if (compression === undefined) return encodeWith(config, message)
  const shaped = (config.shape?.(message) ?? message) as typeof message
  const body = encode(CertificateMessage, shaped)
  const compressedCertificateMessage = compression.compress(body)
  const { algorithm } = compression
  return encodeWith(config, {
    type: 'compressed_certificate',
    algorithm,
    uncompressedLength: body.length,
    compressedCertificateMessage,
  })
}

function endEntityExtensions(
  { ocspResponse, signedCertificateTimestamps, delegated: key }: Certificate,
  delegated: boolean,
  wishes: CertificateWishes,
): Extension[] {
  const values: ExtensionValues<'CT'> = {}
  if (ocspResponse !== undefined && wantsOcsp(wishes)) {
    values.status_request = { statusType: 'ocsp', response: ocspResponse }
  }
  if (signedCertificateTimestamps !== undefined && wishes.signed_certificate_timestamp !== undefined) {
    values.signed_certificate_timestamp = signedCertificateTimestamps
  }
  if (delegated && key !== undefined) values.delegated_credential = key.credential
  return writeExtensions('CT', values)
}

function wantsOcsp({ status_request: asked }: CertificateWishes): boolean {
  return (
    asked !== undefined &&
    (!('statusType' in asked) || asked.statusType === CertificateStatusType.members.ocsp)
  )
}

/** What the peer's Certificate message holds. */
export interface PeerCertificates {
  readonly certificateRequestContext: Uint8Array
  /** DER, the end-entity certificate first; empty if it has none to show. */
  readonly chain: readonly Uint8Array[]
  /** Of the end-entity certificate. */
  readonly extensions: ExtensionValues<'CT'>
}

/**
 * Opens the peer's Certificate or CompressedCertificate.
 * @param offered the numbers of the extensions that we sent: a response to nothing is an error
 */
export function openCertificates(
  config: CommonConfig,
  message: MessageOf<'certificate'> | MessageOf<'compressed_certificate'>,
  offered: ReadonlySet<number>,
): PeerCertificates {
  const opened = message.type === 'certificate' ? message : decompress(config, message)
  const [first, ...others] = opened.certificateList
  for (const { extensions } of opened.certificateList) checkDelegation(extensions, offered)
  for (const { extensions } of others) readExtensions('CT', extensions, offered)
  return {
    certificateRequestContext: opened.certificateRequestContext,
    chain: opened.certificateList.map(({ certData }) => certData),
    extensions: first === undefined ? {} : readExtensions('CT', first.extensions, offered),
  }
}

/** RFC 9345 §4.1.1: this one extension has an alert of its own if it was not requested. */
function checkDelegation(extensions: readonly Extension[], offered: ReadonlySet<number>): void {
  const { type } = EXTENSIONS.delegated_credential
  if (!offered.has(type) && extensions.some(({ extensionType }) => extensionType === type)) {
    throw peerError(
      'unexpected_message',
      'unrequested_delegated_credential',
      'a delegated credential that was not requested',
    )
  }
}

const MESSAGE_LIMIT = 2 ** 16

/** RFC 8879 §4: whatever is wrong with it, the alert is bad_certificate. */
function decompress(config: CommonConfig, message: MessageOf<'compressed_certificate'>) {
  const { algorithm, uncompressedLength, compressedCertificateMessage } = message
  const compression = config.certificateCompression?.find(one => one.algorithm === algorithm)
  if (config.certificateCompression === undefined || config.certificateCompression.length === 0) {
    throw peerError(
      'unexpected_message',
      'unrequested_compression',
      'a compressed certificate that was not requested',
    )
  }
  if (compression === undefined) {
    throw peerError(
      'illegal_parameter',
      'compression_not_offered',
      `certificate compression ${algorithm}, which was not offered`,
    )
  }
  // The bound holds before a byte is expanded.
  if (uncompressedLength > (config.handshakeMessageLimit ?? MESSAGE_LIMIT)) {
    throw peerError(
      'bad_certificate',
      'certificate_too_long',
      `a compressed certificate of ${uncompressedLength} bytes`,
    )
  }
  const body = compression.decompress(compressedCertificateMessage, uncompressedLength)
  if (body === undefined || body.length !== uncompressedLength) {
    throw peerError(
      'bad_certificate',
      'malformed_compression',
      'a compressed certificate that does not expand to its length',
    )
  }
  try {
    return decode(CertificateMessage, body)
  } catch (error) {
    if (error instanceof DecodeError)
      throw peerError('bad_certificate', 'malformed_message', `compressed: ${error.message}`)
    throw error
  }
}

/** The first of our certificates that a request's schemes allow; undefined if none suits. */
export function chooseClientIdentity(
  certificates: readonly Certificate[],
  wishes: CertificateWishes,
  now: number,
): ChosenIdentity | undefined {
  try {
    return chooseIdentity(certificates, wishes, now)
  } catch (error) {
    if (error instanceof TlsError) return undefined
    throw error
  }
}
