import {
  boolean,
  type Codec,
  concat,
  EMPTY,
  enumeration,
  opaque,
  optional,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  vector,
} from '../../wire/index.ts'
import { isKeyText, KEY_FIELD } from '../key-field.ts'
import type { Field } from '../message.ts'
import { type H2Event, requestEvent } from './event.ts'
import { h2Spent } from './limits.ts'
import { h2Settings } from './settings.ts'
import { newStream, type Stream } from './stream.ts'

/** Most bytes of anything that is carried: its length takes three bytes. */
const CEILING = 2 ** 24 - 1

const plainText = text(0, CEILING)
const plainBytes = opaque(0, CEILING)

/** Whether the name that was read last is that of the field with a key: the next value is bytes then. */
let keyNamed = false
const fieldName: Codec<string> = {
  ...plainText,
  read(reader) {
    const name = plainText.read(reader)
    keyNamed = isKeyText(name)
    return name
  },
}
/** Text, or the bytes of a key, of which no text is made. */
const fieldValue: Codec<string | Uint8Array> = {
  notation: plainText.notation,
  secret: true,
  write: (writer, value) =>
    typeof value === 'string' ? plainText.write(writer, value) : plainBytes.write(writer, value),
  read(reader) {
    return keyNamed ? reader.secret(reader.uint(3)) : plainText.read(reader)
  },
}

const hpackEntry = struct('HpackEntry', { name: fieldName, value: fieldValue })

/** One direction's HPACK context. */
export const hpackState = struct('HpackState', {
  /** What SETTINGS_HEADER_TABLE_SIZE allows. */
  limit: uint32,
  /** What is in use. */
  capacity: uint32,
  /** Encoder: sizes to be told before the next block. */
  updates: vector(uint32, 0, 255),
  /** Oldest first. */
  entries: vector(hpackEntry, 0, CEILING),
})
export type HpackState = TypeOf<typeof hpackState>

/** A window for sending, which may be below zero. */
const int32: Codec<number> = {
  notation: 'int32 NAME',
  write: (writer, value) => uint32.write(writer, value >>> 0),
  read: reader => uint32.read(reader) | 0,
}

/** A length, or -1 for none. */
const perhaps = optional(uint64)
const length: Codec<number> = {
  notation: perhaps.notation,
  write: (writer, value) => perhaps.write(writer, value < 0 ? undefined : value),
  read: reader => perhaps.read(reader) ?? -1,
}

/** Characters are bytes (ISO 8859-1); here they are UTF-8. */
const h2Field = struct('H2Field', { name: fieldName, value: fieldValue })
const h2Fields = vector(h2Field, 0, CEILING)

/** A request that no application has accepted yet, with what came after its head. */
const h2Announced = struct('H2Announced', {
  method: text(0, CEILING),
  scheme: text(0, CEILING),
  authority: text(0, CEILING),
  path: text(0, CEILING),
  protocol: optional(text(0, CEILING)),
  headers: h2Fields,
  endStream: boolean,
  /** One item for each frame. */
  content: vector(opaque(0, CEILING), 0, CEILING),
  /** The last frame of content ended the request. */
  contentEnds: boolean,
  trailers: optional(h2Fields),
})

const h2Stream = struct('H2Stream', {
  id: uint32,
  state: enumeration('H2StreamState', uint8, {
    open: 0,
    half_closed_local: 1,
    half_closed_remote: 2,
  }),
  sendWindow: int32,
  receiveWindow: int32,
  returned: uint32,
  unconsumed: uint32,
  expected: length,
  owed: length,
  headReceived: boolean,
  headSent: boolean,
  bodyless: boolean,
  tunnel: boolean,
  ending: boolean,
  waiting: boolean,
  urgency: uint8,
  incremental: boolean,
  /** Milliseconds. */
  stalled: uint32,
  queued: opaque(0, CEILING),
  trailers: optional(h2Fields),
  announced: optional(h2Announced),
})

/** A header block whose END_HEADERS has not come. */
const h2Block = struct('H2Block', {
  streamId: uint32,
  endStream: boolean,
  /** CONTINUATION frames so far. */
  continuations: uint16,
  fragment: opaque(0, CEILING),
})

/** All that an HTTP/2 connection is, at any byte. */
export const h2State = struct('H2State', {
  role: enumeration('H2Role', uint8, { server: 0, client: 1 }),
  /** Received and not yet read: nothing, or the beginning of a frame, or of the preface. */
  inbound: opaque(0, CEILING),
  /** Frames not yet taken by the stream. */
  outbound: opaque(0, CEILING),
  prefaceRead: boolean,
  peerSettingsRead: boolean,
  settingsAcknowledged: boolean,
  /** Milliseconds for which our SETTINGS have waited for their acknowledgement. */
  settingsWaited: uint32,
  /** What we have said. */
  settings: h2Settings,
  peerSettings: h2Settings,
  decoder: hpackState,
  encoder: hpackState,
  sendWindow: int32,
  receiveWindow: int32,
  returned: uint32,
  /** The highest stream that has been opened. */
  lastStreamId: uint32,
  /** Streams above it are not served any more: what our GOAWAY said. */
  goawaySent: optional(uint32),
  /** What the peer's GOAWAY said. */
  goawayReceived: optional(uint32),
  block: optional(h2Block),
  spent: h2Spent,
  /** Streams that we have reset: what still comes on them is passed over. */
  resetStreams: vector(uint32, 0, 2 ** 16 - 1),
  streams: vector(h2Stream, 0, CEILING),
  /** The streams with something queued, in the order of their turns. */
  sending: vector(uint32, 0, 2 ** 16 - 1),
})
export type H2State = TypeOf<typeof h2State>

