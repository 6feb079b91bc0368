import type { H2RequestHead } from '../http/h2/client.ts'
import { ErrorCode, H2Client, type H2Event, type H2Limits, type H2State } from '../http/h2/index.ts'
import { CLIENT_H2_LIMITS } from '../http/h2/limits.ts'
import type { Field } from '../http/message.ts'
import { Connection, type ConnectionOwner, type ConnectionSettings, INTERIM } from './connection.ts'
import { ClientError } from './error.ts'
import type { Exchange, Seen } from './exchange.ts'
import { H2Stream, type StreamBeginning, type StreamOwner } from './h2-stream.ts'
import type { Carried } from './moving.ts'
import { pathOf } from './outgoing.ts'
import type { ClientApplication } from './state.ts'
import { H2Tunnel } from './upgrade/h2-tunnel.ts'

const LIMITS: H2Limits = {
  ...CLIENT_H2_LIMITS,
  streamWindow: 1_048_576,
  // Responses that are not read must not keep others from coming: room for each of a hundred.
  connectionWindow: 134_217_728,
  headerListSize: 65_536,
  headerBlockBytes: 65_536,
}
/** Where one stream has the connection for itself: little waits for its reader, and may have to move. */
const EXCLUSIVE_LIMITS: H2Limits = { ...LIMITS, streamWindow: 262_144, connectionWindow: 1_048_576 }
/** Milliseconds between two looks at what has run out. */
const TICK = 500
/** Streams before the server has said how many it allows: no fewer, one hopes (RFC 9113 §6.5.2). */
const UNTOLD = 100

/** Where a connection was. */
export interface H2Beginning {
  readonly sent: number
  readonly http: H2State
  readonly streams: readonly (StreamBeginning & { readonly id: number; readonly exchange: Exchange })[]
}

