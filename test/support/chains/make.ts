import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { DAY, TODAY } from '../certificates.ts'
import {
  bits,
  boolean,
  context,
  integer,
  objectId,
  octets,
  StringType,
  sequence,
  setOf,
  string,
  tlv,
} from './der.ts'

/*
 * Certificates of any shape, right or wrong, out of a description. The keys are few and are used again: what
 * is tried are rules, not keys.
 */

/** One attribute of a name: its type, its text, the type of the string. */
export type Attribute = readonly [type: keyof typeof ATTRIBUTES, text: string, string?: number]

const ATTRIBUTES = {
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  CN: '2.5.4.3',
  email: '1.2.840.113549.1.9.1',
} as const

/** Each an RDN, of one attribute or several. */
export type Rdns = readonly (Attribute | readonly Attribute[])[]

/** A name in DER. */
export function name(...rdns: Rdns): Uint8Array {
  const attribute = ([type, text, kind]: Attribute) =>
    sequence(
      objectId(ATTRIBUTES[type]),
      string(kind ?? (type === 'email' ? StringType.ia5 : StringType.utf8), text),
    )
  return sequence(
    ...rdns.map(rdn => {
      const attributes = typeof rdn[0] === 'string' ? [rdn as Attribute] : (rdn as readonly Attribute[])
      return setOf(...attributes.map(attribute))
    }),
  )
}

/** What a certificate is to be. What is not said is as it should be. */
export interface Shape {
  readonly subject?: Uint8Array
  /** The name that it gives for its issuer; default: the issuer's. */
  readonly issuerName?: Uint8Array
  readonly key?: Key
  /** As written: 2 for version 3; undefined: 2; null: not written. */
  readonly version?: number | null
  readonly serial?: Uint8Array
  /** Two times in DER. */
  readonly validity?: readonly [Uint8Array, Uint8Array]
  readonly from?: number
  readonly to?: number
  /** basicConstraints says that it is an authority, perhaps with a path length; default: no word. */
  readonly authority?: boolean | number
  /** Bits of keyUsage; default: 5 (keyCertSign) for an authority, 0 (digitalSignature) for others. */
  readonly usage?: readonly number[] | null
  /** Names of a subjectAltName. */
  readonly names?: readonly Uint8Array[]
  readonly purposes?: readonly string[]
  readonly extensions?: readonly Uint8Array[]
  /** Leave out both key identifiers. */
  readonly withoutIds?: boolean
  /** The signature algorithm inside, if it is to be another one than outside. */
  readonly innerAlgorithm?: Uint8Array
  readonly hash?: 'sha256' | 'sha1'
}

export interface Key {
  readonly privateKey: KeyObject
  readonly spki: Uint8Array
}

export interface Made {
  readonly der: Uint8Array
  readonly subject: Uint8Array
  readonly key: Key
}

const KEYS = new Map<string, Key>()

