import { fromHex } from '../wire/index.ts'
import { Capture } from './capture.ts'
import type { Side } from './event.ts'
import { faultOf } from './shape.ts'

/*
 * A recording: connections as they were read along, as one JSON text (docs/recordings.md). Bytes are lower
 * case hexadecimal, times are milliseconds since 1970. Secrets are in it.
 */

export const RECORDING_FORMAT = 'hotpotato-recording'
export const RECORDING_VERSION = 1

/** Bytes in hexadecimal. */
export type Hex = string

/** The whole of it. */
export interface Recording {
  readonly format: typeof RECORDING_FORMAT
  readonly version: typeof RECORDING_VERSION
  readonly title: string
  readonly connections: readonly RecordedConnection[]
  /** How many more connections there were, for which there was no room. */
  readonly unrecorded?: number
}

/** One connection, in the order in which it went on. */
export interface RecordedConnection {
  readonly title: string
  /** The side that has told its secrets. */
  readonly side: Side
  /** Bytes that there was no room for. */
  readonly leftOut: number
  /** Its lines of a key log (NSS's format). */
  readonly keyLog: readonly string[]
  readonly events: readonly RecordedEvent[]
  /** The session of that side, at some moments. */
  readonly states: readonly RecordedState[]
  /** Envelopes that travelled from one container to another, in clear. */
  readonly parcels?: readonly RecordedState[]
}

/** A field of bytes that are annotated: its place among them, and what it says. */
export interface RecordedField {
  /** Bytes before it, from the beginning of the message or the state. */
  readonly offset: number
  readonly length: number
  readonly depth: number
  readonly name: string
  /** As RFC 8446 §3 would have it. */
  readonly notation: string
  /** Its value in words; empty: fields of its own follow; undefined: its bytes say it. */
  readonly text?: string
  /** Of those bytes, how many at the beginning say how long it is. */
  readonly prefix?: number
}

/** What an annotation gave, and why it stopped, if it did. */
export interface RecordedFields {
  readonly fields: readonly RecordedField[]
  readonly stopped?: string
}

/** See the event of the same kind in `event.ts`. */
export type RecordedEvent =
  | RecordedRecord
  | RecordedMessage
  | RecordedAlert
  | RecordedSecret
  | RecordedKeys
  | RecordedGap

interface Recorded {
  readonly at: number
}

export interface RecordedRecord extends Recorded {
  readonly kind: 'record'
  readonly side: Side
  readonly index: number
  readonly bytes: Hex
  /** Of its content, by name. */
  readonly type: string
  /** What was in it, in clear. */
  readonly content: Hex
  readonly sealed?: { readonly secret: string; readonly sequenceNumber: number; readonly padding: number }
}

export interface RecordedMessage extends Recorded, RecordedFields {
  readonly kind: 'message'
  readonly side: Side
  readonly type: string
  readonly bytes: Hex
  /** Where the message is defined. */
  readonly section?: string
  readonly transcriptHash?: Hex
}

export interface RecordedAlert extends Recorded {
  readonly kind: 'alert'
  readonly side: Side
  readonly bytes: Hex
  /** Its name, its number and its level. */
  readonly text: string
}

export interface RecordedSecret extends Recorded {
  readonly kind: 'secret'
  readonly name: string
  readonly secret: Hex
  readonly step: RecordedStep
  /** Whether it comes out the same when computed from what was seen; undefined: an input is unknown. */
  readonly follows?: boolean
}

/** One arrow of the key schedule. */
export type RecordedStep = RecordedExtraction | RecordedExpansion

export interface RecordedExtraction {
  readonly operation: 'HKDF-Extract'
  readonly hash: string
  /** The secret that the salt is derived from; undefined: the salt is zeros. */
  readonly from?: string
  readonly salt: { readonly from: string; readonly bytes: Hex }
  /** Bytes are undefined where a session does not tell them. */
  readonly input: { readonly what: string; readonly bytes?: Hex }
}

export interface RecordedExpansion {
  readonly operation: 'HKDF-Expand-Label'
  readonly hash: string
  readonly from: string
  readonly label: string
  readonly context: { readonly what: string; readonly bytes: Hex }
  /** The HkdfLabel, annotated. */
  readonly info: { readonly bytes: Hex } & RecordedFields
}

export interface RecordedKeys extends Recorded {
  readonly kind: 'keys'
  readonly side: Side
  readonly secret: string
  readonly aead: string
  readonly key: Hex
  readonly iv: Hex
}

export interface RecordedGap extends Recorded {
  readonly kind: 'gap'
  readonly side: Side
  readonly length: number
  readonly reason: string
  readonly bytes?: Hex
}

/** A session, or an envelope, as it was at one moment: all its bytes, annotated. */
export interface RecordedState extends Recorded, RecordedFields {
  /** When that was, in words. */
  readonly when: string
  /** Whose it is; undefined: of the side that the connection names. */
  readonly side?: Side
  readonly bytes: Hex
}

/** Characters of a recording at most: twice what one of ours may have. */
export const LONGEST: number = 2 ** 28

/**
 * A recording out of its text. What stands in it may come from anywhere: it is looked at as far as the page
 * depends on it. @throws RangeError it is none; the message is one line
 */
export function readRecording(text: string): Recording {
  if (text.length > LONGEST) throw new RangeError(`this recording has more than ${LONGEST} characters`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new RangeError('this is no recording: it is not JSON')
  }
  const { format, version } = (value ?? {}) as Partial<Record<string, unknown>>
  if (format !== RECORDING_FORMAT)
    throw new RangeError(`this is no recording: "format" is not "${RECORDING_FORMAT}"`)
  if (version !== RECORDING_VERSION)
    throw new RangeError(
      `this recording has version ${String(JSON.stringify(version)).slice(0, 40)}; ` +
        `version ${RECORDING_VERSION} is known`,
    )
  const fault = faultOf(value)
  if (fault !== undefined) throw new RangeError(fault)
  return value as Recording
}

/** What went over the connections, as a file that Wireshark opens decrypted (pcapng). */
export function captureOf({ connections }: Recording): Uint8Array {
  const capture = new Capture()
  for (const { events, keyLog } of connections) {
    const number = capture.open()
    for (const event of events)
      if ((event.kind === 'record' || event.kind === 'gap') && event.bytes !== undefined)
        capture.bytes(number, event.side, fromHex(event.bytes), event.at)
    for (const line of keyLog) capture.keyLog(line)
  }
  return capture.file()
}

/** The key log of all its connections. */
export function keyLogOf({ connections }: Recording): string {
  return connections.flatMap(({ keyLog }) => keyLog.map(line => `${line}\n`)).join('')
}
