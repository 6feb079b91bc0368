import { concat, equal } from '../wire/index.ts'
import { configurationError, peerError } from './alert.ts'
import {
  certificateVerifyContent,
  checkCertificateVerify,
  checkFinished,
  finishedVerifyData,
} from './authentication.ts'
import { secondHello } from './client-hello.ts'
import { LEGACY_VERSION, TLS13 } from './codepoints.ts'
import type { ClientConfig } from './config.ts'
import { EXTENSIONS, extensionTypes, readExtensions } from './extensions.ts'
import { earlySecret, handshakeSecret, masterSecret } from './key-schedule.ts'
import { decodeHandshake, type MessageOf, type ServerHello } from './messages.ts'
import { onKeyUpdate, onNewSessionTicket } from './post-handshake.ts'
import type { ClientHandshake } from './state.ts'
import { extendTranscript, messageHash } from './transcript.ts'
import {
  type ClientTransition,
  type Context,
  derive,
  type Effect,
  encodeWith,
  expose,
  helloOf,
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
  // §4.1.2: a PSK whose hash does not go with the chosen suite is dropped.
  const keepPsk =
    handshake.psk !== undefined && suiteOf(provider, handshake.psk.cipherSuite).hash.name === suite.hash.name
  const psk = keepPsk ? handshake.psk : undefined
  const transcript = concat(messageHash(suite.hash, handshake.clientHello), raw)
  const clientHello = secondHello(
    hello,
    values,
    { keyShare, cookie: extensions.cookie },
    psk,
    transcript,
    context,
  )
  return {
    next: {
      cipherSuite: suite.id,
      handshake: {
        ...handshake,
        transcript,
        clientHello,
        keyShares,
        psk,
        retried: true,
        compatibilityPending: false,
      },
    },
    effects: [...changeCipherSpec(handshake.compatibilityPending), { do: 'write', message: clientHello }],
  }
}

function changeCipherSpec(pending: boolean): Effect[] {
  return pending ? [{ do: 'writeChangeCipherSpec' }] : []
}

/** WAIT_SH (§4.1.3). */
const onServerHello: ClientTransition = (session, { message, raw }, { provider }) => {
  const handshake = session.handshake as Waiting<'WAIT_SH'>
  const serverHello = message as MessageOf<'server_hello'>
  checkVersion(serverHello)
  const { hello, types } = offeredHello(handshake)
  const extensions = readExtensions('SH', serverHello.extensions, types)
  checkHello(serverHello, hello, extensions.supported_versions)
  if (handshake.retried && serverHello.cipherSuite !== session.cipherSuite) {
    throw peerError('illegal_parameter', 'ServerHello and HelloRetryRequest disagree on the cipher suite')
  }
  const suite = suiteOf(provider, serverHello.cipherSuite)
  const { hash } = suite
  const psk = selectedPsk(handshake, extensions.pre_shared_key, hash.name, provider)
  // psk_ke is never offered, so there is always a key exchange.
  if (extensions.key_share === undefined)
    throw peerError('missing_extension', 'a ServerHello without key_share')
  const { group: id, keyExchange } = extensions.key_share
  const share = handshake.keyShares.find(one => one.group === id)
  const group = provider.groups.find(one => one.id === id)
  if (share === undefined || group === undefined) {
    throw peerError('illegal_parameter', 'a key share for a group that we sent none for')
  }
  const sharedSecret = group.complete(share.privateKey, keyExchange)
  if (sharedSecret === undefined)
    throw peerError('illegal_parameter', `a key share that is not valid for ${group.name}`)

  const transcript = extendTranscript(handshake.transcript, handshake.clientHello, raw)
  const early = earlySecret(hash, psk)
  const secret = handshakeSecret(hash, early, sharedSecret)
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
      },
    },
    effects: [
      expose('early_secret', early),
      expose('handshake_secret', secret),
      client.expose,
      server.expose,
      expose('master_secret', master),
      { do: 'readWith', secret: server.secret },
      { do: 'writeWith', secret: client.secret },
    ],
  }
}

function selectedPsk(
  { psk }: Waiting<'WAIT_SH'>,
  selected: number | undefined,
  hashName: string,
  provider: Context<ClientConfig>['provider'],
): Uint8Array | undefined {
  if (selected === undefined) return undefined
  if (psk === undefined || selected !== 0)
    throw peerError('illegal_parameter', 'the server selects a PSK that was not offered')
  if (suiteOf(provider, psk.cipherSuite).hash.name !== hashName) {
    throw peerError('illegal_parameter', 'the selected PSK and the cipher suite have different hashes')
  }
  return psk.psk
}

/** WAIT_EE (§4.3.1). */
const onEncryptedExtensions: ClientTransition = (session, { message, raw }) => {
  const handshake = session.handshake as Waiting<'WAIT_EE'>
  const hello = helloOf(handshake.transcript)
  const { extensions } = message as MessageOf<'encrypted_extensions'>
  const values = readExtensions('EE', extensions, extensionTypes(hello.extensions))
  const next = { ...handshake, transcript: extendTranscript(handshake.transcript, raw) }
  return {
    next: {
      alpn: selectedProtocol(hello, values.application_layer_protocol_negotiation),
      handshake: session.resumed
        ? { ...next, state: 'WAIT_FINISHED', certificateRequestContext: undefined }
        : { ...next, state: 'WAIT_CERT_CR' },
    },
    effects: [],
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
        certificateRequestContext: request.certificateRequestContext,
      },
    },
    effects: [],
  }
}

