import {
  boolean,
  EMPTY,
  enumeration,
  opaque,
  optional,
  secret,
  select,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint32,
} from '../wire/index.ts'

/**
 * How the keys of a session change after its handshake, and how far a change has come: by KeyUpdate (RFC 8446
 * §4.6.3), or, where both sides have agreed on it, by ExtendedKeyUpdate
 * (draft-ietf-tls-extended-key-update), in which a new key exchange takes part.
 */

const hashSized = secret(opaque(32, 48))
const message = opaque(1, 2 ** 24 - 1)

/** One exchange of an extended key update, as far as it has come. One at a time. */
export const UpdateExchange = select(
  'UpdateExchange',
  'stage',
  enumeration('UpdateStage', uint8, { WAIT_RESPONSE: 0, RESPONSE_OWED: 1, WAIT_FINISH: 2 }),
  {
    /** We have asked. */
    WAIT_RESPONSE: struct('UpdateWaitResponse', {
      /** Of the share in our request. */
      privateKey: secret(opaque(1, 2 ** 16 - 1)),
      /** The message, header and all. */
      request: message,
      /** A request of the peer's has crossed ours, and lost: it may send no other one. */
      crossed: boolean,
    }),
    /** The peer has asked; the answer goes out before the next record of ours, and our new key with it. */
    RESPONSE_OWED: struct('UpdateResponseOwed', {
      response: message,
      writeSecret: hashSized,
      readSecret: hashSized,
      exporterSecret: hashSized,
    }),
    /** We have answered, and write under the new key already. */
    WAIT_FINISH: struct('UpdateWaitFinish', { readSecret: hashSized, exporterSecret: hashSized }),
  },
)
export type UpdateExchange = TypeOf<typeof UpdateExchange>

/** What a session with extended key updates knows for the next one. */
export const ExtendedUpdates = struct('ExtendedUpdates', {
  /** Of the handshake; every share is of it. */
  group: uint16,
  /** Extended key updates that are over. */
  generation: uint32,
  /** Derive-Secret of the main secret, "derived": into which the next exchange goes. */
  salt: hashSized,
  /** Of the handshake and all exchanges so far: transcript_hash_N. */
  transcriptHash: opaque(32, 48),
  /** exporter_secret_N. */
  exporterSecret: hashSized,
  exchange: optional(UpdateExchange),
})
export type ExtendedUpdates = TypeOf<typeof ExtendedUpdates>

const Nothing = struct('NoKeyUpdate', {})

export const KeyUpdateState = select(
  'KeyUpdateState',
  'kind',
  enumeration('KeyUpdateKind', uint8, { none: 0, owed: 1, negotiating: 2, extended: 3 }),
  {
    /** None is underway. */
    none: Nothing,
    /** The peer asked for a KeyUpdate that we have not sent yet (RFC 8446 §4.6.3). */
    owed: Nothing,
    /** Extended key updates were offered, or agreed on: the handshake is not over. */
    negotiating: struct('NegotiatingUpdates', {
      group: uint16,
      /** exporter_secret_0; empty before the server's Finished. */
      exporterSecret: secret(opaque(0, 48)),
    }),
    /** They are what there is instead of KeyUpdates. */
    extended: ExtendedUpdates,
  },
)
export type KeyUpdateState = TypeOf<typeof KeyUpdateState>

type Kind<K extends KeyUpdateState['kind']> = Extract<KeyUpdateState, { kind: K }>
export type Extended = Kind<'extended'>

/** What every session begins with. */
export const NO_KEY_UPDATE: KeyUpdateState = { kind: 'none' }

/** The state of a session whose hello offers extended key updates, or that agrees on them. */
export function negotiating(group: number): Kind<'negotiating'> {
  return { kind: 'negotiating', group, exporterSecret: EMPTY }
}

/** What tells whether a change of keys may begin or go on. */
export interface Updating {
  readonly keyUpdate: KeyUpdateState
  readonly handshake: { readonly state: string; readonly authentication?: unknown }
}

/**
 * Whether something of ours has to go out before the next record. While a client authenticates, the answer to
 * a request waits (§11.3.1 of the draft).
 */
export function owesUpdate({ keyUpdate, handshake }: Updating): boolean {
  if (keyUpdate.kind !== 'extended') return keyUpdate.kind === 'owed'
  return keyUpdate.exchange?.stage === 'RESPONSE_OWED' && handshake.authentication === undefined
}

/** Whether an extended key update may begin now. */
export function mayExtend({ keyUpdate, handshake }: Updating): boolean {
  if (keyUpdate.kind !== 'extended' || handshake.state !== 'CONNECTED') return false
  return keyUpdate.exchange === undefined && handshake.authentication === undefined
}
