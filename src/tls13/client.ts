import { concat, EMPTY, equal } from '../wire/index.ts'
import { configurationError, peerError } from './alert.ts'
import {
  certificateId,
  certificateVerifyContent,
  checkCertificateVerify,
  checkFinished,
  finishedVerifyData,
} from './authentication.ts'
import { certificateMessage, chooseClientIdentity, openCertificates } from './certificate-message.ts'
import { secondHello } from './client-hello.ts'
import { LEGACY_VERSION, PskKeyExchangeMode, TLS13 } from './codepoints.ts'
import type { ClientConfig } from './config.ts'
import type { CipherSuite, CryptoProvider } from './crypto/provider.ts'
import { checkDelegated } from './delegated.ts'
import {
  EXTENSIONS,
  type ExtensionValues,
  extensionTypes,
  type KeyShareEntry,
  readExtensions,
} from './extensions.ts'
import { earlySecret, handshakeSecret, masterSecret } from './key-schedule.ts'
import { decodeHandshake, type MessageOf, type ServerHello } from './messages.ts'
import { onPostCertificateRequest, onPostSignature } from './post-authentication.ts'
import { onKeyUpdate, onNewSessionTicket } from './post-handshake.ts'
import { sameHash } from './psk.ts'
import { recordLimits } from './server-flight.ts'
import type { ClientHandshake, ClientState, OfferedPsk } from './state.ts'
import { extendTranscript, messageHash } from './transcript.ts'
import {
  type AnswerTransition,
  type ClientTransition,
  type Context,
  derive,
  type Effect,
  encodeWith,
  expose,
  helloOf,
  type Outcome,
  suiteOf,
  type TransitionTable,
} from './transition.ts'

type Waiting<S extends ClientHandshake['state']> = Extract<ClientHandshake, { state: S }>

/** §4.1.3: the last bytes of the random of a TLS 1.3 server that was talked down to an older version. */
const DOWNGRADE = [
  Uint8Array.of(0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x01),
  Uint8Array.of(0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x00),
]

/**
 * A ServerHello without supported_versions chooses TLS 1.2 or older. This is checked before the other extensions
 * (§4.2.1): those of an older version are not ours to judge.
 */
function checkVersion({ extensions, random }: ServerHello): void {
  if (extensions.some(({ extensionType }) => extensionType === EXTENSIONS.supported_versions.type)) return
  const end = random.subarray(24)
  if (DOWNGRADE.some(mark => equal(mark, end)))
    throw peerError('illegal_parameter', 'somebody downgrades the version')
  throw configurationError('protocol_version', 'the server does not speak TLS 1.3')
}

/** What ServerHello and HelloRetryRequest have in common (§4.1.3, §4.1.4). */
function checkHello(
  hello: ServerHello,
  offered: MessageOf<'client_hello'>,
  version: number | undefined,
): void {
  if (version !== TLS13)
    throw peerError('illegal_parameter', `the server selects version 0x${version?.toString(16)}`)
  if (hello.legacyVersion !== LEGACY_VERSION)
    throw peerError('illegal_parameter', 'legacy_version is not 0x0303')
  if (!equal(hello.legacySessionIdEcho, offered.legacySessionId)) {
    throw peerError('illegal_parameter', 'legacy_session_id_echo is not our session id')
  }
  if (!offered.cipherSuites.includes(hello.cipherSuite)) {
    throw peerError(
      'illegal_parameter',
      `the server selects cipher suite 0x${hello.cipherSuite.toString(16)}, which was not offered`,
    )
  }
  if (hello.legacyCompressionMethod !== 0)
    throw peerError('illegal_parameter', 'legacy_compression_method is not null')
}

function offeredHello(handshake: Waiting<'WAIT_SH'>) {
  const hello = decodeHandshake(handshake.clientHello) as MessageOf<'client_hello'>
  return { hello, values: readExtensions('CH', hello.extensions), types: extensionTypes(hello.extensions) }
}

