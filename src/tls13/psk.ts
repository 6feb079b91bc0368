import { concat, EMPTY, encode, equal, opaque, struct, uint16 } from '../wire/index.ts'
import { finishedVerifyData } from './authentication.ts'
import { TLS13 } from './codepoints.ts'
import type { CipherSuite, HashAlgorithm } from './crypto/provider.ts'
import type { ExternalPsk } from './external-psk.ts'
import { earlySecret, hkdfExpandLabel, hkdfExtract } from './key-schedule.ts'
import type { OfferedPsk } from './state.ts'
import { derive } from './transition.ts'

/** RFC 9258 §4.1: what goes over the wire as the identity of an imported PSK. */
export const ImportedIdentity = struct('ImportedIdentity', {
  externalIdentity: opaque(1, 2 ** 16 - 1),
  context: opaque(0, 2 ** 16 - 1),
  targetProtocol: uint16,
  targetKdf: uint16,
})

/** RFC 9258 §6. */
const TARGET_KDF = { sha256: 1, sha384: 2 } as const

/** A PSK as it is used with one hash: its identity on the wire, its key, and how its binder is made. */
export interface UsablePsk {
  readonly kind: OfferedPsk['kind']
  readonly identity: Uint8Array
  readonly psk: Uint8Array
}

/**
 * What an external PSK is for a hash; undefined if it is not for that one.
 * @param importHash the hash of the import itself, which RFC 9258 §4.1 lets be SHA-256 unless agreed
 * otherwise
 */
export function usablePsk(
  external: ExternalPsk,
  hash: HashAlgorithm,
  importHash: HashAlgorithm,
): UsablePsk | undefined {
  if (external.imported === undefined) {
    if ((external.hash ?? 'sha256') !== hash.name) return undefined
    return { kind: 'external', identity: external.identity, psk: external.key }
  }
  const identity = encode(ImportedIdentity, {
    externalIdentity: external.identity,
    context: external.imported.context,
    targetProtocol: TLS13,
    targetKdf: TARGET_KDF[hash.name],
  })
  // RFC 9258 §4.1: epskx, then ipskx.
  const extracted = hkdfExtract(importHash, new Uint8Array(importHash.length), external.key)
  const psk = hkdfExpandLabel(importHash, extracted, 'derived psk', importHash.digest(identity), hash.length)
  return { kind: 'imported', identity, psk }
}

const BINDER_KEYS = {
  resumption: 'res_binder_key',
  external: 'ext_binder_key',
  imported: 'imp_binder_key',
} as const

/**
 * The binder of a PSK (RFC 8446 §4.2.11.2; RFC 9258 §5.2).
 * @param covered the transcript before the hello, and the hello without its binders
 */
export function pskBinder(
  suite: CipherSuite,
  { kind, psk }: Pick<UsablePsk, 'kind' | 'psk'>,
  covered: Uint8Array,
): Uint8Array {
  const { hash } = suite
  const binderKey = derive(suite, BINDER_KEYS[kind], earlySecret(hash, psk), hash.digest(EMPTY)).secret
  return finishedVerifyData(hash, binderKey, hash.digest(covered))
}

/** The external PSK of that identity. */
export function findExternalPsk(
  psks: readonly ExternalPsk[],
  identity: Uint8Array,
  hash: HashAlgorithm,
  importHash: HashAlgorithm,
): UsablePsk | undefined {
  for (const external of psks) {
    const usable = usablePsk(external, hash, importHash)
    if (usable !== undefined && equal(usable.identity, identity)) return usable
  }
  return undefined
}

/** A PSK belongs to a hash, not to a suite (RFC 8446 §4.2.11). */
export function sameHash(suites: readonly CipherSuite[], a: number, b: number): boolean {
  const nameOf = (id: number) => suites.find(suite => suite.id === id)?.hash.name
  return nameOf(a) !== undefined && nameOf(a) === nameOf(b)
}

/**
 * The part of a ClientHello that its PSK binders cover: all but the list of binders, which ends it (RFC 8446
 * §4.2.11.2).
 */
export function withoutBinders(
  before: Uint8Array,
  hello: Uint8Array,
  binders: readonly Uint8Array[],
): Uint8Array {
  const length = binders.reduce((sum, binder) => sum + 1 + binder.length, 2)
  return concat(before, hello.subarray(0, hello.length - length))
}
