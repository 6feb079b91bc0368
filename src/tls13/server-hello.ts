import { EMPTY, equal, utf8 } from '../wire/index.ts'
import { configurationError, peerError, TlsError } from './alert.ts'
import { PskKeyExchangeMode, TLS13, TlsFlag } from './codepoints.ts'
import type { ServerConfig } from './config.ts'
import type { CipherSuite, HashAlgorithm, KeyExchangeGroup } from './crypto/provider.ts'
import {
  asksForHost,
  type ExtensionValues,
  hostName,
  type KeyShareEntry,
  readExtensions,
} from './extensions.ts'
import { checkLegacyVersion, type MessageOf } from './messages.ts'
import { findExternalPsk, pskBinder, type UsablePsk, withoutBinders } from './psk.ts'
import type { ServerHandshake, ServerState } from './state.ts'
import type { TicketContents } from './ticket.ts'
import { checkFlags, hasFlag } from './tls-flags.ts'
import type { Context } from './transition.ts'

/** A PSK of the client's that we take, and how. */
export interface ChosenPsk extends UsablePsk {
  /** Its place in the client's list. */
  readonly index: number
  /** What a ticket of ours says. */
  readonly ticket: TicketContents | undefined
  /** By the client's reckoning, milliseconds since the ticket came. */
  readonly clientAge: number
}

/**
 * What a ClientHello says, once every rule that needs no decision has been checked, and what we choose of it.
 */
export interface Offer {
  readonly hello: MessageOf<'client_hello'>
  readonly raw: Uint8Array
  readonly extensions: ExtensionValues<'CH'>
  readonly serverName: string | undefined
  readonly alpn: string | undefined
  readonly suite: CipherSuite
  readonly psk: ChosenPsk | undefined
  readonly shares: readonly KeyShareEntry[]
  /** undefined: no key exchange, the PSK alone (psk_ke). */
  readonly group: KeyExchangeGroup | undefined
  /** Both want extended key updates, and there is a group for them. */
  readonly extendsKeys: boolean
}

/** What the first hello has fixed for the second. */
export type Retry = Extract<ServerHandshake, { state: 'WAIT_SECOND_CLIENT_HELLO' }>

/**
 * Reads a ClientHello and makes every choice that hangs on it alone (RFC 8446 §4.1.1, 4.2).
 * @param retry what our HelloRetryRequest has fixed @throws TlsError
 */
export function readOffer(
  session: ServerState,
  retry: Retry | undefined,
  hello: MessageOf<'client_hello'>,
  raw: Uint8Array,
  context: Context<ServerConfig>,
): Offer {
  const { config } = context
  checkLegacyVersion(hello)
  const extensions = readExtensions('CH', hello.extensions)
  // §4.2.1: only this extension tells the version; a hello without it is from an older TLS.
  if (!extensions.supported_versions?.includes(TLS13)) {
    throw configurationError('protocol_version', 'no_common_version', 'the client does not offer TLS 1.3')
  }
  if (!equal(hello.legacyCompressionMethods, Uint8Array.of(0))) {
    throw peerError(
      'illegal_parameter',
      'compression_offered',
      'legacy_compression_methods must be null alone',
    )
  }
  const serverName = hostName(extensions.server_name)
  if (config.recognizes !== undefined && asksForHost(extensions.server_name)) {
    // What is no host name is the name of no server.
    if (serverName === undefined || !config.recognizes(serverName)) {
      const asked = serverName ?? 'by what is no host name'
      throw configurationError('unrecognized_name', 'unknown_server_name', `no server named ${asked}`)
    }
  }
  if (retry !== undefined) checkSecondHello(session, retry, extensions, serverName)
  checkMandatoryExtensions(extensions)
  checkRecordSizeLimit(extensions)
  checkFlags(extensions.tls_flags)
  const suites = context.provider.cipherSuites.filter(one => hello.cipherSuites.includes(one.id))
  if (suites.length === 0)
    throw configurationError('handshake_failure', 'no_common_cipher_suite', 'no cipher suite in common')
  const usable = retry === undefined ? suites : suites.filter(one => one.id === session.cipherSuite)
  if (usable.length === 0)
    throw peerError(
      'illegal_parameter',
      'changed_second_hello',
      'the second ClientHello changes the cipher suites',
    )
  const chosen = choosePsk(raw, extensions, serverName, usable, retry, context)
  const shares = checkKeyShares(extensions, retry)
  const group = chooseGroup(extensions, shares, chosen?.psk, retry, context)
  return {
    hello,
    raw,
    extensions,
    serverName,
    alpn: chooseAlpn(extensions, config),
    suite: chosen?.suite ?? usable[0]!,
    psk: chosen?.psk,
    shares,
    group,
    extendsKeys: wantsUpdates(extensions, config) && group !== undefined,
  }
}