/** WAIT_SH, the server wants another hello (§4.1.4). */
const onHelloRetryRequest: ClientTransition = (session, { message, raw }, context) => {
  const handshake = session.handshake as Waiting<'WAIT_SH'>
  const { provider, random } = context
  const retry = message as MessageOf<'hello_retry_request'>
  if (handshake.retried) throw peerError('unexpected_message', 'a second HelloRetryRequest')
  checkVersion(retry)
  const { hello, values, types } = offeredHello(handshake)
  const extensions = readExtensions('HRR', retry.extensions, types)
  checkHello(retry, hello, extensions.supported_versions)
  if (extensions.key_share === undefined && extensions.cookie === undefined) {
    throw peerError('illegal_parameter', 'a HelloRetryRequest that changes nothing')
  }
  let { keyShares } = handshake
  let keyShare: { group: number; keyExchange: Uint8Array } | undefined
  if (extensions.key_share !== undefined) {
    const group = provider.groups.find(one => one.id === extensions.key_share)
    if (group === undefined || !values.supported_groups?.includes(group.id)) {
      throw peerError('illegal_parameter', 'the server asks for a group that was not offered')
    }
    if (keyShares.some(one => one.group === group.id)) {
      throw peerError('illegal_parameter', `the server asks again for ${group.name}`)
    }
    const pair = group.generate(random)
    keyShares = [{ group: group.id, privateKey: pair.privateKey }]
    keyShare = { group: group.id, keyExchange: pair.keyExchange }
  }
  const suite = suiteOf(provider, retry.cipherSuite)
  // §4.1.2: PSKs whose hash does not go with the chosen suite are dropped.
  const psks = handshake.psks.filter(psk => sameHash(provider.cipherSuites, psk.cipherSuite, suite.id))
  const transcript = concat(messageHash(suite.hash, handshake.clientHello), raw)
  const clientHello = secondHello(hello, { keyShare, cookie: extensions.cookie }, psks, transcript, context)
  return {
    next: {
      cipherSuite: suite.id,
      handshake: {
        ...handshake,
        transcript,
        clientHello,
        keyShares,
        psks,
        earlyData: undefined,
        retried: true,
        compatibilityPending: false,
      },
    },
    effects: [
      // §4.2.10: the server does not take early data, and the second hello goes out in the clear again.
      ...(handshake.earlyData === undefined ? [] : EARLY_DATA_REJECTED),
      ...changeCipherSpec(handshake.compatibilityPending),
      { do: 'write', message: clientHello },
    ],
  }
}

const EARLY_DATA_REJECTED: readonly Effect[] = [
  { do: 'writeInClear' },
  { do: 'report', event: { type: 'early_data', accepted: false } },
]

function changeCipherSpec(pending: boolean): Effect[] {
  return pending ? [{ do: 'writeChangeCipherSpec' }] : []
}

/** WAIT_SH (§4.1.3). */
const onServerHello: ClientTransition = (session, { message, raw }, { provider }) => {
  const handshake = session.handshake as Waiting<'WAIT_SH'>
  const serverHello = message as MessageOf<'server_hello'>
  checkVersion(serverHello)
  const { hello, values, types } = offeredHello(handshake)
  const extensions = readExtensions('SH', serverHello.extensions, types)
  checkHello(serverHello, hello, extensions.supported_versions)
  if (handshake.retried && serverHello.cipherSuite !== session.cipherSuite) {
    throw peerError('illegal_parameter', 'ServerHello and HelloRetryRequest disagree on the cipher suite')
  }
  const suite = suiteOf(provider, serverHello.cipherSuite)
  const { hash } = suite
  const psk = selectedPsk(handshake.psks, extensions.pre_shared_key, suite, provider)
  const sharedSecret = exchangedSecret(handshake, extensions.key_share, psk, values, suite, provider)
  const early = handshake.earlyData !== undefined && psk !== undefined && psk === handshake.psks[0]
  const transcript = extendTranscript(handshake.transcript, handshake.clientHello, raw)
  const earlySecretValue = earlySecret(hash, psk?.psk)
  const secret = handshakeSecret(hash, earlySecretValue, sharedSecret)
  const afterHello = hash.digest(transcript)
  const client = derive(suite, 'client_handshake_traffic_secret', secret, afterHello)
  const server = derive(suite, 'server_handshake_traffic_secret', secret, afterHello)
  const master = masterSecret(hash, secret)
  return {
    next: {
      cipherSuite: suite.id,
      resumed: psk !== undefined,
      handshake: {
        state: 'WAIT_EE',
        transcript,
        masterSecret: master,
        compatibilityPending: handshake.compatibilityPending,
        // Until EncryptedExtensions tells, early data goes on.
        clientHandshakeTrafficSecret: early ? client.secret : undefined,
        earlyData: early ? handshake.earlyData : undefined,
      },
    },
    effects: [
      expose('early_secret', earlySecretValue),
      expose('handshake_secret', secret),
      client.expose,
      server.expose,
      expose('master_secret', master),
      { do: 'readWith', secret: server.secret },
      ...(early ? [] : [{ do: 'writeWith', secret: client.secret } as const]),
      ...(handshake.earlyData !== undefined && !early ? [EARLY_DATA_REJECTED[1]!] : []),
    ],
  }
}

