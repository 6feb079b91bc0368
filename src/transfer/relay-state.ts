import {
  boolean,
  enumeration,
  opaque,
  optional,
  struct,
  type TypeOf,
  text,
  uint8,
  uint64,
} from '../wire/index.ts'

const bytes = opaque(0, 2 ** 24 - 1)

/**
 * What one gateway's `Relay` tells another's, which goes on with the same two sockets. The gateway can open
 * none of it.
 */
export const RelayState = struct('RelayState', {
  /** Bytes from the client since the connection began. */
  received: uint64,
  /** Those of them that are kept for a successor of the container. */
  retained: bytes,
  /** Whether these are all that the checkpoint does not cover. */
  complete: boolean,
  /** The newest LegCheckpoint; empty before the first. */
  checkpoint: bytes,
  /** Protected records that the client was sent after it. */
  records: uint64,
  /** Whether the client has been sent anything. */
  sent: boolean,
  /** The start of a record from the container, whose rest has not come. */
  partial: bytes,
  /** Records that wait for a checkpoint; absent if none has to. */
  held: optional(bytes),
  /** The start of a checkpoint that comes in several records. */
  pieces: bytes,
  /** What the container has said of the end of its stream. */
  end: enumeration('RelayEnd', uint8, { open: 1, goodbye: 2, broken: 3 }),
})
export type RelayState = TypeOf<typeof RelayState>

/**
 * A relayed connection on its way from one gateway to the next. It travels sealed, with the client's socket
 * and the gateway's end of the leg.
 */
export const RelayedState = struct('RelayedState', {
  /** The function that it was delivered to. */
  functionName: text(1, 63),
  /** The client has sent FIN, or is to be treated so. */
  clientEnded: boolean,
  /** Read from the client, and not passed on. */
  fromClient: bytes,
  /** Read from the leg, and not looked at. */
  fromLeg: bytes,
  /** Absent without TLS: there are no records then. */
  relay: optional(RelayState),
})
export type RelayedState = TypeOf<typeof RelayedState>
