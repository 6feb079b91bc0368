import { enumeration, fixed, struct, type TypeOf, uint8, uint16, uint32, vector } from '../../wire/index.ts'
import { SESSION_ID_LENGTH } from '../seal.ts'

/** What has become of a connection, as its container saw it. */
export const SightKind = enumeration('SightKind', uint8, {
  /** It is new: the gateway has handed it over. */
  opened: 1,
  /** It has come from another container. */
  arrived: 2,
  /** It has come back to a container that had kept its socket and its keys. */
  returned: 3,
  /** It has been taken over from a container that died. */
  tookOver: 4,
  /** A gateway had kept it while the function slept. */
  woke: 5,
  /** Another container has it. */
  left: 6,
  /** A gateway keeps it from here on. */
  slept: 7,
  /** It was to move, and no container took it. */
  stayed: 8,
  ended: 9,
  /** It is unknown which process has it. */
  unclean: 10,
  /** Something was thrown over it. */
  failed: 11,
})
export type SightKind = TypeOf<typeof SightKind>

/** Why it was to move. */
export const MoveCause = enumeration('MoveCause', uint8, { none: 0, request: 1, drain: 2, order: 3 })
export type MoveCause = TypeOf<typeof MoveCause>

/** One of them. Nothing of it is secret. */
export const Sight = struct('Sight', {
  kind: SightKind,
  cause: MoveCause,
  sessionId: fixed(SESSION_ID_LENGTH),
  generation: uint32,
  /** The process that has it from here on; 0: none, or the one that tells. */
  target: uint32,
  /** Milliseconds between this and the message that tells it. */
  ago: uint16,
  /** Microseconds that it took to freeze it, or, of one that has come, to set it up. */
  prepared: uint32,
  /** Microseconds from then until the other container had it. */
  handed: uint32,
})
export type Sight = TypeOf<typeof Sight>

/** What a container has seen since the last such message. */
export const Sights = struct('Sights', {
  sights: vector(Sight, 0, 2 ** 24 - 1),
  /** How many more there were, of which nothing is told. */
  missed: uint32,
})