function selectedPsk(
  psks: readonly OfferedPsk[],
  selected: number | undefined,
  suite: CipherSuite,
  provider: CryptoProvider,
): OfferedPsk | undefined {
  if (selected === undefined) return undefined
  const psk = psks[selected]
  if (psk === undefined) throw peerError('illegal_parameter', 'the server selects a PSK that was not offered')
  if (!sameHash(provider.cipherSuites, psk.cipherSuite, suite.id)) {
    throw peerError('illegal_parameter', 'the selected PSK and the cipher suite have different hashes')
  }
  return psk
}

/** What the key exchange gives, or zeros where the PSK does alone (§7.1). */
function exchangedSecret(
  { keyShares }: Waiting<'WAIT_SH'>,
  answered: KeyShareEntry | undefined,
  psk: OfferedPsk | undefined,
  { psk_key_exchange_modes: modes }: ExtensionValues<'CH'>,
  { hash }: CipherSuite,
  { groups }: CryptoProvider,
): Uint8Array {
  if (answered === undefined) {
    if (psk !== undefined && modes?.includes(PskKeyExchangeMode.psk_ke)) return new Uint8Array(hash.length)
    throw peerError('missing_extension', 'a ServerHello without key_share')
  }
  if (psk !== undefined && !modes?.includes(PskKeyExchangeMode.psk_dhe_ke)) {
    throw peerError('illegal_parameter', 'a key share for a PSK that we offered without key exchange')
  }
  const share = keyShares.find(one => one.group === answered.group)
  const group = groups.find(one => one.id === answered.group)
  if (share === undefined || group === undefined) {
    throw peerError('illegal_parameter', 'a key share for a group that we sent none for')
  }
  const sharedSecret = group.complete(share.privateKey, answered.keyExchange)
  if (sharedSecret === undefined)
    throw peerError('illegal_parameter', `a key share that is not valid for ${group.name}`)
  return sharedSecret
}

/** WAIT_EE (§4.3.1). */
const onEncryptedExtensions: ClientTransition = (session, { message, raw }, { config }) => {
  const { earlyData, clientHandshakeTrafficSecret, ...handshake } = session.handshake as Waiting<'WAIT_EE'>
  const hello = helloOf(handshake.transcript)
  const { extensions } = message as MessageOf<'encrypted_extensions'>
  const values = readExtensions('EE', extensions, extensionTypes(hello.extensions))
  const accepted = values.early_data !== undefined
  if (accepted && earlyData === undefined) {
    throw peerError('illegal_parameter', 'early_data accepted with another PSK, or after a retry')
  }
  const limit = values.record_size_limit
  if (limit !== undefined && (limit < 64 || limit > 2 ** 14 + 1)) {
    throw peerError('illegal_parameter', `a record_size_limit of ${limit}`)
  }
  const transcript = extendTranscript(handshake.transcript, raw)
  const next = {
    ...handshake,
    transcript,
    clientHandshakeTrafficSecret: accepted ? clientHandshakeTrafficSecret : undefined,
  }
  const rejected = earlyData !== undefined && !accepted
  return {
    next: {
      alpn: selectedProtocol(hello, values.application_layer_protocol_negotiation),
      recordSizeLimits: recordLimits(values, config),
      handshake: session.resumed
        ? {
            ...next,
            state: 'WAIT_FINISHED',
            certificateAsked: undefined,
            earlyData: accepted ? earlyData : undefined,
          }
        : { ...next, state: 'WAIT_CERT_CR' },
    },
    effects: [
      ...(rejected && clientHandshakeTrafficSecret !== undefined
        ? [{ do: 'writeWith', secret: clientHandshakeTrafficSecret } as const]
        : []),
      ...(earlyData === undefined
        ? []
        : [{ do: 'report', event: { type: 'early_data', accepted } } as const]),
    ],
  }
}

const protocolName = new TextDecoder('utf-8', { ignoreBOM: true })

/** RFC 7301, Section 3.1: exactly one name, and one that was offered. */
function selectedProtocol(
  hello: MessageOf<'client_hello'>,
  selected: readonly Uint8Array[] | undefined,
): string | undefined {
  if (selected === undefined) return undefined
  const offered = readExtensions('CH', hello.extensions).application_layer_protocol_negotiation ?? []
  const [name] = selected
  if (name === undefined || selected.length !== 1 || !offered.some(one => equal(one, name))) {
    throw peerError('illegal_parameter', 'the server selects a protocol that was not offered')
  }
  return protocolName.decode(name)
}

