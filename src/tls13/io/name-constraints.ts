import { isIPv4 } from 'node:net'
import { peerError, type TlsError } from '../alert.ts'
import { type GeneralName, lowerCase, readGeneralName } from './certificate-names.ts'
import { contextTag, DerError, DerReader, only, Tag, toNumber } from './der.ts'

/* Name constraints (RFC 5280 §4.2.1.10): they are obeyed whether they are marked critical or not. */

/** What an authority may issue certificates for. */
export interface NameConstraints {
  /** If there are any of a form, a name of that form has to lie in one of them. */
  readonly permitted: Subtrees
  readonly excluded: Subtrees
}

type Form = GeneralName['form']
type Subtrees = ReadonlyMap<Form, readonly Subtree[]>

interface Subtree {
  readonly base: GeneralName
  /** What it says of hosts; undefined if that is malformed, or if it is of a form that has none. */
  readonly hosts: Hosts | undefined
  /** Of a base of form `ip`: whether it is an address with a mask of ones and then zeros (RFC 4632). */
  readonly network: boolean
  /** It names a minimum other than 0, or a maximum: RFC 5280 has no meaning for them. */
  readonly bounded: boolean
}

/** Hosts that a subtree names, in small letters. */
interface Hosts {
  /** The host itself; empty if only those below it are meant, which a dot in front says. */
  readonly itself: string
  /** What the names below it end with. */
  readonly suffix: string
}

/** Comparisons of a name with a subtree for one chain: they are work that a peer can ask for. */
export const COMPARISON_LIMIT = 2 ** 18

/** Comparisons that are left. */
export interface Comparisons {
  left: number
}

/** @param value of the extension @throws DerError if it is malformed, or constrains nothing */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const reader = new DerReader(only(value, Tag.sequence))
  const permitted = reader.takeIf(contextTag(0))
  const excluded = reader.takeIf(contextTag(1))
  reader.end()
  if (permitted === undefined && excluded === undefined) throw new DerError('name constraints without any')
  return { permitted: readSubtrees(permitted), excluded: readSubtrees(excluded) }
}

function readSubtrees(list: Uint8Array | undefined): Subtrees {
  const subtrees = new Map<Form, Subtree[]>()
  if (list === undefined) return subtrees
  const reader = new DerReader(list)
  if (reader.next === undefined) throw new DerError('a list of subtrees without one')
  while (reader.next !== undefined) {
    const subtree = new DerReader(reader.take(Tag.sequence))
    // Of a name with two forms the first one is its own.
    const base = readGeneralName(subtree)[0]!
    const minimum = subtree.takeIf(0x80)
    const maximum = subtree.takeIf(0x81)
    subtree.end()
    const bounded = maximum !== undefined || (minimum !== undefined && toNumber(minimum) !== 0)
    const others = subtrees.get(base.form)
    const network = base.form === 'ip' && isNetwork(base.bytes)
    const one = { base, hosts: hostsOf(base), network, bounded }
    if (others === undefined) subtrees.set(base.form, [one])
    else others.push(one)
  }
  return subtrees
}

/**
 * Holds the names of a certificate against the constraints of an authority above it. What is excluded stays
 * excluded, whatever is permitted. A name or a subtree for which there is no rule here is refused, where the
 * two would have to be compared.
 * @param issuer, subject how messages call the two
 * @throws TlsError certificate_unknown for a name outside; unsupported_certificate for what cannot be
 * compared; bad_certificate for more names than are compared
 */
export function checkNames(
  names: readonly GeneralName[],
  { permitted, excluded }: NameConstraints,
  comparisons: Comparisons,
  issuer: string,
  subject: string,
): void {
  for (const name of names) {
    const inside = permitted.get(name.form) ?? []
    const outside = excluded.get(name.form) ?? []
    if (inside.length + outside.length === 0) continue
    comparisons.left -= inside.length + outside.length
    if (comparisons.left < 0)
      throw peerError('bad_certificate', 'too_many_names', 'more names than are compared for one chain')
    if (inside.some(({ bounded }) => bounded) || outside.some(({ bounded }) => bounded))
      throw notComparable(`${issuer} constrains names with a minimum or a maximum`)
    const shown = printed(name)
    const matches = matcherFor(name)
    if (matches === undefined)
      throw notComparable(`${issuer} constrains names such as ${shown} of ${subject}, which has no rule here`)
    const hits = (subtrees: readonly Subtree[], excludes: boolean): boolean =>
      subtrees.some(subtree => {
        const hit = matches(subtree, excludes)
        if (hit === undefined) throw notComparable(`${issuer} constrains names by ${printed(subtree.base)}`)
        return hit
      })
    if (hits(outside, true))
      throw peerError('certificate_unknown', 'name_excluded', `${issuer} may not vouch for ${shown}`)
    if (inside.length > 0 && !hits(inside, false))
      throw peerError('certificate_unknown', 'name_not_permitted', `${issuer} may not vouch for ${shown}`)
  }
}

