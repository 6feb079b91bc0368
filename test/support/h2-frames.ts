import { CLIENT_PREFACE, encodeFrame, Flag, FrameType } from '../../src/http/h2/frame.ts'
import type { H2Event, H2State } from '../../src/http/h2/index.ts'
import { DEFAULT_H2_LIMITS, type H2Limits, H2Server, HpackEncoder, h2State } from '../../src/http/h2/index.ts'
import { Output } from '../../src/http/h2/output.ts'
import type { Field } from '../../src/http/message.ts'
import { concat, decode, EMPTY, encode, utf8 } from '../../src/wire/index.ts'

export { Flag, FrameType }

export const PREFACE: Uint8Array = utf8(CLIENT_PREFACE)
export const SETTINGS: Uint8Array = encodeFrame(FrameType.SETTINGS, 0, 0, EMPTY)
export const SETTINGS_ACK: Uint8Array = encodeFrame(FrameType.SETTINGS, Flag.ACK, 0, EMPTY)

export function limits(changed: Partial<H2Limits> = {}): H2Limits {
  return { ...DEFAULT_H2_LIMITS, ...changed }
}

export const GET: readonly Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'a.example'],
]
export const POST: readonly Field[] = [[':method', 'POST'], ...GET.slice(1)]

/** A frame; its payload as bytes or text. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | string = EMPTY,
): Uint8Array {
  return encodeFrame(type, flags, streamId, typeof payload === 'string' ? utf8(payload) : payload)
}

/** A header block that leaves every table as it is. */
export function block(fields: readonly Field[]): Uint8Array {
  const output = new Output()
  new HpackEncoder(0).encode(output, fields)
  return output.take().subarray(1)
}

export function headers(streamId: number, fields: readonly Field[], end = true): Uint8Array {
  return frame(FrameType.HEADERS, Flag.END_HEADERS | (end ? Flag.END_STREAM : 0), streamId, block(fields))
}

export function data(streamId: number, payload: Uint8Array | string, end = false): Uint8Array {
  return frame(FrameType.DATA, end ? Flag.END_STREAM : 0, streamId, payload)
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

export function setting(identifier: number, value: number): Uint8Array {
  return concat(Uint8Array.of(0, identifier), uint32(value))
}

export interface Frame {
  type: number
  flags: number
  streamId: number
  payload: Uint8Array
}

/** The frames in the bytes. */
export function split(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    const view = new DataView(bytes.buffer, bytes.byteOffset + at)
    const payload = bytes.slice(at + 9, at + 9 + length)
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, streamId: view.getUint32(5), payload })
    at += 9 + length
  }
  return frames
}

export function taken(connection: { takeOutput(): Uint8Array }): Uint8Array {
  const parts: Uint8Array[] = []
  for (let part = connection.takeOutput(); part.length > 0; part = connection.takeOutput()) parts.push(part)
  return concat(...parts)
}

export function pull(connection: { next(): H2Event | undefined }): H2Event[] {
  const events: H2Event[] = []
  for (let event = connection.next(); event !== undefined; event = connection.next()) events.push(event)
  return events
}

/** A server that has greeted and been greeted; its first output has been taken. */
export function greeted(changed: Partial<H2Limits> = {}): H2Server {
  const server = new H2Server(limits(changed))
  server.receive(concat(PREFACE, SETTINGS, SETTINGS_ACK))
  pull(server)
  taken(server)
  return server
}

/** Feeds all pieces and returns the events. */
export function feed(server: H2Server, ...pieces: Uint8Array[]): H2Event[] {
  server.receive(concat(...pieces))
  return pull(server)
}

/** The same connection out of its bytes. */
export function moved(state: H2State): H2State {
  return decode(h2State, encode(h2State, state))
}
