import { EMPTY, utf8 } from '../../wire/index.ts'
import { latin1 } from '../h1/syntax.ts'
import { ErrorCode, type Exceeded, H2Error, LimitError, noneExceeded } from './error.ts'
import type { H2Event } from './event.ts'
import { readPriority } from './fields.ts'
import * as frames from './frame.ts'
import { Flag, FrameType } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import type { Entry } from './hpack/table.ts'
import { earn, exportSpent, type H2Limits, replenish, type Spent, spend } from './limits.ts'
import { Receiver } from './receiver.ts'
import { Sender } from './sender.ts'
import { INITIAL_SETTINGS, type Settings, writeSettings } from './settings.ts'
import type { H2State } from './state.ts'
import { type Stream, type StreamEvent, TRANSITIONS } from './stream.ts'
import { Streams } from './streams.ts'

/** What the PING says whose answer shows that the peer has read our first GOAWAY. */
const SHUTDOWN_PING = utf8('shutdown')

type Role = 'server' | 'client'

/**
 * What both ends of an HTTP/2 connection do (RFC 9113): frames in, events and frames out. Neither socket nor
 * clock.
 */
export abstract class H2Connection {
  protected readonly role: Role
  protected readonly limits: H2Limits
  protected readonly streams: Streams
  protected readonly sender: Sender
  protected readonly spent: Spent
  /**
   * What the peer has overdone while the connection was here. The container that counts keeps it: it does not
   * move.
   */
  protected readonly exceeded: Exceeded
  protected readonly frame: FrameReader
  /** What we have said; in force for the peer once acknowledged. */
  protected readonly settings: Settings
  /** The highest stream that has been opened. */
  protected lastStreamId: number
  protected goawaySent: number | undefined
  protected goawayReceived: number | undefined
  protected readonly decoder: HpackDecoder
  readonly #receiver: Receiver
  #events: H2Event[] = []
  #delivered = 0
  #acknowledged: boolean
  #settingsWaited: number
  #over = false