function notComparable(message: string): TlsError {
  return peerError('unsupported_certificate', 'unsupported_name_constraint', message)
}

/** Whether a subtree holds the name at hand; undefined if the subtree is malformed. */
type Matcher = (subtree: Subtree, excludes: boolean) => boolean | undefined

/** @returns undefined for a name that cannot be compared: of a form without a rule, or malformed */
function matcherFor(name: GeneralName): Matcher | undefined {
  switch (name.form) {
    case 'dns':
      return dnsMatcher(lowerCase(name.text))
    case 'email':
      return emailMatcher(name.text)
    case 'uri':
      return uriMatcher(name.text)
    case 'ip':
      return ipMatcher(name.bytes)
    case 'directory':
      return ({ base }) =>
        base.form === 'directory' && base.name.rdns.every((rdn, index) => rdn === name.name.rdns[index])
    default:
      return undefined
  }
}

/** Labels as hosts have them, with underscores. */
const HOST = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** What a base says of hosts: a DNS name, the host of a URI, or what is behind the @ of an email address. */
function hostsOf(base: GeneralName): Hosts | undefined {
  if (!('text' in base)) return undefined
  const at = base.form === 'email' ? base.text.lastIndexOf('@') : -1
  const text = lowerCase(base.text.slice(at + 1))
  const dotted = text.startsWith('.') && at < 0
  const host = dotted ? text.slice(1) : text
  return HOST.test(host) ? { itself: dotted ? '' : host, suffix: `.${host}` } : undefined
}

/** A subtree without a name holds all hosts. */
function dnsMatcher(name: string): Matcher | undefined {
  const parent = name.startsWith('*.') ? name.slice(1) : undefined
  if (!HOST.test(parent === undefined ? name : name.slice(2))) return undefined
  return ({ base, hosts }, excludes) => {
    if ('text' in base && base.text === '') return true
    if (hosts === undefined) return undefined
    const { itself, suffix } = hosts
    if (name === itself || name.endsWith(suffix)) return true
    // An excluded host is one of the names that a wildcard stands for.
    return (
      excludes &&
      parent !== undefined &&
      itself.indexOf('.') > 0 &&
      parent === itself.slice(itself.indexOf('.'))
    )
  }
}

/** A mailbox, all of a host, or (with a dot in front) all of the hosts of a domain. */
function emailMatcher(address: string): Matcher | undefined {
  const [local, domain, ...more] = address.split('@')
  if (!local || domain === undefined || more.length > 0) return undefined
  const host = lowerCase(domain)
  if (!HOST.test(host)) return undefined
  return ({ base, hosts }, excludes) => {
    if (!('text' in base)) return undefined
    // No rule gives it a meaning: nothing is permitted by it, and all is excluded.
    if (base.text === '') return excludes
    const at = base.text.lastIndexOf('@')
    if (hosts === undefined || base.text.indexOf('@') !== at) return undefined
    if (at > 0 && base.text.slice(0, at) !== local) return false
    return host === hosts.itself || (hosts.itself === '' && host.endsWith(hosts.suffix))
  }
}

/** The host of an authority; with a dot in front, all hosts of a domain. */
function uriMatcher(uri: string): Matcher | undefined {
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri) ?? []
  const host = lowerCase(authority?.replace(/^.*@/, '').replace(/:\d*$/, '') ?? '')
  if (!HOST.test(host) || isIPv4(host)) return undefined
  return ({ base, hosts }, excludes) => {
    if ('text' in base && base.text === '') return excludes
    if (hosts === undefined) return undefined
    return host === hosts.itself || (hosts.itself === '' && host.endsWith(hosts.suffix))
  }
}

/** An address and a mask. */
function ipMatcher(address: Uint8Array): Matcher | undefined {
  const { length } = address
  if (length !== 4 && length !== 16) return undefined
  return ({ base, network }) => {
    if (base.form !== 'ip' || !network) return undefined
    const { bytes } = base
    // IPv4 and IPv6 have nothing in common.
    if (bytes.length !== 2 * length) return false
    return address.every((byte, index) => ((byte ^ bytes[index]!) & bytes[length + index]!) === 0)
  }
}

function isNetwork(bytes: Uint8Array): boolean {
  if (bytes.length !== 8 && bytes.length !== 32) return false
  const bits = Array.from(bytes.subarray(bytes.length / 2), byte => byte.toString(2).padStart(8, '0')).join(
    '',
  )
  return !bits.includes('01')
}

function printed(name: GeneralName): string {
  if ('text' in name) return JSON.stringify(name.text)
  if (name.form === 'ip') return `the address ${Buffer.from(name.bytes).toString('hex')}`
  return name.form === 'directory'
    ? `the name ${JSON.stringify(name.name.key)}`
    : `those of form ${name.form}`
}
