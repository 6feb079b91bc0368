import { EMPTY, utf8 } from '../wire/index.ts'
import { LEGACY_VERSION, PskKeyExchangeMode, TLS13, TlsFlag } from './codepoints.ts'
import type { ClientConfig } from './config.ts'
import type { CryptoProvider, Random } from './crypto/provider.ts'
import {
  CertificateStatusType,
  EXTENSIONS,
  type ExtensionValues,
  type KeyShareEntry,
  writeExtensions,
} from './extensions.ts'
import { bareHostName } from './host-name.ts'
import { earlySecret } from './key-schedule.ts'
import { type Extension, encodeHandshake, type HandshakeMessage, type MessageOf } from './messages.ts'
import { pskBinder, usablePsk, withoutBinders } from './psk.ts'
import { pskModes, sha256Of } from './server-hello.ts'
import type { ClientHandshake, ClientState, OfferedPsk } from './state.ts'
import { encodeFlags } from './tls-flags.ts'
import { type Context, derive, type Effect, expose, suiteOf } from './transition.ts'

type WaitServerHello = Extract<ClientHandshake, { state: 'WAIT_SH' }>

interface FirstFlight {
  readonly next: Partial<ClientState>
  readonly effects: Effect[]
}

/**
 * The first flight of a client, and the state that waits for the answer (RFC 8446 §4.1.2).
 * @throws TypeError for a configuration that makes no sense, or that asks for more than a hello can hold
 */
export function firstHello(context: Context<ClientConfig>): FirstFlight {
  try {
    return writeHello(context)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new TypeError(`no ClientHello can be written: ${cause.message}`, { cause })
  }
}

function writeHello(context: Context<ClientConfig>): FirstFlight {
  const { config, provider, random, now } = context
  const serverName = nameToAsk(config)
  const clientRandom = random(32)
  const legacySessionId = config.compatibilityMode === false ? EMPTY : random(32)
  const pairs = keyPairs(context)
  const psks = offeredPsks(context, serverName)
  const resumed = psks.length > 0 && psks[0]!.kind === 'resumption' ? config.resume : undefined
  const earlyData =
    config.earlyData === true &&
    resumed !== undefined &&
    resumed.maxEarlyData > 0 &&
    // It is written in the ticket's protocol (§4.2.10), so that one must be on offer.
    (resumed.alpn === undefined || config.alpn?.includes(resumed.alpn) === true)
  const extensions: ExtensionValues<'CH'> = {
    ...ordinaryExtensions(config, serverName),
    key_share: pairs.map(({ group, keyExchange }): KeyShareEntry => ({ group, keyExchange })),
    ...(earlyData ? { early_data: {} } : {}),
    ...(psks.length === 0 ? {} : { pre_shared_key: withoutBindersYet(psks, provider, now) }),
  }
  const hello: MessageOf<'client_hello'> = {
    type: 'client_hello',
    legacyVersion: LEGACY_VERSION,
    random: clientRandom,
    legacySessionId,
    cipherSuites: provider.cipherSuites.map(suite => suite.id),
    legacyCompressionMethods: Uint8Array.of(0),
    extensions: writeExtensions('CH', extensions),
  }
  const raw = encodeHello(
    config.grease === false ? hello : greased(hello, random),
    config,
    EMPTY,
    psks,
    provider,
  )
  const handshake: WaitServerHello = {
    state: 'WAIT_SH',
    transcript: EMPTY,
    clientHello: raw,
    keyShares: pairs.map(({ group, privateKey }) => ({ group, privateKey })),
    psks,
    earlyData: earlyData ? { left: resumed.maxEarlyData, alpn: resumed.alpn } : undefined,
    retried: false,
    compatibilityPending: legacySessionId.length > 0 && !earlyData,
  }
  return {
    next: {
      handshake,
      serverName,
      ...(earlyData ? { cipherSuite: psks[0]!.cipherSuite } : {}),
      ...(config.onSecret === undefined ? {} : { clientRandom }),
    },
    effects: [
      { do: 'write', message: raw },
      ...(earlyData ? earlyKeys(psks[0]!, raw, legacySessionId.length > 0, provider) : []),
    ],
  }
}

/**
 * The name to ask for, without a dot at its end (RFC 6066 §3).
 * @throws TypeError for what is no host name; one in other letters than ASCII is given as A-labels
 */
function nameToAsk({ serverName }: ClientConfig): string | undefined {
  if (serverName === undefined) return undefined
  const name = bareHostName(serverName)
  if (name === undefined) throw new TypeError(`serverName: ${JSON.stringify(serverName)} is not a host name`)
  return name
}

