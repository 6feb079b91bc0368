import { EMPTY, utf8 } from '../wire/index.ts'
import { peerError } from './alert.ts'
import { certificateId, certificatesFor, finishedVerifyData } from './authentication.ts'
import { type ChosenIdentity, certificateMessage, chooseIdentity } from './certificate-message.ts'
import { LEGACY_VERSION, PskKeyExchangeMode, TLS13, TlsFlag } from './codepoints.ts'
import type { ServerConfig } from './config.ts'
import { firstExporter } from './extended-key-update.ts'
import { type ExtensionValues, writeExtensions } from './extensions.ts'
import { earlySecret, handshakeSecret, masterSecret } from './key-schedule.ts'
import type { MessageOf } from './messages.ts'
import { MAXIMUM_PLAINTEXT } from './record.ts'
import { type Offer, pskModes, type Retry } from './server-hello.ts'
import type { ServerHandshake, ServerState } from './state.ts'
import { encodeFlags } from './tls-flags.ts'
import { extendTranscript } from './transcript.ts'
import { type Context, derive, type Effect, encodeWith, expose, type Outcome, suiteOf } from './transition.ts'
import { NO_KEY_UPDATE, negotiating } from './update-state.ts'

/**
 * Bytes of refused early data that are passed over beyond what could have been allowed, unless configured.
 */
const SKIP_EARLY_DATA = 65_536

/** Appendix D.4: a client that sends a session id wants to see a ChangeCipherSpec. */
export function compatibility(hello: MessageOf<'client_hello'>): Effect[] {
  return hello.legacySessionId.length > 0 ? [{ do: 'writeChangeCipherSpec' }] : []
}

/** How much refused early data will be passed over. */
export function skippable(extensions: ExtensionValues<'CH'>, config: ServerConfig): number {
  if (extensions.early_data === undefined) return 0
  return config.skipEarlyData ?? SKIP_EARLY_DATA + (config.earlyData?.maximum ?? 0)
}

/**
 * ServerHello up to Certificate. What is signed there may have to wait for the holder of the key; without a
 * certificate the flight is finished at once.
 * @param early whether early data is accepted
 */
export function beginFlight(
  session: ServerState,
  retry: Retry | undefined,
  offer: Offer,
  early: boolean,
  context: Context<ServerConfig>,
): Outcome<ServerState> {
  const { config } = context
  const { hello, extensions, suite, psk } = offer
  const { hash } = suite
  const identity = psk === undefined ? identityFor(offer, context) : undefined
  const { raw: serverHello, sharedSecret } = writeServerHello(offer, context)
  let transcript = extendTranscript(retry?.transcript ?? EMPTY, offer.raw)
  const afterClientHello = hash.digest(transcript)
  transcript = extendTranscript(transcript, serverHello)

  const earlySecretValue = earlySecret(hash, psk?.psk)
  const handshake = handshakeSecret(hash, earlySecretValue, sharedSecret)
  const afterHello = hash.digest(transcript)
  const clientHandshake = derive(suite, 'client_handshake_traffic_secret', handshake, afterHello)
  const serverHandshake = derive(suite, 'server_handshake_traffic_secret', handshake, afterHello)
  const earlyTraffic = early
    ? derive(suite, 'client_early_traffic_secret', earlySecretValue, afterClientHello)
    : undefined
  const master = masterSecret(hash, handshake)

  const messages: Uint8Array[] = []
  const add = (raw: Uint8Array): void => {
    messages.push(raw)
    transcript = extendTranscript(transcript, raw)
  }
  add(writeEncryptedExtensions(offer, early, config))
  const asks =
    config.clientCertificates !== undefined && !config.clientCertificates.postHandshake && psk === undefined
  if (asks) add(certificateRequest(config, EMPTY))
  if (identity !== undefined) add(certificateMessage(config, identity, extensions))

  const limits = recordLimits(extensions, config)
  const common: Partial<ServerState> = {
    cipherSuite: suite.id,
    serverName: offer.serverName,
    alpn: offer.alpn,
    resumed: psk !== undefined,
    certificate: identity && certificateId(hash, identity.certificate, identity.delegated),
    recordSizeLimits: limits,
    keyUpdate: offer.extendsKeys ? negotiating(offer.group!.id) : NO_KEY_UPDATE,
    peerCertificate: config.clientCertificates && psk?.ticket?.peerCertificate,
    peerIntermediates: (config.clientCertificates && psk?.ticket?.peerIntermediates) ?? [],
    ...(config.onSecret === undefined ? {} : { clientRandom: hello.random }),
  }
  const effects: Effect[] = [
    { do: 'write', message: serverHello },
    ...(retry === undefined ? compatibility(hello) : []),
    expose('early_secret', earlySecretValue),
    ...(earlyTraffic === undefined
      ? []
      : [
          earlyTraffic.expose,
          derive(suite, 'early_exporter_master_secret', earlySecretValue, afterClientHello).expose,
        ]),
    expose('handshake_secret', handshake),
    clientHandshake.expose,
    serverHandshake.expose,
    expose('master_secret', master),
    { do: 'writeWith', secret: serverHandshake.secret },
    ...messages.map((message): Effect => ({ do: 'write', message })),
    { do: 'readWith', secret: earlyTraffic?.secret ?? clientHandshake.secret },
  ]
  const takesTickets = pskModes(config).some(mode =>
    extensions.psk_key_exchange_modes?.includes(PskKeyExchangeMode[mode]),
  )
  const next: Extract<ServerHandshake, { state: 'WAIT_SIGNATURE' }> = {
    state: 'WAIT_SIGNATURE',
    transcript,
    masterSecret: master,
    scheme: identity?.signer.scheme ?? 0,
    delegated: identity?.delegated ?? false,
    requestsCertificate: asks,
    takesTickets,
    keepsTranscript:
      config.clientCertificates?.postHandshake === true && extensions.post_handshake_auth !== undefined,
    skipEarlyData: early ? 0 : skippable(extensions, config),
  }
  if (identity !== undefined) return { next: { ...common, handshake: next }, effects }
  const state: ServerState = { ...session, ...common, handshake: next }
  const finished = finishFlight(
    state,
    next,
    serverHandshake.secret,
    undefined,
    context,
    early ? { clientHandshake: clientHandshake.secret, left: psk?.ticket?.maxEarlyData ?? 0 } : undefined,
  )
  return { next: { ...common, ...finished.next }, effects: [...effects, ...finished.effects] }
}