/** A connection that speaks HTTP/2: many requests at once. */
export class H2Connection extends Connection implements StreamOwner {
  readonly protocol = 'h2'
  readonly #http: H2Client
  readonly #streams = new Map<number, H2Stream>()
  readonly #tunnels = new Map<number, H2Tunnel>()
  #ticked: number
  #idleSince: number
  /** The server has spoken: its SETTINGS come first. */
  #greeted = false
  #greet: () => void = () => {}
  /** Fulfilled when that is so, or the connection is over. */
  readonly greeting: Promise<void>
  #receiving = false
  #scheduled = false
  readonly #soon = this.guard.entrance(() => {
    this.#scheduled = false
    this.#flush()
  })

  /** @param state where it was in another process */
  constructor(connected: Carried, owner: ConnectionOwner, settings: ConnectionSettings, state?: H2Beginning) {
    super(connected, owner, settings)
    this.#http = new H2Client(settings.exclusive === true ? EXCLUSIVE_LIMITS : LIMITS, state?.http)
    this.sent = state?.sent ?? 0
    this.#greeted = state?.http.peerSettingsRead ?? false
    this.greeting = new Promise(resolve => {
      this.#greet = resolve
    })
    if (this.#greeted) this.#greet()
    this.#ticked = this.#idleSince = settings.clock.steady()
    for (const one of state?.streams ?? []) {
      const stream = new H2Stream(one.id, one.exchange, this)
      stream.resume(one)
      this.#streams.set(one.id, stream)
      one.exchange.begin(stream, true)
    }
    this.open()
    this.guard.run(() => {
      this.#events()
      this.#flush()
    })
    this.ring(TICK)
    this.hold(this.underway > 0)
    // One of the two sides has said that it takes no more requests.
    if (state?.http.goawayReceived !== undefined || state?.http.goawaySent !== undefined) this.drain()
  }

  protected get obstacle(): string | undefined {
    if (this.#tunnels.size > 0) return 'one of its streams speaks another protocol'
    for (const stream of this.#streams.values()) {
      const why = stream.obstacle ?? stream.exchange.obstacle
      if (why !== undefined) return why
    }
    return undefined
  }

  protected export(): ClientApplication {
    this.ring(0)
    const exchanges = [...this.#streams.values()].map(stream => stream.export())
    return { protocol: 'h2', sent: this.sent, http: this.#http.export(), exchanges }
  }

  get connection(): this {
    return this
  }

  protected thaw(): void {
    this.#flush()
  }

  get room(): number {
    if (this.settings.exclusive === true && this.underway > 0) return 0
    const allowed = this.#greeted || this.#http.openStreams < UNTOLD
    return !this.closing && allowed && this.#http.canRequest ? 1 : 0
  }

  get underway(): number {
    return this.#streams.size + this.#tunnels.size
  }

  /** The server's SETTINGS are there; false after {@link greeting}: the connection ended before. */
  get greeted(): boolean {
    return this.#greeted
  }

  /** Whether it takes a {@link tunnel} now (RFC 8441 §3). */
  get takesTunnels(): boolean {
    return this.room > 0 && this.#greeted && this.#http.allowsProtocols
  }

  /**
   * Asks for another protocol on a stream. Only if it {@link takesTunnels}.
   * @throws TypeError for a head that must not be sent
   */
  tunnel(head: H2RequestHead): H2Tunnel {
    const id = this.#http.request(head, false)
    if (this.underway === 0) this.hold(true)
    this.sent++
    const tunnel = new H2Tunnel(id, this)
    this.#tunnels.set(id, tunnel)
    this.#wake()
    return tunnel
  }

  send(exchange: Exchange): void {
    this.guard.run(() => this.#send(exchange))
  }

  #send(exchange: Exchange): void {
    const { method, url, fields, content, length } = exchange.outgoing
    const headers: Field[] = [...fields]
    const streams = content instanceof ReadableStream
    const size = streams ? length : content?.length
    if (size !== undefined) headers.push(['content-length', String(size)])
    const scheme = url.protocol.slice(0, -1)
    const waits = content !== undefined && fields.some(field => isExpectation(field))
    let id: number
    try {
      const head = { method, scheme, authority: url.host, path: pathOf(url), headers }
      id = this.#http.request(head, content === undefined)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      exchange.fail(error, 'answered')
      return
    }
    if (this.underway === 0) this.hold(true)
    const stream = new H2Stream(id, exchange, this)
    this.#streams.set(id, stream)
    exchange.begin(stream, this.sent++ > 0)
    if (content !== undefined) stream.give(content, waits)
    this.#wake()
  }

  override close(): void {
    super.close()
    this.#greet()
  }

  /** Of one stream: see {@link H2Client.write}. */
  write(id: number, bytes: Uint8Array): number {
    const taken = this.#http.write(id, bytes)
    this.#wake()
    return taken
  }

  /** Ends the content. */
  end(id: number): void {
    this.#http.end(id)
    this.#wake()
  }

  consumed(id: number, bytes: number): void {
    this.#http.consume(id, bytes)
    this.#wake()
  }

  /** Ends a stream; nothing more is reported of it. */
  reset(id: number, code: number = ErrorCode.CANCEL): void {
    this.#http.reset(id, code)
    this.forget(id)
    this.#wake()
  }

  /** Milliseconds of a clock that only goes forward. */
  get now(): number {
    return this.settings.clock.steady()
  }

  protected onBytes(view: Uint8Array): void {
    this.#http.receive(view)
    this.#receiving = true
    try {
      this.#events()
    } finally {
      this.#receiving = false
    }
    this.#flush()
    if (this.#greeted || this.over) return
    this.#greeted = true
    this.#greet()
    this.owner.available(this)
  }

  protected onEnd(): void {
    if (this.underway === 0) this.close()
    else this.fail(new ClientError('protocol', 'the connection ended before the response'))
  }

  protected onDrain(): void {
    this.#flush()
  }

  protected onTime(): void {
    const { now } = this
    this.#http.tick(now - this.#ticked)
    this.#ticked = now
    const { idle } = this.settings.timeouts
    if (this.underway === 0 && idle > 0 && now - this.#idleSince >= idle) {
      this.#http.shutdown()
      this.#flush()
      this.close()
      return
    }
    for (const stream of this.#streams.values()) this.#judge(stream, now)
    this.#flush()
    this.ring(TICK)
  }

  #judge(stream: H2Stream, now: number): void {
    const { answered, since, exchange } = stream
    if (stream.waits && now - since >= TICK) stream.proceed()
    const which = answered ? 'body' : 'headers'
    const most = this.settings.timeouts[which]
    if (most === 0 || now - since < most || (answered && exchange.full)) return
    this.reset(stream.id)
    stream.fail(this.late(which, answered ? 'no more of the response' : 'no response'))
  }

  protected failAll(error: ClientError, seen?: Seen): void {
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    const tunnels = [...this.#tunnels.values()]
    this.#tunnels.clear()
    this.#greet()
    for (const tunnel of tunnels) tunnel.fail(error)
    for (const stream of streams) stream.fail(error, seen)
  }

  #events(): void {
    for (let event = this.#http.next(); event !== undefined; event = this.#http.next()) {
      if (this.over) return
      this.#on(event)
    }
    if (this.over) return
    for (const stream of this.#streams.values()) if (stream.answered) stream.exchange.settle()
  }

  #on(event: H2Event): void {
    if (event.type === 'goaway') {
      this.drain()
      return
    }
    if (event.type === 'error') {
      const { code, reason } = event
      this.#flush()
      this.fail(new ClientError('protocol', reason, { http2Code: code }))
      return
    }
    const stream = this.#streams.get(event.streamId)
    if (stream === undefined) {
      this.#onTunnel(event)
      return
    }
    stream.since = this.now
    switch (event.type) {
      case 'informational':
        if (stream.inform(event.status, event.headers)) return
        this.reset(event.streamId, ErrorCode.ENHANCE_YOUR_CALM)
        stream.fail(new ClientError('protocol', `more than ${INTERIM} interim responses`))
        return
      case 'response':
        stream.respond(event.status, event.headers)
        if (event.endStream) this.#ended(stream, [])
        return
      case 'data':
        stream.exchange.data(event.data)
        if (event.endStream) this.#ended(stream, [])
        return
      case 'trailers':
        this.#ended(stream, event.headers)
        return
      case 'drain':
        stream.drained()
        return
      case 'reset': {
        const { code, retryable } = event
        this.forget(event.streamId)
        const what = `the stream was reset (${nameOf(code)})`
        stream.fail(new ClientError('protocol', what, { http2Code: code }), retryable ? 'nothing' : undefined)
      }
    }
  }

  #onTunnel(event: Exclude<H2Event, { readonly type: 'goaway' | 'error' }>): void {
    const tunnel = this.#tunnels.get(event.streamId)
    switch (event.type) {
      case 'informational':
        tunnel?.inform()
        return
      case 'response':
        tunnel?.respond(event.status, event.headers, event.endStream)
        return
      case 'data':
        tunnel?.data(event.data, event.endStream)
        return
      case 'trailers':
        tunnel?.inputEnded()
        return
      case 'drain':
        tunnel?.drained()
        return
      case 'reset': {
        const { code } = event
        this.forget(event.streamId)
        const what = `the stream was reset (${nameOf(code)})`
        tunnel?.fail(new ClientError('protocol', what, { http2Code: code }))
      }
    }
  }

  #ended(stream: H2Stream, trailers: readonly Field[]): void {
    // What is left of the request is not wanted (RFC 9113 §8.1).
    if (stream.uploading) this.#http.reset(stream.id, ErrorCode.NO_ERROR)
    stream.end(trailers)
    this.forget(stream.id)
  }

  /** Nothing more comes of a stream. */
  forget(id: number): void {
    if (!this.#streams.delete(id) && !this.#tunnels.delete(id)) return
    if (this.underway === 0) {
      this.#idleSince = this.now
      this.hold(false)
    }
    if (this.over) return
    if (this.closing && this.underway === 0) {
      this.#flush()
      this.close()
    } else this.owner.available(this)
  }

  /** Small things that are said one after the other leave together. */
  #wake(): void {
    if (this.#receiving || this.#scheduled || this.over) return
    this.#scheduled = true
    queueMicrotask(this.#soon)
  }

  #flush(): void {
    while (!this.over && !this.frozen && !this.transport.queued) {
      const bytes = this.#http.takeOutput()
      if (bytes.length === 0) break
      this.transport.write([bytes])
      this.#events()
    }
  }
}

function isExpectation([name, value]: Field): boolean {
  return name.toLowerCase() === 'expect' && value.toLowerCase() === '100-continue'
}

/** A code by its name. */
function nameOf(code: number): string {
  const [name] = Object.entries(ErrorCode).find(([, value]) => value === code) ?? []
  return name ?? `0x${code.toString(16)}`
}