/** Early data follows the hello at once, under a key of its own (§4.2.10, §7.1). */
function earlyKeys(
  psk: OfferedPsk,
  raw: Uint8Array,
  compatibility: boolean,
  provider: CryptoProvider,
): Effect[] {
  const suite = suiteOf(provider, psk.cipherSuite)
  const early = earlySecret(suite.hash, psk.psk)
  const transcriptHash = suite.hash.digest(raw)
  const traffic = derive(suite, 'client_early_traffic_secret', early, transcriptHash)
  return [
    ...(compatibility ? [{ do: 'writeChangeCipherSpec' } as const] : []),
    expose('early_secret', early),
    traffic.expose,
    derive(suite, 'early_exporter_master_secret', early, transcriptHash).expose,
    { do: 'writeWith', secret: traffic.secret },
  ]
}

function keyPairs({ config, provider, random }: Context<ClientConfig>) {
  const groups = config.keyShares ?? provider.groups.slice(0, 1).map(group => group.id)
  return groups.map(id => {
    const group = provider.groups.find(one => one.id === id)
    if (group === undefined) throw new TypeError(`keyShares: provider ${provider.name} has no group ${id}`)
    return { group: id, ...group.generate(random) }
  })
}

/** What a hello says that hangs on the configuration alone. */
function ordinaryExtensions(config: ClientConfig, serverName: string | undefined): ExtensionValues<'CH'> {
  const { provider, alpn, certificateCompression, recordSizeLimit, delegatedCredentials } = config
  const modes = pskModes(config).map(mode => PskKeyExchangeMode[mode])
  return {
    ...(serverName === undefined ? {} : { server_name: [{ nameType: 0, hostName: utf8(serverName) }] }),
    ...(config.requestStatus === true
      ? {
          // RFC 6066 §8: no responders preferred, no extensions.
          status_request: { statusType: CertificateStatusType.members.ocsp, request: new Uint8Array(4) },
          signed_certificate_timestamp: {},
        }
      : {}),
    supported_groups: provider.groups.map(group => group.id),
    signature_algorithms: provider.signatureAlgorithms.map(algorithm => algorithm.scheme),
    ...(alpn === undefined || alpn.length === 0
      ? {}
      : { application_layer_protocol_negotiation: alpn.map(utf8) }),
    ...(certificateCompression === undefined || certificateCompression.length === 0
      ? {}
      : { compress_certificate: certificateCompression.map(({ algorithm }) => algorithm) }),
    ...(recordSizeLimit === undefined ? {} : { record_size_limit: recordSizeLimit + 1 }),
    ...(delegatedCredentials === undefined || delegatedCredentials.length === 0
      ? {}
      : { delegated_credential: delegatedCredentials }),
    supported_versions: [TLS13],
    psk_key_exchange_modes: Uint8Array.from(modes),
    ...(config.postHandshakeAuth === true ? { post_handshake_auth: {} } : {}),
    ...(config.extendedKeyUpdate === true ? { tls_flags: encodeFlags([TlsFlag.extended_key_update])! } : {}),
  }
}

/** The ticket, if it is still good, and every external PSK, once per hash that it can be used with. */
function offeredPsks(
  { config, provider, now }: Context<ClientConfig>,
  serverName: string | undefined,
): OfferedPsk[] {
  const { resume } = config
  const psks: OfferedPsk[] = []
  const suite = provider.cipherSuites.find(one => one.id === resume?.cipherSuite)
  const good =
    resume !== undefined &&
    // Who had an old session's secrets could resume it, whatever is updated later.
    config.extendedKeyUpdate !== true &&
    resume.serverName === serverName &&
    now >= resume.receivedAt &&
    now - resume.receivedAt <= resume.lifetime * 1000
  if (good && suite !== undefined) {
    const { psk, cipherSuite, ticket: identity, ticketAgeAdd, receivedAt } = resume
    psks.push({ kind: 'resumption', psk, cipherSuite, identity, ticketAgeAdd, receivedAt })
  }
  const importHash = sha256Of(provider.cipherSuites)
  const byHash = new Map(provider.cipherSuites.map(one => [one.hash.name, one]))
  for (const external of importHash === undefined ? [] : (config.psks ?? [])) {
    for (const one of byHash.values()) {
      const usable = usablePsk(external, one.hash, importHash!)
      if (usable !== undefined) psks.push({ ...usable, cipherSuite: one.id, ticketAgeAdd: 0, receivedAt: 0 })
    }
  }
  return psks
}

