import { concat, equal } from '../wire/index.ts'
import { peerError } from './alert.ts'
import {
  certificateId,
  certificateVerifyContent,
  checkCertificateVerify,
  checkFinished,
  finishedVerifyData,
} from './authentication.ts'
import { certificateMessage, chooseClientIdentity, openCertificates } from './certificate-message.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import { readExtensions } from './extensions.ts'
import type { MessageOf } from './messages.ts'
import { refusal } from './question.ts'
import { certificateRequest } from './server-flight.ts'
import {
  type ClientState,
  intermediatesOf,
  type PostHandshakeAuth,
  type ServerState,
  type SessionState,
} from './state.ts'
import {
  type AnswerTransition,
  type ClientTransition,
  type Context,
  type Effect,
  encodeWith,
  type Outcome,
  type ServerTransition,
  suiteOf,
} from './transition.ts'

/**
 * Authentication of a client after the handshake (RFC 8446 §4.6.2). Its messages are signed and
 * finished over the handshake's transcript with the request behind it, and under the application traffic
 * secret of the moment.
 */

type Connected = Extract<SessionState['handshake'], { state: 'CONNECTED' }>
type Stage<S extends PostHandshakeAuth['stage']> = Extract<PostHandshakeAuth, { stage: S }>

function connected(session: SessionState): Connected {
  return session.handshake as Connected
}

/** The stage that a session is in; anything else that comes is unexpected_message. */
function stageOf<S extends PostHandshakeAuth['stage']>(
  session: SessionState,
  stage: S,
  what: string,
): Stage<S> {
  const { authentication } = connected(session)
  if (authentication?.stage !== stage)
    throw peerError('unexpected_message', 'unrequested_authentication', `${what} that was not requested`)
  return authentication as Stage<S>
}

function withStage<S extends SessionState>(
  session: S,
  authentication: PostHandshakeAuth | undefined,
): Partial<S> {
  return { handshake: { ...connected(session), authentication } } as Partial<S>
}

/**
 * Server: asks for a certificate now.
 * @throws Error if the client did not offer post_handshake_auth, or a request is unanswered
 */
export function requestCertificate(
  session: ServerState,
  context: Context<ServerConfig>,
): Outcome<ServerState> {
  const { transcript, authentication } = connected(session)
  if (transcript === undefined) {
    throw new Error(
      'the client did not offer post_handshake_auth, or clientCertificates.postHandshake is not set',
    )
  }
  if (authentication !== undefined) throw new Error('a request for a certificate is unanswered')
  const { keyUpdate } = session
  if (keyUpdate.kind === 'extended' && keyUpdate.exchange !== undefined)
    throw new Error('an extended key update is underway')
  const requestContext = context.random(16)
  const request = certificateRequest(context.config, requestContext)
  const stage: PostHandshakeAuth = {
    stage: 'WAIT_CERT',
    transcript: concat(transcript, request),
    requestContext,
  }
  return { next: withStage(session, stage), effects: [{ do: 'write', message: request }] }
}

/** Server: the client's answer begins. */
export const onPostCertificate: ServerTransition = (session, { message, raw }, { config }) => {
  const { transcript, requestContext } = stageOf(session, 'WAIT_CERT', 'a Certificate')
  const opened = openCertificates(config, message as MessageOf<'certificate'>, new Set())
  if (!equal(opened.certificateRequestContext, requestContext)) {
    throw peerError(
      'illegal_parameter',
      'wrong_request_context',
      'the certificate_request_context is not the one we sent',
    )
  }
  const next = concat(transcript, raw)
  if (opened.chain.length > 0) {
    return {
      next: withStage(session, { stage: 'WAIT_VERDICT', transcript: next, chain: opened.chain }),
      effects: [],
    }
  }
  if (config.clientCertificates?.required !== false) {
    throw peerError('certificate_required', 'no_certificate', 'the client shows no certificate')
  }
  const stage: PostHandshakeAuth = { stage: 'WAIT_FINISHED', transcript: next }
  return {
    next: { ...withStage(session, stage), peerCertificate: undefined, peerIntermediates: [] },
    effects: [],
  }
}

/** Server: the chain has been judged. */
export const onPostVerdict: AnswerTransition<ServerState, ServerConfig> = (session, answer) => {
  const { transcript, chain } = connected(session).authentication as Stage<'WAIT_VERDICT'>
  if (answer.kind !== 'certificate_verdict') throw refusal(answer)
  const { publicKey } = answer
  const stage: PostHandshakeAuth = { stage: 'WAIT_CV', transcript, publicKey, certificate: chain[0]! }
  const peerIntermediates = intermediatesOf(chain)
  return { next: { ...withStage(session, stage), peerIntermediates }, effects: [] }
}

