import { peerError } from './alert.ts'
import { certificateVerifyContent, checkCertificateVerify } from './authentication.ts'
import { openCertificates } from './certificate-message.ts'
import type { ClientConfig } from './config.ts'
import { checkDelegated } from './delegated.ts'
import { extensionTypes, readExtensions } from './extensions.ts'
import type { MessageOf } from './messages.ts'
import { refusal } from './question.ts'
import type { ClientHandshake, ClientState } from './state.ts'
import { extendTranscript } from './transcript.ts'
import { type AnswerTransition, type ClientTransition, helloOf, suiteOf } from './transition.ts'

/** The client's transitions in which the server shows who it is (RFC 8446 §4.3.2 and §4.4). */

type Waiting<S extends ClientHandshake['state']> = Extract<ClientHandshake, { state: S }>

/** WAIT_CERT_CR: the server would like to see a certificate (§4.3.2). */
export const onCertificateRequest: ClientTransition = (session, { message, raw }) => {
  const { transcript, ...handshake } = session.handshake as Waiting<'WAIT_CERT_CR'>
  const request = message as MessageOf<'certificate_request'>
  if (request.certificateRequestContext.length > 0) {
    throw peerError(
      'illegal_parameter',
      'unexpected_request_context',
      'a certificate_request_context during the handshake',
    )
  }
  const values = readExtensions('CR', request.extensions)
  if (values.signature_algorithms === undefined) {
    throw peerError(
      'missing_extension',
      'missing_signature_algorithms',
      'a CertificateRequest without signature_algorithms',
    )
  }
  return {
    next: {
      handshake: {
        ...handshake,
        state: 'WAIT_CERT',
        transcript: extendTranscript(transcript, raw),
        certificateAsked: {
          schemes: values.signature_algorithms,
          compression: values.compress_certificate ?? [],
        },
      },
    },
    effects: [],
  }
}

/** WAIT_CERT_CR and WAIT_CERT (§4.4.2). */
export const onCertificate: ClientTransition = (session, { message, raw }, { config }) => {
  const { transcript, ...handshake } = session.handshake as Waiting<'WAIT_CERT_CR' | 'WAIT_CERT'>
  const offered = extensionTypes(helloOf(transcript).extensions)
  const opened = openCertificates(config, message as MessageOf<'certificate'>, offered)
  if (opened.certificateRequestContext.length > 0) {
    throw peerError(
      'illegal_parameter',
      'unexpected_request_context',
      "a certificate_request_context in the server's Certificate",
    )
  }
  if (opened.chain.length === 0)
    throw peerError('decode_error', 'no_certificate', 'the server sends no certificate')
  const { status_request, signed_certificate_timestamp, delegated_credential } = opened.extensions
  return {
    next: {
      handshake: {
        masterSecret: handshake.masterSecret,
        clientHandshakeTrafficSecret: handshake.clientHandshakeTrafficSecret,
        compatibilityPending: handshake.compatibilityPending,
        certificateAsked: 'certificateAsked' in handshake ? handshake.certificateAsked : undefined,
        state: 'WAIT_VERDICT',
        transcript: extendTranscript(transcript, raw),
        chain: opened.chain,
        ocspResponse: status_request?.response,
        signedCertificateTimestamps: signed_certificate_timestamp,
        delegatedCredential: delegated_credential,
      },
    },
    effects: [],
  }
}

/** WAIT_VERDICT: the chain has been judged. */
export const onVerdict: AnswerTransition<ClientState, ClientConfig> = (
  session,
  answer,
  { config, provider, now },
) => {
  if (answer.kind !== 'certificate_verdict') throw refusal(answer)
  const handshake = session.handshake as Waiting<'WAIT_VERDICT'>
  const {
    chain,
    ocspResponse: _ocsp,
    signedCertificateTimestamps: _scts,
    delegatedCredential,
    ...flight
  } = handshake
  const certificate = chain[0]!
  const delegated =
    delegatedCredential === undefined
      ? undefined
      : checkDelegated(
          provider,
          delegatedCredential,
          certificate,
          answer,
          config.delegatedCredentials ?? [],
          now,
        )
  return {
    next: {
      handshake: {
        ...flight,
        state: 'WAIT_CV',
        certificate,
        publicKey: delegated?.publicKey ?? answer.publicKey,
        delegatedScheme: delegated?.scheme,
      },
    },
    effects: [],
  }
}

/** WAIT_CV (§4.4.3). */
export const onCertificateVerify: ClientTransition = (session, { message, raw }, { provider }) => {
  const { publicKey, certificate, delegatedScheme, transcript, ...handshake } =
    session.handshake as Waiting<'WAIT_CV'>
  const verify = message as MessageOf<'certificate_verify'>
  const { hash } = suiteOf(provider, session.cipherSuite)
  if (delegatedScheme !== undefined && verify.algorithm !== delegatedScheme) {
    throw peerError(
      'illegal_parameter',
      'delegated_scheme_mismatch',
      'the CertificateVerify does not use the scheme of the delegated credential',
    )
  }
  checkCertificateVerify(
    provider,
    publicKey,
    verify,
    certificateVerifyContent('server', hash.digest(transcript)),
  )
  return {
    next: {
      peerCertificate: certificate,
      handshake: {
        ...handshake,
        state: 'WAIT_FINISHED',
        transcript: extendTranscript(transcript, raw),
        earlyData: undefined,
      },
    },
    effects: [],
  }
}
