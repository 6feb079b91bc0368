import { stringOf } from '../wire/thrown.ts'
/* What a configuration must keep to: a value that cannot be sent is named before anything is dialled. */

import { utf8 } from '../wire/index.ts'
import type { ClientConfig, CommonConfig } from './config.ts'
import type { ExternalPsk } from './external-psk.ts'
import { MAXIMUM_PLAINTEXT, MINIMUM_LIMIT } from './record.ts'

/** Bytes of a list on the wire, and of an identity or a context of a PSK. */
const LONGEST = 2 ** 16 - 1
/** Numbers of a list whose length is one byte, two bytes each. */
const MOST_COMPRESSIONS = 127

/**
 * What is wrong with names for ALPN: each has 1 to 255 bytes, and 65535 with a length byte each are all (RFC
 * 7301 §3.1). @returns a message, or undefined: nothing
 */
export function protocolsFault(names: readonly string[]): string | undefined {
  if (!Array.isArray(names)) return 'is a list of protocol names'
  let all = 0
  for (const name of names) {
    if (typeof name !== 'string') return `holds ${stringOf(name)}, which is no text`
    const { length } = utf8(name)
    if (length === 0 || length > 255)
      return `${short(name)} has ${length} bytes, and the name of a protocol has 1 to 255`
    all += 1 + length
  }
  return all > LONGEST ? `the names make ${all} bytes, and ${LONGEST} are the most` : undefined
}

/** What is wrong with a key that both sides have. @returns a message, or undefined: nothing */
export function pskFault({ identity, key, hash, imported }: ExternalPsk): string | undefined {
  if (identity.length === 0 || identity.length > LONGEST)
    return `an identity has 1 to ${LONGEST} bytes, not ${identity.length}`
  if (key.length === 0) return 'a key has at least one byte'
  if (hash !== undefined && hash !== 'sha256' && hash !== 'sha384')
    return `the hash is sha256 or sha384, not ${stringOf(hash)}`
  if (imported !== undefined && imported.context.length > LONGEST)
    return `the context of an imported key has at most ${LONGEST} bytes, not ${imported.context.length}`
  return undefined
}

/** @throws TypeError for a value that no session can have; it begins with the name of the field */
export function checkConfig(config: CommonConfig): void {
  const { alpn, psks, pskModes, certificateCompression, provider, recordSizeLimit } = config
  const compressions = certificateCompression?.map(({ algorithm }) => algorithm) ?? []
  refuse('alpn', alpn && protocolsFault(alpn))
  for (const psk of psks ?? []) refuse('psks', pskFault(psk))
  if (pskModes !== undefined) {
    const known = pskModes.length > 0 && pskModes.every(mode => mode === 'psk_dhe_ke' || mode === 'psk_ke')
    refuse('pskModes', known ? undefined : 'psk_dhe_ke, psk_ke or both')
  }
  refuse('certificateCompression', numbersFault(compressions))
  if (compressions.length > MOST_COMPRESSIONS)
    refuse('certificateCompression', `${MOST_COMPRESSIONS} are the most`)
  const limited = recordSizeLimit === undefined || between(MINIMUM_LIMIT, recordSizeLimit, MAXIMUM_PLAINTEXT)
  if (!limited) refuse('recordSizeLimit', `${MINIMUM_LIMIT} to ${MAXIMUM_PLAINTEXT} bytes of content`)
  refuse('provider', provider.cipherSuites.length === 0 ? `${provider.name} has no cipher suite` : undefined)
}

/** @throws TypeError as {@link checkConfig} */
export function checkClientConfig(config: ClientConfig): void {
  checkConfig(config)
  const { provider, keyShares = [], delegatedCredentials = [], certificates = [] } = config
  refuse('provider', provider.groups.length === 0 ? `${provider.name} has no group` : undefined)
  for (const id of keyShares) {
    if (!provider.groups.some(group => group.id === id))
      refuse('keyShares', `provider ${provider.name} has no group ${id}`)
  }
  // RFC 8446 §4.2.8.
  refuse('keyShares', new Set(keyShares).size < keyShares.length ? 'one group twice' : undefined)
  refuse('delegatedCredentials', numbersFault(delegatedCredentials))
  refuse('certificates', certificates.some(({ chain }) => chain.length === 0) ? 'an empty chain' : undefined)
}

function numbersFault(numbers: readonly number[]): string | undefined {
  const odd = numbers.find(one => !between(0, one, 0xffff))
  return odd === undefined ? undefined : `${odd} is no number of two bytes`
}

function between(least: number, number: number, most: number): boolean {
  return Number.isInteger(number) && number >= least && number <= most
}

function refuse(field: string, fault: string | undefined): void {
  if (fault !== undefined) throw new TypeError(`${field}: ${fault}`)
}

function short(name: string): string {
  return JSON.stringify(name.length > 20 ? `${name.slice(0, 20)}…` : name)
}
