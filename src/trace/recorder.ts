import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import { keyLogLine } from '../tls13/key-log.ts'
import { type ExposedSecret, HkdfLabel } from '../tls13/key-schedule.ts'
import { SessionState } from '../tls13/state.ts'
import { type AnyCodec, annotate, encode, hex } from '../wire/index.ts'
import { fieldsIn } from './drawing.ts'
import type { Side, Step, TraceEvent } from './event.ts'
import { alertWords, contentTypeName, SECTIONS } from './names.ts'
import {
  RECORDING_FORMAT,
  RECORDING_VERSION,
  type RecordedConnection,
  type RecordedEvent,
  type RecordedState,
  type RecordedStep,
  type Recording,
} from './recording.ts'
import { EXTRACTED } from './schedule.ts'
import { Tracer } from './tracer.ts'

/** What a recording has at most, of all its connections. */
export interface Room {
  readonly connections: number
  /** Bytes of the wire. */
  readonly bytes: number
  /** Characters of its events: a ticket of twenty bytes is explained in two thousand. */
  readonly text: number
}

const MOST: Room = { connections: 256, bytes: 4 * 2 ** 20, text: 64 * 2 ** 20 }

/** Makes a {@link Recording} of connections that are read along. */
export class Recorder {
  readonly #title: string
  readonly #connections: Recorded[] = []
  readonly #room: Rest
  #unrecorded = 0

  constructor(title: string, most: Room = MOST) {
    this.#title = title
    this.#room = { ...most, taken: 0 }
  }

  /** Goes up with whatever is taken down. */
  get taken(): number {
    return this.#room.taken + this.#unrecorded
  }