/** WAIT_CERT_CR and WAIT_CERT (§4.4.2). */
const onCertificate: ClientTransition = (session, { message, raw }, { config, now }) => {
  const { transcript, ...handshake } = session.handshake as Waiting<'WAIT_CERT_CR' | 'WAIT_CERT'>
  const certificate = message as MessageOf<'certificate'>
  if (certificate.certificateRequestContext.length > 0) {
    throw peerError('illegal_parameter', "a certificate_request_context in the server's Certificate")
  }
  const chain = certificate.certificateList.map(entry => entry.certData)
  if (chain.length === 0) throw peerError('decode_error', 'the server sends no certificate')
  const offered = extensionTypes(helloOf(transcript).extensions)
  for (const entry of certificate.certificateList) readExtensions('CT', entry.extensions, offered)
  const { publicKey } = config.verify(chain, { serverName: session.serverName, now })
  return {
    next: {
      handshake: {
        compatibilityPending: handshake.compatibilityPending,
        masterSecret: handshake.masterSecret,
        state: 'WAIT_CV',
        transcript: extendTranscript(transcript, raw),
        certificateRequestContext:
          'certificateRequestContext' in handshake ? handshake.certificateRequestContext : undefined,
        publicKey,
      },
    },
    effects: [],
  }
}

/** WAIT_CV (§4.4.3). */
const onCertificateVerify: ClientTransition = (session, { message, raw }, { provider }) => {
  const { publicKey, transcript, ...handshake } = session.handshake as Waiting<'WAIT_CV'>
  const { hash } = suiteOf(provider, session.cipherSuite)
  const content = certificateVerifyContent('server', hash.digest(transcript))
  checkCertificateVerify(provider, publicKey, message as MessageOf<'certificate_verify'>, content)
  return {
    next: {
      handshake: { ...handshake, state: 'WAIT_FINISHED', transcript: extendTranscript(transcript, raw) },
    },
    effects: [],
  }
}

/** WAIT_FINISHED: the server is who it says; our own flight ends the handshake (§4.4.4). */
const onServerFinished: ClientTransition = (session, { message, raw }, context) => {
  const handshake = session.handshake as Waiting<'WAIT_FINISHED'>
  const suite = suiteOf(context.provider, session.cipherSuite)
  const { hash } = suite
  const { verifyData } = message as MessageOf<'finished'>
  checkFinished(hash, session.read!.trafficSecret, hash.digest(handshake.transcript), verifyData)
  let transcript = extendTranscript(handshake.transcript, raw)
  const afterFinished = hash.digest(transcript)
  const client = derive(suite, 'client_application_traffic_secret_0', handshake.masterSecret, afterFinished)
  const server = derive(suite, 'server_application_traffic_secret_0', handshake.masterSecret, afterFinished)
  const exporter = derive(suite, 'exporter_master_secret', handshake.masterSecret, afterFinished)

  const flight: Uint8Array[] = []
  const { certificateRequestContext } = handshake
  if (certificateRequestContext !== undefined) {
    // §4.4.2: a client without a fitting certificate sends an empty one, and no CertificateVerify.
    const empty = encodeWith(context.config, {
      type: 'certificate',
      certificateRequestContext,
      certificateList: [],
    })
    flight.push(empty)
    transcript = extendTranscript(transcript, empty)
  }
  const finished = encodeWith(context.config, {
    type: 'finished',
    verifyData: finishedVerifyData(hash, session.write!.trafficSecret, hash.digest(transcript)),
  })
  flight.push(finished)
  const whole = hash.digest(extendTranscript(transcript, finished))
  const resumption = derive(suite, 'resumption_master_secret', handshake.masterSecret, whole)
  return {
    next: {
      handshake: {
        state: 'CONNECTED',
        exporterMasterSecret: exporter.secret,
        resumptionMasterSecret: resumption.secret,
        ticketsIssued: 0,
      },
    },
    effects: [
      client.expose,
      server.expose,
      exporter.expose,
      ...changeCipherSpec(handshake.compatibilityPending),
      ...flight.map((one): Effect => ({ do: 'write', message: one })),
      resumption.expose,
      { do: 'readWith', secret: server.secret },
      { do: 'writeWith', secret: client.secret },
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
  WAIT_CERT_CR: { certificate_request: onCertificateRequest, certificate: onCertificate },
  WAIT_CERT: { certificate: onCertificate },
  WAIT_CV: { certificate_verify: onCertificateVerify },
  WAIT_FINISHED: { finished: onServerFinished },
  CONNECTED: { new_session_ticket: onNewSessionTicket, key_update: onKeyUpdate },
  CLOSED: {},
}
