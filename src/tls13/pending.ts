import { EMPTY, equal } from '../wire/index.ts'
import { configurationError } from './alert.ts'
import {
  type Certificate,
  certificateId,
  certificateVerifyContent,
  type VerifierContext,
} from './authentication.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import type { HashAlgorithm, Signer } from './crypto/provider.ts'
import type { Answer, Question } from './question.ts'
import { replayWindow } from './server-flight.ts'
import type { SessionState } from './state.ts'
import { type Context, suiteOf } from './transition.ts'

/** The question that a state waits to have answered; undefined if it waits for the peer. */
export function pendingQuestion(
  session: SessionState,
  context: Context<ServerConfig | ClientConfig>,
): Question | undefined {
  const { handshake, role, serverName } = session
  const verifierContext = { serverName: role === 'client' ? serverName : undefined, now: context.now }
  const signature = (transcript: Uint8Array, scheme: number): Question => {
    const { hash } = suiteOf(context.provider, session.cipherSuite)
    const content = certificateVerifyContent(role, hash.digest(transcript))
    const delegated = 'delegated' in handshake && handshake.delegated
    return { kind: 'signature', certificate: session.certificate ?? EMPTY, delegated, scheme, content }
  }
  switch (handshake.state) {
    case 'WAIT_SIGNATURE':
      return signature(handshake.transcript, handshake.scheme)
    case 'WAIT_VERDICT':
      return {
        kind: 'certificate_verdict',
        chain: handshake.chain,
        context: { ...verifierContext, ...stapled(handshake) },
      }
    case 'WAIT_REPLAY_CHECK': {
      const { hash } = suiteOf(context.provider, session.cipherSuite)
      return {
        kind: 'replay',
        clientHelloHash: hash.digest(handshake.clientHello),
        // A hello is refused for its age beyond the window, in either direction.
        expiresAt: context.now + 2 * replayWindow(context.config as ServerConfig),
      }
    }
    case 'CONNECTED': {
      const { authentication } = handshake
      if (authentication?.stage === 'WAIT_SIGNATURE')
        return signature(authentication.transcript, authentication.scheme)
      if (authentication?.stage === 'WAIT_VERDICT') {
        return { kind: 'certificate_verdict', chain: authentication.chain, context: verifierContext }
      }
      return undefined
    }
    default:
      return undefined
  }
}

/** What came with a server's certificate. */
function stapled(handshake: object): Pick<VerifierContext, 'ocspResponse' | 'signedCertificateTimestamps'> {
  const { ocspResponse, signedCertificateTimestamps } = handshake as Partial<
    Record<'ocspResponse' | 'signedCertificateTimestamps', Uint8Array>
  >
  return {
    ...(ocspResponse === undefined ? {} : { ocspResponse }),
    ...(signedCertificateTimestamps === undefined ? {} : { signedCertificateTimestamps }),
  }
}

/** The answer that a configuration can give at once; undefined if the application has to. */
export function answerAtOnce(
  question: Question,
  session: SessionState,
  { config, provider, now }: Context<ServerConfig | ClientConfig>,
): Answer | undefined {
  switch (question.kind) {
    case 'signature': {
      const { hash } = suiteOf(provider, session.cipherSuite)
      const signer = signerOf(config.certificates ?? [], hash, question)
      return signer && { kind: 'signature', signature: signer.sign(question.content) }
    }
    case 'certificate_verdict': {
      const verify = 'verify' in config ? config.verify : config.clientCertificates?.verify
      if (verify === undefined || verify === 'ask') return undefined
      return { kind: 'certificate_verdict', ...verify(question.chain, question.context) }
    }
    case 'replay': {
      const earlyData = 'earlyData' in config ? config.earlyData : undefined
      const replay = typeof earlyData === 'object' ? earlyData.replay : undefined
      if (replay === undefined || replay === 'ask') return undefined
      return { kind: 'replay', fresh: replay.register(question.clientHelloHash, question.expiresAt, now) }
    }
  }
}

/** Who of us can sign: the key of the certificate that was chosen, or of its delegated credential. */
function signerOf(
  certificates: readonly Certificate[],
  hash: HashAlgorithm,
  { certificate: id, delegated, scheme }: Extract<Question, { kind: 'signature' }>,
): Signer | undefined {
  // Several entries may share a certificate, and so its key, but not the schemes that they sign with.
  const chosen = certificates.filter(one => equal(certificateId(hash, one, delegated), id))
  if (chosen.length === 0)
    throw configurationError(
      'internal_error',
      'certificate_not_configured',
      'the chosen certificate is not in this configuration',
    )
  const signers = chosen.flatMap(one => (delegated ? (one.delegated?.signer ?? []) : one.signers))
  return signers.find((signer): signer is Signer => signer.scheme === scheme && signer.sign !== undefined)
}
