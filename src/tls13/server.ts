import { concat, EMPTY, equal, fromHex, utf8 } from '../wire/index.ts'
import { configurationError, peerError } from './alert.ts'
import {
  certificateId,
  certificatesFor,
  certificateVerifyContent,
  checkFinished,
  chooseCertificate,
  finishedVerifyData,
} from './authentication.ts'
import { LEGACY_VERSION, PskKeyExchangeMode, TLS13 } from './codepoints.ts'
import type { ServerConfig } from './config.ts'
import type { CipherSuite, KeyExchangeGroup } from './crypto/provider.ts'
import { type ExtensionValues, hostName, readExtensions, writeExtensions } from './extensions.ts'
import { earlySecret, handshakeSecret, masterSecret } from './key-schedule.ts'
import { decodeHandshake, HELLO_RETRY_REQUEST, type MessageOf } from './messages.ts'
import { issueTickets, onKeyUpdate } from './post-handshake.ts'
import type { ServerHandshake, ServerState } from './state.ts'
import { extendTranscript, messageHash } from './transcript.ts'
import {
  bindersLength,
  type Context,
  derive,
  type Effect,
  encodeWith,
  expose,
  type Outcome,
  type ServerTransition,
  suiteOf,
  type TransitionTable,
  truncatedHello,
} from './transition.ts'

/** What a ClientHello says, once every rule that needs no decision has been checked. */
interface Offer {
  readonly hello: MessageOf<'client_hello'>
  readonly raw: Uint8Array
  readonly extensions: ExtensionValues<'CH'>
  readonly serverName: string | undefined
  readonly suite: CipherSuite
  readonly resumption: { readonly psk: Uint8Array; readonly index: number } | undefined
}

type WaitSecond = Extract<ServerHandshake, { state: 'WAIT_SECOND_CLIENT_HELLO' }>
type WaitFinished = Extract<ServerHandshake, { state: 'WAIT_FINISHED' }>

/** START and WAIT_SECOND_CLIENT_HELLO: RECVD_CH and NEGOTIATED of Appendix A.2 happen in one step. */
const onClientHello: ServerTransition = (session, { message, raw }, context) => {
  const retry = session.handshake.state === 'WAIT_SECOND_CLIENT_HELLO' ? session.handshake : undefined
  const offer = readOffer(session, retry, message as MessageOf<'client_hello'>, raw, context)
  const shares = checkKeyShares(offer, retry)
  const group = chooseGroup(
    offer,
    shares.map(share => share.group),
    retry,
    context,
  )
  const share = shares.find(one => one.group === group.id)
  if (share === undefined) return retryHello(offer, group, context)
  return answer(retry, offer, group, share.keyExchange, context)
}

function readOffer(
  session: ServerState,
  retry: WaitSecond | undefined,
  hello: MessageOf<'client_hello'>,
  raw: Uint8Array,
  context: Context<ServerConfig>,
): Offer {
  const { config } = context
  const extensions = readExtensions('CH', hello.extensions)
  // §4.2.1: only this extension tells the version; a hello without it is from an older TLS.
  if (!extensions.supported_versions?.includes(TLS13)) {
    throw configurationError('protocol_version', 'the client does not offer TLS 1.3')
  }
  if (!equal(hello.legacyCompressionMethods, Uint8Array.of(0))) {
    throw peerError('illegal_parameter', 'legacy_compression_methods must be null alone')
  }
  const serverName = hostName(extensions.server_name)
  if (serverName !== undefined && config.recognizes?.(serverName) === false) {
    throw configurationError('unrecognized_name', `no server named ${serverName}`)
  }
  if (retry !== undefined) checkSecondHello(session, retry, extensions, serverName)
  const suite = chooseSuite(session, retry, hello, context)
  checkMandatoryExtensions(extensions)
  const resumption = choosePsk({ hello, raw, extensions, serverName, suite }, retry, context)
  return { hello, raw, extensions, serverName, suite, resumption }
}

/** §4.1.2: what a client may not change between its two hellos, as far as our choices hang on it. */
function checkSecondHello(
  session: ServerState,
  retry: WaitSecond,
  extensions: ExtensionValues<'CH'>,
  serverName: string | undefined,
): void {
  if (serverName !== session.serverName)
    throw peerError('illegal_parameter', 'the second ClientHello changes server_name')
  if (extensions.early_data !== undefined)
    throw peerError('illegal_parameter', 'early_data in the second ClientHello')
  if (!equal(extensions.cookie ?? EMPTY, retry.cookie ?? EMPTY)) {
    throw peerError('illegal_parameter', 'the cookie is not the one we sent')
  }
}

