import {
  boolean,
  enumeration,
  fixed,
  opaque,
  optional,
  struct,
  type TypeOf,
  text,
  uint8,
  uint32,
} from '../../wire/index.ts'
import { SESSION_ID_LENGTH } from '../seal.ts'

/** `kept`: the target did not take it, and it goes on where it was. `ended`: no container has it any more. */
export const MoveOutcome = enumeration('MoveOutcome', uint8, { moved: 1, unknown: 2, kept: 3, ended: 4 })
export type MoveOutcome = TypeOf<typeof MoveOutcome>

const report = {
  sessionId: fixed(SESSION_ID_LENGTH),
  outcome: MoveOutcome,
  /** Of the new owner; 0 unless moved. */
  generation: uint32,
  detail: text(0, 255),
}

/** Give that connection to that container, at the next moment that loses nothing. */
export const Move = struct('Move', { sessionId: fixed(SESSION_ID_LENGTH), target: uint32 })
/** What became of it. */
export const Moved = struct('Moved', report)

/**
 * Tell the state of that connection's session; with a target, move it there, too, and tell what travels. Only
 * a container of a platform that teaches does either.
 */
export const Reveal = struct('Reveal', { sessionId: fixed(SESSION_ID_LENGTH), target: optional(uint32) })

/** What was asked for, in clear: secrets are in it. */
export const Revealed = struct('Revealed', {
  /** Without a target the outcome is `kept`. */
  ...report,
  /** The container does not teach: nothing is told, and nothing has moved. */
  refused: boolean,
  /** A `SessionState`, as it was when it was asked for; absent: it has no TLS, or is not told. */
  state: optional(opaque(1, 2 ** 24 - 1)),
  /** The envelope that travelled. */
  envelope: optional(opaque(1, 2 ** 24 - 1)),
})
