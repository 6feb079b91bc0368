import { EMPTY, utf8 } from '../../wire/index.ts'
import { httpDate } from '../h1/response-head.ts'
import { checkTrailers, type Field, type ResponseView } from '../message.ts'
import { H2Connection } from './connection.ts'
import { ErrorCode, type Exceeded, H2Error, LimitError } from './error.ts'
import { type H2Event, requestEvent } from './event.ts'
import { Malformed, type RequestFields, readPriority, readRequest, readTrailers, wipeKeys } from './fields.ts'
import { MAX_STREAM_ID } from './frame.ts'
import type { FrameReader } from './frame-reader.ts'
import type { Entry } from './hpack/table.ts'
import { DEFAULT_H2_LIMITS, type H2Limits, spend } from './limits.ts'
import { prepare } from './outgoing.ts'
import { INITIAL_SETTINGS } from './settings.ts'
import type { H2State } from './state.ts'
import { newStream, type Stream } from './stream.ts'

/** A response's head. */
export interface H2ResponseHead {
  readonly status: number
  /** Fields about an HTTP/1 connection are left out; names are sent in lower case. */
  readonly headers?: readonly Field[]
}

/**
 * The server's side of an HTTP/2 connection (RFC 9113), without socket or clock. Bytes go in by {@link
 * receive}; {@link next} is asked for events until it has none; {@link takeOutput} gives the bytes to send. A
 * request that is announced and not yet accepted is part of the exported state, so the owner that restores it
 * is told of it again.
 */
export class H2Server extends H2Connection {
  /**
   * @param state from another connection's `export`; without it, a new connection
   * @param exceeded counts what the client overdoes
   */
  constructor(limits: H2Limits = DEFAULT_H2_LIMITS, state?: H2State, exceeded?: Exceeded) {
    const settings = {
      ...INITIAL_SETTINGS,
      headerTableSize: limits.headerTableSize,
      maxConcurrentStreams: limits.concurrentStreams,
      initialWindowSize: limits.streamWindow,
      maxFrameSize: limits.frameSize,
      maxHeaderListSize: limits.headerListSize,
      enableConnectProtocol: true,
      noRfc7540Priorities: true,
    }
    super('server', limits, settings, state, exceeded)
  }

  /** Bytes that wait to be taken, or for the windows of the client. */
  get unsent(): number {
    return this.sender.sending.reduce((sum, { queued }) => sum + queued, this.sender.output.length)
  }

  /**
   * Whether a response can be begun on that stream: its request has come, and no final head has been sent.
   */
  answerable(streamId: number): boolean {
    const stream = this.streams.get(streamId)
    return stream?.headReceived === true && !stream.headSent
  }