function chooseSuite(
  session: ServerState,
  retry: WaitSecond | undefined,
  hello: MessageOf<'client_hello'>,
  { provider }: Context<ServerConfig>,
): CipherSuite {
  const suite = provider.cipherSuites.find(one => hello.cipherSuites.includes(one.id))
  if (suite === undefined) throw configurationError('handshake_failure', 'no cipher suite in common')
  if (retry !== undefined && suite.id !== session.cipherSuite) {
    throw peerError('illegal_parameter', 'the second ClientHello changes the cipher suites')
  }
  return suite
}

/** §9.2. */
function checkMandatoryExtensions(extensions: ExtensionValues<'CH'>): void {
  const { supported_groups, key_share, signature_algorithms, pre_shared_key, psk_key_exchange_modes } =
    extensions
  if ((supported_groups === undefined) !== (key_share === undefined)) {
    throw peerError('missing_extension', 'supported_groups and key_share go together')
  }
  if (
    pre_shared_key === undefined &&
    (signature_algorithms === undefined || supported_groups === undefined)
  ) {
    throw peerError(
      'missing_extension',
      'without pre_shared_key, signature_algorithms and supported_groups must be there',
    )
  }
  if (pre_shared_key !== undefined && psk_key_exchange_modes === undefined) {
    throw peerError('missing_extension', 'pre_shared_key without psk_key_exchange_modes')
  }
}

/** Identities looked at in one hello: opening a ticket is work that a stranger can ask for. */
const PSK_IDENTITY_LIMIT = 8

/** The first ticket of ours that is still good (§4.2.11). Its binder must fit, or the handshake ends. */
function choosePsk(
  { raw, extensions, serverName, suite }: Omit<Offer, 'resumption'>,
  retry: WaitSecond | undefined,
  { config, now }: Context<ServerConfig>,
): Offer['resumption'] {
  const offered = extensions.pre_shared_key
  if (offered === undefined) return undefined
  if (offered.identities.length !== offered.binders.length) {
    throw peerError('illegal_parameter', 'pre_shared_key with unequal numbers of identities and binders')
  }
  if (config.tickets === undefined) return undefined
  if (!extensions.psk_key_exchange_modes?.includes(PskKeyExchangeMode.psk_dhe_ke)) return undefined
  for (let index = 0; index < Math.min(offered.identities.length, PSK_IDENTITY_LIMIT); index++) {
    const contents = config.tickets.sealer.open(offered.identities[index]!.identity)
    if (contents === undefined) continue
    const usable =
      sameHash(suite, contents.cipherSuite) &&
      contents.serverName === serverName &&
      now >= contents.issuedAt &&
      now - contents.issuedAt <= contents.lifetime * 1000
    if (!usable) continue
    const { hash } = suite
    const binderKey = derive(
      suite,
      'res_binder_key',
      earlySecret(hash, contents.psk),
      hash.digest(EMPTY),
    ).secret
    const covered = truncatedHello(raw, bindersLength(offered.binders))
    const binder = finishedVerifyData(
      hash,
      binderKey,
      hash.digest(concat(retry?.transcript ?? EMPTY, covered)),
    )
    if (!equal(binder, offered.binders[index]!)) throw peerError('decrypt_error', 'a PSK binder does not fit')
    return { psk: contents.psk, index }
  }
  return undefined
}

/** A PSK belongs to a hash, not to a suite (§4.2.11); TLS_AES_256_GCM_SHA384 is the one with SHA-384. */
function sameHash(suite: CipherSuite, ticketSuite: number): boolean {
  return (suite.hash.name === 'sha384') === (ticketSuite === 0x1302)
}

/** §4.2.8. */
function checkKeyShares({ extensions }: Offer, retry: WaitSecond | undefined) {
  const shares = extensions.key_share ?? []
  const groups = shares.map(share => share.group)
  if (new Set(groups).size !== groups.length)
    throw peerError('illegal_parameter', 'two key shares for one group')
  if (groups.some(group => !extensions.supported_groups?.includes(group))) {
    throw peerError('illegal_parameter', 'a key share for a group that is not in supported_groups')
  }
  if (retry !== undefined && (groups.length !== 1 || groups[0] !== retry.selectedGroup)) {
    throw peerError('illegal_parameter', 'the second ClientHello does not bring the key share we asked for')
  }
  return shares
}

/** The first group of ours that the client has a share for, else the first that it supports. */
function chooseGroup(
  { extensions }: Offer,
  shared: readonly number[],
  retry: WaitSecond | undefined,
  { provider }: Context<ServerConfig>,
): KeyExchangeGroup {
  const supported = provider.groups.filter(group => extensions.supported_groups?.includes(group.id))
  const candidates =
    retry === undefined ? supported : supported.filter(group => group.id === retry.selectedGroup)
  const group = candidates.find(one => shared.includes(one.id)) ?? candidates[0]
  if (group === undefined) throw configurationError('handshake_failure', 'no key exchange group in common')
  return group
}