type StreamValue = TypeOf<typeof h2Stream>
type AnnouncedValue = TypeOf<typeof h2Announced>

const toFields = (fields: readonly Field[]) => fields.map(([name, value]) => ({ name, value }))
const fromFields = (fields: TypeOf<typeof h2Fields>): Field[] =>
  fields.flatMap(({ name, value }) => (typeof value === 'string' ? [[name, value] as const] : []))

/** A stream as it is written down. Field by field: the engine copies the rest of an object far slower. */
export function exportStream(stream: Stream): StreamValue {
  const { state, trailers, announced } = stream
  return {
    id: stream.id,
    state:
      state === 'open' ? state : state === 'half-closed (local)' ? 'half_closed_local' : 'half_closed_remote',
    sendWindow: stream.sendWindow,
    receiveWindow: stream.receiveWindow,
    returned: stream.returned,
    unconsumed: stream.unconsumed,
    expected: stream.expected,
    owed: stream.owed,
    headReceived: stream.headReceived,
    headSent: stream.headSent,
    bodyless: stream.bodyless,
    tunnel: stream.tunnel,
    ending: stream.ending,
    waiting: stream.waiting,
    urgency: stream.urgency,
    incremental: stream.incremental,
    stalled: Math.round(stream.stalled),
    queued: stream.queue.length === 0 ? EMPTY : concat(...stream.queue),
    trailers: trailers === undefined ? undefined : toFields(trailers),
    announced: announced === undefined ? undefined : exportAnnounced(announced),
  }
}

/** The states of §5.1 in the spelling of the RFC; on the wire they are identifiers. */
const IN_MEMORY = {
  open: 'open',
  half_closed_local: 'half-closed (local)',
  half_closed_remote: 'half-closed (remote)',
} as const

/** A stream as it was written down: an object as {@link newStream} makes it. */
export function restoreStream(value: StreamValue): Stream {
  const { id, queued, trailers, announced } = value
  const stream = newStream(id, value.sendWindow, value.receiveWindow)
  stream.state = IN_MEMORY[value.state]
  stream.returned = value.returned
  stream.unconsumed = value.unconsumed
  stream.expected = value.expected
  stream.owed = value.owed
  stream.headReceived = value.headReceived
  stream.headSent = value.headSent
  stream.bodyless = value.bodyless
  stream.tunnel = value.tunnel
  stream.ending = value.ending
  stream.waiting = value.waiting
  stream.urgency = value.urgency
  stream.incremental = value.incremental
  stream.stalled = value.stalled
  if (queued.length > 0) stream.queue.push(queued)
  stream.queued = queued.length
  if (trailers !== undefined) stream.trailers = fromFields(trailers)
  if (announced !== undefined) stream.announced = restoreAnnounced(id, announced)
  return stream
}

function exportAnnounced(events: readonly H2Event[]): AnnouncedValue {
  const [request, ...later] = events
  if (request?.type !== 'request') throw new Error('what is announced begins with a request')
  const content: Uint8Array[] = []
  let contentEnds = false
  let trailers: AnnouncedValue['trailers']
  for (const event of later) {
    if (event.type === 'data') {
      content.push(event.data)
      contentEnds = event.endStream
    } else if (event.type === 'trailers') trailers = toFields(event.headers)
  }
  const { method, scheme, authority, path, protocol, endStream } = request
  const headers: TypeOf<typeof h2Field>[] = toFields(request.headers)
  if (request.key !== undefined) headers.push({ name: KEY_FIELD, value: request.key })
  return { method, scheme, authority, path, protocol, headers, endStream, content, contentEnds, trailers }
}

function restoreAnnounced(streamId: number, value: AnnouncedValue): H2Event[] {
  const { content, contentEnds, trailers, endStream } = value
  const found = value.headers.find(one => typeof one.value !== 'string')
  const key = found?.value as Uint8Array | undefined
  const events = [requestEvent(streamId, endStream, { ...value, headers: fromFields(value.headers), key })]
  content.forEach((data, index) => {
    events.push({ type: 'data', streamId, data, endStream: contentEnds && index === content.length - 1 })
  })
  if (trailers !== undefined) events.push({ type: 'trailers', streamId, headers: fromFields(trailers) })
  return events
}