/** A key by a name: the same one each time. @param curve P-256, unless told otherwise */
export function keyNamed(label: string, curve = 'P-256'): Key {
  const known = KEYS.get(`${curve} ${label}`)
  if (known !== undefined) return known
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const key = { privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
  KEYS.set(`${curve} ${label}`, key)
  return key
}

const ECDSA = { sha256: '1.2.840.10045.4.3.2', sha1: '1.2.840.10045.4.1' } as const

/** @param issuer who signs; undefined: it signs itself */
export function make(label: string, shape: Shape, issuer?: Made): Made {
  const { key = keyNamed(label), subject = name(['CN', label]), hash = 'sha256', version = 2 } = shape
  const algorithm = sequence(objectId(ECDSA[hash]))
  const signer = issuer?.key ?? key
  const list = extensionsOf(shape, key, signer)
  const toBeSigned = sequence(
    ...(version === null ? [] : [context(0, integer(version))]),
    integer(shape.serial ?? createHash('sha256').update(label).digest().subarray(0, 8).fill(0x11, 0, 1)),
    shape.innerAlgorithm ?? algorithm,
    shape.issuerName ?? issuer?.subject ?? subject,
    sequence(...(shape.validity ?? [time(shape.from ?? TODAY - DAY), time(shape.to ?? TODAY + 30 * DAY)])),
    subject,
    key.spki,
    ...(list.length === 0 ? [] : [context(3, sequence(...list))]),
  )
  const signature = sign(hash, toBeSigned, signer.privateKey)
  return { der: sequence(toBeSigned, algorithm, tlv(3, [0], signature)), subject, key }
}

function extensionsOf(shape: Shape, key: Key, signer: Key): readonly Uint8Array[] {
  const { authority, names, purposes, extensions = [], withoutIds = false } = shape
  const usage = shape.usage === undefined ? (authority === undefined ? [0] : [5]) : shape.usage
  const id = ({ spki }: Key) => new Uint8Array(createHash('sha1').update(spki).digest())
  const constraints = [
    ...(authority === false ? [] : [boolean(true)]),
    ...(typeof authority === 'number' ? [integer(authority)] : []),
  ]
  return [
    ...(authority === undefined ? [] : [extension('2.5.29.19', sequence(...constraints), true)]),
    ...(usage === null ? [] : [extension('2.5.29.15', bits(...usage), true)]),
    ...(names === undefined ? [] : [extension('2.5.29.17', sequence(...names))]),
    ...(purposes === undefined ? [] : [extension('2.5.29.37', sequence(...purposes.map(objectId)))]),
    ...(withoutIds
      ? []
      : [extension('2.5.29.14', octets(id(key))), extension('2.5.29.35', sequence(tlv(0x80, id(signer))))]),
    ...extensions,
  ]
}

export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(objectId(id), ...(critical ? [boolean(true)] : []), octets(value))
}

/** As RFC 5280 §4.1.2.5 wants it. @param at milliseconds since 1970 */
export function time(at: number): Uint8Array {
  const text = `${new Date(at).toISOString().replace(/\.\d+|[-:T]/g, '')}`
  return at < Date.UTC(2050, 0) ? utcTime(text.slice(2)) : generalizedTime(text)
}

export const utcTime = (text: string): Uint8Array => tlv(0x17, Buffer.from(text))
export const generalizedTime = (text: string): Uint8Array => tlv(0x18, Buffer.from(text))

/* General names, as of a subjectAltName or of a subtree. */
export const dns = (text: string): Uint8Array => tlv(0x82, Buffer.from(text, 'latin1'))
export const email = (text: string): Uint8Array => tlv(0x81, Buffer.from(text, 'latin1'))
export const uri = (text: string): Uint8Array => tlv(0x86, Buffer.from(text, 'latin1'))
export const ip = (...bytes: readonly number[]): Uint8Array => tlv(0x87, bytes)
export const directory = (...rdns: Rdns): Uint8Array => context(4, name(...rdns))
export const registeredId = (id: string): Uint8Array => tlv(0x88, objectId(id).subarray(2))
export const otherName = (id: string, value: Uint8Array): Uint8Array =>
  context(0, objectId(id), context(0, value))

/** The extension nameConstraints. Each base may be a whole GeneralSubtree. */
export function nameConstraints(
  { permitted, excluded }: { readonly permitted?: Uint8Array[]; readonly excluded?: Uint8Array[] },
  critical = true,
): Uint8Array {
  const subtrees = (list: readonly Uint8Array[]) => list.map(one => (one[0] === 0x30 ? one : sequence(one)))
  return extension(
    '2.5.29.30',
    sequence(
      ...(permitted === undefined ? [] : [context(0, ...subtrees(permitted))]),
      ...(excluded === undefined ? [] : [context(1, ...subtrees(excluded))]),
    ),
    critical,
  )
}

export function pem(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
  return `-----BEGIN CERTIFICATE-----\n${lines.replace(/\n$/, '')}\n-----END CERTIFICATE-----\n`
}