/** §4.1.4. The transcript starts anew with the hash of the first hello (§4.4.1). */
function retryHello(
  offer: Offer,
  group: KeyExchangeGroup,
  { config }: Context<ServerConfig>,
): Outcome<ServerState> {
  const { hello, suite } = offer
  const raw = encodeWith(config, {
    type: 'hello_retry_request',
    legacyVersion: LEGACY_VERSION,
    random: fromHex(HELLO_RETRY_REQUEST),
    legacySessionIdEcho: hello.legacySessionId,
    cipherSuite: suite.id,
    legacyCompressionMethod: 0,
    extensions: writeExtensions('HRR', { supported_versions: TLS13, key_share: group.id }),
  })
  return {
    next: {
      cipherSuite: suite.id,
      serverName: offer.serverName,
      handshake: {
        state: 'WAIT_SECOND_CLIENT_HELLO',
        transcript: concat(messageHash(suite.hash, offer.raw), raw),
        selectedGroup: group.id,
        cookie: cookieOf(raw),
      },
    },
    effects: [{ do: 'write', message: raw }, ...compatibility(hello)],
  }
}

/** A cookie may have been shaped into our HelloRetryRequest; the second hello must bring it back. */
function cookieOf(raw: Uint8Array): Uint8Array | undefined {
  const message = decodeHandshake(raw) as MessageOf<'hello_retry_request'>
  return readExtensions('HRR', message.extensions).cookie
}

/** Appendix D.4: a client that sends a session id wants to see a ChangeCipherSpec. */
function compatibility(hello: MessageOf<'client_hello'>): Effect[] {
  return hello.legacySessionId.length > 0 ? [{ do: 'writeChangeCipherSpec' }] : []
}

/** The server's whole flight: ServerHello … Finished. */
function answer(
  retry: WaitSecond | undefined,
  offer: Offer,
  group: KeyExchangeGroup,
  peerKeyExchange: Uint8Array,
  context: Context<ServerConfig>,
): Outcome<ServerState> {
  const { config, random } = context
  const { hello, extensions, suite, resumption, serverName } = offer
  const { hash } = suite
  const alpn = chooseAlpn(extensions, config)
  const identity = resumption === undefined ? chooseIdentity(offer, config) : undefined
  const serverRandom = random(32)
  const exchange = group.respond(random, peerKeyExchange)
  if (exchange === undefined)
    throw peerError('illegal_parameter', `a key share that is not valid for ${group.name}`)

  const serverHello = encodeWith(config, {
    type: 'server_hello',
    legacyVersion: LEGACY_VERSION,
    random: serverRandom,
    legacySessionIdEcho: hello.legacySessionId,
    cipherSuite: suite.id,
    legacyCompressionMethod: 0,
    extensions: writeExtensions('SH', {
      supported_versions: TLS13,
      key_share: { group: group.id, keyExchange: exchange.keyExchange },
      ...(resumption === undefined ? {} : { pre_shared_key: resumption.index }),
    }),
  })
  let transcript = extendTranscript(retry?.transcript ?? EMPTY, offer.raw, serverHello)

  const early = earlySecret(hash, resumption?.psk)
  const handshake = handshakeSecret(hash, early, exchange.sharedSecret)
  const afterHello = hash.digest(transcript)
  const clientHandshake = derive(suite, 'client_handshake_traffic_secret', handshake, afterHello)
  const serverHandshake = derive(suite, 'server_handshake_traffic_secret', handshake, afterHello)
  const master = masterSecret(hash, handshake)

  const encrypted: Uint8Array[] = []
  const add = (raw: Uint8Array): void => {
    encrypted.push(raw)
    transcript = extendTranscript(transcript, raw)
  }
  add(
    encodeWith(config, {
      type: 'encrypted_extensions',
      extensions: writeExtensions('EE', {
        // RFC 6066, Section 3: an empty answer says that the name was used; a resumption does not say it.
        ...(serverName === undefined || resumption !== undefined ? {} : { server_name: {} }),
        ...(alpn === undefined ? {} : { application_layer_protocol_negotiation: [utf8(alpn)] }),
      }),
    }),
  )
  if (identity !== undefined) {
    const { certificate, signer } = identity
    const certificateList = certificate.chain.map(certData => ({ certData, extensions: [] }))
    add(encodeWith(config, { type: 'certificate', certificateRequestContext: EMPTY, certificateList }))
    const signature = signer.sign(certificateVerifyContent('server', hash.digest(transcript)))
    add(encodeWith(config, { type: 'certificate_verify', algorithm: signer.scheme, signature }))
  }
  const verifyData = finishedVerifyData(hash, serverHandshake.secret, hash.digest(transcript))
  add(encodeWith(config, { type: 'finished', verifyData }))

  const afterFinished = hash.digest(transcript)
  const clientApplication = derive(suite, 'client_application_traffic_secret_0', master, afterFinished)
  const serverApplication = derive(suite, 'server_application_traffic_secret_0', master, afterFinished)
  const exporter = derive(suite, 'exporter_master_secret', master, afterFinished)
  return {
    next: {
      cipherSuite: suite.id,
      serverName,
      alpn,
      resumed: resumption !== undefined,
      certificate: identity === undefined ? undefined : certificateId(hash, identity.certificate),
      ...(config.onSecret === undefined ? {} : { clientRandom: hello.random }),
      handshake: {
        state: 'WAIT_FINISHED',
        transcript,
        masterSecret: master,
        clientApplicationTrafficSecret: clientApplication.secret,
        exporterMasterSecret: exporter.secret,
        takesTickets: extensions.psk_key_exchange_modes?.includes(PskKeyExchangeMode.psk_dhe_ke) === true,
      },
    },
    effects: [
      { do: 'write', message: serverHello },
      ...(retry === undefined ? compatibility(hello) : []),
      expose('early_secret', early),
      expose('handshake_secret', handshake),
      clientHandshake.expose,
      serverHandshake.expose,
      expose('master_secret', master),
      { do: 'writeWith', secret: serverHandshake.secret },
      ...encrypted.map((message): Effect => ({ do: 'write', message })),
      clientApplication.expose,
      serverApplication.expose,
      exporter.expose,
      { do: 'writeWith', secret: serverApplication.secret },
      { do: 'readWith', secret: clientHandshake.secret },
    ],
  }
}

