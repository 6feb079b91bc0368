import type { Field } from '../message.ts'
import { H2Connection } from './connection.ts'
import { ErrorCode, H2Error, LimitError } from './error.ts'
import { Malformed, readResponse, readTrailers } from './fields.ts'
import { MAX_STREAM_ID } from './frame.ts'
import type { Entry } from './hpack/table.ts'
import { CLIENT_H2_LIMITS, type H2Limits } from './limits.ts'
import { prepare } from './outgoing.ts'
import { INITIAL_SETTINGS } from './settings.ts'
import type { H2State } from './state.ts'
import { newStream, type Stream } from './stream.ts'

/** A request to send. */
export interface H2RequestHead {
  readonly method: string
  /** Left out for CONNECT without a protocol. */
  readonly scheme?: string
  readonly authority: string
  /** Left out for CONNECT without a protocol. */
  readonly path?: string
  /** With CONNECT (RFC 8441), if the server has said that it allows it. */
  readonly protocol?: string
  readonly headers?: readonly Field[]
}

/**
 * The client's side of an HTTP/2 connection (RFC 9113), without socket or clock. Nothing is ever pushed to
 * it.
 */
export class H2Client extends H2Connection {
  /** @param state from another connection's `export`; without it, a new connection */
  constructor(limits: H2Limits = CLIENT_H2_LIMITS, state?: H2State) {
    const settings = {
      ...INITIAL_SETTINGS,
      enablePush: false,
      headerTableSize: limits.headerTableSize,
      initialWindowSize: limits.streamWindow,
      maxFrameSize: limits.frameSize,
      maxHeaderListSize: limits.headerListSize,
      noRfc7540Priorities: true,
    }
    super('client', limits, settings, state)
  }

  /** Whether {@link request} may be called now. */
  get canRequest(): boolean {
    if (this.goawayReceived !== undefined || this.goawaySent !== undefined || this.shouldClose) return false
    return this.streams.size < this.sender.peer.maxConcurrentStreams && this.lastStreamId < MAX_STREAM_ID - 1
  }

  /** Whether the server allows CONNECT with a protocol (RFC 8441). */
  get allowsProtocols(): boolean {
    return this.sender.peer.enableConnectProtocol
  }

  /**
   * Sends a request's head. @param endStream it has no content; otherwise {@link write} and {@link end}
   * follow
   * @returns the stream's id
   * @throws Error unless {@link canRequest}; TypeError for a head that must not be sent
   */
  request(head: H2RequestHead, endStream: boolean): number {
    if (!this.canRequest) throw new Error('the connection takes no more requests')
    const { method, scheme, authority, path, protocol, headers = [] } = head
    const tunnel = method === 'CONNECT'
    const lead: Field[] = [[':method', method]]
    if (scheme !== undefined) lead.push([':scheme', scheme])
    if (authority !== '') lead.push([':authority', authority])
    if (path !== undefined) lead.push([':path', path])
    if (protocol !== undefined) lead.push([':protocol', protocol])
    if (lead.some(([, value]) => !/^[\x21-\x7e]+$/.test(value)))
      throw new TypeError('a head with other characters')
    const fields = prepare(headers)
    const id = this.lastStreamId === 0 ? 1 : this.lastStreamId + 2
    const stream = newStream(id, this.sender.peer.initialWindowSize, this.initialReceiveWindow)
    this.lastStreamId = id
    this.streams.set(id, stream)
    stream.headSent = true
    stream.tunnel = tunnel
    // The answer to HEAD says how long it would be.
    stream.bodyless = method === 'HEAD'
    this.sender.headers(stream, lead, fields, endStream)
    return id
  }

  /**
   * A part of the content. @returns bytes accepted; less than all means that a `drain` event says when to go
   * on
   */
  write(streamId: number, data: Uint8Array): number {
    const stream = this.streams.get(streamId)
    return stream === undefined ? data.length : this.sender.write(stream, data)
  }

  /** Ends the request. */
  end(streamId: number, trailers?: readonly Field[]): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) this.sender.end(stream, trailers)
  }

  /** Says that no more responses are wanted than those under way. */
  shutdown(): void {
    if (this.goawaySent === undefined) this.goaway(0, ErrorCode.NO_ERROR)
  }

  protected override onShutdownPong(): void {}

  protected override onOpen(streamId: number): Stream | undefined {
    throw new H2Error('PROTOCOL_ERROR', `a server opens stream ${streamId}`)
  }

  /** The server may take its time. */
  protected override onHalfClosed(): void {}

  protected override onHeaders(
    stream: Stream,
    list: readonly Entry[],
    endStream: boolean,
    tooLong: boolean,
  ): void {
    if (tooLong) throw new LimitError('headerList', 'a head too long', stream.id)
    try {
      if (stream.headReceived) this.#onTrailers(stream, list, endStream)
      else this.#onResponse(stream, list, endStream)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      throw new H2Error('PROTOCOL_ERROR', error.message, stream.id)
    }
  }

  #onResponse(stream: Stream, list: readonly Entry[], endStream: boolean): void {
    const { status, headers, contentLength } = readResponse(list)
    const streamId = stream.id
    if (status < 200) {
      if (endStream) throw new Malformed('an informational response that ends the stream')
      this.report({ type: 'informational', streamId, status, headers })
      return
    }
    stream.headReceived = true
    const bodyless = stream.bodyless || status === 204 || status === 304
    if (!stream.tunnel || status >= 300) stream.expected = bodyless ? 0 : contentLength
    if (endStream && stream.expected > 0) throw new Malformed('no content where Content-Length promises some')
    this.report({ type: 'response', streamId, status, headers, endStream })
  }

  #onTrailers(stream: Stream, list: readonly Entry[], endStream: boolean): void {
    if (!endStream) throw new Malformed('a second head')
    if (stream.expected > 0) throw new Malformed('less content than Content-Length says')
    this.report({ type: 'trailers', streamId: stream.id, headers: readTrailers(list) })
  }
}
