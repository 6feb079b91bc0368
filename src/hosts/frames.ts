import { MAX_PAYLOAD } from '../transfer/channel.ts'
import { Peer } from '../transfer/control.ts'
import { Flow } from '../transfer/tcp/flow.ts'
import {
  boolean,
  concat,
  DecodeError,
  decode,
  EMPTY,
  encode,
  enumeration,
  fixed,
  rest,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint32,
  uint64,
} from '../wire/index.ts'

/** What two hosts speak; its version is the first thing that each says. */
export const TRUNK_VERSION = 3

/** Bytes that each says at the beginning; both together are the salt of the meeting. */
export const RANDOM_LENGTH = 16

const Empty = struct('Empty', {})

/** What the links of two hosts say to each other. Ids are those of the process's own host. */
export const Frame = select(
  'Frame',
  'kind',
  enumeration('FrameKind', uint8, {
    hello: 1,
    beat: 2,
    process: 3,
    gone: 4,
    retires: 5,
    message: 6,
    parcel: 7,
    claimed: 8,
    data: 9,
    credit: 10,
    end: 11,
    reset: 12,
    cut: 13,
    carries: 14,
    state: 15,
    made: 16,
    unmade: 17,
    steered: 18,
    settled: 19,
    steer: 20,
    turned: 21,
    steers: 22,
  }),
  {
    /** The first one. */
    hello: struct('Hello', { version: uint8, random: fixed(RANDOM_LENGTH) }),
    /** I live. */
    beat: Empty,
    /** A process of mine can be reached. */
    process: struct('ProcessFrame', { peer: Peer }),
    /** It has ended. */
    gone: struct('GoneFrame', { id: uint32 }),
    /** It is about to go. */
    retires: struct('RetiresFrame', { id: uint32 }),
    /** What one process says to one of the other host: a control message. */
    message: struct('MessageFrame', { from: uint32, to: uint32, payload: rest }),
    /**
     * The same, with a connection, whose bytes travel as a span of that number; or that goes itself, if it
     * can, and then its {@link TcpState} follows when it is claimed.
     */
    parcel: struct('ParcelFrame', {
      from: uint32,
      to: uint32,
      span: uint32,
      itself: boolean,
      payload: rest,
    }),
    /** The connection is the receiver's, as the directory says: no lower revision is believed any more. */
    claimed: struct('ClaimedFrame', { span: uint32, revision: uint64 }),
    /** Bytes of a span. */
    data: struct('DataFrame', { span: uint32, bytes: rest }),
    /** So many of them have been passed on. */
    credit: struct('CreditFrame', { span: uint32, bytes: uint32 }),
    /** No more bytes follow. */
    end: struct('EndFrame', { span: uint32 }),
    /** The span is broken off. */
    reset: struct('ResetFrame', { span: uint32 }),
    /** A process of mine has given up its pair with one of yours: neither hears the other any more. */
    cut: struct('CutFrame', { from: uint32, to: uint32 }),
    /** Whether TCP connections themselves can come here. */
    carries: struct('CarriesFrame', { repair: boolean }),
    /** A TCP connection, taken; empty: it goes as a span after all. `origin` steers its client's packets. */
    state: struct('StateFrame', { span: uint32, origin: text(1, 63), tcp: rest }),
    /** It is there, and silent. */
    made: struct('MadeFrame', { span: uint32 }),
    /** It cannot be: go by a span. */
    unmade: struct('UnmadeFrame', { span: uint32 }),
    /** What its client sends goes to you: begin. */
    steered: struct('SteeredFrame', { span: uint32 }),
    /** A container has it; or none has begun to serve it, and none will. */
    settled: struct('SettledFrame', { span: uint32, accepted: boolean }),
    /** Have the packets of a connection that is mine go to that host. */
    steer: struct('SteerFrame', { ticket: uint32, flow: Flow, host: text(1, 63) }),
    turned: struct('TurnedFrame', { ticket: uint32, done: boolean }),
    /** You have that one, and its packets come to me first. */
    steers: struct('SteersFrame', { flow: Flow }),
  },
)
export type Frame = TypeOf<typeof Frame>

/** Bytes before a frame that say how long it is, and the longest one. */
const LENGTH = 4
const LONGEST = MAX_PAYLOAD + 64

/** A frame as it travels. */
export function frameBytes(frame: Frame): Uint8Array {
  const body = encode(Frame, frame)
  const bytes = new Uint8Array(LENGTH + body.length)
  new DataView(bytes.buffer).setUint32(0, body.length)
  bytes.set(body, LENGTH)
  return bytes
}

/** Takes frames out of a stream of bytes that comes in any pieces. */
export class FrameReader {
  #pieces: Uint8Array[] = []
  #length = 0

  /**
   * @param bytes copied, if they are kept
   * @returns the frames that are whole now @throws DecodeError what came is no frame, or too long a one
   */
  push(bytes: Uint8Array): Frame[] {
    this.#pieces.push(bytes)
    this.#length += bytes.length
    if (this.#length < this.#wanted()) {
      this.#pieces[this.#pieces.length - 1] = bytes.slice()
      return []
    }
    const all = this.#pieces.length === 1 ? bytes : concat(...this.#pieces)
    const view = new DataView(all.buffer, all.byteOffset, all.length)
    const frames: Frame[] = []
    let at = 0
    while (all.length - at >= LENGTH) {
      const end = at + LENGTH + lengthAt(view, at)
      if (end > all.length) break
      frames.push(decode(Frame, all.slice(at + LENGTH, end)))
      at = end
    }
    const left = all.slice(at)
    this.#pieces = left.length === 0 ? [] : [left]
    this.#length = left.length
    return frames
  }

  /** Bytes without which no frame is whole. */
  #wanted(): number {
    const first = this.#pieces[0] ?? EMPTY
    if (first.length < LENGTH) return LENGTH
    return LENGTH + lengthAt(new DataView(first.buffer, first.byteOffset, first.length), 0)
  }
}

function lengthAt(view: DataView, at: number): number {
  const length = view.getUint32(at)
  if (length > LONGEST) throw new DecodeError(`a frame of ${length} bytes`, at)
  return length
}