  protected constructor(role: Role, limits: H2Limits, own: Settings, state?: H2State, exceeded?: Exceeded) {
    this.exceeded = exceeded ?? noneExceeded()
    if (state !== undefined && state.role !== role) throw new TypeError(`the state of a ${state.role}`)
    this.role = role
    this.limits = limits
    this.settings = { ...(state?.settings ?? own) }
    const duties = {
      // Two updates for a frame of content, one for its stream and one for the connection, are fair.
      progressed: () => earn(this.spent, 'empty', 2),
      ended: (stream: Stream) => this.#ended(stream),
      broken: ({ id }: Stream) => this.reset(id, ErrorCode.INTERNAL_ERROR),
      drained: ({ id }: Stream) => this.report({ type: 'drain', streamId: id }),
    }
    this.sender = new Sender(limits, duties, state)
    this.decoder = new HpackDecoder(INITIAL_SETTINGS.headerTableSize, state?.decoder)
    this.spent = { ...(state?.spent ?? { resets: 0, control: 0, empty: 0 }) }
    this.lastStreamId = state?.lastStreamId ?? 0
    this.goawaySent = state?.goawaySent
    this.goawayReceived = state?.goawayReceived
    this.#receiver = new Receiver(this.sender.output, limits, this.settings, state)
    this.streams = new Streams(this.sender, this.#receiver, state)
    this.frame = new FrameReader(role, limits, state)
    this.#acknowledged = state?.settingsAcknowledged ?? false
    this.#settingsWaited = state?.settingsWaited ?? 0
    if (state === undefined) this.#begin()
    else this.#resume()
  }

  /**
   * Bytes from the peer, in any pieces, borrowed until {@link next} has returned undefined or this is called
   * again.
   */
  receive(bytes: Uint8Array): void {
    if (!this.#over) this.frame.push(bytes)
  }

  /** The next event; undefined if it takes more bytes. Then take the output. */
  next(): H2Event | undefined {
    for (;;) {
      if (this.#delivered < this.#events.length) {
        const event = this.#events[this.#delivered++]!
        if (this.#delivered === this.#events.length) {
          this.#events = []
          this.#delivered = 0
        }
        return event
      }
      if (this.#over) return undefined
      try {
        if (!this.frame.read()) return undefined
        this.#onFrame(this.frame)
      } catch (error) {
        if (!(error instanceof H2Error)) throw error
        this.#fault(error)
      }
    }
  }

  /**
   * Frames to send, in memory of its own. Ask again until there is nothing: more may have become possible.
   * What waited for room may give `drain` events, so ask {@link next} as well.
   */
  takeOutput(): Uint8Array {
    const taken = this.sender.output.take()
    this.sender.flush()
    return taken
  }

  /** The application has done with so many bytes of a stream's content: the peer may send as many more. */
  consume(streamId: number, count: number): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) this.#receiver.consume(stream, count)
  }

  /** Ends a stream by RST_STREAM; one that is over already is left alone. Nothing more is reported of it. */
  reset(streamId: number, code: number = ErrorCode.CANCEL): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) this.streams.reset(stream, code)
  }

  /**
   * Time has passed: what the peer owes us may be overdue, and budgets fill up again. What was overdue is
   * judged a call later: a process that was away for so long reads first what has come meanwhile.
   * @param elapsed milliseconds since the last call
   */
  tick(elapsed: number): void {
    if (this.#over) return
    replenish(this.spent, this.limits, elapsed)
    if (!this.#acknowledged && this.#settingsWaited > this.limits.settingsTimeout)
      this.#fault(new LimitError('settings', 'our SETTINGS were not acknowledged'))
    if (!this.#acknowledged) this.#settingsWaited += elapsed
    for (const { id } of this.sender.overdue(elapsed))
      this.#fault(new LimitError('stall', 'the peer takes no content', id))
  }

  /** Streams that are open or half closed. */
  get openStreams(): number {
    return this.streams.size
  }

  /** Events wait to be pulled: {@link export} has to wait for that. */
  get reporting(): boolean {
    return this.#events.length > 0
  }

  /** No stream is open, nothing is half read, and nothing waits to be sent or reported. */
  get quiescent(): boolean {
    const idle = this.streams.size === 0 && this.frame.idle && !this.reporting
    return idle && this.sender.output.length === 0 && !this.#over
  }

  /** There is nothing more to do here: send what is there, and close. */
  get shouldClose(): boolean {
    if (this.#over) return true
    const last = this.goawaySent !== undefined && this.goawaySent < frames.MAX_STREAM_ID
    return this.streams.size === 0 && (last || this.goawayReceived !== undefined)
  }

  /** Keys that requests brought are overwritten: nothing is read any more. */
  forget(): void {
    this.decoder.forget()
  }

  /**
   * The connection as a value, at any byte. @param keyless without the keys of requests that were accepted
   * @throws Error if events wait to be pulled, or after the end
   */
  export(keyless = false): H2State {
    if (this.#events.length > 0) throw new Error('pull all events before the connection is exported')
    if (this.#over) throw new Error('the connection is over')
    const { inbound, prefaceRead, peerSettingsRead, block } = this.frame.export()
    const { receiveWindow, returned } = this.#receiver.window
    const { resetStreams, streams } = this.streams.export()
    return {
      role: this.role,
      inbound,
      prefaceRead,
      peerSettingsRead,
      block,
      outbound: this.sender.output.copy(),
      settingsAcknowledged: this.#acknowledged,
      settingsWaited: Math.round(this.#settingsWaited),
      settings: { ...this.settings },
      peerSettings: { ...this.sender.peer },
      decoder: this.decoder.export(keyless),
      encoder: this.sender.encoder.export(),
      sendWindow: this.sender.window,
      receiveWindow,
      returned,
      lastStreamId: this.lastStreamId,
      goawaySent: this.goawaySent,
      goawayReceived: this.goawayReceived,
      spent: exportSpent(this.spent),
      resetStreams,
      streams,
      sending: this.sender.sending.map(stream => stream.id),
    }
  }

  /** A header block of a stream that the peer may use. */
  protected abstract onHeaders(
    stream: Stream,
    list: readonly Entry[],
    endStream: boolean,
    tooLong: boolean,
  ): void
  /** A stream that the peer opens; undefined if it is refused. @throws H2Error if the peer may not */
  protected abstract onOpen(streamId: number): Stream | undefined
  /** END_STREAM was sent on a stream that the peer has not ended. */
  protected abstract onHalfClosed(stream: Stream): void

  protected report(event: H2Event): void {
    this.#events.push(event)
  }

  /** Reports what came on a stream, or holds it back until its request is accepted. */
  protected deliver(stream: Stream, event: H2Event): void {
    if (stream.announced === undefined) this.#events.push(event)
    else stream.announced.push(event)
  }

  /**
   * The initial window of a stream that is opened now: before the acknowledgement the peer knows only the
   * default.
   */
  protected get initialReceiveWindow(): number {
    return (this.#acknowledged ? this.settings : INITIAL_SETTINGS).initialWindowSize
  }

  protected goaway(lastStreamId: number, code: number, debug: Uint8Array = EMPTY): void {
    this.sender.output.goaway(lastStreamId, code, debug)
    this.goawaySent = lastStreamId
  }

  /** Sends the PING whose answer ends the first step of a shutdown. */
  protected pingForShutdown(): void {
    this.sender.output.ping(0, SHUTDOWN_PING)
  }

  /** The peer has read our first GOAWAY. */
  protected abstract onShutdownPong(): void

  #begin(): void {
    const { output } = this.sender
    if (this.role === 'client') output.append(utf8(frames.CLIENT_PREFACE))
    writeSettings(output, this.settings)
    this.#receiver.open()
  }

  /** What was announced and not accepted is announced again. */
  #resume(): void {
    for (const { announced } of this.streams.values()) if (announced !== undefined) this.report(announced[0]!)
  }

  #onFrame(frame: FrameReader): void {
    const { type, streamId, bytes, start } = frame
    if (type === FrameType.DATA) this.#onData(frame)
    else if (type === FrameType.HEADERS) this.#onBlock(frame)
    else if (type === FrameType.WINDOW_UPDATE) this.#onWindowUpdate(streamId, frames.readUint31(bytes, start))
    else if (type === FrameType.RST_STREAM) this.#onReset(streamId, frames.readUint32(bytes, start))
    else this.#onControl(frame)
  }

  #onControl({ type, flags, bytes, start, end }: FrameReader): void {
    spend(this.spent, 'control', this.limits)
    const ack = (flags & Flag.ACK) !== 0
    if (type === FrameType.SETTINGS && ack) this.#onSettingsAck()
    else if (type === FrameType.SETTINGS) {
      this.sender.onSettings(bytes.subarray(start, end), this.role, this.streams.values())
    } else if (type === FrameType.PING) this.#onPing(ack, bytes.subarray(start, end))
    else if (type === FrameType.GOAWAY) this.#onGoaway(bytes, start, end)
    else if (type === FrameType.PUSH_PROMISE) throw new H2Error('PROTOCOL_ERROR', 'a forbidden push')
    else if (type === FrameType.PRIORITY_UPDATE) this.#onPriorityUpdate(bytes, start, end)
    // PRIORITY means nothing any more; ALTSVC, ORIGIN and whatever we do not know are ignored.
  }

  #onData({ streamId, length, endStream, bytes, start, end }: FrameReader): void {
    const size = end - start
    this.#receiver.takeIn(length)
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      this.#receiver.credit(length)
      this.#onClosed(streamId, 'recv DATA')
      return
    }
    // From here on whatever ends the stream gives its bytes back to the connection.
    stream.unconsumed += length
    this.streams.advance(stream, 'recv DATA')
    this.#receiver.content(stream, length, size, endStream, this.spent)
    if (size > 0 || endStream) {
      const data = size === 0 ? EMPTY : new Uint8Array(bytes.subarray(start, end))
      this.deliver(stream, { type: 'data', streamId, data, endStream })
    }
    if (endStream) this.streams.advance(stream, 'recv ES')
  }

  #onBlock({ streamId, endStream, bytes, start, end }: FrameReader): void {
    // Whatever becomes of the stream, the tables of both sides have to stay the same.
    const list = this.decoder.decode(bytes, start, end, this.settings.maxHeaderListSize)
    const { oversized } = this.decoder
    const known = this.streams.get(streamId)
    if (known === undefined && streamId <= this.lastStreamId && streamId & 1) {
      this.#onClosed(streamId, 'recv H')
      return
    }
    const stream = known ?? this.onOpen(streamId)
    if (stream === undefined) return
    if (known !== undefined) this.streams.advance(stream, 'recv H')
    this.onHeaders(stream, list, endStream, oversized)
    if (endStream && this.streams.has(streamId)) this.streams.advance(stream, 'recv ES')
  }

  /**
   * A frame on a stream that is not there. Streams that we have reset, or will not serve, are passed over.
   */
  #onClosed(streamId: number, event: StreamEvent): void {
    if (this.goawaySent !== undefined && streamId > this.goawaySent) return
    const idle = streamId > this.lastStreamId || (streamId & 1) === 0
    spend(this.spent, 'control', this.limits)
    if (!idle && this.streams.wasReset(streamId)) return
    const next = TRANSITIONS[idle ? 'idle' : 'closed'][event]
    if (typeof next !== 'string') throw new H2Error(next.error, `${event} on stream ${streamId}`)
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    spend(this.spent, 'empty', this.limits)
    if (increment === 0) throw new H2Error('PROTOCOL_ERROR', 'WINDOW_UPDATE by nothing', streamId)
    const stream = this.streams.get(streamId)
    if (streamId !== 0 && stream === undefined) this.#onClosed(streamId, 'recv WINDOW_UPDATE')
    else this.sender.widen(stream, increment)
  }

  #onReset(streamId: number, code: number): void {
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      this.#onClosed(streamId, 'recv R')
      return
    }
    spend(this.spent, 'resets', this.limits)
    this.streams.advance(stream, 'recv R')
    const retryable = code === ErrorCode.REFUSED_STREAM
    this.report({ type: 'reset', streamId, code, origin: 'peer', retryable })
  }

  #onSettingsAck(): void {
    if (this.#acknowledged) throw new H2Error('PROTOCOL_ERROR', 'an acknowledgement of nothing')
    this.#acknowledged = true
    const change = this.settings.initialWindowSize - INITIAL_SETTINGS.initialWindowSize
    for (const stream of this.streams.values()) stream.receiveWindow += change
    this.decoder.setLimit(this.settings.headerTableSize)
  }

  #onPing(ack: boolean, payload: Uint8Array): void {
    if (ack) {
      if (payload.every((byte, i) => byte === SHUTDOWN_PING[i])) this.onShutdownPong()
      return
    }
    this.sender.output.ping(Flag.ACK, payload)
  }

  #onGoaway(bytes: Uint8Array, start: number, end: number): void {
    const lastStreamId = frames.readUint31(bytes, start)
    const code = frames.readUint32(bytes, start + 4)
    if (this.goawayReceived !== undefined && lastStreamId > this.goawayReceived) {
      throw new H2Error('PROTOCOL_ERROR', 'a GOAWAY that takes back another')
    }
    this.goawayReceived = lastStreamId
    this.report({ type: 'goaway', lastStreamId, code, debug: new Uint8Array(bytes.subarray(start + 8, end)) })
    if (this.role === 'server') return
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStreamId) continue
      this.streams.close(stream)
      const reset = { streamId: stream.id, code: ErrorCode.REFUSED_STREAM, retryable: true } as const
      this.report({ type: 'reset', origin: 'peer', ...reset })
    }
  }

  /**
   * RFC 9218 §7.1. What is said before its stream is there is not kept: the request's own field says
   * it as well.
   */
  #onPriorityUpdate(bytes: Uint8Array, start: number, end: number): void {
    const streamId = frames.readUint31(bytes, start)
    if (this.role === 'client' || streamId === 0) throw new H2Error('PROTOCOL_ERROR', 'PRIORITY_UPDATE')
    const text = latin1(bytes, start + 4, Math.min(end, start + 260), false)
    Object.assign(this.streams.get(streamId) ?? {}, readPriority(text))
  }

  /** The one place where what was thrown becomes frames (§5.4). */
  #fault(error: H2Error): void {
    if (error instanceof LimitError) this.exceeded[error.limit]++
    if (error.scope === 'stream') {
      const { code, streamId } = error
      const stream = this.streams.get(streamId)
      if (stream === undefined && streamId > this.lastStreamId) {
        this.#fault(new H2Error('PROTOCOL_ERROR', error.message))
        return
      }
      if (stream === undefined) this.streams.refuse(streamId, code)
      else this.streams.reset(stream, code)
      // A request that was never announced needs no end.
      if (stream?.headReceived || (stream !== undefined && this.role === 'client'))
        this.report({ type: 'reset', streamId, code, origin: 'local', retryable: false })
      try {
        spend(this.spent, 'resets', this.limits)
      } catch (spent) {
        this.#fault(spent as H2Error)
      }
      return
    }
    const last = this.role === 'server' ? this.lastStreamId : 0
    this.goaway(Math.min(last, this.goawaySent ?? last), error.code, utf8(error.message))
    this.#over = true
    this.exceeded.failed++
    this.streams.clear()
    this.frame.clear()
    this.report({ type: 'error', code: error.code, reason: error.message })
  }

  #ended(stream: Stream): void {
    this.streams.advance(stream, 'send ES')
    if (stream.state !== 'closed') {
      this.onHalfClosed(stream)
      return
    }
    earn(this.spent, 'resets')
    earn(this.spent, 'control')
  }
}
