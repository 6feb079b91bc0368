import { concat, EMPTY, encode, opaque, struct, uint16, utf8 } from '../wire/index.ts'
import type { AeadAlgorithm, HashAlgorithm } from './crypto/provider.ts'

/**
 * The key schedule of RFC 8446 §7.1, as a table and the functions that walk it. "main" secrets of
 * newer texts are RFC 8446's "master" secrets.
 *
 *              0                              (EC)DHE                       0
 *              |                                 |                          |
 * PSK ─▶ Extract = early_secret ─derived─▶ Extract = handshake_secret ─▶ Extract = master_secret
 *              │                                 │                          │
 *              ├ ext binder / res binder         ├ c hs traffic             ├ c ap traffic
 *              ├ c e traffic                     └ s hs traffic             ├ s ap traffic
 *              └ e exp master                                               ├ exp master
 *                                                                           └ res master
 */
export interface DerivedSecret {
  readonly from: 'early_secret' | 'handshake_secret' | 'master_secret' | 'master_secret_N'
  readonly label: string
  /** The last message of the transcript that goes in; `nothing` means an empty transcript. */
  readonly upTo:
    | 'nothing'
    | 'ClientHello'
    | 'ServerHello'
    | 'server Finished'
    | 'client Finished'
    | 'key_update_response'
  /**
   * The label under which key logs know it; undefined for secrets that they do not list. An `N` at its end
   * stands for the number of the extended key update.
   */
  readonly keyLog?: string
}

export const KEY_SCHEDULE = {
  ext_binder_key: { from: 'early_secret', label: 'ext binder', upTo: 'nothing' },
  res_binder_key: { from: 'early_secret', label: 'res binder', upTo: 'nothing' },
  imp_binder_key: { from: 'early_secret', label: 'imp binder', upTo: 'nothing' },
  client_early_traffic_secret: {
    from: 'early_secret',
    label: 'c e traffic',
    upTo: 'ClientHello',
    keyLog: 'CLIENT_EARLY_TRAFFIC_SECRET',
  },
  early_exporter_master_secret: {
    from: 'early_secret',
    label: 'e exp master',
    upTo: 'ClientHello',
    keyLog: 'EARLY_EXPORTER_SECRET',
  },
  client_handshake_traffic_secret: {
    from: 'handshake_secret',
    label: 'c hs traffic',
    upTo: 'ServerHello',
    keyLog: 'CLIENT_HANDSHAKE_TRAFFIC_SECRET',
  },
  server_handshake_traffic_secret: {
    from: 'handshake_secret',
    label: 's hs traffic',
    upTo: 'ServerHello',
    keyLog: 'SERVER_HANDSHAKE_TRAFFIC_SECRET',
  },
  client_application_traffic_secret_0: {
    from: 'master_secret',
    label: 'c ap traffic',
    upTo: 'server Finished',
    keyLog: 'CLIENT_TRAFFIC_SECRET_0',
  },
  server_application_traffic_secret_0: {
    from: 'master_secret',
    label: 's ap traffic',
    upTo: 'server Finished',
    keyLog: 'SERVER_TRAFFIC_SECRET_0',
  },
  exporter_master_secret: {
    from: 'master_secret',
    label: 'exp master',
    upTo: 'server Finished',
    keyLog: 'EXPORTER_SECRET',
  },
  resumption_master_secret: { from: 'master_secret', label: 'res master', upTo: 'client Finished' },
  exporter_secret_0: { from: 'master_secret', label: 'exporter eku', upTo: 'server Finished' },
  client_application_traffic_secret_N: {
    from: 'master_secret_N',
    label: 'c ap traffic',
    upTo: 'key_update_response',
    keyLog: 'CLIENT_TRAFFIC_SECRET_N',
  },
  server_application_traffic_secret_N: {
    from: 'master_secret_N',
    label: 's ap traffic',
    upTo: 'key_update_response',
    keyLog: 'SERVER_TRAFFIC_SECRET_N',
  },
  exporter_secret_N: {
    from: 'master_secret_N',
    label: 'exp master',
    upTo: 'key_update_response',
    keyLog: 'EXPORTER_SECRET_N',
  },
} as const satisfies Record<string, DerivedSecret>

