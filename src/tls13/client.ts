import { concat, equal } from '../wire/index.ts'
import { configurationError, peerError } from './alert.ts'
import {
  onCertificate,
  onCertificateRequest,
  onCertificateVerify,
  onVerdict,
} from './client-authentication.ts'
import { compatibility, onServerFinished, onSignature } from './client-finish.ts'
import { secondHello } from './client-hello.ts'
import { isGrease, LEGACY_VERSION, PskKeyExchangeMode, TLS13, TlsFlag } from './codepoints.ts'
import type { ClientConfig } from './config.ts'
import type { CipherSuite, CryptoProvider } from './crypto/provider.ts'
import { onExtendedKeyUpdate } from './extended-key-update.ts'
import {
  EXTENSIONS,
  type ExtensionValues,
  extensionTypes,
  type KeyShareEntry,
  readExtensions,
} from './extensions.ts'
import { assertNoPartialMessage } from './input-rules.ts'
import { earlySecret, handshakeSecret, masterSecret } from './key-schedule.ts'
import { checkLegacyVersion, decodeHandshake, type MessageOf, type ServerHello } from './messages.ts'
import { onPostCertificateRequest, onPostSignature } from './post-authentication.ts'
import { onKeyUpdate, onNewSessionTicket } from './post-handshake.ts'
import { sameHash } from './psk.ts'
import { recordLimits } from './server-flight.ts'
import type { ClientHandshake, ClientState, OfferedPsk } from './state.ts'
import { checkAnsweredFlags, hasFlag } from './tls-flags.ts'
import { extendTranscript, messageHash } from './transcript.ts'
import {
  type AnswerTransition,
  type ClientTransition,
  derive,
  type Effect,
  expose,
  helloOf,
  suiteOf,
  type TransitionTable,
} from './transition.ts'
import { type KeyUpdateState, NO_KEY_UPDATE, negotiating } from './update-state.ts'

type Waiting<S extends ClientHandshake['state']> = Extract<ClientHandshake, { state: S }>

/** §4.1.3: the last bytes of the random of a TLS 1.3 server that was talked down to an older version. */
const DOWNGRADE = [
  Uint8Array.of(0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x01),
  Uint8Array.of(0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x00),
]

/**
 * A ServerHello without supported_versions chooses TLS 1.2 or older. This is checked before the other
 * extensions (§4.2.1): those of an older version are not ours to judge.
 */
function checkVersion(hello: ServerHello, retried: boolean): void {
  checkLegacyVersion(hello)
  const { extensions, random } = hello
  if (extensions.some(({ extensionType }) => extensionType === EXTENSIONS.supported_versions.type)) return
  if (retried) {
    const changed = 'a ServerHello without supported_versions after a HelloRetryRequest'
    throw peerError('illegal_parameter', 'version_changed_after_retry', changed)
  }
  const end = random.subarray(24)
  if (DOWNGRADE.some(mark => equal(mark, end)))
    throw peerError('illegal_parameter', 'downgrade', 'the version was downgraded on the way')
  throw configurationError('protocol_version', 'no_common_version', 'the server does not speak TLS 1.3')
}