/**
 * CertificateVerify, if there is one, and Finished.
 * @param writeSecret server_handshake_traffic_secret
 * @param early given if early data comes first: client_handshake_traffic_secret for later, and the bytes that
 * are allowed
 */
export function finishFlight(
  session: ServerState,
  waiting: Extract<ServerHandshake, { state: 'WAIT_SIGNATURE' }>,
  writeSecret: Uint8Array,
  signature: Uint8Array | undefined,
  context: Context<ServerConfig>,
  early?: { readonly clientHandshake: Uint8Array; readonly left: number },
): Outcome<ServerState> {
  const { config, provider } = context
  const suite = suiteOf(provider, session.cipherSuite)
  const { hash } = suite
  const { masterSecret: master, scheme, takesTickets, keepsTranscript, skipEarlyData } = waiting
  let { transcript } = waiting
  const messages: Uint8Array[] = []
  const add = (raw: Uint8Array): void => {
    messages.push(raw)
    transcript = extendTranscript(transcript, raw)
  }
  if (signature !== undefined)
    add(encodeWith(config, { type: 'certificate_verify', algorithm: scheme, signature }))
  add(
    encodeWith(config, {
      type: 'finished',
      verifyData: finishedVerifyData(hash, writeSecret, hash.digest(transcript)),
    }),
  )

  const afterFinished = hash.digest(transcript)
  const client = derive(suite, 'client_application_traffic_secret_0', master, afterFinished)
  const server = derive(suite, 'server_application_traffic_secret_0', master, afterFinished)
  const exporter = derive(suite, 'exporter_master_secret', master, afterFinished)
  const updates = firstExporter(session.keyUpdate, suite, master, afterFinished)
  const flight = {
    transcript,
    masterSecret: master,
    clientApplicationTrafficSecret: client.secret,
    exporterMasterSecret: exporter.secret,
    takesTickets,
    keepsTranscript,
    skipEarlyData,
  }
  const handshake: ServerHandshake =
    early === undefined
      ? { state: waiting.requestsCertificate ? 'WAIT_CERT' : 'WAIT_FINISHED', ...flight }
      : {
          state: 'WAIT_EOED',
          ...flight,
          clientHandshakeTrafficSecret: early.clientHandshake,
          earlyDataLeft: early.left,
        }
  return {
    next: { handshake, keyUpdate: updates.keyUpdate },
    effects: [
      ...messages.map((message): Effect => ({ do: 'write', message })),
      client.expose,
      server.expose,
      exporter.expose,
      ...updates.effects,
      { do: 'writeWith', secret: server.secret },
    ],
  }
}

