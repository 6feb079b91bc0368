import { TlsError } from '../../../src/tls13/alert.ts'
import { certificateVerifyContent } from '../../../src/tls13/authentication.ts'
import { SignatureScheme } from '../../../src/tls13/codepoints.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { EXTENSIONS } from '../../../src/tls13/extensions.ts'
import { EMPTY, fromHex } from '../../../src/wire/index.ts'
import { certificateOf, ed25519Identity } from '../../support/identity.ts'
import { identity } from '../../support/pair.ts'
import { reshape, withBytes, without, withValue } from '../../support/reshape.ts'
import {
  type Chain,
  chain,
  ECDSA_SHA1,
  hello,
  type Reshaped,
  refusedByClients,
  refusedByServers,
  refusedInTheMiddle,
} from './refusals.ts'

/* What may not be wrong with a certificate, a request for one, and the signature by its key. */

const leafWith = (name: keyof typeof EXTENSIONS, extensionData: Uint8Array) => (m: Chain) => ({
  certificateList: m.certificateList.map(entry => ({
    ...entry,
    extensions: [{ extensionType: EXTENSIONS[name].type, extensionData }],
  })),
})

/** What a server may not staple. */
const MALFORMED: readonly (readonly [keyof typeof EXTENSIONS, string, string])[] = [
  ['signed_certificate_timestamp', '', 'no list of timestamps at all'],
  ['signed_certificate_timestamp', '0000', 'a list of no timestamps'],
  ['signed_certificate_timestamp', '00020000', 'an empty timestamp'],
  ['signed_certificate_timestamp', '00050001aa0000', 'an empty timestamp behind another one'],
  ['signed_certificate_timestamp', '00030002aa', 'a timestamp that is cut'],
  ['signed_certificate_timestamp', '00040001aa', 'a list of timestamps that is cut'],
  ['signed_certificate_timestamp', '00030001aa00', 'bytes behind the timestamps'],
  ['signed_certificate_timestamp', '0001aa', 'a timestamp without a length'],
  ['status_request', '', 'no status at all'],
  ['status_request', '00000001aa', 'a status of type 0'],
  ['status_request', '02000001aa', 'a status of type 2, ocsp_multi'],
  ['status_request', 'ff000001aa', 'a status of type 255'],
  ['status_request', '01000000', 'an empty OCSP response'],
  ['status_request', '01000002aa', 'an OCSP response that is cut'],
  ['status_request', '01000001aa00', 'bytes behind an OCSP response'],
]

refusedByServers([
  [
    'RFC 6962 §3.3.1',
    'decode_error',
    'malformed_extension',
    'a signed_certificate_timestamp with content',
    hello(m => withBytes(m, 'signed_certificate_timestamp', fromHex('0000'))),
  ],
  [
    '§4.2.3',
    'missing_extension',
    'missing_mandatory_extension',
    'no signature_algorithms for a certificate',
    hello(m => without(m, 'signature_algorithms')),
  ],
  [
    '§4.2.3',
    'handshake_failure',
    'no_common_signature_scheme',
    'no signature scheme of ours',
    hello(m => withValue(m, 'CH', 'signature_algorithms', [ECDSA_SHA1])),
    { origin: 'configuration' },
  ],
  [
    '§4.2.3',
    'decode_error',
    'malformed_extension',
    'an empty signature_algorithms',
    hello(m => withBytes(m, 'signature_algorithms', fromHex('0000'))),
  ],
])

