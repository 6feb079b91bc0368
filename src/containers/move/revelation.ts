import { SessionState } from '../../tls13/state.ts'
import { type Envelope, encodeEnvelope } from '../../transfer/envelope.ts'
import { encode } from '../../wire/index.ts'
import type { Connection } from '../connection/connection.ts'
import { MoveOrder, type MoveReport } from './move-order.ts'

/** What a container tells of one connection, to those who learn. Secrets are in it. */
export interface Revelation extends MoveReport {
  /** The platform does not teach: nothing is told, and nothing moves. */
  readonly refused: boolean
  /** Its `SessionState` when it was asked for, encoded; undefined: it has none, or none is told. */
  readonly state: Uint8Array | undefined
  /** The envelope that travelled last, encoded. */
  readonly envelope: Uint8Array | undefined
}

/**
 * Tells the state of a connection's session, as it is now. With a target it is moved there, and what travels
 * is told, too. Where the platform does not teach, nothing is told and nothing moves.
 * @param connection undefined: it is not here @param done called once
 */
export function revealed(
  connection: Connection | undefined,
  teaches: boolean,
  target: number | undefined,
  done: (revelation: Revelation) => void,
): void {
  const nothing = { generation: 0, detail: '', refused: false, state: undefined, envelope: undefined }
  if (!teaches) done({ ...nothing, outcome: 'kept', refused: true })
  else if (connection === undefined) done({ ...nothing, outcome: 'unknown' })
  else {
    const session = connection.phase === 'open' ? connection.out.session : undefined
    const state = session && encode(SessionState, session.snapshot())
    if (target === undefined) done({ ...nothing, outcome: 'kept', generation: connection.generation, state })
    else moved(connection, target, state, done)
  }
}

function moved(
  connection: Connection,
  target: number,
  state: Uint8Array | undefined,
  done: (revelation: Revelation) => void,
): void {
  let envelope: Uint8Array | undefined
  const tell = (report: MoveReport): void => done({ ...report, refused: false, state, envelope })
  // What is sealed is wiped as soon as another container has it.
  const travels = (one: Envelope): void => {
    envelope = encodeEnvelope(one)
  }
  connection.moveTo(new MoveOrder(target, tell, travels))
}