function wantsUpdates({ tls_flags }: ExtensionValues<'CH'>, { extendedKeyUpdate }: ServerConfig): boolean {
  return extendedKeyUpdate === true && hasFlag(tls_flags, TlsFlag.extended_key_update)
}

/** §4.1.2: what a client may not change between its two hellos, as far as our choices hang on it. */
function checkSecondHello(
  session: ServerState,
  retry: Retry,
  extensions: ExtensionValues<'CH'>,
  serverName: string | undefined,
): void {
  if (session.serverName !== undefined && serverName !== session.serverName) {
    throw peerError('illegal_parameter', 'changed_second_hello', 'the second ClientHello changes server_name')
  }
  if (extensions.early_data !== undefined) {
    throw peerError('illegal_parameter', 'early_data_after_retry', 'early_data in the second ClientHello')
  }
  if (!equal(extensions.cookie ?? EMPTY, retry.cookie ?? EMPTY)) {
    throw peerError('illegal_parameter', 'wrong_cookie', 'the cookie is not the one we sent')
  }
}

/** §9.2. */
function checkMandatoryExtensions(extensions: ExtensionValues<'CH'>): void {
  const { supported_groups, key_share, signature_algorithms, pre_shared_key, psk_key_exchange_modes } =
    extensions
  if ((supported_groups === undefined) !== (key_share === undefined)) {
    throw peerError('missing_extension', 'unpaired_key_share', 'supported_groups and key_share go together')
  }
  if (
    pre_shared_key === undefined &&
    (signature_algorithms === undefined || supported_groups === undefined)
  ) {
    const needed = 'without pre_shared_key, signature_algorithms and supported_groups must be there'
    throw peerError('missing_extension', 'missing_mandatory_extension', needed)
  }
  if (pre_shared_key !== undefined && psk_key_exchange_modes === undefined) {
    throw peerError('missing_extension', 'missing_psk_modes', 'pre_shared_key without psk_key_exchange_modes')
  }
}

/** RFC 8449 §4. */
function checkRecordSizeLimit({ record_size_limit: limit }: ExtensionValues<'CH'>): void {
  if (limit !== undefined && limit < 64)
    throw peerError('illegal_parameter', 'invalid_record_size_limit', `a record_size_limit of ${limit}`)
}

/** Identities looked at in one hello: opening a ticket is work that a stranger can ask for. */
const PSK_IDENTITY_LIMIT = 8

/**
 * The first PSK that we know, with the first suite that goes with it (§4.2.11). Its binder must fit, or the
 * handshake ends.
 */
function choosePsk(
  raw: Uint8Array,
  extensions: ExtensionValues<'CH'>,
  serverName: string | undefined,
  suites: readonly CipherSuite[],
  retry: Retry | undefined,
  context: Context<ServerConfig>,
): { psk: ChosenPsk; suite: CipherSuite } | undefined {
  const offered = extensions.pre_shared_key
  if (offered === undefined) return undefined
  if (offered.identities.length !== offered.binders.length) {
    throw peerError(
      'illegal_parameter',
      'binder_count_mismatch',
      'pre_shared_key with unequal numbers of identities and binders',
    )
  }
  if (pskMode(extensions, context.config) === undefined) return undefined
  // Who has seen the secrets of a session could resume it: with extended key updates nothing is resumed.
  const resumes = !wantsUpdates(extensions, context.config)
  for (let index = 0; index < Math.min(offered.identities.length, PSK_IDENTITY_LIMIT); index++) {
    const { identity, obfuscatedTicketAge } = offered.identities[index]!
    const resumed = resumes ? ticketPsk(identity, serverName, suites, context) : undefined
    const found = resumed ?? externalPsk(identity, suites, context)
    if (found === undefined) continue
    const { suite, usable, ticket } = found
    const covered = withoutBinders(retry?.transcript ?? EMPTY, raw, offered.binders)
    if (!equal(pskBinder(suite, usable, covered), offered.binders[index]!)) {
      throw peerError('decrypt_error', 'wrong_binder', 'a PSK binder is wrong')
    }
    const clientAge = ticket === undefined ? 0 : (obfuscatedTicketAge - ticket.ageAdd + 2 ** 32) % 2 ** 32
    return { psk: { ...usable, index, ticket, clientAge }, suite }
  }
  return undefined
}

function ticketPsk(
  identity: Uint8Array,
  serverName: string | undefined,
  suites: readonly CipherSuite[],
  { config, now }: Context<ServerConfig>,
) {
  const ticket = config.tickets?.sealer.open(identity)
  if (ticket === undefined || ticket.serverName !== serverName) return undefined
  const fresh = now >= ticket.issuedAt && now - ticket.issuedAt <= ticket.lifetime * 1000
  // A resumption asks for no certificate: a client that has not shown one yet must not get in this way.
  const { clientCertificates: wanted } = config
  const needless = wanted === undefined || wanted.postHandshake === true || wanted.required === false
  const known = ticket.peerCertificate === undefined ? needless : isStillTrusted(ticket, wanted, now)
  const good = fresh && known
  // The ticket's own suite where the client still offers it: early data hangs on it (§4.2.10).
  const suite =
    suites.find(one => one.id === ticket.cipherSuite) ??
    suites.find(one => one.hash.length === ticket.psk.length)
  if (!good || suite === undefined) return undefined
  const usable: UsablePsk = { kind: 'resumption', identity, psk: ticket.psk }
  return { suite, usable, ticket }
}

