import { recordedState } from '../../trace/recorder.ts'
import {
  RECORDING_FORMAT,
  RECORDING_VERSION,
  type RecordedConnection,
  type RecordedState,
  type Recording,
} from '../../trace/recording.ts'
import { Envelope, layoutOf, versionOf } from '../../transfer/envelope.ts'
import { fromHex } from '../../wire/index.ts'

/** A move that a platform has told of, encoded, in hexadecimal. Secrets are in it. */
export interface ToldMove {
  readonly connection: string
  readonly from: string
  readonly to: string
  /** The session's state in the container that had it; undefined: it has no TLS. */
  readonly before?: string | undefined
  /** What travelled. */
  readonly envelope: string
  /** The state in the container that has it now; undefined: it has gone on. */
  readonly after?: string | undefined
}

/** A session's state, as a container has told it. */
export interface ToldState {
  readonly connection: string
  readonly container: string
  /** Encoded, in hexadecimal. */
  readonly state: string
}

/** A move as a recording: the states of the server's session, and the envelope. @param at as there */
export function recordingOfMove(move: ToldMove, at: number): Recording {
  const { connection, from, to, before, envelope, after } = move
  const bytes = fromHex(envelope)
  const version = versionOf(bytes)
  const states = [
    ...(before === undefined ? [] : [stateOf(before, `before the move, in ${from}`, at)]),
    ...(after === undefined ? [] : [stateOf(after, `after the move, in ${to}`, at)]),
  ]
  const parcel = recordedState(
    { at, when: `from ${from} to ${to}`, bytes },
    version === undefined ? Envelope : layoutOf(version),
  )
  const title = `connection ${connection}, from ${from} to ${to}`
  return whole(title, { ...serverSide(title, states), parcels: [parcel] })
}

/** States that containers have told of one connection, the first before its move. */
export function serverStates(states: readonly ToldState[], at: number): RecordedState[] {
  return states.map(({ container, state }, index) => ({
    ...stateOf(state, `${index === 0 ? 'before' : 'after'} the move, in ${container}`, at),
    side: 'server',
  }))
}

function stateOf(state: string, when: string, at: number): RecordedState {
  return recordedState({ at, when, bytes: fromHex(state) })
}

function serverSide(title: string, states: readonly RecordedState[]): RecordedConnection {
  return { title, side: 'server', leftOut: 0, keyLog: [], events: [], states }
}

function whole(title: string, connection: RecordedConnection): Recording {
  return { format: RECORDING_FORMAT, version: RECORDING_VERSION, title, connections: [connection] }
}