export type DerivedSecretName = keyof typeof KEY_SCHEDULE
/** Every secret of a session: the extracted ones, and the rows of {@link KEY_SCHEDULE}. */
export type SecretName = DerivedSecretName | DerivedSecret['from']

/**
 * A secret as the schedule made it, shown to a listener for the key schedule. Those that follow from a
 * KeyUpdate are in `trafficKeys()`.
 */
export interface ExposedSecret {
  readonly name: SecretName
  readonly secret: Uint8Array
  readonly keyLog: string | undefined
}

/** HKDF-Extract (RFC 5869 §2.2). */
export function hkdfExtract(
  hash: HashAlgorithm,
  salt: Uint8Array,
  inputKeyingMaterial: Uint8Array,
): Uint8Array {
  return hash.hmac(salt, inputKeyingMaterial)
}

/** HKDF-Expand (RFC 5869 §2.3). @param length bytes, at most 255 times the hash's */
export function hkdfExpand(
  hash: HashAlgorithm,
  pseudoRandomKey: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  if (length > 255 * hash.length) throw new RangeError(`HKDF cannot give ${length} bytes`)
  // Nearly every key and secret fits into one block.
  if (length <= hash.length) return hash.hmac(pseudoRandomKey, concat(info, Uint8Array.of(1)), length)
  let block = hash.hmac(pseudoRandomKey, concat(info, Uint8Array.of(1)))
  const output = new Uint8Array(length)
  for (let counter = 1, at = 0; ; counter++) {
    output.set(block.subarray(0, length - at), at)
    at += hash.length
    if (at >= length) return output
    block = hash.hmac(pseudoRandomKey, concat(block, info, Uint8Array.of(counter + 1)))
  }
}

/** RFC 8446 §7.1: what HKDF-Expand-Label gives to HKDF-Expand. */
export const HkdfLabel = struct('HkdfLabel', {
  length: uint16,
  label: opaque(7, 255),
  context: opaque(0, 255),
})

/** What HMAC is given for the first block, of labels without a context: by length, by label. */
const FIRST_BLOCKS: readonly Map<string, Uint8Array>[] = Array.from({ length: 65 }, () => new Map())

function hkdfLabel(label: string, context: Uint8Array, length: number): Uint8Array {
  return encode(HkdfLabel, { length, label: utf8(`tls13 ${label}`), context })
}

/**
 * What HKDF-Expand-Label gives to HMAC where one block is enough (RFC 5869 §2.3): the HkdfLabel without a
 * context, and a byte 1.
 */
export function firstBlock(label: string, length: number): Uint8Array {
  const known = FIRST_BLOCKS[length]
  let block = known?.get(label)
  if (block === undefined) {
    block = concat(hkdfLabel(label, EMPTY, length), Uint8Array.of(1))
    // The labels are few; only an exporter's come from outside, so the cache does not grow with them.
    if (known !== undefined && known.size < 16) known.set(label, block)
  }
  return block
}

/** A first block with a context in it, which stands last but for the byte 1. @param context 1 to 255 bytes */
function withContext(block: Uint8Array, context: Uint8Array): Uint8Array {
  const lengthAt = block.length - 2
  const whole = new Uint8Array(block.length + context.length)
  whole.set(block)
  whole[lengthAt] = context.length
  whole.set(context, lengthAt + 1)
  whole[whole.length - 1] = 1
  return whole
}

