import { concat, EMPTY, fromHex } from '../wire/index.ts'
import { peerError } from './alert.ts'
import { certificateVerifyContent, checkCertificateVerify, checkFinished } from './authentication.ts'
import { openCertificates } from './certificate-message.ts'
import { LEGACY_VERSION, TLS13 } from './codepoints.ts'
import type { ServerConfig } from './config.ts'
import { firstGeneration, onExtendedKeyUpdate } from './extended-key-update.ts'
import { readExtensions, writeExtensions } from './extensions.ts'
import { assertNoPartialMessage } from './input-rules.ts'
import { decodeHandshake, frameHandshake, HELLO_RETRY_REQUEST, type MessageOf } from './messages.ts'
import {
  onPostCertificate,
  onPostCertificateVerify,
  onPostFinished,
  onPostVerdict,
} from './post-authentication.ts'
import { issueTickets, onKeyUpdate } from './post-handshake.ts'
import { refusal } from './question.ts'
import { beginFlight, compatibility, earlyDataFits, finishFlight, skippable } from './server-flight.ts'
import { type Offer, type Retry, readOffer } from './server-hello.ts'
import { intermediatesOf, type ServerHandshake, type ServerState } from './state.ts'
import { extendTranscript, messageHash } from './transcript.ts'
import {
  type AnswerTransition,
  type Context,
  derive,
  encodeWith,
  type Outcome,
  reportComplete,
  type ServerTransition,
  suiteOf,
  type TransitionTable,
} from './transition.ts'

type Waiting<S extends ServerHandshake['state']> = Extract<ServerHandshake, { state: S }>

/** START and WAIT_SECOND_CLIENT_HELLO: RECVD_CH and NEGOTIATED of Appendix A.2 happen in one step. */
const onClientHello: ServerTransition = (session, { message, raw }, context) => {
  const hello = message as MessageOf<'client_hello'>
  const { handshake } = session
  const returning = handshake.state === 'WAIT_SECOND_CLIENT_HELLO' ? undefined : fromCookie(hello, context)
  if (handshake.state === 'WAIT_COOKIE' && returning === undefined) {
    throw peerError(
      'illegal_parameter',
      'missing_cookie',
      'a second ClientHello without the cookie that we sent',
    )
  }
  const retry = handshake.state === 'WAIT_SECOND_CLIENT_HELLO' ? handshake : returning?.retry
  const known = returning === undefined ? session : { ...session, cipherSuite: returning.cipherSuite }
  const offer = readOffer(known, retry, hello, raw, context)
  if (wantsRetry(offer, retry, context)) return retryHello(session, offer, context)
  if (earlyDataFits(offer, retry, context)) {
    // The replay store says whether it is new; the hello is read again with the answer.
    return {
      next: { cipherSuite: offer.suite.id, handshake: { state: 'WAIT_REPLAY_CHECK', clientHello: raw } },
      effects: [],
    }
  }
  return beginFlight(known, retry, offer, false, context)
}

/** A key exchange without a share for its group. */
function lacksShare({ group, shares }: Offer): boolean {
  return group !== undefined && !shares.some(share => share.group === group.id)
}

function wantsRetry(offer: Offer, retry: Retry | undefined, { config }: Context<ServerConfig>): boolean {
  return (
    retry === undefined && (lacksShare(offer) || (offer.group !== undefined && config.cookies !== undefined))
  )
}

/** §4.1.4. The transcript starts anew with the hash of the first hello (§4.4.1). */
function retryHello(
  session: ServerState,
  offer: Offer,
  context: Context<ServerConfig>,
): Outcome<ServerState> {
  // §5.1: the first flight ends here, and with it a record.
  assertNoPartialMessage(session)
  const { config, random, now } = context
  const { hello, suite } = offer
  // §4.2.8: asking for a share that is there would be an error.
  const selectedGroup = lacksShare(offer) ? offer.group?.id : undefined
  const cookie = config.cookies?.seal(
    {
      clientHelloHash: suite.hash.digest(offer.raw),
      cipherSuite: suite.id,
      selectedGroup,
      issuedAt: now,
    },
    random,
  )
  const raw = encodeWith(config, helloRetryRequest(hello, suite.id, selectedGroup, cookie))
  const effects = [{ do: 'write', message: raw } as const, ...compatibility(hello)]
  const skipEarlyData = skippable(offer.extensions, config)
  // With a cookie of our own nothing is kept: the client brings it all back.
  if (cookie !== undefined) return { next: { handshake: { state: 'WAIT_COOKIE', skipEarlyData } }, effects }
  return {
    next: {
      cipherSuite: suite.id,
      serverName: offer.serverName,
      handshake: {
        state: 'WAIT_SECOND_CLIENT_HELLO',
        transcript: concat(messageHash(suite.hash, offer.raw), raw),
        selectedGroup,
        cookie: cookieOf(raw),
        skipEarlyData,
      },
    },
    effects,
  }
}