/**
 * Judges a ticket's certificate again: what was good when it was issued may have expired, or its authority
 * may be trusted no more. Where the application judges, there is a handshake to ask in.
 */
function isStillTrusted(
  { peerCertificate, peerIntermediates }: TicketContents,
  wanted: ServerConfig['clientCertificates'],
  now: number,
): boolean {
  // No verifier is configured.
  if (wanted === undefined || peerCertificate === undefined) return true
  if (wanted.verify === 'ask') return false
  try {
    wanted.verify([peerCertificate, ...peerIntermediates], { serverName: undefined, now })
    return true
  } catch (error) {
    if (error instanceof TlsError) return false
    throw error
  }
}

function externalPsk(
  identity: Uint8Array,
  suites: readonly CipherSuite[],
  { config, provider }: Context<ServerConfig>,
) {
  const importHash = sha256Of(provider.cipherSuites)
  if (config.psks === undefined || importHash === undefined) return undefined
  for (const suite of suites) {
    const usable = findExternalPsk(config.psks, identity, suite.hash, importHash)
    if (usable !== undefined) return { suite, usable, ticket: undefined }
  }
  return undefined
}

/** The hash that external PSKs are imported with. */
export function sha256Of(suites: readonly CipherSuite[]): HashAlgorithm | undefined {
  return suites.find(one => one.hash.name === 'sha256')?.hash
}

/** How a PSK will be used: our preference, among what the client offers (§4.2.9). */
function pskMode(
  extensions: ExtensionValues<'CH'>,
  config: ServerConfig,
): 'psk_dhe_ke' | 'psk_ke' | undefined {
  const offered = extensions.psk_key_exchange_modes ?? EMPTY
  return pskModes(config).find(mode => offered.includes(PskKeyExchangeMode[mode]))
}

/** The PSK modes that a configuration allows. */
export function pskModes({
  pskModes: modes,
}: Pick<ServerConfig, 'pskModes'>): readonly ('psk_dhe_ke' | 'psk_ke')[] {
  return modes ?? ['psk_dhe_ke']
}

/** §4.2.8. */
function checkKeyShares(
  extensions: ExtensionValues<'CH'>,
  retry: Retry | undefined,
): readonly KeyShareEntry[] {
  const shares = extensions.key_share ?? []
  const groups = shares.map(share => share.group)
  if (new Set(groups).size !== groups.length)
    throw peerError('illegal_parameter', 'duplicate_key_share', 'two key shares for one group')
  if (groups.some(group => !extensions.supported_groups?.includes(group))) {
    throw peerError(
      'illegal_parameter',
      'key_share_without_group',
      'a key share for a group that is not in supported_groups',
    )
  }
  const asked = retry?.selectedGroup
  if (asked !== undefined && (groups.length !== 1 || groups[0] !== asked)) {
    throw peerError(
      'illegal_parameter',
      'missing_requested_share',
      'the second ClientHello does not bring the key share we asked for',
    )
  }
  return shares
}

/**
 * The first group of ours that the client has a share for, else the first that it supports; none if a PSK
 * shall do alone.
 */
function chooseGroup(
  extensions: ExtensionValues<'CH'>,
  shares: readonly KeyShareEntry[],
  psk: ChosenPsk | undefined,
  retry: Retry | undefined,
  { config, provider }: Context<ServerConfig>,
): KeyExchangeGroup | undefined {
  if (psk !== undefined && pskMode(extensions, config) === 'psk_ke') return undefined
  const supported = provider.groups.filter(group => extensions.supported_groups?.includes(group.id))
  const asked = retry?.selectedGroup
  const candidates = asked === undefined ? supported : supported.filter(group => group.id === asked)
  const group = candidates.find(one => shares.some(share => share.group === one.id)) ?? candidates[0]
  if (group === undefined)
    throw configurationError('handshake_failure', 'no_common_group', 'no key exchange group in common')
  return group
}

/** RFC 7301 §3.2. */
function chooseAlpn(extensions: ExtensionValues<'CH'>, { alpn }: ServerConfig): string | undefined {
  const offered = extensions.application_layer_protocol_negotiation
  if (offered === undefined || alpn === undefined || alpn.length === 0) return undefined
  const chosen = alpn.find(name => offered.some(one => equal(one, utf8(name))))
  if (chosen === undefined)
    throw configurationError('no_application_protocol', 'no_common_protocol', `we speak ${alpn.join(', ')}`)
  return chosen
}