/** HKDF-Expand-Label (RFC 8446 §7.1). @param label without the "tls13 " in front */
export function hkdfExpandLabel(
  hash: HashAlgorithm,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  if (length <= hash.length && context.length < 256) {
    const block = firstBlock(label, length)
    return hash.hmac(secret, context.length === 0 ? block : withContext(block, context), length)
  }
  return hkdfExpand(hash, secret, hkdfLabel(label, context, length), length)
}

/** Derive-Secret (RFC 8446 §7.1). @param transcriptHash the hash of the messages, not the messages */
export function deriveSecret(
  hash: HashAlgorithm,
  secret: Uint8Array,
  label: string,
  transcriptHash: Uint8Array,
): Uint8Array {
  return hkdfExpandLabel(hash, secret, label, transcriptHash, hash.length)
}

/** One row of {@link KEY_SCHEDULE}: `base` is the secret that the row names in `from`. */
export function walk(
  hash: HashAlgorithm,
  name: DerivedSecretName,
  base: Uint8Array,
  transcriptHash: Uint8Array,
): Uint8Array {
  return deriveSecret(hash, base, KEY_SCHEDULE[name].label, transcriptHash)
}

/** early_secret: HKDF-Extract over the PSK, or over zeros where there is none. */
export function earlySecret(hash: HashAlgorithm, psk?: Uint8Array): Uint8Array {
  const zeros = new Uint8Array(hash.length)
  return hkdfExtract(hash, zeros, psk ?? zeros)
}

/** handshake_secret: the shared secret of the key exchange goes in. */
export function handshakeSecret(
  hash: HashAlgorithm,
  early: Uint8Array,
  sharedSecret: Uint8Array,
): Uint8Array {
  return hkdfExtract(hash, deriveSecret(hash, early, 'derived', hash.digest(EMPTY)), sharedSecret)
}

/** master_secret. */
export function masterSecret(hash: HashAlgorithm, handshake: Uint8Array): Uint8Array {
  return hkdfExtract(
    hash,
    deriveSecret(hash, handshake, 'derived', hash.digest(EMPTY)),
    new Uint8Array(hash.length),
  )
}

/** What is kept of a main secret for the next extended key update: the salt of that one. */
export function updateSalt(hash: HashAlgorithm, main: Uint8Array): Uint8Array {
  return deriveSecret(hash, main, 'derived', hash.digest(EMPTY))
}

/** A traffic key and its iv (RFC 8446 §7.3). */
export interface TrafficKeys {
  readonly key: Uint8Array
  readonly iv: Uint8Array
}

/** [sender]_write_key and [sender]_write_iv (RFC 8446 §7.3). */
export function trafficKeys(
  hash: HashAlgorithm,
  aead: AeadAlgorithm,
  trafficSecret: Uint8Array,
): TrafficKeys {
  return {
    key: hkdfExpandLabel(hash, trafficSecret, 'key', EMPTY, aead.keyLength),
    iv: hkdfExpandLabel(hash, trafficSecret, 'iv', EMPTY, aead.ivLength),
  }
}

/** application_traffic_secret_N+1 (RFC 8446 §7.2). */
export function nextTrafficSecret(hash: HashAlgorithm, trafficSecret: Uint8Array): Uint8Array {
  return hkdfExpandLabel(hash, trafficSecret, 'traffic upd', EMPTY, hash.length)
}

/** The PSK of a ticket (RFC 8446 §4.6.1). */
export function resumptionPsk(
  hash: HashAlgorithm,
  resumptionMasterSecret: Uint8Array,
  ticketNonce: Uint8Array,
): Uint8Array {
  return hkdfExpandLabel(hash, resumptionMasterSecret, 'resumption', ticketNonce, hash.length)
}

/** TLS-Exporter (RFC 8446 §7.5). */
export function exportKeyingMaterial(
  hash: HashAlgorithm,
  exporterMasterSecret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const secret = deriveSecret(hash, exporterMasterSecret, label, hash.digest(EMPTY))
  return hkdfExpandLabel(hash, secret, 'exporter', hash.digest(context), length)
}