function writeServerHello(
  { hello, suite, psk, group, shares }: Offer,
  { config, random }: Context<ServerConfig>,
): { raw: Uint8Array; sharedSecret: Uint8Array } {
  const serverRandom = random(32)
  const share = group && shares.find(one => one.group === group.id)
  const exchange = share && group?.respond(random, share.keyExchange)
  if (group !== undefined && exchange === undefined) {
    throw peerError(
      'illegal_parameter',
      'invalid_key_share',
      `a key share that is not valid for ${group.name}`,
    )
  }
  const raw = encodeWith(config, {
    type: 'server_hello',
    legacyVersion: LEGACY_VERSION,
    random: serverRandom,
    legacySessionIdEcho: hello.legacySessionId,
    cipherSuite: suite.id,
    legacyCompressionMethod: 0,
    extensions: writeExtensions('SH', {
      supported_versions: TLS13,
      ...(exchange === undefined || group === undefined
        ? {}
        : { key_share: { group: group.id, keyExchange: exchange.keyExchange } }),
      ...(psk === undefined ? {} : { pre_shared_key: psk.index }),
    }),
  })
  // §7.1: without a key exchange, zeros of the hash's length go in.
  return { raw, sharedSecret: exchange?.sharedSecret ?? new Uint8Array(suite.hash.length) }
}

function writeEncryptedExtensions(
  { serverName, psk, alpn, extensions, extendsKeys }: Offer,
  early: boolean,
  config: ServerConfig,
): Uint8Array {
  return encodeWith(config, {
    type: 'encrypted_extensions',
    extensions: writeExtensions('EE', {
      // RFC 6066 §3: an empty answer says that the name was used; a resumption does not say it.
      ...(serverName === undefined || psk !== undefined ? {} : { server_name: {} }),
      ...(alpn === undefined ? {} : { application_layer_protocol_negotiation: [utf8(alpn)] }),
      ...(extensions.record_size_limit === undefined
        ? {}
        : { record_size_limit: (config.recordSizeLimit ?? MAXIMUM_PLAINTEXT) + 1 }),
      ...(early ? { early_data: {} } : {}),
      ...(extendsKeys ? { tls_flags: encodeFlags([TlsFlag.extended_key_update])! } : {}),
    }),
  })
}

/** §4.3.2. @param context empty in the handshake, random after it */
export function certificateRequest(config: ServerConfig, certificateRequestContext: Uint8Array): Uint8Array {
  const { authorities } = config.clientCertificates ?? {}
  return encodeWith(config, {
    type: 'certificate_request',
    certificateRequestContext,
    extensions: writeExtensions('CR', {
      signature_algorithms: config.provider.signatureAlgorithms.map(algorithm => algorithm.scheme),
      ...(config.certificateCompression === undefined
        ? {}
        : { compress_certificate: config.certificateCompression.map(({ algorithm }) => algorithm) }),
      ...(authorities === undefined || authorities.length === 0
        ? {}
        : { certificate_authorities: authorities }),
    }),
  })
}

/**
 * RFC 8449: what both sides may put into a record, if the extension is negotiated and one of them wants less
 * than the most. Limits on the wire count the content type, ours do not.
 */
export function recordLimits(
  { record_size_limit: peer }: { readonly record_size_limit?: number | undefined },
  { recordSizeLimit = MAXIMUM_PLAINTEXT }: Pick<ServerConfig, 'recordSizeLimit'>,
): { write: number; read: number } | undefined {
  if (peer === undefined) return undefined
  const write = Math.min(peer - 1, MAXIMUM_PLAINTEXT)
  if (write === MAXIMUM_PLAINTEXT && recordSizeLimit === MAXIMUM_PLAINTEXT) return undefined
  return { write, read: recordSizeLimit }
}

function identityFor(
  { extensions, serverName }: Offer,
  { config: { certificates }, now }: Context<ServerConfig>,
): ChosenIdentity {
  if (extensions.signature_algorithms === undefined) {
    throw peerError(
      'missing_extension',
      'missing_signature_algorithms',
      'a certificate is needed and signature_algorithms is missing',
    )
  }
  return chooseIdentity(certificatesFor(certificates, serverName), extensions, now)
}

/** Whether early data may be accepted at all, replay aside (§4.2.10, §8.3). */
export function earlyDataFits(
  offer: Offer,
  retry: Retry | undefined,
  { config, now }: Context<ServerConfig>,
): boolean {
  const { psk, suite, alpn, extensions } = offer
  const ticket = psk?.ticket
  if (extensions.early_data === undefined || config.earlyData === undefined || retry !== undefined)
    return false
  if (ticket === undefined || psk?.index !== 0 || ticket.maxEarlyData === 0) return false
  if (ticket.cipherSuite !== suite.id || ticket.alpn !== alpn) return false
  const share = offer.group === undefined || offer.shares.some(one => one.group === offer.group?.id)
  const skew = Math.abs(psk.clientAge - (now - ticket.issuedAt))
  return share && skew <= replayWindow(config)
}

/** Milliseconds (§8.3). */
export function replayWindow({ earlyData }: Pick<ServerConfig, 'earlyData'>): number {
  return earlyData?.window ?? 10_000
}
