import { EMPTY } from '../../wire/index.ts'
import type { Field } from '../message.ts'
import { H2Error } from './error.ts'
import { Flag, FRAME_HEADER_LENGTH, FrameType, writeFrameHeader } from './frame.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import type { H2Limits } from './limits.ts'
import { prepare } from './outgoing.ts'
import { Output } from './output.ts'
import { INITIAL_SETTINGS, readSettings, type Settings, writeSettingsAck } from './settings.ts'
import type { H2State } from './state.ts'
import { dequeue, type Stream } from './stream.ts'
import { grown } from './window.ts'

/** Longest payload of a DATA frame, whatever the peer allows: streams take turns frame by frame. */
const DATA_BYTES = 16_384

/**
 * A wait for the peer's window is over when so many bytes went out at once: a byte now and then is still a
 * stall.
 */
const PROGRESS = 256

/** What the connection does when content has gone out. */
interface Duties {
  /** So much content went out in one frame that the peer may well send an update for it. */
  progressed(): void
  /** END_STREAM was sent. */
  ended(stream: Stream): void
  /** Less content came than our Content-Length had promised. */
  broken(stream: Stream): void
  /** Content that had to wait may be offered again. */
  drained(stream: Stream): void
}

/** The sending half of a connection: header blocks, and content as far as the peer's windows allow. */
export class Sender {
  readonly output: Output = new Output()
  readonly encoder: HpackEncoder
  /** What the peer's SETTINGS say. */
  readonly peer: Settings
  /** Bytes of content that we may send on all streams together. */
  window: number
  readonly #limits: H2Limits
  readonly #duties: Duties
  /** Streams with something queued, those of one urgency in the order of their turns. */
  #sending: Stream[] = []

  constructor(limits: H2Limits, duties: Duties, state?: H2State) {
    this.#limits = limits
    this.#duties = duties
    this.peer = { ...(state?.peerSettings ?? INITIAL_SETTINGS) }
    this.window = state?.sendWindow ?? INITIAL_SETTINGS.initialWindowSize
    this.encoder = new HpackEncoder(limits.headerTableSize, state?.encoder)
    if (state !== undefined) this.output.append(state.outbound)
  }

  /** Streams that have something queued, in the order of their turns. */
  get sending(): readonly Stream[] {
    return this.#sending
  }

  /** Sends a header block. @param lead pseudo-header fields; @param fields out of {@link prepare} */
  headers(stream: Stream, lead: readonly Field[], fields: readonly Field[], endStream: boolean): void {
    const { output, encoder } = this
    const { id: streamId } = stream
    const start = output.length
    const flags = Flag.END_HEADERS | (endStream ? Flag.END_STREAM : 0)
    output.frame(FrameType.HEADERS, flags, streamId, 0)
    encoder.begin(output)
    for (const field of lead) encoder.field(output, field[0], field[1])
    for (const field of fields) encoder.field(output, field[0], field[1])
    const length = output.length - start - FRAME_HEADER_LENGTH
    if (length <= this.peer.maxFrameSize) {
      writeFrameHeader(output.bytes, start, length, FrameType.HEADERS, flags, streamId)
    } else this.#split(streamId, start, flags)
    if (!endStream) return
    stream.ending = true
    this.#duties.ended(stream)
  }

  /**
   * Sends content as far as windows and output allow, and queues of the rest as much as there is room for.
   * @returns bytes taken
   */
  write(stream: Stream, data: Uint8Array): number {
    this.#expect(stream, data.length)
    if (stream.bodyless && stream.ending) return data.length
    let taken = stream.queued === 0 ? this.#send(stream, data, false) : 0
    taken += this.#queue(stream, data, taken, this.#limits.queuedBytes - stream.queued)
    if (taken < data.length) stream.waiting = true
    if (stream.owed >= 0) stream.owed -= taken
    return taken
  }