/** What ServerHello and HelloRetryRequest have in common (§4.1.3, §4.1.4). */
function checkHello(
  hello: ServerHello,
  offered: MessageOf<'client_hello'>,
  version: number | undefined,
): void {
  if (version !== TLS13)
    throw peerError(
      'illegal_parameter',
      'version_not_offered',
      `the server selects version 0x${version?.toString(16)}`,
    )
  if (hello.legacyVersion !== LEGACY_VERSION)
    throw peerError('illegal_parameter', 'wrong_legacy_version', 'legacy_version is not 0x0303')
  if (!equal(hello.legacySessionIdEcho, offered.legacySessionId)) {
    throw peerError(
      'illegal_parameter',
      'session_id_not_echoed',
      'legacy_session_id_echo is not our session id',
    )
  }
  // A reserved value of ours is no suite (RFC 8701 §3.1).
  if (!offered.cipherSuites.includes(hello.cipherSuite) || isGrease(hello.cipherSuite)) {
    throw peerError(
      'illegal_parameter',
      'cipher_suite_not_offered',
      `the server selects cipher suite 0x${hello.cipherSuite.toString(16)}, which was not offered`,
    )
  }
  if (hello.legacyCompressionMethod !== 0)
    throw peerError('illegal_parameter', 'compression_selected', 'legacy_compression_method is not null')
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
  if (handshake.retried) throw peerError('unexpected_message', 'second_retry', 'a second HelloRetryRequest')
  // §5.1: the flight of the server ends here, and with it a record.
  assertNoPartialMessage(session)
  checkVersion(retry, false)
  const { hello, values, types } = offeredHello(handshake)
  const extensions = readExtensions('HRR', retry.extensions, types)
  checkHello(retry, hello, extensions.supported_versions)
  if (extensions.key_share === undefined && extensions.cookie === undefined) {
    throw peerError('illegal_parameter', 'retry_without_change', 'a HelloRetryRequest that changes nothing')
  }
  let { keyShares } = handshake
  let keyShare: { group: number; keyExchange: Uint8Array } | undefined
  if (extensions.key_share !== undefined) {
    const group = provider.groups.find(one => one.id === extensions.key_share)
    if (group === undefined || !values.supported_groups?.includes(group.id)) {
      throw peerError(
        'illegal_parameter',
        'group_not_offered',
        'the server asks for a group that was not offered',
      )
    }
    if (keyShares.some(one => one.group === group.id)) {
      throw peerError('illegal_parameter', 'retry_for_sent_share', `the server asks again for ${group.name}`)
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
      ...compatibility(handshake.compatibilityPending),
      { do: 'write', message: clientHello },
    ],
  }
}

const EARLY_DATA_REJECTED: readonly Effect[] = [
  { do: 'writeInClear' },
  { do: 'report', event: { type: 'early_data', accepted: false } },
]

/** WAIT_SH (§4.1.3). */
const onServerHello: ClientTransition = (session, { message, raw }, { provider }) => {
  const handshake = session.handshake as Waiting<'WAIT_SH'>
  const serverHello = message as MessageOf<'server_hello'>
  checkVersion(serverHello, handshake.retried)
  const { hello, values, types } = offeredHello(handshake)
  const extensions = readExtensions('SH', serverHello.extensions, types)
  checkHello(serverHello, hello, extensions.supported_versions)
  if (handshake.retried && serverHello.cipherSuite !== session.cipherSuite) {
    throw peerError(
      'illegal_parameter',
      'cipher_suite_changed_after_retry',
      'ServerHello and HelloRetryRequest disagree on the cipher suite',
    )
  }
  const suite = suiteOf(provider, serverHello.cipherSuite)
  const { hash } = suite
  const psk = selectedPsk(handshake.psks, extensions.pre_shared_key, suite, provider)
  const sharedSecret = exchangedSecret(handshake, extensions.key_share, psk, values, suite, provider)
  // §4.2.10: early data hangs on the first PSK and on its suite.
  const [first] = handshake.psks
  const early = handshake.earlyData !== undefined && psk === first && psk?.cipherSuite === suite.id
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
      keyUpdate: offeredUpdates(values, extensions.key_share),
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
      // Early data has shown it already.
      ...(handshake.earlyData !== undefined && psk === first
        ? []
        : [expose('early_secret', earlySecretValue)]),
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
  if (psk === undefined)
    throw peerError('illegal_parameter', 'psk_not_offered', 'the server selects a PSK that was not offered')
  if (!sameHash(provider.cipherSuites, psk.cipherSuite, suite.id)) {
    throw peerError(
      'illegal_parameter',
      'psk_hash_mismatch',
      'the selected PSK and the cipher suite have different hashes',
    )
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
    throw peerError('missing_extension', 'missing_key_share', 'a ServerHello without key_share')
  }
  if (psk !== undefined && !modes?.includes(PskKeyExchangeMode.psk_dhe_ke)) {
    throw peerError(
      'illegal_parameter',
      'unwanted_key_share',
      'a key share for a PSK that we offered without key exchange',
    )
  }
  const share = keyShares.find(one => one.group === answered.group)
  const group = groups.find(one => one.id === answered.group)
  if (share === undefined || group === undefined) {
    throw peerError(
      'illegal_parameter',
      'key_share_for_unsent_group',
      'a key share for a group that we sent none for',
    )
  }
  const sharedSecret = group.complete(share.privateKey, answered.keyExchange)
  if (sharedSecret === undefined)
    throw peerError(
      'illegal_parameter',
      'invalid_key_share',
      `a key share that is not valid for ${group.name}`,
    )
  return sharedSecret
}

