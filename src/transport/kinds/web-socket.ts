import type { Field } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { HttpRequest, HttpResponse } from '../../http/serving.ts'
import {
  askingFields,
  asksForWebSocket,
  CloseCode,
  DEFAULT_WEB_SOCKET_LIMITS,
  frameMask,
  handshakeKey,
  isAccepted,
  judgeHandshake,
  WebSocketClient,
  WebSocketServer,
} from '../../http/websocket/index.ts'
import { errorOf } from '../../wire/thrown.ts'
import { ConnectError, type Connected, shown, type Target } from '../connector.ts'
import { Guard } from '../guard.ts'
import { keep } from '../keep.ts'
import type { Accepted, Listener } from '../listener.ts'
import type { ServerConnection } from '../server.ts'
import type { Transport, TransportHandlers } from '../transport.ts'
import { NotGranted, upgraded } from '../upgrade.ts'
import type { Kind } from './kind.ts'

/** Bytes of one binary message. */
const MESSAGE = 65_536

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
        const opened = await ask(transport, target, given.webSocket ?? {}, signal)
        const socket = new WebSocketClient(DEFAULT_WEB_SOCKET_LIMITS, () => clock.steady(), frameMask)
        const end = new WebSocketEnd(opened, socket, () => opened.end())
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

/** Opens the WebSocket. @throws ConnectError if the server refuses */
async function ask(
  transport: Transport,
  target: Target,
  { resource = '/', headers = [] }: WebSocketWay,
  signal: AbortSignal,
): Promise<Transport> {
  const key = handshakeKey()
  const host: Field = ['Host', hostField(target)]
  const wish = { method: 'GET', target: resource, headers: [host, ...askingFields(key), ...headers] }
  const fail = (why: string): never => {
    throw new ConnectError('connect', `no WebSocket at ${shown(target)}${resource}: ${why}`)
  }
  try {
    const granted = await upgraded(transport, wish, signal)
    if (!isAccepted(granted.fields, key)) fail('the wrong key')
    return granted.transport
  } catch (error) {
    if (error instanceof NotGranted) return fail(error.message)
    throw error
  }
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
    const kept = keep(response, handshake.fields)
    // Ours is the side that closes (RFC 6455 §7.1.1), both ways.
    const transport = new WebSocketEnd(kept, server, () => kept.destroy())
    this.#take({ transport, peer, local })
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
  readonly #guard = new Guard(error => this.#gone(errorOf(error)))
  readonly #below: Transport
  readonly #socket: WebSocketServer
  readonly #bye: () => void
  #handlers: TransportHandlers | undefined
  #paused = false
  /** The peer has said that it is over. */
  #closed = false
  #over = false
  #reading = false
  #fault: Error | undefined
  onDrain: (() => void) | undefined

  /** @param bye ends what lies below, when all has been said */
  constructor(below: Transport, socket: WebSocketServer, bye: () => void) {
    this.#below = below
    this.#socket = socket
    this.#bye = bye
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
    if (this.#closed) this.#bye()
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
      this.#bye()
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