  /** Ends the content, behind what is queued. */
  end(stream: Stream, trailers: readonly Field[] = []): void {
    this.#expect(stream, 0)
    if (stream.ending) return
    const fields = prepare(trailers)
    if (stream.owed > 0) {
      this.#duties.broken(stream)
      throw new RangeError('less content than Content-Length says')
    }
    stream.ending = true
    if (stream.queued === 0) this.#finish(stream, EMPTY, fields)
    else if (fields.length > 0) stream.trailers = fields
  }

  /** Sends all of a stream's content and its end; what does not go out now is queued, however much it is. */
  whole(stream: Stream, data: Uint8Array, trailers: readonly Field[] = []): void {
    this.#expect(stream, data.length)
    if (stream.ending) return
    if (stream.owed > data.length) {
      this.#duties.broken(stream)
      throw new RangeError('less content than Content-Length says')
    }
    const fields = prepare(trailers)
    stream.ending = true
    this.#finish(stream, data, fields)
  }

  /** Queues the rest of a stream's content, however much it is, and its end behind that. */
  complete(stream: Stream, pieces: readonly Uint8Array[]): void {
    if (stream.ending) return
    for (const piece of pieces) this.#queue(stream, piece, 0, piece.length)
    if (stream.owed >= 0) stream.owed -= pieces.reduce((sum, { length }) => sum + length, 0)
    this.end(stream)
    this.flush()
  }

  /** The peer's SETTINGS. @param role ours. @throws H2Error */
  onSettings(payload: Uint8Array, role: 'server' | 'client', streams: Iterable<Stream>): void {
    const { peer } = this
    const { initialWindowSize, headerTableSize } = peer
    readSettings(payload, peer, role === 'server' ? 'client' : 'server')
    if (peer.headerTableSize !== headerTableSize) this.encoder.setLimit(peer.headerTableSize)
    const change = peer.initialWindowSize - initialWindowSize
    for (const stream of streams) {
      const window = grown(stream.sendWindow, change)
      if (window === undefined) throw new H2Error('FLOW_CONTROL_ERROR', 'a window too large')
      stream.sendWindow = window
    }
    writeSettingsAck(this.output)
    this.flush()
  }

  /** WINDOW_UPDATE for a stream or, without one, for the connection. @throws H2Error */
  widen(stream: Stream | undefined, increment: number): void {
    const window = grown(stream?.sendWindow ?? this.window, increment)
    if (window === undefined) throw new H2Error('FLOW_CONTROL_ERROR', 'a window too large', stream?.id)
    if (stream === undefined) this.window = window
    else stream.sendWindow = window
    this.flush()
  }