  /**
   * Takes the request that was announced; what has come after its head is reported now. To respond is to
   * accept.
   */
  accept(streamId: number): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) this.#accept(stream)
  }

  /**
   * Takes {@link accept} back, which only a connection that is exported at once has any use for: the owner
   * that restores it is told of the request anew.
   * @param request as it was announced @param content all that has been reported of it since
   * @throws Error for a stream that is over, or answered
   */
  withdraw(request: Extract<H2Event, { type: 'request' }>, content: readonly Uint8Array[]): void {
    const { streamId } = request
    const stream = this.streams.get(streamId)
    if (stream === undefined || stream.headSent) throw new Error('no request can be withdrawn')
    const pieces = content.map(data => ({ type: 'data', streamId, data, endStream: false }) as const)
    stream.announced = [request, ...pieces]
  }

  /**
   * Sends a response's head: any number of 1xx, then the final one. After that, {@link write} and {@link
   * end}. A stream that the client has reset swallows all of it.
   * @param now milliseconds since 1970, for Date; without it no Date is added
   * @param whole bytes of content that will follow, if they are known: a Content-Length has to say the same
   * @throws TypeError for a head that must not be sent; then another one may be tried
   */
  respond(streamId: number, head: H2ResponseHead, now?: number, whole?: number): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) this.#respond(stream, head, now, whole)
  }

  /**
   * A part of the content. @returns bytes accepted; less than all means that a `drain` event says when to go
   * on
   * @throws RangeError for more content than Content-Length says
   */
  write(streamId: number, data: Uint8Array): number {
    const stream = this.streams.get(streamId)
    return stream === undefined ? data.length : this.sender.write(stream, data)
  }

  /** Ends the content with that, all of which waits for the client's windows, however much it is. */
  complete(streamId: number, pieces: readonly Uint8Array[]): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) this.sender.complete(stream, pieces)
  }

  /** Whether the request on that stream has come whole. */
  ended(streamId: number): boolean {
    return this.streams.get(streamId)?.state === 'half-closed (remote)'
  }

  /** Bytes of a stream's content that were reported and for which the client has got no window yet. */
  unconsumed(streamId: number): number {
    return this.streams.get(streamId)?.unconsumed ?? 0
  }

  /**
   * Ends the response. @throws RangeError if content is missing; then the stream is reset; TypeError for
   * trailers that must not be sent
   */
  end(streamId: number, trailers?: readonly Field[]): void {
    const stream = this.streams.get(streamId)
    if (trailers !== undefined) checkTrailers(trailers)
    if (stream !== undefined) this.sender.end(stream, trailers)
  }

  /**
   * A whole response: {@link respond}, {@link write} and {@link end}. What the windows do not let through is
   * queued, however much it is.
   * @throws TypeError for a head that must not be sent, or a Content-Length that its content does not have;
   * then another one may be tried
   */
  reply(
    streamId: number,
    { status, headers, body }: ResponseView,
    now?: number,
    trailers: readonly Field[] = [],
  ): void {
    const stream = this.streams.get(streamId)
    if (stream === undefined) return
    checkTrailers(trailers)
    const content = body === undefined ? EMPTY : typeof body === 'string' ? utf8(body) : body
    const whole = trailers.length > 0 ? undefined : content.length
    this.#respond(stream, headers === undefined ? { status } : { status, headers }, now, whole)
    if (this.streams.has(streamId) && !stream.ending) this.sender.whole(stream, content, trailers)
  }

  /**
   * Begins to close gracefully (§6.8): first a GOAWAY that refuses nothing and a PING; when that is
   * answered, or this is called again, one that names the last request served. Then look at {@link
   * shouldClose}.
   */
  shutdown(): void {
    if (this.goawaySent === undefined) {
      this.goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR)
      this.pingForShutdown()
    } else this.onShutdownPong()
  }

  /**
   * Bytes that are kept because of the client: input that is not read, output that is not taken or waits for
   * windows, and tables. What has come behind an unaccepted request is {@link withheld}.
   */
  get held(): number {
    const { frame, decoder, sender } = this
    return frame.buffered + frame.fragment + this.unsent + decoder.size + sender.encoder.size
  }

  /** Bytes of an unaccepted request, as HTTP/2 counts its fields, and of what has come behind it. */
  withheld(streamId: number): number {
    let bytes = 0
    for (const event of this.streams.get(streamId)?.announced ?? []) {
      if (event.type === 'data') bytes += event.data.length
      else if (event.type === 'request')
        for (const [name, value] of event.headers) bytes += name.length + value.length + 32
    }
    return bytes
  }

  /** Ends the streams that have more output than that waiting for windows. @returns which */
  shed(most: number): number[] {
    const streams = [...this.sender.sending].filter(({ queued }) => queued > most).map(({ id }) => id)
    for (const id of streams) this.reset(id, ErrorCode.ENHANCE_YOUR_CALM)
    return streams
  }

  /**
   * Ends the connection for what it costs: GOAWAY with ENHANCE_YOUR_CALM. Then send what there is, and close.
   */
  calm(reason: string): void {
    this.goaway(
      Math.min(this.lastStreamId, this.goawaySent ?? this.lastStreamId),
      ErrorCode.ENHANCE_YOUR_CALM,
      utf8(reason),
    )
    for (const { id } of [...this.streams.values()]) this.reset(id, ErrorCode.ENHANCE_YOUR_CALM)
  }

  /** Bytes of output that have not been taken yet, without what waits for windows. */
  get untaken(): number {
    return this.sender.output.length
  }

  /** Whether requests have come, and no stream is left: to be asked by who has been told of none. */
  get refused(): boolean {
    return this.lastStreamId > 0 && this.streams.size === 0
  }

  /** What has been received and not yet read; to be asked when {@link next} has none. */
  get input(): Pick<FrameReader, 'inHeaders' | 'buffered'> {
    return this.frame
  }

  protected override onShutdownPong(): void {
    if (this.goawaySent === MAX_STREAM_ID) this.goaway(this.lastStreamId, ErrorCode.NO_ERROR)
  }

  protected override onOpen(streamId: number): Stream | undefined {
    if ((streamId & 1) === 0) throw new H2Error('PROTOCOL_ERROR', `a client opens stream ${streamId}`)
    if (this.goawaySent !== undefined && streamId > this.goawaySent) return undefined
    this.lastStreamId = streamId
    if (this.streams.size >= this.limits.concurrentStreams) {
      this.streams.refuse(streamId, ErrorCode.REFUSED_STREAM)
      this.exceeded.streams++
      spend(this.spent, 'resets', this.limits)
      return undefined
    }
    const stream = newStream(streamId, this.sender.peer.initialWindowSize, this.initialReceiveWindow)
    this.streams.set(streamId, stream)
    return stream
  }

  protected override onHeaders(
    stream: Stream,
    list: readonly Entry[],
    endStream: boolean,
    tooLong: boolean,
  ): void {
    try {
      if (stream.headReceived) this.#onTrailers(stream, list, endStream, tooLong)
      else if (tooLong) this.#refuseHead(stream, list)
      else this.#onRequest(stream, readRequest(list, this.settings.enableConnectProtocol), endStream)
    } catch (error) {
      wipeKeys(list)
      if (!(error instanceof Malformed)) throw error
      throw new H2Error('PROTOCOL_ERROR', error.message, stream.id)
    }
  }

  /**
   * The response is complete: the rest of the request is of no use (§8.1). In a tunnel either side
   * ends alone.
   */
  protected override onHalfClosed(stream: Stream): void {
    if (!stream.tunnel) this.reset(stream.id, ErrorCode.NO_ERROR)
  }

  #onRequest(stream: Stream, request: RequestFields, endStream: boolean): void {
    const { method, contentLength, priority } = request
    if (endStream && contentLength > 0) throw new Malformed('no content where Content-Length promises some')
    stream.headReceived = true
    stream.expected = contentLength
    stream.bodyless = method === 'HEAD'
    stream.tunnel = method === 'CONNECT'
    if (priority !== undefined) Object.assign(stream, readPriority(priority))
    const event = requestEvent(stream.id, endStream, request)
    stream.announced = [event]
    this.report(event)
  }

  #onTrailers(stream: Stream, list: readonly Entry[], endStream: boolean, tooLong: boolean): void {
    if (tooLong) throw new LimitError('headerList', 'trailers too long', stream.id)
    if (!endStream) throw new Malformed('a second head')
    if (stream.expected > 0) throw new Malformed('less content than Content-Length says')
    this.deliver(stream, { type: 'trailers', streamId: stream.id, headers: readTrailers(list) })
  }

  #refuseHead(stream: Stream, list: readonly Entry[]): void {
    wipeKeys(list)
    this.exceeded.headerList++
    spend(this.spent, 'resets', this.limits)
    this.sender.headers(stream, [[':status', '431']], [], true)
  }

  #accept(stream: Stream): void {
    if (stream.announced === undefined) return
    const held = stream.announced
    stream.announced = undefined
    for (let i = 1; i < held.length; i++) this.report(held[i]!)
  }

  #respond(
    stream: Stream,
    { status, headers = [] }: H2ResponseHead,
    now: number | undefined,
    whole: number | undefined,
  ): void {
    if (stream.headSent || !stream.headReceived) throw new Error('no request waits for a response')
    if (!Number.isInteger(status) || status < 100 || status > 999 || status === 101) {
      throw new TypeError(`the status ${status} must not be sent`)
    }
    const fields = prepare(headers)
    const length = declaredLength(fields)
    this.#accept(stream)
    const lead: Field[] = [[':status', String(status)]]
    if (status < 200) {
      if (length >= 0) throw new TypeError('Content-Length has no place in an interim response')
      this.sender.headers(stream, lead, fields, false)
      return
    }
    if (now !== undefined && !fields.some(([name]) => name === 'date')) lead.push(['date', httpDate(now)])
    const bodyless = stream.bodyless || status === 204 || status === 304
    if (!bodyless && whole !== undefined && length >= 0 && length !== whole)
      throw new TypeError(`Content-Length says ${length}, but the content has ${whole} bytes`)
    stream.headSent = true
    // RFC 9113 §8.5: what is refused is no tunnel, and nothing more is wanted of its client.
    if (status > 299) stream.tunnel = false
    stream.bodyless = bodyless
    stream.owed = bodyless ? -1 : length
    this.sender.headers(stream, lead, fields, bodyless || whole === 0)
  }
}

/** What Content-Length says; -1 without one. @throws TypeError unless it is one number */
function declaredLength(fields: readonly Field[]): number {
  let length = -1
  for (const [name, value] of fields) {
    if (name !== 'content-length') continue
    if (!/^[0-9]{1,15}$/.test(value) || (length !== -1 && length !== Number(value))) {
      throw new TypeError('Content-Length is not one number of bytes')
    }
    length = Number(value)
  }
  return length
}