refusedByClients([
  [
    '§4.4.2.4',
    'decode_error',
    'no_certificate',
    'a Certificate without certificates',
    chain(() => ({ certificateList: [] })),
  ],
  [
    '§4.4.2',
    'illegal_parameter',
    'unexpected_request_context',
    "a certificate_request_context in the server's Certificate",
    chain(() => ({ certificateRequestContext: fromHex('01') })),
  ],
  [
    '§4.4.2',
    'unsupported_extension',
    'unrequested_extension',
    'a certificate extension that was not asked for',
    chain(leafWith('status_request', fromHex('0100000101'))),
  ],
  ...MALFORMED.map(
    ([name, bytes, what]): Reshaped => [
      name === 'status_request' ? 'RFC 6066 §8' : 'RFC 6962 §3.3',
      'decode_error',
      'malformed_extension',
      `${what}, ${bytes}`,
      chain(leafWith(name, fromHex(bytes))),
      { subject: () => ({ requestStatus: true }) },
    ],
  ),
  [
    'RFC 6962 §3.3',
    'decode_error',
    'malformed_extension',
    'a list of no timestamps with an intermediate certificate',
    chain(m => {
      const extension = { extensionType: EXTENSIONS.signed_certificate_timestamp.type }
      const second = {
        certData: fromHex('aa'),
        extensions: [{ ...extension, extensionData: fromHex('0000') }],
      }
      return { certificateList: [...m.certificateList, second] }
    }),
    { subject: () => ({ requestStatus: true }) },
  ],
  [
    '§4.2',
    'illegal_parameter',
    'misplaced_extension',
    'a certificate extension that belongs elsewhere',
    chain(leafWith('server_name', EMPTY)),
  ],
  [
    '§4.4.2.4',
    'unknown_ca',
    'refused_by_application',
    'a certificate that the client does not trust',
    chain(() => ({})),
    { peer: () => ({ certificates: [certificateOf(ed25519Identity(99), node)] }) },
  ],
  [
    '§4.4.2.4',
    'certificate_expired',
    'refused_by_application',
    'a certificate that the verifier finds expired',
    chain(() => ({})),
    {
      subject: () => ({
        verify: () => {
          throw new TlsError('certificate_expired', 'peer', 'refused_by_application', 'too late')
        },
      }),
    },
  ],
  [
    '§6.2',
    'internal_error',
    'internal_failure',
    'a verifier that breaks',
    chain(() => ({})),
    {
      origin: 'local',
      subject: () => ({
        verify: () => {
          throw new RangeError('a bug')
        },
      }),
    },
  ],
  [
    '§4.4.3',
    'decrypt_error',
    'wrong_signature',
    'a signature that does not fit',
    reshape('certificate_verify', ({ signature }) => ({
      signature: signature.with(3, signature[3]! ^ 1),
    })),
  ],
  [
    '§4.4.3',
    'decrypt_error',
    'wrong_signature',
    'an empty signature',
    reshape('certificate_verify', () => ({ signature: EMPTY })),
  ],
  [
    '§4.4.3',
    'decrypt_error',
    'wrong_signature',
    'a signature by another key',
    chain(({ certificateList: [entry] }) => ({
      certificateList: [{ ...entry!, certData: identity.publicKey }],
    })),
    { peer: () => ({ certificates: [certificateOf(ed25519Identity(99), node)] }) },
  ],
  [
    '§4.4.3',
    'decrypt_error',
    'wrong_signature',
    'the signature of a client',
    chain(() => ({})),
    {
      peer: () => {
        const { chain, signers } = certificateOf(identity, node)
        // the same transcript under the other context string; the hash is the end of what is signed
        const sign = (content: Uint8Array) =>
          signers[0]!.sign!(certificateVerifyContent('client', content.slice(-32)))
        return { certificates: [{ chain, signers: [{ scheme: signers[0]!.scheme, sign }] }] }
      },
    },
  ],
  [
    '§4.4.3',
    'illegal_parameter',
    'signature_scheme_not_offered',
    'a signature scheme that was not offered',
    reshape('certificate_verify', () => ({ algorithm: ECDSA_SHA1 })),
  ],
  [
    '§4.4.3',
    'illegal_parameter',
    'signature_scheme_not_offered',
    'a signature scheme that TLS 1.3 does not have',
    reshape('certificate_verify', () => ({ algorithm: SignatureScheme.rsa_pkcs1_sha256 })),
  ],
  [
    '§4.4.3',
    'illegal_parameter',
    'signature_scheme_of_other_keys',
    'a signature scheme that does not go with the key',
    reshape('certificate_verify', () => ({ algorithm: SignatureScheme.rsa_pss_rsae_sha256 })),
  ],
])

refusedInTheMiddle([
  [
    '§4.4.2',
    'decode_error',
    'malformed_message',
    'a Certificate whose lengths disagree',
    ['client'],
    ['WAIT_CERT_CR'],
    scene => scene.handshake(fromHex('0b000005' + '0000000301')),
  ],
  [
    '§4.4.2',
    'decode_error',
    'malformed_message',
    'an empty certificate',
    ['client'],
    ['WAIT_CERT_CR'],
    scene => scene.handshake(fromHex('0b000009' + '00000005' + '0000000000')),
  ],
  [
    '§4.3.2',
    'illegal_parameter',
    'unexpected_request_context',
    'a CertificateRequest with a context',
    ['client'],
    ['WAIT_CERT_CR'],
    scene => scene.handshake(fromHex('0d00000c' + '01aa' + '0008' + '000d000400020807')),
  ],
  [
    '§4.3.2',
    'missing_extension',
    'missing_signature_algorithms',
    'a CertificateRequest without signature_algorithms',
    ['client'],
    ['WAIT_CERT_CR'],
    scene => scene.handshake(fromHex('0d000007' + '00' + '0004' + '00050000')),
  ],
  [
    '§4.3.2',
    'decode_error',
    'malformed_message',
    'a CertificateRequest without extensions',
    ['client'],
    ['WAIT_CERT_CR'],
    scene => scene.handshake(fromHex('0d000003' + '00' + '0000')),
  ],
  [
    '§4.3.2',
    'unexpected_message',
    'message_out_of_order',
    'a second CertificateRequest',
    ['client'],
    ['WAIT_CERT'],
    scene => scene.handshake(fromHex('0d00000b' + '00' + '0008' + '000d000400020807')),
  ],
])
