import { boolean, opaque, optional, struct, type TypeOf, text, uint32 } from '../wire/index.ts'

/**
 * A connection whose function sleeps, as the gateway keeps it and hands it on. What is sealed only containers
 * of the function can read: a `Checkpoint`, for the context of its session, its generation and 0 bytes.
 */
export const Hibernated = struct('Hibernated', {
  /** Whose containers it wakes. */
  functionName: text(1, 63),
  /** What it is sealed for. */
  generation: uint32,
  /** Its end is told: a WebSocket, whose function hears that its client has gone. */
  told: boolean,
  /** HTTP/1.1 without TLS: the gateway can say that no container came. */
  answerable: boolean,
  /** A request is in it already that no function has begun with: it wakes its function at once. */
  waits: boolean,
  /** Milliseconds until it is closed if nothing comes; 0: never. */
  left: uint32,
  /** Of the duplicate that the gateway keeps of its socket. */
  slot: optional(uint32),
  checkpoint: opaque(1, 2 ** 24 - 1),
})
export type Hibernated = TypeOf<typeof Hibernated>