  /** Another connection begins. @param side the one whose secrets are told @returns undefined: no room */
  open(title: string, side: Side, provider: Pick<CryptoProvider, 'cipherSuites'>): Recorded | undefined {
    if (this.#room.connections === 0) {
      this.#unrecorded++
      return undefined
    }
    this.#room.connections--
    this.#room.taken++
    const recorded = new Recorded(title, side, new Tracer(provider), this.#room)
    this.#connections.push(recorded)
    return recorded
  }

  /** All of it is over. */
  end(at: number): void {
    for (const one of this.#connections) one.end(at)
  }

  /** What has been recorded so far. */
  recording(): Recording {
    return {
      format: RECORDING_FORMAT,
      version: RECORDING_VERSION,
      title: this.#title,
      connections: this.#connections.map(one => one.connection()),
      ...(this.#unrecorded === 0 ? {} : { unrecorded: this.#unrecorded }),
    }
  }
}

/** What is left of a {@link Room}. */
interface Rest {
  connections: number
  bytes: number
  text: number
  /** How often something was taken down. */
  taken: number
}

/** One connection that is being recorded. Times are milliseconds since 1970. */
export class Recorded {
  readonly #title: string
  readonly #side: Side
  readonly #tracer: Tracer
  readonly #room: Rest
  readonly #keyLog: string[] = []
  readonly #events: RecordedEvent[] = []
  readonly #states: Taken[] = []
  #leftOut = 0

  constructor(title: string, side: Side, tracer: Tracer, room: Rest) {
    this.#title = title
    this.#side = side
    this.#tracer = tracer
    this.#room = room
  }

  /** What a side has sent. Once something had no room, nothing more of this connection is kept. */
  bytes(side: Side, bytes: Uint8Array, at: number): void {
    if (this.#isFull || bytes.length > this.#room.bytes) {
      this.#leftOut += bytes.length
      this.#room.taken++
      return
    }
    this.#room.bytes -= bytes.length
    this.#tracer.bytes(side, bytes)
    this.#take(at)
  }

  /** Those of records that had no room are not kept either: a peer may update its key without end. */
  secret(exposed: ExposedSecret, clientRandom: Uint8Array, at: number): void {
    if (this.#isFull) return
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) this.#keyLog.push(line)
    this.#room.text -= line?.length ?? 0
    this.#tracer.secret(exposed)
    this.#take(at)
  }

  /** The session as it is. One of the same moment takes the place of the one before. @param when in words */
  state(state: SessionState, when: string, at: number): void {
    if (this.#states.at(-1)?.when === when) this.#states.pop()
    this.#states.push({ at, when, bytes: encode(SessionState, state) })
    this.#room.taken++
  }

  get #isFull(): boolean {
    return this.#leftOut > 0 || this.#room.text <= 0
  }

  /** It is over. */
  end(at: number): void {
    this.#tracer.end()
    this.#take(at)
  }

  connection(): RecordedConnection {
    return {
      ...{ title: this.#title, side: this.#side, leftOut: this.#leftOut, keyLog: [...this.#keyLog] },
      ...{ events: [...this.#events], states: this.#states.map(one => recordedState(one)) },
    }
  }

  #take(at: number): void {
    for (const event of this.#tracer.take()) {
      const recorded = recordedEvent(event)
      if (recorded === undefined) continue
      this.#events.push({ ...recorded, at })
      this.#room.taken++
      this.#room.text -= JSON.stringify(recorded).length
    }
  }
}

/** A state as it was taken down: most are replaced before they are looked at. */
interface Taken {
  readonly at: number
  readonly when: string
  readonly bytes: Uint8Array
}

/** A state with all that its fields say. @param codec what it is; by default a `SessionState` */
export function recordedState({ at, when, bytes }: Taken, codec: AnyCodec = SessionState): RecordedState {
  return { at, when, bytes: hex(bytes), ...fieldsIn(annotate(codec, bytes, 'shown')) }
}

type Timeless<T> = T extends unknown ? Omit<T, 'at'> : never

/** Undefined: the record before has said it. */
function recordedEvent(event: TraceEvent): Timeless<RecordedEvent> | undefined {
  switch (event.kind) {
    case 'record': {
      const { kind, side, index, bytes, type, content, sealed } = event
      return {
        ...{ kind, side, index, type: contentTypeName(type), bytes: hex(bytes), content: hex(content) },
        ...(sealed === undefined ? {} : { sealed }),
      }
    }
    case 'message': {
      const { kind, side, type, bytes, fields, transcriptHash } = event
      const section = SECTIONS[type]
      return {
        ...{ kind, side, type, bytes: hex(bytes), ...fieldsIn(fields) },
        ...(section === undefined ? {} : { section }),
        ...(transcriptHash === undefined ? {} : { transcriptHash: hex(transcriptHash) }),
      }
    }
    case 'alert':
      return { kind: 'alert', side: event.side, bytes: hex(event.bytes), text: alertWords(event.bytes) }
    case 'data':
      return undefined
    case 'secret': {
      const { kind, name, secret, step, follows } = event
      return {
        ...{ kind, name, secret: hex(secret), step: recordedStep(name, step) },
        ...(follows === undefined ? {} : { follows }),
      }
    }
    case 'keys': {
      const { kind, side, secret, aead, key, iv } = event
      return { kind, side, secret, aead, key: hex(key), iv: hex(iv) }
    }
    case 'gap': {
      const { kind, side, length, reason, bytes } = event
      return { kind, side, length, reason, ...(bytes === undefined ? {} : { bytes: hex(bytes) }) }
    }
  }
}

function recordedStep(name: string, step: Step): RecordedStep {
  const { hash } = step
  if (step.operation === 'HKDF-Extract') {
    const { operation, salt, input } = step
    const from = EXTRACTED[name as keyof typeof EXTRACTED]?.from
    return {
      ...{ operation, hash, salt: { from: salt.from, bytes: hex(salt.bytes) } },
      ...(from === undefined ? {} : { from }),
      input: { what: input.what, ...(input.bytes === undefined ? {} : { bytes: hex(input.bytes) }) },
    }
  }
  const { operation, from, label, context, info } = step
  return {
    ...{ operation, hash, from, label, context: { what: context.what, bytes: hex(context.bytes) } },
    info: { bytes: hex(info), ...fieldsIn(annotate(HkdfLabel, info, 'shown')) },
  }
}