function helloRetryRequest(
  hello: MessageOf<'client_hello'>,
  cipherSuite: number,
  group: number | undefined,
  cookie: Uint8Array | undefined,
): MessageOf<'hello_retry_request'> {
  return {
    type: 'hello_retry_request',
    legacyVersion: LEGACY_VERSION,
    random: fromHex(HELLO_RETRY_REQUEST),
    legacySessionIdEcho: hello.legacySessionId,
    cipherSuite,
    legacyCompressionMethod: 0,
    extensions: writeExtensions('HRR', {
      supported_versions: TLS13,
      ...(group === undefined ? {} : { key_share: group }),
      ...(cookie === undefined ? {} : { cookie }),
    }),
  }
}

/** A cookie may have been shaped into our HelloRetryRequest; the second hello must bring it back. */
function cookieOf(raw: Uint8Array): Uint8Array | undefined {
  const message = decodeHandshake(raw) as MessageOf<'hello_retry_request'>
  return readExtensions('HRR', message.extensions).cookie
}

/**
 * What we knew before we forgot it: our HelloRetryRequest can be written again from the cookie and the second
 * hello (§4.2.2).
 */
function fromCookie(
  hello: MessageOf<'client_hello'>,
  { config, provider, now }: Context<ServerConfig>,
): { retry: Retry; cipherSuite: number } | undefined {
  const { cookie } = readExtensions('CH', hello.extensions)
  if (cookie === undefined || config.cookies === undefined) return undefined
  const contents = config.cookies.open(cookie, now)
  if (contents === undefined)
    throw peerError('illegal_parameter', 'wrong_cookie', 'the cookie is not one of ours, or too old')
  const { clientHelloHash, cipherSuite, selectedGroup } = contents
  suiteOf(provider, cipherSuite)
  const raw = encodeWith(config, helloRetryRequest(hello, cipherSuite, selectedGroup, cookie))
  const transcript = concat(frameHandshake('message_hash', clientHelloHash), raw)
  return {
    retry: { state: 'WAIT_SECOND_CLIENT_HELLO', transcript, selectedGroup, cookie, skipEarlyData: 0 },
    cipherSuite,
  }
}

/** WAIT_REPLAY_CHECK: the hello is read again, now that it is known whether its early data is new. */
const onReplayAnswer: AnswerTransition<ServerState, ServerConfig> = (session, answer, context) => {
  const { clientHello } = session.handshake as Waiting<'WAIT_REPLAY_CHECK'>
  const hello = decodeHandshake(clientHello) as MessageOf<'client_hello'>
  const offer = readOffer(session, undefined, hello, clientHello, context)
  // With another key for tickets, or at another time, the hello may mean something else than it did.
  if (wantsRetry(offer, undefined, context)) return retryHello(session, offer, context)
  const accepted = answer.kind === 'replay' && answer.fresh && earlyDataFits(offer, undefined, context)
  return beginFlight(session, undefined, offer, accepted, context)
}

/** WAIT_SIGNATURE: the holder of the private key has signed. */
const onSignature: AnswerTransition<ServerState, ServerConfig> = (session, answer, context) => {
  if (answer.kind !== 'signature') throw refusal(answer)
  const waiting = session.handshake as Waiting<'WAIT_SIGNATURE'>
  return finishFlight(session, waiting, session.write!.trafficSecret, answer.signature, context)
}

/** WAIT_EOED: from here on the client writes under its handshake key (§4.5). */
const onEndOfEarlyData: ServerTransition = (session, { raw }) => {
  const {
    clientHandshakeTrafficSecret,
    earlyDataLeft: _left,
    transcript,
    ...flight
  } = session.handshake as Waiting<'WAIT_EOED'>
  return {
    next: { handshake: { ...flight, state: 'WAIT_FINISHED', transcript: extendTranscript(transcript, raw) } },
    effects: [{ do: 'readWith', secret: clientHandshakeTrafficSecret }],
  }
}

/** WAIT_CERT (§4.4.2). */
const onCertificate: ServerTransition = (session, { message, raw }, { config }) => {
  const { transcript, ...flight } = session.handshake as Waiting<'WAIT_CERT'>
  const opened = openCertificates(config, message as MessageOf<'certificate'>, NOTHING_ASKED)
  if (opened.certificateRequestContext.length > 0) {
    throw peerError(
      'illegal_parameter',
      'unexpected_request_context',
      'a certificate_request_context during the handshake',
    )
  }
  const next = { ...flight, transcript: extendTranscript(transcript, raw) }
  if (opened.chain.length > 0)
    return { next: { handshake: { ...next, state: 'WAIT_VERDICT', chain: opened.chain } }, effects: [] }
  if (config.clientCertificates?.required !== false) {
    throw peerError('certificate_required', 'no_certificate', 'the client shows no certificate')
  }
  return { next: { handshake: { ...next, state: 'WAIT_FINISHED' } }, effects: [] }
}