/** An offer of PSKs whose binders are zeros. */
function withoutBindersYet(psks: readonly OfferedPsk[], provider: CryptoProvider, now: number) {
  return {
    identities: psks.map(({ kind, identity, receivedAt, ticketAgeAdd }) => ({
      identity,
      // §4.2.11.1: the age in milliseconds, hidden from observers by an offset that only the two ends know.
      obfuscatedTicketAge: kind === 'resumption' ? (now - receivedAt + ticketAgeAdd) % 2 ** 32 : 0,
    })),
    binders: psks.map(({ cipherSuite }) => new Uint8Array(suiteOf(provider, cipherSuite).hash.length)),
  }
}

/**
 * Encodes a ClientHello and fills in the PSK binders (RFC 8446 §4.2.11.2), which cover the hello
 * itself.
 * @param before the transcript before this hello
 */
function encodeHello(
  hello: MessageOf<'client_hello'>,
  config: { readonly shape?: (message: HandshakeMessage) => HandshakeMessage },
  before: Uint8Array,
  psks: readonly OfferedPsk[],
  provider: CryptoProvider,
): Uint8Array {
  const raw = encodeHandshake(config.shape?.(hello) ?? hello)
  if (psks.length === 0) return raw
  const suites = psks.map(psk => suiteOf(provider, psk.cipherSuite))
  const covered = withoutBinders(
    before,
    raw,
    suites.map(({ hash }) => new Uint8Array(hash.length)),
  )
  // Their list ends the hello: its length, then each with a length of one byte.
  let at = covered.length - before.length + 2
  psks.forEach((psk, index) => {
    const binder = pskBinder(suites[index]!, psk, covered)
    raw.set(binder, at + 1)
    at += 1 + binder.length
  })
  return raw
}

/**
 * The hello that answers a HelloRetryRequest: the first one with the asked key share, the cookie, and new
 * binders; without early data (RFC 8446 §4.1.2).
 * @param before message_hash and HelloRetryRequest
 */
export function secondHello(
  first: MessageOf<'client_hello'>,
  change: { readonly keyShare: KeyShareEntry | undefined; readonly cookie: Uint8Array | undefined },
  psks: readonly OfferedPsk[],
  before: Uint8Array,
  { config, provider, now }: Context<ClientConfig>,
): Uint8Array {
  const replaced = writeExtensions('CH', {
    ...(change.cookie === undefined ? {} : { cookie: change.cookie }),
    ...(change.keyShare === undefined ? {} : { key_share: [change.keyShare] }),
  })
  const dropped = new Set<number>([EXTENSIONS.early_data.type, EXTENSIONS.pre_shared_key.type])
  const kept = first.extensions
    .filter(({ extensionType }) => !dropped.has(extensionType))
    .map(one => replaced.find(({ extensionType }) => extensionType === one.extensionType) ?? one)
  const added = replaced.filter(one => !kept.includes(one))
  const offer = psks.length === 0 ? {} : { pre_shared_key: withoutBindersYet(psks, provider, now) }
  const extensions = [...kept, ...added, ...writeExtensions('CH', offer)]
  return encodeHello({ ...first, extensions }, config, before, psks, provider)
}

/**
 * Reserved values where a list is long enough to be tested (RFC 8701 §3.1). They are ours alone to
 * know.
 */
function greased(hello: MessageOf<'client_hello'>, random: Random): MessageOf<'client_hello'> {
  const [suite, group, extension, version] = random(4)
  const value = (byte: number | undefined): number => ((byte! & 0xf0) | 0x0a) * 257
  const extensions = hello.extensions.map((one): Extension => {
    if (one.extensionType === EXTENSIONS.supported_groups.type) return withGrease(one, value(group), 2)
    if (one.extensionType === EXTENSIONS.supported_versions.type) return withGrease(one, value(version), 1)
    return one
  })
  const reserved: Extension = { extensionType: value(extension), extensionData: EMPTY }
  return {
    ...hello,
    cipherSuites: [value(suite), ...hello.cipherSuites],
    extensions: [reserved, ...extensions],
  }
}

/** A list of 16-bit values with one more in front. @param lengthSize bytes of the list's length */
function withGrease(
  { extensionType, extensionData }: Extension,
  value: number,
  lengthSize: 1 | 2,
): Extension {
  const data = new Uint8Array(extensionData.length + 2)
  data.set(extensionData.subarray(lengthSize), lengthSize + 2)
  const length = data.length - lengthSize
  data.set(lengthSize === 2 ? [length >> 8, length & 0xff] : [length])
  data.set([value >> 8, value & 0xff], lengthSize)
  return { extensionType, extensionData: data }
}