/** Server. */
export const onPostCertificateVerify: ServerTransition = (session, { message, raw }, { provider }) => {
  const { transcript, publicKey, certificate } = stageOf(session, 'WAIT_CV', 'a CertificateVerify')
  const { hash } = suiteOf(provider, session.cipherSuite)
  const content = certificateVerifyContent('client', hash.digest(transcript))
  checkCertificateVerify(provider, publicKey, message as MessageOf<'certificate_verify'>, content)
  const stage: PostHandshakeAuth = { stage: 'WAIT_FINISHED', transcript: concat(transcript, raw) }
  return { next: { ...withStage(session, stage), peerCertificate: certificate }, effects: [] }
}

/** Server: the client's Finished, under the application traffic secret that it was sent with. */
export const onPostFinished: ServerTransition = (session, { message }, { provider }) => {
  const { transcript } = stageOf(session, 'WAIT_FINISHED', 'a Finished')
  const { hash } = suiteOf(provider, session.cipherSuite)
  const { verifyData } = message as MessageOf<'finished'>
  checkFinished(hash, session.read!.trafficSecret, hash.digest(transcript), verifyData)
  const event = { type: 'client_authenticated', certificate: session.peerCertificate } as const
  return { next: withStage(session, undefined), effects: [{ do: 'report', event }] }
}

/** Client: the server asks after the handshake. What we answer has to go out in one piece. */
export const onPostCertificateRequest: ClientTransition = (session, { message, raw }, context) => {
  const { transcript, authentication } = connected(session)
  if (transcript === undefined)
    throw peerError(
      'unexpected_message',
      'certificate_request_not_allowed',
      'a CertificateRequest that we did not allow',
    )
  if (authentication !== undefined)
    throw peerError(
      'unexpected_message',
      'overlapping_certificate_requests',
      'a CertificateRequest before we answered the last',
    )
  assertOwnExchange(session)
  const request = message as MessageOf<'certificate_request'>
  // Delegated credentials of ours are a server's (RFC 9345 §4).
  const { delegated_credential: _, ...wishes } = readExtensions('CR', request.extensions)
  if (wishes.signature_algorithms === undefined) {
    throw peerError(
      'missing_extension',
      'missing_signature_algorithms',
      'a CertificateRequest without signature_algorithms',
    )
  }
  const { config, provider } = context
  const identity = chooseClientIdentity(config.certificates ?? [], wishes, context.now)
  const before = concat(transcript, raw)
  if (identity === undefined) {
    const { certificateRequestContext } = request
    const empty = encodeWith(config, { type: 'certificate', certificateRequestContext, certificateList: [] })
    return finish(session, concat(before, empty), [empty], context)
  }
  const certificate = certificateMessage(config, identity, wishes, request.certificateRequestContext)
  const { hash } = suiteOf(provider, session.cipherSuite)
  const stage: PostHandshakeAuth = {
    stage: 'WAIT_SIGNATURE',
    transcript: concat(before, certificate),
    certificate,
    scheme: identity.signer.scheme,
  }
  return {
    next: { ...withStage(session, stage), certificate: certificateId(hash, identity.certificate) },
    effects: [],
  }
}

/**
 * A server may ask while a request of ours for an extended key update is on its way, and not while it takes
 * part in one. @throws TlsError unexpected_message
 */
function assertOwnExchange({ keyUpdate }: ClientState): void {
  const exchange = keyUpdate.kind === 'extended' ? keyUpdate.exchange : undefined
  if (exchange === undefined || (exchange.stage === 'WAIT_RESPONSE' && !exchange.crossed)) return
  const what = 'a CertificateRequest before an update of the keys was over'
  throw peerError('unexpected_message', 'overlapping_extended_key_updates', what)
}

/** Client: the holder of our private key has signed. */
export const onPostSignature: AnswerTransition<ClientState, ClientConfig> = (session, answer, context) => {
  const { transcript, certificate, scheme } = connected(session).authentication as Stage<'WAIT_SIGNATURE'>
  if (answer.kind !== 'signature') throw refusal(answer)
  const { signature } = answer
  const verify = encodeWith(context.config, { type: 'certificate_verify', algorithm: scheme, signature })
  return finish(session, concat(transcript, verify), [certificate, verify], context)
}

function finish(
  session: ClientState,
  transcript: Uint8Array,
  messages: readonly Uint8Array[],
  { config, provider }: Context<ClientConfig>,
): Outcome<ClientState> {
  const { hash } = suiteOf(provider, session.cipherSuite)
  const verifyData = finishedVerifyData(hash, session.write!.trafficSecret, hash.digest(transcript))
  const finished = encodeWith(config, { type: 'finished', verifyData })
  const effects = [...messages, finished].map((message): Effect => ({ do: 'write', message }))
  return { next: withStage(session, undefined), effects }
}
