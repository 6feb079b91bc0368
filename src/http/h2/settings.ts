import { boolean, type Struct, struct, uint32 } from '../../wire/index.ts'
import { H2Error } from './error.ts'
import { Flag, FrameType, readUint32 } from './frame.ts'
import type { Output } from './output.ts'

/** The settings of one side: RFC 9113 §6.5.2, RFC 8441 §3, and RFC 9218 §2.1. */
export interface Settings {
  /** Bytes of HPACK table that the other side may use. */
  headerTableSize: number
  enablePush: boolean
  maxConcurrentStreams: number
  /** Bytes that the other side may send on a new stream. */
  initialWindowSize: number
  /** Bytes of payload in one frame. */
  maxFrameSize: number
  /** Bytes of a field list, each field counted with 32 more. */
  maxHeaderListSize: number
  enableConnectProtocol: boolean
  noRfc7540Priorities: boolean
}

/** Stands for a setting without a bound. */
export const UNBOUNDED: number = 2 ** 32 - 1

/** What holds until a side has said something else. */
export const INITIAL_SETTINGS: Readonly<Settings> = {
  headerTableSize: 4096,
  enablePush: true,
  maxConcurrentStreams: UNBOUNDED,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: UNBOUNDED,
  enableConnectProtocol: false,
  noRfc7540Priorities: false,
}

/** {@link Settings} in an exported connection. */
export const h2Settings: Struct<Settings> = struct('H2Settings', {
  headerTableSize: uint32,
  enablePush: boolean,
  maxConcurrentStreams: uint32,
  initialWindowSize: uint32,
  maxFrameSize: uint32,
  maxHeaderListSize: uint32,
  enableConnectProtocol: boolean,
  noRfc7540Priorities: boolean,
})

/** The number of each setting on the wire. */
const IDENTIFIERS: readonly (readonly [keyof Settings, number])[] = [
  ['headerTableSize', 0x1],
  ['enablePush', 0x2],
  ['maxConcurrentStreams', 0x3],
  ['initialWindowSize', 0x4],
  ['maxFrameSize', 0x5],
  ['maxHeaderListSize', 0x6],
  ['enableConnectProtocol', 0x8],
  ['noRfc7540Priorities', 0x9],
]

const BY_IDENTIFIER = new Map(IDENTIFIERS.map(([key, identifier]) => [identifier, key]))

/** Appends a SETTINGS frame that says what differs from the initial values. */
export function writeSettings(output: Output, settings: Settings): void {
  const changed = IDENTIFIERS.filter(([key]) => settings[key] !== INITIAL_SETTINGS[key])
  output.frame(FrameType.SETTINGS, 0, 0, 6 * changed.length)
  for (const [key, identifier] of changed) {
    output.uint16(identifier)
    output.uint32(Number(settings[key]))
  }
}

/** Appends the acknowledgement of the peer's SETTINGS. */
export function writeSettingsAck(output: Output): void {
  output.frame(FrameType.SETTINGS, Flag.ACK, 0, 0)
}

/**
 * Reads the payload of a SETTINGS frame into `settings`, value by value in the order in which they came.
 * Unknown ones are ignored.
 * @param from whose settings they are: a server must not allow itself to be pushed to
 * @throws H2Error for a value that must not be
 */
export function readSettings(payload: Uint8Array, settings: Settings, from: 'client' | 'server'): void {
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    const key = BY_IDENTIFIER.get((payload[at]! << 8) | payload[at + 1]!)
    if (key === undefined) continue
    const value = readUint32(payload, at + 2)
    switch (key) {
      case 'enablePush':
        if (value > 1 || (value === 1 && from === 'server')) throw wrong(key, value)
        settings.enablePush = value === 1
        break
      case 'enableConnectProtocol':
        if (value > 1 || (value === 0 && settings.enableConnectProtocol)) throw wrong(key, value)
        settings.enableConnectProtocol = value === 1
        break
      case 'noRfc7540Priorities':
        if (value > 1) throw wrong(key, value)
        settings.noRfc7540Priorities = value === 1
        break
      case 'initialWindowSize':
        if (value > 2 ** 31 - 1)
          throw new H2Error('FLOW_CONTROL_ERROR', `an initial window of ${value} bytes`)
        settings.initialWindowSize = value
        break
      case 'maxFrameSize':
        if (value < 16_384 || value > 16_777_215) throw wrong(key, value)
        settings.maxFrameSize = value
        break
      default:
        settings[key] = value
    }
  }
}

function wrong(key: string, value: number): H2Error {
  return new H2Error('PROTOCOL_ERROR', `the setting ${key} must not be ${value}`)
}