/** WAIT_CERT_CR: the server would like to see a certificate (§4.3.2). */
const onCertificateRequest: ClientTransition = (session, { message, raw }) => {
  const { transcript, ...handshake } = session.handshake as Waiting<'WAIT_CERT_CR'>
  const request = message as MessageOf<'certificate_request'>
  if (request.certificateRequestContext.length > 0) {
    throw peerError('illegal_parameter', 'a certificate_request_context during the handshake')
  }
  const values = readExtensions('CR', request.extensions)
  if (values.signature_algorithms === undefined) {
    throw peerError('missing_extension', 'a CertificateRequest without signature_algorithms')
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
const onCertificate: ClientTransition = (session, { message, raw }, { config }) => {
  const { transcript, ...handshake } = session.handshake as Waiting<'WAIT_CERT_CR' | 'WAIT_CERT'>
  const offered = extensionTypes(helloOf(transcript).extensions)
  const opened = openCertificates(config, message as MessageOf<'certificate'>, offered)
  if (opened.certificateRequestContext.length > 0) {
    throw peerError('illegal_parameter', "a certificate_request_context in the server's Certificate")
  }
  if (opened.chain.length === 0) throw peerError('decode_error', 'the server sends no certificate')
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

/** WAIT_VERDICT: somebody has looked at the chain. */
const onVerdict: AnswerTransition<ClientState, ClientConfig> = (
  session,
  answer,
  { config, provider, now },
) => {
  if (answer.kind === 'refused') throw peerError(answer.alert, answer.reason)
  if (answer.kind !== 'certificate_verdict')
    throw new TypeError(`an answer of kind ${answer.kind} to another question`)
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
      peerCertificate: certificate,
      handshake: {
        ...flight,
        state: 'WAIT_CV',
        publicKey: delegated?.publicKey ?? answer.publicKey,
        delegatedScheme: delegated?.scheme,
      },
    },
    effects: [],
  }
}

/** WAIT_CV (§4.4.3). */
const onCertificateVerify: ClientTransition = (session, { message, raw }, { provider }) => {
  const { publicKey, delegatedScheme, transcript, ...handshake } = session.handshake as Waiting<'WAIT_CV'>
  const verify = message as MessageOf<'certificate_verify'>
  const { hash } = suiteOf(provider, session.cipherSuite)
  if (delegatedScheme !== undefined && verify.algorithm !== delegatedScheme) {
    throw peerError(
      'illegal_parameter',
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

/** WAIT_FINISHED: the server is who it says; our own flight follows (§4.4.4). */
const onServerFinished: ClientTransition = (session, { message, raw }, context) => {
  const handshake = session.handshake as Waiting<'WAIT_FINISHED'>
  const { config, provider } = context
  const suite = suiteOf(provider, session.cipherSuite)
  const { hash } = suite
  const { verifyData } = message as MessageOf<'finished'>
  checkFinished(hash, session.read!.trafficSecret, hash.digest(handshake.transcript), verifyData)
  let transcript = extendTranscript(handshake.transcript, raw)
  const afterFinished = hash.digest(transcript)
  const client = derive(suite, 'client_application_traffic_secret_0', handshake.masterSecret, afterFinished)
  const server = derive(suite, 'server_application_traffic_secret_0', handshake.masterSecret, afterFinished)
  const exporter = derive(suite, 'exporter_master_secret', handshake.masterSecret, afterFinished)
  const effects: Effect[] = [client.expose, server.expose, exporter.expose]

  const handshakeWriteSecret = handshake.clientHandshakeTrafficSecret
  if (handshakeWriteSecret !== undefined) {
    // §4.5: the end of early data is written under its key, and belongs to the transcript.
    const end = encodeWith(config, { type: 'end_of_early_data' })
    transcript = extendTranscript(transcript, end)
    effects.push({ do: 'write', message: end }, { do: 'writeWith', secret: handshakeWriteSecret })
  }
  effects.push(...changeCipherSpec(handshake.compatibilityPending))
  const secrets = {
    masterSecret: handshake.masterSecret,
    clientApplicationTrafficSecret: client.secret,
    serverApplicationTrafficSecret: server.secret,
    exporterMasterSecret: exporter.secret,
    keepsTranscript: config.postHandshakeAuth === true,
  }
  const writeSecret = handshakeWriteSecret ?? session.write!.trafficSecret
  const asked = handshake.certificateAsked
  if (asked === undefined) return finish(session, secrets, transcript, writeSecret, effects, context)
  const wishes = { signature_algorithms: asked.schemes, compress_certificate: asked.compression }
  const identity = chooseClientIdentity(config.certificates ?? [], wishes)
  if (identity === undefined) {
    // §4.4.2: a client without a fitting certificate sends an empty one, and no CertificateVerify.
    const empty = encodeWith(config, {
      type: 'certificate',
      certificateRequestContext: EMPTY,
      certificateList: [],
    })
    effects.push({ do: 'write', message: empty })
    return finish(session, secrets, extendTranscript(transcript, empty), writeSecret, effects, context)
  }
  const certificate = certificateMessage(config, identity, wishes)
  effects.push({ do: 'write', message: certificate })
  return {
    next: {
      certificate: certificateId(hash, identity.certificate),
      handshake: {
        state: 'WAIT_SIGNATURE',
        ...secrets,
        transcript: extendTranscript(transcript, certificate),
        scheme: identity.signer.scheme,
      },
    },
    effects,
  }
}

/** WAIT_SIGNATURE: whoever holds our private key has signed. */
const onSignature: AnswerTransition<ClientState, ClientConfig> = (session, answer, context) => {
  if (answer.kind === 'refused') throw peerError(answer.alert, answer.reason)
  if (answer.kind !== 'signature') throw new TypeError(`an answer of kind ${answer.kind} to another question`)
  const { transcript, scheme, state: _state, ...secrets } = session.handshake as Waiting<'WAIT_SIGNATURE'>
  const verify = encodeWith(context.config, {
    type: 'certificate_verify',
    algorithm: scheme,
    signature: answer.signature,
  })
  const effects: Effect[] = [{ do: 'write', message: verify }]
  const { trafficSecret } = session.write!
  return finish(session, secrets, extendTranscript(transcript, verify), trafficSecret, effects, context)
}

/** Our Finished, and the application keys behind it. */
function finish(
  session: ClientState,
  secrets: Omit<Waiting<'WAIT_SIGNATURE'>, 'state' | 'transcript' | 'scheme'>,
  transcript: Uint8Array,
  writeSecret: Uint8Array,
  before: readonly Effect[],
  { config, provider }: Context<ClientConfig>,
): Outcome<ClientState> {
  const suite = suiteOf(provider, session.cipherSuite)
  const { hash } = suite
  const verifyData = finishedVerifyData(hash, writeSecret, hash.digest(transcript))
  const finished = encodeWith(config, { type: 'finished', verifyData })
  const whole = extendTranscript(transcript, finished)
  const resumption = derive(suite, 'resumption_master_secret', secrets.masterSecret, hash.digest(whole))
  return {
    next: {
      handshake: {
        state: 'CONNECTED',
        exporterMasterSecret: secrets.exporterMasterSecret,
        resumptionMasterSecret: resumption.secret,
        ticketsIssued: 0,
        transcript: secrets.keepsTranscript ? whole : undefined,
        authentication: undefined,
      },
    },
    effects: [
      ...before,
      { do: 'write', message: finished },
      resumption.expose,
      { do: 'readWith', secret: secrets.serverApplicationTrafficSecret },
      { do: 'writeWith', secret: secrets.clientApplicationTrafficSecret },
      {
        do: 'report',
        event: {
          type: 'handshake_complete',
          cipherSuite: suite.name,
          serverName: session.serverName,
          alpn: session.alpn,
          resumed: session.resumed,
        },
      },
    ],
  }
}

/** RFC 8446, Appendix A.1. */
export const CLIENT_TRANSITIONS: TransitionTable<ClientHandshake['state'], ClientTransition> = {
  WAIT_SH: { server_hello: onServerHello, hello_retry_request: onHelloRetryRequest },
  WAIT_EE: { encrypted_extensions: onEncryptedExtensions },
  WAIT_CERT_CR: {
    certificate_request: onCertificateRequest,
    certificate: onCertificate,
    compressed_certificate: onCertificate,
  },
  WAIT_CERT: { certificate: onCertificate, compressed_certificate: onCertificate },
  WAIT_VERDICT: {},
  WAIT_CV: { certificate_verify: onCertificateVerify },
  WAIT_FINISHED: { finished: onServerFinished },
  WAIT_SIGNATURE: {},
  CONNECTED: {
    new_session_ticket: onNewSessionTicket,
    key_update: onKeyUpdate,
    certificate_request: onPostCertificateRequest,
  },
  CLOSED: {},
}

/** The states that wait for somebody outside. */
export const CLIENT_ANSWERS: Partial<
  Record<ClientHandshake['state'], AnswerTransition<ClientState, ClientConfig>>
> = {
  CONNECTED: onPostSignature,
  WAIT_VERDICT: onVerdict,
  WAIT_SIGNATURE: onSignature,
}
