import { H1Client } from '../../http/h1/index.ts'
import { type Field, header } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { HttpRequest, HttpResponse } from '../../http/serving.ts'
import {
  acceptOf,
  asksForWebSocket,
  CloseCode,
  DEFAULT_WEB_SOCKET_LIMITS,
  judgeHandshake,
  WebSocketClient,
  WebSocketServer,
} from '../../http/websocket/index.ts'
import { ConnectError, type Connected, shown, type Target } from '../connector.ts'
import { Guard } from '../guard.ts'
import { keep } from '../keep.ts'
import type { Accepted, Listener } from '../listener.ts'
import type { ServerConnection } from '../server.ts'
import type { Transport, TransportHandlers } from '../transport.ts'
import type { Kind } from './kind.ts'

/** Bytes of one binary message. */
const MESSAGE = 65_536
/** Bytes of the head that grants a WebSocket. */
const HEAD = 16_384

/** Codes that say that all has been said: a normal end, and none (RFC 6455 §7.1.5). */
const ORDERLY: ReadonlySet<number> = new Set([CloseCode.NORMAL, 1005])

/** Where the WebSocket is on its server. */
export interface WebSocketWay {
  /** Default: `/`. */
  readonly resource?: string
  /** More for the request, such as Authorization or Origin. */
  readonly headers?: readonly Field[]
}

/**
 * The binary messages of a WebSocket (RFC 6455) as a stream of bytes, over any other kind: where nothing but
 * HTTP passes.
 */
export function webSocket<Needs extends object>(
  below: Kind<Needs>,
): Kind<Needs & { readonly webSocket?: WebSocketWay }> {
  return {
    name: `WebSocket over ${below.name}`,
    async connect(target, attempt, given) {
      const { signal, clock, early: _, ...others } = attempt
      const carrier = await below.connect(target, { ...others, signal, clock, alpn: ['http/1.1'] }, given)
      const { transport } = carrier
      try {
        const rest = await ask(transport, target, given.webSocket ?? {}, signal)
        const now = (): number => clock.steady()
        const end = new WebSocketEnd(
          transport,
          new WebSocketClient(DEFAULT_WEB_SOCKET_LIMITS, now, mask),
          rest,
        )
        if (attempt.early !== undefined) end.write([attempt.early])
        return { ...carrierFacts(carrier), transport: end, alpn: undefined }
      } catch (error) {
        transport.destroy()
        throw signal.aborted ? signal.reason : error
      }
    },
  }
}

/** The protection is that of the carrier, and so is the name. */
function carrierFacts({ secure, certificateNames }: Connected): Omit<Connected, 'transport' | 'alpn'> {
  return { secure, ...(certificateNames === undefined ? {} : { certificateNames }) }
}

/** Unpredictable for each frame (RFC 6455 §5.3). */
function mask(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(4))
}

/** Opens the WebSocket. @returns what has come behind the head @throws ConnectError if the server refuses */
function ask(
  transport: Transport,
  target: Target,
  { resource = '/', headers = [] }: WebSocketWay,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
  const http = new H1Client()
  const fields: Field[] = [
    ['Host', hostField(target)],
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', key],
    ...headers,
  ]
  return new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new ConnectError('connect', `no WebSocket at ${shown(target)}${resource}: ${why}`))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    let length = 0
    transport.read({
      bytes: view => {
        length += view.length
        const [event] = http.receive(view)
        if (event === undefined) {
          if (length > HEAD) fail('an answer without an end')
        } else if (event.type !== 'upgrade') fail(event.type === 'response' ? `${event.status}` : event.type)
        else if (header(event.headers, 'sec-websocket-accept') !== acceptOf(key)) fail('the wrong key')
        else {
          transport.pause()
          resolve(event.rest)
        }
      },
      end: () => fail('the server closes'),
      error: error => fail(error.message),
    })
    transport.write([http.request({ method: 'GET', target: resource, headers: fields })])
  })
}

function hostField({ host, port }: Target): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === 0 || port === 80 || port === 443 ? name : `${name}:${port}`
}

