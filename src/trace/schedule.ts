import type { CipherSuite, HashAlgorithm } from '../tls13/crypto/provider.ts'
import {
  type DerivedSecret,
  deriveSecret,
  type ExposedSecret,
  HkdfLabel,
  hkdfExpandLabel,
  hkdfExtract,
  KEY_SCHEDULE,
  type SecretName,
  trafficKeys,
} from '../tls13/key-schedule.ts'
import { EMPTY, encode, equal, utf8 } from '../wire/index.ts'
import type { Expansion, Extraction, Side, TracedKeys, TracedSecret } from './event.ts'

/** The place in the handshake up to which messages go into a secret. */
export type Point = DerivedSecret['upTo']

/** What was seen and told so far, that secrets follow from. */
export interface Known {
  readonly hash: HashAlgorithm
  /** The hash of all messages up to there; undefined: it has not come to that. */
  point(upTo: Point): Uint8Array | undefined
  secret(name: SecretName): Uint8Array | undefined
}

/** From where on the three extracted secrets exist, and the one that each follows from. */
export const EXTRACTED = {
  early_secret: { after: 'ClientHello', from: undefined, input: 'the PSK' },
  handshake_secret: { after: 'ServerHello', from: 'early_secret', input: 'the shared secret of the (EC)DHE' },
  master_secret: { after: 'ServerHello', from: 'handshake_secret', input: 'zeros' },
} as const satisfies Record<Exclude<DerivedSecret['from'], 'master_secret_N'>, object>

/** How a secret of RFC 8446 §7.1 follows; undefined while the messages that go into it are still to come. */
export function explain({ name, secret }: ExposedSecret, known: Known): TracedSecret | undefined {
  return name in EXTRACTED
    ? extraction(name as keyof typeof EXTRACTED, secret, known)
    : derivation(name as keyof typeof KEY_SCHEDULE, secret, known)
}

function extraction(
  name: keyof typeof EXTRACTED,
  secret: Uint8Array,
  known: Known,
): TracedSecret | undefined {
  const { after, from, input } = EXTRACTED[name]
  const { hash } = known
  if (known.point(after) === undefined) return undefined
  const zeros = new Uint8Array(hash.length)
  const before = from === undefined ? undefined : known.secret(from)
  const salt = before === undefined ? zeros : deriveSecret(hash, before, 'derived', hash.digest(EMPTY))
  // Where there is no PSK, or no key exchange, zeros stand for it.
  const fromZeros = equal(hkdfExtract(hash, salt, zeros), secret)
  const step: Extraction = {
    operation: 'HKDF-Extract',
    hash: hash.name,
    salt: { from: from === undefined ? 'zeros' : `Derive-Secret(${from}, "derived", "")`, bytes: salt },
    input: fromZeros ? { what: 'zeros', bytes: zeros } : { what: input, bytes: undefined },
  }
  return {
    kind: 'secret',
    name,
    secret,
    step,
    follows: fromZeros || input === 'zeros' ? fromZeros : undefined,
  }
}

function derivation(
  name: keyof typeof KEY_SCHEDULE,
  secret: Uint8Array,
  known: Known,
): TracedSecret | undefined {
  const { from, label, upTo } = KEY_SCHEDULE[name]
  const context = known.point(upTo)
  if (context === undefined) return undefined
  const what = upTo === 'nothing' ? 'the hash of nothing' : `the transcript hash up to ${upTo}`
  return expanded(
    known.hash,
    name,
    secret,
    { from, base: known.secret(from), label },
    { what, bytes: context },
  )
}

/** A secret that HKDF-Expand-Label gives, and whether it does. */
export function expanded(
  hash: HashAlgorithm,
  name: string,
  secret: Uint8Array,
  source: { readonly from: string; readonly base: Uint8Array | undefined; readonly label: string },
  context: Expansion['context'],
): TracedSecret {
  const { from, base, label } = source
  const { length } = secret
  const info = encode(HkdfLabel, { length, label: utf8(`tls13 ${label}`), context: context.bytes })
  const step: Expansion = { operation: 'HKDF-Expand-Label', hash: hash.name, from, label, context, info }
  const again = base && hkdfExpandLabel(hash, base, label, context.bytes, length)
  return { kind: 'secret', name, secret, step, follows: again && equal(again, secret) }
}

/** Key and iv of a traffic secret. */
export function keysOf(
  { hash, aead }: CipherSuite,
  side: Side,
  name: string,
  secret: Uint8Array,
): TracedKeys {
  return { kind: 'keys', side, secret: name, aead: aead.name, ...trafficKeys(hash, aead, secret) }
}
