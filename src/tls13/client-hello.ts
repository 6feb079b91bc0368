import { concat, EMPTY, utf8 } from '../wire/index.ts'
import { finishedVerifyData } from './authentication.ts'
import { LEGACY_VERSION, PskKeyExchangeMode, TLS13 } from './codepoints.ts'
import type { ClientConfig } from './config.ts'
import type { CipherSuite } from './crypto/provider.ts'
import { type ExtensionValues, type KeyShareEntry, writeExtensions } from './extensions.ts'
import { earlySecret } from './key-schedule.ts'
import { encodeHandshake, type HandshakeMessage, type MessageOf } from './messages.ts'
import type { ClientHandshake, ClientState, ResumptionTicket } from './state.ts'
import { bindersLength, type Context, derive, type Effect, suiteOf, truncatedHello } from './transition.ts'

type WaitServerHello = Extract<ClientHandshake, { state: 'WAIT_SH' }>

/** The first flight of a client, and the state that waits for the answer (RFC 8446, Section 4.1.2). */
export function firstHello(context: Context<ClientConfig>): {
  next: Partial<ClientState>
  effects: Effect[]
} {
  const { config, provider, random, now } = context
  const clientRandom = random(32)
  const legacySessionId = config.compatibilityMode === false ? EMPTY : random(32)
  const groups = config.keyShares ?? provider.groups.slice(0, 1).map(group => group.id)
  const pairs = groups.map(id => {
    const group = provider.groups.find(one => one.id === id)
    if (group === undefined) throw new TypeError(`keyShares: provider ${provider.name} has no group ${id}`)
    return { group: id, ...group.generate(random) }
  })
  const ticket = usableTicket(config, now)
  const extensions: ExtensionValues<'CH'> = {
    ...(config.serverName === undefined
      ? {}
      : { server_name: [{ nameType: 0, hostName: utf8(config.serverName) }] }),
    supported_groups: provider.groups.map(group => group.id),
    signature_algorithms: provider.signatureAlgorithms.map(algorithm => algorithm.scheme),
    ...(config.alpn === undefined || config.alpn.length === 0
      ? {}
      : { application_layer_protocol_negotiation: config.alpn.map(utf8) }),
    supported_versions: [TLS13],
    psk_key_exchange_modes: Uint8Array.of(PskKeyExchangeMode.psk_dhe_ke),
    key_share: pairs.map(({ group, keyExchange }): KeyShareEntry => ({ group, keyExchange })),
    ...(ticket === undefined ? {} : { pre_shared_key: offeredPsk(ticket.ticket, ticket.suite, now) }),
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
  const raw = encodeHello(hello, config, EMPTY, ticket && { psk: ticket.ticket.psk, suite: ticket.suite })
  const handshake: WaitServerHello = {
    state: 'WAIT_SH',
    transcript: EMPTY,
    clientHello: raw,
    keyShares: pairs.map(({ group, privateKey }) => ({ group, privateKey })),
    psk: ticket?.ticket,
    retried: false,
    compatibilityPending: legacySessionId.length > 0,
  }
  return {
    next: {
      handshake,
      serverName: config.serverName,
      ...(config.onSecret === undefined ? {} : { clientRandom }),
    },
    effects: [{ do: 'write', message: raw }],
  }
}

/** The configured ticket, if it is still good and its suite is one of ours. */
function usableTicket(
  { resume, provider, serverName }: ClientConfig,
  now: number,
): { ticket: ResumptionTicket; suite: CipherSuite } | undefined {
  if (resume === undefined || resume.serverName !== serverName) return undefined
  if (now < resume.receivedAt || now - resume.receivedAt > resume.lifetime * 1000) return undefined
  const suite = provider.cipherSuites.find(one => one.id === resume.cipherSuite)
  return suite && { ticket: resume, suite }
}

/** An offer of one PSK, its binder still zeros. */
function offeredPsk(ticket: ResumptionTicket, suite: CipherSuite, now: number) {
  // §4.2.11.1: the age in milliseconds, hidden from observers by an offset that only the two ends know.
  const obfuscatedTicketAge = (now - ticket.receivedAt + ticket.ticketAgeAdd) % 2 ** 32
  return {
    identities: [{ identity: ticket.ticket, obfuscatedTicketAge }],
    binders: [new Uint8Array(suite.hash.length)],
  }
}

/**
 * Encodes a ClientHello and fills in the PSK binder (RFC 8446, Section 4.2.11.2), which covers the hello itself.
 * @param before the transcript before this hello
 */
export function encodeHello(
  hello: MessageOf<'client_hello'>,
  config: { readonly shape?: (message: HandshakeMessage) => HandshakeMessage },
  before: Uint8Array,
  psk: { readonly psk: Uint8Array; readonly suite: CipherSuite } | undefined,
): Uint8Array {
  const raw = encodeHandshake(config.shape?.(hello) ?? hello)
  if (psk === undefined) return raw
  const { hash } = psk.suite
  const { secret } = derive(psk.suite, 'res_binder_key', earlySecret(hash, psk.psk), hash.digest(EMPTY))
  const length = bindersLength([new Uint8Array(hash.length)])
  const covered = truncatedHello(raw, length)
  raw.set(finishedVerifyData(hash, secret, hash.digest(concat(before, covered))), raw.length - hash.length)
  return raw
}

/**
 * The hello that answers a HelloRetryRequest: the first one with the asked key share, the cookie, and a new binder
 * (RFC 8446, Section 4.1.2).
 * @param first the first hello
 * @param before message_hash and HelloRetryRequest
 */
export function secondHello(
  first: MessageOf<'client_hello'>,
  values: ExtensionValues<'CH'>,
  change: { readonly keyShare: KeyShareEntry | undefined; readonly cookie: Uint8Array | undefined },
  psk: WaitServerHello['psk'],
  before: Uint8Array,
  context: Context<ClientConfig>,
): Uint8Array {
  const { config, provider, now } = context
  const suite = psk && suiteOf(provider, psk.cipherSuite)
  const { pre_shared_key: _offered, ...others } = values
  const extensions: ExtensionValues<'CH'> = {
    ...others,
    ...(change.keyShare === undefined ? {} : { key_share: [change.keyShare] }),
    ...(change.cookie === undefined ? {} : { cookie: change.cookie }),
    ...(psk === undefined || suite === undefined ? {} : { pre_shared_key: offeredPsk(psk, suite, now) }),
  }
  const hello = { ...first, extensions: writeExtensions('CH', extensions) }
  return encodeHello(hello, config, before, psk && suite && { psk: psk.psk, suite })
}