/** Servers behind a WebSocket: a handler of HTTP gives them what asks for one. */
export class WebSocketListener implements Listener {
  readonly address = { name: 'websocket' }
  readonly #now: () => number
  #take: ((accepted: Accepted) => void) | undefined

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Answers a request for a WebSocket, and takes it as a connection. */
  accept(request: HttpRequest, response: HttpResponse, { peer, local }: ServerConnection): void {
    const handshake = judgeHandshake(request, [])
    if (this.#take === undefined || !asksForWebSocket(request.protocol)) {
      response.reply(problem({ name: 'not-found', status: 404 }))
      return
    }
    if (handshake.problem !== undefined) {
      response.reply(problem(handshake.problem))
      return
    }
    const server = new WebSocketServer(DEFAULT_WEB_SOCKET_LIMITS, undefined, this.#now)
    this.#take({ transport: new WebSocketEnd(keep(response, handshake.fields), server), peer, local })
  }

  start(take: (accepted: Accepted) => void): void {
    this.#take = take
  }

  async close(): Promise<void> {
    this.#take = undefined
  }
}

/** One end of a WebSocket as a stream of bytes: `end` is its close frame. */
class WebSocketEnd implements Transport {
  readonly #guard = new Guard(error => this.#gone(error as Error))
  readonly #below: Transport
  readonly #socket: WebSocketServer
  #handlers: TransportHandlers | undefined
  #paused = false
  /** The peer has said that it is over. */
  #closed = false
  #over = false
  #reading = false
  #fault: Error | undefined
  onDrain: (() => void) | undefined

  constructor(below: Transport, socket: WebSocketServer, rest?: Uint8Array) {
    this.#below = below
    this.#socket = socket
    if (rest !== undefined) socket.receive(rest)
    below.onDrain = this.#guard.entrance(() => {
      this.#flush()
      if (!this.queued) this.onDrain?.()
    })
  }

  get queued(): boolean {
    return this.#below.queued || this.#socket.unsent > 0
  }

  get unsent(): number {
    return this.#below.unsent + this.#socket.unsent
  }

  read(handlers: TransportHandlers): void {
    this.#handlers = handlers
    const guard = this.#guard
    this.#below.read({
      bytes: guard.entrance((view: Uint8Array) => {
        this.#socket.receive(view)
        this.#step()
      }),
      end: guard.entrance(() => this.#ended()),
      error: guard.entrance((error: Error) => this.#gone(error)),
    })
    this.#below.resume()
    queueMicrotask(guard.entrance(() => this.#step()))
  }

  pause(): void {
    this.#paused = true
    this.#below.pause()
  }

  resume(): void {
    this.#paused = false
    this.#below.resume()
    queueMicrotask(this.#guard.entrance(() => this.#step()))
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    if (this.#over || this.#socket.closing) return 'flushed'
    for (const chunk of chunks)
      for (let at = 0; at < chunk.length; at += MESSAGE) this.#socket.send(chunk.subarray(at, at + MESSAGE))
    this.#flush()
    return this.queued ? 'queued' : 'flushed'
  }

  end(): void {
    if (this.#over) return
    this.#socket.close()
    this.#flush()
    if (this.#closed) this.#below.end()
  }

  destroy(): void {
    this.#over = true
    this.#handlers = undefined
    this.onDrain = undefined
    this.#below.destroy()
  }

  #step(): void {
    if (this.#reading) return
    this.#reading = true
    try {
      while (!this.#paused && !this.#over && this.#handlers !== undefined) {
        const event = this.#socket.next()
        if (event === undefined) break
        if (event.type === 'message') {
          if (typeof event.data === 'string') this.#refuse('a text message, where bytes belong')
          else this.#handlers.bytes(event.data)
        } else if (event.type === 'close') this.#said(event.code, event.reason)
      }
    } finally {
      this.#reading = false
    }
    if (!this.#over) this.#flush()
  }

  /** The peer says that it is over, or one of us has broken a rule: that is no end of what was to come. */
  #said(code: number, reason: string): void {
    this.#closed = true
    this.#flush()
    if (ORDERLY.has(code)) {
      this.#handlers?.end()
      this.#below.end()
    } else this.#gone(new Error(`the WebSocket was closed with ${code}${reason === '' ? '' : `: ${reason}`}`))
  }

  #refuse(why: string): void {
    this.#socket.close(CloseCode.UNSUPPORTED_DATA, why)
    this.#flush()
    this.#gone(new Error(why))
  }

  #ended(): void {
    if (this.#closed) this.#gone(new Error('the stream has ended'))
    else this.#gone(new Error('the WebSocket ended without a close frame'))
  }

  #flush(): void {
    if (this.#over || this.#below.queued) return
    const output = this.#socket.takeOutput()
    if (output.length > 0) this.#below.write(output)
  }

  #gone(error: Error): void {
    if (this.#over) return
    const handlers = this.#handlers
    this.#fault ??= error
    this.destroy()
    handlers?.error(this.#fault)
  }
}