/** Extended key updates, if we have offered them and there is a group for them: the server has yet to say. */
function offeredUpdates(
  { tls_flags }: ExtensionValues<'CH'>,
  share: KeyShareEntry | undefined,
): KeyUpdateState {
  const offered = hasFlag(tls_flags, TlsFlag.extended_key_update)
  return offered && share !== undefined ? negotiating(share.group) : NO_KEY_UPDATE
}

/** The server's word on them. @throws TlsError illegal_parameter for one that makes no sense */
function agreedUpdates(
  offered: KeyUpdateState,
  hello: MessageOf<'client_hello'>,
  { tls_flags }: ExtensionValues<'EE'>,
): KeyUpdateState {
  if (tls_flags === undefined) return NO_KEY_UPDATE
  checkAnsweredFlags(tls_flags, readExtensions('CH', hello.extensions).tls_flags)
  if (!hasFlag(tls_flags, TlsFlag.extended_key_update)) return NO_KEY_UPDATE
  if (offered.kind === 'negotiating') return offered
  const what = 'extended key updates without a key exchange'
  throw peerError('illegal_parameter', 'extended_key_update_without_group', what)
}

/** WAIT_EE (§4.3.1). */
const onEncryptedExtensions: ClientTransition = (session, { message, raw }, { config }) => {
  const { earlyData, clientHandshakeTrafficSecret, ...handshake } = session.handshake as Waiting<'WAIT_EE'>
  const hello = helloOf(handshake.transcript)
  const { extensions } = message as MessageOf<'encrypted_extensions'>
  const values = readExtensions('EE', extensions, extensionTypes(hello.extensions))
  const accepted = values.early_data !== undefined
  if (accepted && earlyData === undefined) {
    throw peerError(
      'illegal_parameter',
      'early_data_mismatch',
      'early_data accepted with another PSK or suite, or after a retry',
    )
  }
  const alpn = selectedProtocol(hello, values.application_layer_protocol_negotiation)
  if (accepted && alpn !== earlyData?.alpn) {
    throw peerError(
      'illegal_parameter',
      'early_data_mismatch',
      'early_data accepted with another protocol than it was written for',
    )
  }
  const limit = values.record_size_limit
  if (limit !== undefined && (limit < 64 || limit > 2 ** 14 + 1)) {
    throw peerError('illegal_parameter', 'invalid_record_size_limit', `a record_size_limit of ${limit}`)
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
      alpn,
      recordSizeLimits: recordLimits(values, config),
      keyUpdate: agreedUpdates(session.keyUpdate, hello, values),
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

/** RFC 7301 §3.1: exactly one name, and one that was offered. */
function selectedProtocol(
  hello: MessageOf<'client_hello'>,
  selected: readonly Uint8Array[] | undefined,
): string | undefined {
  if (selected === undefined) return undefined
  const offered = readExtensions('CH', hello.extensions).application_layer_protocol_negotiation ?? []
  const [name] = selected
  if (name === undefined || selected.length !== 1 || !offered.some(one => equal(one, name))) {
    throw peerError(
      'illegal_parameter',
      'protocol_not_offered',
      'the server selects a protocol that was not offered',
    )
  }
  return protocolName.decode(name)
}

/** RFC 8446 Appendix A.1. */
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
    extended_key_update: onExtendedKeyUpdate,
    certificate_request: onPostCertificateRequest,
  },
  CLOSED: {},
}

/** The states that wait for the application. */
export const CLIENT_ANSWERS: Partial<
  Record<ClientHandshake['state'], AnswerTransition<ClientState, ClientConfig>>
> = {
  CONNECTED: onPostSignature,
  WAIT_VERDICT: onVerdict,
  WAIT_SIGNATURE: onSignature,
}