  /** Puts a stream among those that send; what it has queued goes out as the peer allows. */
  enqueue(stream: Stream): void {
    if (!this.#sending.includes(stream)) this.#sending.push(stream)
  }

  /** Forgets what a stream has queued. */
  drop(stream: Stream): void {
    stream.queue = []
    stream.queued = 0
    if (this.#sending.length > 0) this.#sending = this.#sending.filter(other => other !== stream)
  }

  /**
   * Sends of what is queued as much as windows and output allow, the most urgent first (RFC 9218 §10).
   */
  flush(): void {
    while (this.#sending.length > 0 && this.output.length < this.#limits.outputBytes) {
      const stream = this.#pick()
      if (stream === undefined) return
      this.#step(stream)
    }
  }

  /**
   * The streams whose content had waited too long for the peer's windows when this was asked last, and still
   * does. @param elapsed milliseconds since then
   */
  overdue(elapsed: number): Stream[] {
    const stalled = this.#sending.filter(stream => stream.queued > 0 && this.#allowance(stream) <= 0)
    const overdue = stalled.filter(stream => stream.stalled > this.#limits.stallTimeout)
    for (const stream of stalled) stream.stalled += elapsed
    return overdue
  }

  #expect(stream: Stream, bytes: number): void {
    if (!stream.headSent) throw new Error('no head has been sent')
    if (stream.ending && !stream.bodyless) throw new Error('the content has ended')
    if (stream.owed >= 0 && bytes > stream.owed) throw new RangeError('more content than Content-Length says')
  }

  /** Sends content now. @returns bytes sent; with `end`, all of them and END_STREAM, or less */
  #send(stream: Stream, bytes: Uint8Array, end: boolean): number {
    let at = 0
    while (at < bytes.length && this.output.length < this.#limits.outputBytes) {
      const left = bytes.length - at
      const count = Math.min(left, this.#allowance(stream))
      if (count <= 0) break
      this.output.frame(FrameType.DATA, end && count === left ? Flag.END_STREAM : 0, stream.id, count)
      this.output.append(count === bytes.length ? bytes : bytes.subarray(at, at + count))
      this.#spend(stream, count)
      at += count
    }
    return at
  }

  #finish(stream: Stream, data: Uint8Array, trailers: readonly Field[]): void {
    const last = trailers.length === 0
    if (data.length === 0 && last) this.output.frame(FrameType.DATA, Flag.END_STREAM, stream.id, 0)
    const sent = this.#send(stream, data, last)
    if (sent < data.length) {
      if (!last) stream.trailers = trailers
      this.#queue(stream, data, sent, data.length)
    } else if (last) this.#duties.ended(stream)
    else this.headers(stream, [], trailers, true)
  }

  /** Queues a copy of what follows `at`, as far as there is room. @returns bytes of it */
  #queue(stream: Stream, data: Uint8Array, at: number, room: number): number {
    const count = Math.min(data.length - at, room)
    if (count <= 0) return 0
    stream.queue.push(new Uint8Array(data.subarray(at, at + count)))
    stream.queued += count
    this.enqueue(stream)
    return count
  }

  #allowance(stream: Stream): number {
    return Math.min(stream.sendWindow, this.window, DATA_BYTES)
  }

  #spend(stream: Stream, count: number): void {
    stream.sendWindow -= count
    this.window -= count
    if (count < PROGRESS) return
    stream.stalled = 0
    this.#duties.progressed()
  }

  #pick(): Stream | undefined {
    let best: Stream | undefined
    for (const stream of this.#sending) {
      if (this.#allowance(stream) > 0 && (best === undefined || stream.urgency < best.urgency)) best = stream
    }
    return best
  }

  #step(stream: Stream): void {
    const count = Math.min(stream.queued, this.#allowance(stream))
    const last = stream.ending && count === stream.queued
    const end = last && stream.trailers === undefined
    this.output.frame(FrameType.DATA, end ? Flag.END_STREAM : 0, stream.id, count)
    dequeue(stream, count, bytes => this.output.append(bytes))
    this.#spend(stream, count)
    if (stream.queued === 0) stream.stalled = 0
    if (last || stream.queued === 0 || stream.incremental) {
      this.#sending = this.#sending.filter(other => other !== stream)
      if (!last && stream.queued > 0) this.#sending.push(stream)
    }
    if (stream.waiting && stream.queued <= this.#limits.queuedBytes / 2) {
      stream.waiting = false
      this.#duties.drained(stream)
    }
    if (!last) return
    if (stream.trailers !== undefined) this.headers(stream, [], stream.trailers, true)
    else this.#duties.ended(stream)
  }

  /** A block too long for one frame goes on in CONTINUATION (RFC 9113 §6.10). */
  #split(streamId: number, start: number, flags: number): void {
    const { output } = this
    const block = output.bytes.slice(start + FRAME_HEADER_LENGTH, output.length)
    const most = this.peer.maxFrameSize
    output.length = start
    for (let at = 0; at < block.length; at += most) {
      const piece = block.subarray(at, at + most)
      const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION
      const endHeaders = at + most >= block.length ? Flag.END_HEADERS : 0
      output.frame(type, (at === 0 ? flags & Flag.END_STREAM : 0) | endHeaders, streamId, piece.length)
      output.append(piece)
    }
  }
}
