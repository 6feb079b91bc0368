import {
  boolean,
  DecodeError,
  decode,
  Encoder,
  fixed,
  rest,
  struct,
  type TypeOf,
  uint8,
  uint32,
  uint64,
} from '../wire/index.ts'
import { decodeEnvelope, Envelope, EnvelopeError, SESSION_ID_LENGTH } from './envelope.ts'

/**
 * What a container leaves with the gateway, sealed under a key that only containers of its function have, so
 * that one of them can go on when it dies.
 */
export const Checkpoint = struct('Checkpoint', {
  /**
   * A request was with a function, or its response underway: what has come of the response is all that the
   * client will get.
   */
  busy: boolean,
  /** How often the request that comes next has been given to a function whose container died. */
  attempts: uint8,
  /** The connection, as it would be sent to another container. */
  envelope: Envelope,
})
export type Checkpoint = TypeOf<typeof Checkpoint>

/** The same, before it is known which format the envelope has. */
const UnreadCheckpoint = struct('Checkpoint', { busy: boolean, attempts: uint8, envelope: rest })

/** What a checkpoint is bound to by the tag of its seal, and the gateway knows. */
export const CheckpointContext = struct('CheckpointContext', {
  sessionId: fixed(SESSION_ID_LENGTH),
  generation: uint32,
  received: uint64,
})
export type CheckpointContext = TypeOf<typeof CheckpointContext>

/** A checkpoint under the key that one process made for one span of time. */
export const SealedCheckpoint = struct('SealedCheckpoint', {
  /** Of the process whose secret the key follows from. */
  origin: fixed(8),
  epoch: uint32,
  /** The nonce: counted by the one process that seals with this key. */
  counter: uint64,
  /** With the tag at its end. */
  ciphertext: rest,
})

/** Seals checkpoints, and opens those of every container of the function. */
export interface CheckpointSealer {
  /** @returns a {@link SealedCheckpoint}, borrowed until the next one */
  seal(context: CheckpointContext, plaintext: Uint8Array): Uint8Array
  /**
   * @returns undefined for what no container of this function has sealed for that context, or lately enough
   */
  open(context: CheckpointContext, sealed: Uint8Array): Uint8Array | undefined
}

const CHECKPOINTS = new Encoder(Checkpoint)

/** A checkpoint as bytes. @param use has them until it returns; nothing is left of them then */
export function withCheckpoint<T>(checkpoint: Checkpoint, use: (bytes: Uint8Array) => T): T {
  try {
    return use(CHECKPOINTS.encode(checkpoint))
  } finally {
    CHECKPOINTS.clear()
  }
}

/** @throws DecodeError for what is no checkpoint, or one of a format that is not read */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { envelope, ...checkpoint } = decode(UnreadCheckpoint, bytes)
  try {
    return { ...checkpoint, envelope: decodeEnvelope(envelope) }
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error
    throw new DecodeError(error.message, bytes.length - envelope.length)
  }
}