function chooseIdentity({ extensions, serverName }: Offer, { certificates }: ServerConfig) {
  if (extensions.signature_algorithms === undefined) {
    throw peerError('missing_extension', 'a certificate is needed and signature_algorithms is missing')
  }
  return chooseCertificate(certificatesFor(certificates, serverName), extensions.signature_algorithms)
}

/** RFC 7301, Section 3.2. */
function chooseAlpn(extensions: ExtensionValues<'CH'>, { alpn }: ServerConfig): string | undefined {
  const offered = extensions.application_layer_protocol_negotiation
  if (offered === undefined || alpn === undefined || alpn.length === 0) return undefined
  const chosen = alpn.find(name => offered.some(one => equal(one, utf8(name))))
  if (chosen === undefined) throw configurationError('no_application_protocol', `we speak ${alpn.join(', ')}`)
  return chosen
}

/** WAIT_FINISHED: the client's Finished ends the handshake (§4.4.4), and tickets follow (§4.6.1). */
const onClientFinished: ServerTransition = (session, { message, raw }, context) => {
  const { transcript, ...handshake } = session.handshake as WaitFinished
  const suite = suiteOf(context.provider, session.cipherSuite)
  const { hash } = suite
  const { verifyData } = message as MessageOf<'finished'>
  checkFinished(hash, session.read!.trafficSecret, hash.digest(transcript), verifyData)
  const whole = hash.digest(extendTranscript(transcript, raw))
  const resumption = derive(suite, 'resumption_master_secret', handshake.masterSecret, whole)
  const { exporterMasterSecret, takesTickets } = handshake
  const connected: ServerState = {
    ...session,
    handshake: {
      state: 'CONNECTED',
      exporterMasterSecret,
      resumptionMasterSecret: resumption.secret,
      ticketsIssued: 0,
    },
  }
  const tickets = takesTickets
    ? issueTickets(connected, context.config.tickets?.count ?? 2, context)
    : { next: {}, effects: [] }
  return {
    next: { handshake: connected.handshake, ...tickets.next },
    effects: [
      resumption.expose,
      { do: 'readWith', secret: handshake.clientApplicationTrafficSecret },
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
      ...tickets.effects,
    ],
  }
}

/** RFC 8446, Appendix A.2. */
export const SERVER_TRANSITIONS: TransitionTable<ServerHandshake['state'], ServerTransition> = {
  START: { client_hello: onClientHello },
  WAIT_SECOND_CLIENT_HELLO: { client_hello: onClientHello },
  WAIT_FINISHED: { finished: onClientFinished },
  CONNECTED: { key_update: onKeyUpdate },
  CLOSED: {},
}