/** We ask for no OCSP response or anything else inside a client's certificate. */
const NOTHING_ASKED: ReadonlySet<number> = new Set()

/** WAIT_VERDICT: the chain has been judged. */
const onVerdict: AnswerTransition<ServerState, ServerConfig> = (session, answer) => {
  if (answer.kind !== 'certificate_verdict') throw refusal(answer)
  const { chain, ...flight } = session.handshake as Waiting<'WAIT_VERDICT'>
  const { publicKey } = answer
  return {
    next: {
      peerIntermediates: intermediatesOf(chain),
      handshake: { ...flight, state: 'WAIT_CV', publicKey, certificate: chain[0]! },
    },
    effects: [],
  }
}

/** WAIT_CV (§4.4.3). */
const onCertificateVerify: ServerTransition = (session, { message, raw }, { provider }) => {
  const { publicKey, certificate, transcript, ...flight } = session.handshake as Waiting<'WAIT_CV'>
  const { hash } = suiteOf(provider, session.cipherSuite)
  const content = certificateVerifyContent('client', hash.digest(transcript))
  checkCertificateVerify(provider, publicKey, message as MessageOf<'certificate_verify'>, content)
  const next = { ...flight, state: 'WAIT_FINISHED', transcript: extendTranscript(transcript, raw) } as const
  return { next: { peerCertificate: certificate, handshake: next }, effects: [] }
}

/** WAIT_FINISHED: the client's Finished ends the handshake (§4.4.4), and tickets follow (§4.6.1). */
const onFinished: ServerTransition = (session, { message, raw }, context) => {
  const handshake = session.handshake as Waiting<'WAIT_FINISHED'>
  const suite = suiteOf(context.provider, session.cipherSuite)
  const { hash } = suite
  const { verifyData } = message as MessageOf<'finished'>
  checkFinished(hash, session.read!.trafficSecret, hash.digest(handshake.transcript), verifyData)
  const transcript = extendTranscript(handshake.transcript, raw)
  const whole = hash.digest(transcript)
  const resumption = derive(suite, 'resumption_master_secret', handshake.masterSecret, whole)
  const keyUpdate = firstGeneration(session.keyUpdate, hash, handshake.masterSecret, whole)
  const connected: ServerState = {
    ...session,
    keyUpdate,
    handshake: {
      state: 'CONNECTED',
      exporterMasterSecret: handshake.exporterMasterSecret,
      // Without it there are no tickets, as extended key updates demand.
      resumptionMasterSecret: keyUpdate.kind === 'extended' ? EMPTY : resumption.secret,
      ticketsIssued: 0,
      transcript: handshake.keepsTranscript ? transcript : undefined,
      authentication: undefined,
    },
  }
  const tickets = handshake.takesTickets
    ? issueTickets(connected, ticketsDue(session.resumed, context.config), context)
    : { next: {}, effects: [] }
  return {
    next: { keyUpdate, handshake: connected.handshake, ...tickets.next },
    effects: [
      resumption.expose,
      { do: 'readWith', secret: handshake.clientApplicationTrafficSecret },
      reportComplete(session, suite),
      ...tickets.effects,
    ],
  }
}

/**
 * A client that came with a ticket has the others still: one takes the place of the one that it used, as
 * OpenSSL does.
 */
function ticketsDue(resumed: boolean, { tickets }: ServerConfig): number {
  const count = tickets?.count ?? 2
  return resumed ? Math.min(count, 1) : count
}

/** RFC 8446 Appendix A.2. */
export const SERVER_TRANSITIONS: TransitionTable<ServerHandshake['state'], ServerTransition> = {
  START: { client_hello: onClientHello },
  WAIT_SECOND_CLIENT_HELLO: { client_hello: onClientHello },
  WAIT_COOKIE: { client_hello: onClientHello },
  WAIT_REPLAY_CHECK: {},
  WAIT_SIGNATURE: {},
  WAIT_EOED: { end_of_early_data: onEndOfEarlyData },
  WAIT_CERT: { certificate: onCertificate, compressed_certificate: onCertificate },
  WAIT_VERDICT: {},
  WAIT_CV: { certificate_verify: onCertificateVerify },
  WAIT_FINISHED: { finished: onFinished },
  CONNECTED: {
    key_update: onKeyUpdate,
    extended_key_update: onExtendedKeyUpdate,
    certificate: onPostCertificate,
    compressed_certificate: onPostCertificate,
    certificate_verify: onPostCertificateVerify,
    finished: onPostFinished,
  },
  CLOSED: {},
}

/** The states that wait for the application. */
export const SERVER_ANSWERS: Partial<
  Record<ServerHandshake['state'], AnswerTransition<ServerState, ServerConfig>>
> = {
  WAIT_REPLAY_CHECK: onReplayAnswer,
  WAIT_SIGNATURE: onSignature,
  WAIT_VERDICT: onVerdict,
  CONNECTED: onPostVerdict,
}
