import { randomBytes } from 'node:crypto'
import { request as open } from 'node:http'
import type { Duplex } from 'node:stream'
import { header } from '../../http/message.ts'
import { acceptOf, WebSocketClient } from '../../http/websocket/index.ts'
import type { Clock } from '../../time/clock.ts'
import { concat } from '../../wire/index.ts'
import type { Socket, SocketContext, SocketHandlers } from '../web-socket.ts'
import { type Endpoint, toAgent } from './endpoint.ts'
import { fieldsToProgram, pairsOf } from './fields.ts'
import { room } from './pour.ts'

/** What a program may say in one message, and how many frames with hardly any content: it is ours. */
const LIMITS = { messageBytes: 16_777_216, frames: { perSecond: 100_000, burst: 1_000_000 } }
/** Milliseconds that a program has to answer the handshake, and to say goodbye. */
const HANDSHAKE = 10_000
const FAREWELL = 1000
/** Codes that are said in place of what cannot be (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001
const POLICY_VIOLATION = 1008
const INTERNAL_ERROR = 1011

/** What a WebSocket asks of the platform. */
export interface SocketOptions {
  /** Where the program listens; undefined if it does not. */
  readonly ready: () => Promise<Endpoint | undefined> | Endpoint
  readonly clock: Clock
}

/**
 * One client's WebSocket, passed on to one of the program's: message by message, each side as fast as the
 * other one takes it. The client's has been granted by then; if the program refuses, it is closed with 1008.
 */
export class ProgramSocket implements SocketHandlers {
  readonly #socket: Socket
  readonly #context: SocketContext
  readonly #clock: Clock
  readonly #core: WebSocketClient
  readonly #opened: Promise<void>
  #stream: Duplex | undefined
  #over = false

  constructor(socket: Socket, context: SocketContext, { ready, clock }: SocketOptions) {
    this.#socket = socket
    this.#context = context
    this.#clock = clock
    this.#core = new WebSocketClient(
      LIMITS,
      () => clock.steady(),
      () => randomBytes(4),
    )
    this.#opened = this.#open(ready).catch(error => this.#refused(error as Error))
  }

  /** @returns a promise of the moment when the program takes more */
  message(data: string | Uint8Array): Promise<void> | undefined {
    if (this.#stream === undefined) return this.#opened.then(() => this.#send(data))
    return this.#send(data)
  }

  /** The client's side is over: the program is told with the same code, as far as that can be said. */
  closed(code: number, reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#core.close(code === 1005 ? 1000 : code === 1006 ? GOING_AWAY : code, reason)
    this.#flush()
    const stream = this.#stream
    if (stream === undefined) return
    const timer = this.#clock.after(FAREWELL, () => stream.destroy())
    stream.once('close', () => timer.stop())
  }

  #send(data: string | Uint8Array): Promise<void> | undefined {
    const stream = this.#stream
    if (this.#over || stream === undefined) return undefined
    this.#core.send(data)
    if (this.#flush() || stream.destroyed) return undefined
    return room(stream)
  }

  /** @returns whether the program takes more */
  #flush(): boolean {
    const output = concat(...this.#core.takeOutput())
    const stream = this.#stream
    if (output.length === 0 || stream === undefined || stream.destroyed) return true
    return stream.write(output)
  }

  async #open(ready: SocketOptions['ready']): Promise<void> {
    const endpoint = await ready()
    if (endpoint === undefined) throw new Error('the program is not running')
    const { stream, first } = await this.#handshake(endpoint)
    if (this.#over) {
      stream.destroy()
      return
    }
    this.#stream = stream
    stream.on('error', () => {})
    stream.on('data', (bytes: Uint8Array) => this.#receive(bytes))
    stream.on('end', () => stream.end())
    stream.once('close', () => this.#end(INTERNAL_ERROR, 'the program closed the connection'))
    this.#flush()
    if (first.length > 0) this.#receive(first)
  }

  #handshake(endpoint: Endpoint): Promise<{ stream: Duplex; first: Uint8Array }> {
    const { request: head, functionPath, connection, callId } = this.#context
    const { protocol } = this.#socket
    const { tls, remoteAddress } = connection
    const key = randomBytes(16).toString('base64')
    const said = head.headers.filter(([name]) => !name.toLowerCase().startsWith('sec-websocket-'))
    const headers = fieldsToProgram(said, { callId, tls, remoteAddress, host: head.host ?? 'localhost' })
    headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket')
    headers.push('Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', key)
    if (protocol !== undefined) headers.push('Sec-WebSocket-Protocol', protocol)
    const path = head.query === '' ? functionPath : `${functionPath}?${head.query}`
    return new Promise((resolve, reject) => {
      const request = open({ ...toAgent(endpoint), agent: false, method: 'GET', path, headers })
      const timer = this.#clock.after(HANDSHAKE, () => request.destroy(new Error('it did not answer')))
      request.once('close', () => timer.stop())
      request.on('error', reject)
      request.on('response', response => {
        response.destroy()
        reject(new Error(`the program answered ${response.statusCode}`))
      })
      request.on('upgrade', (response, stream, first) => {
        timer.stop()
        const fields = pairsOf(response.rawHeaders)
        const wrong = judge(fields, key, protocol)
        if (wrong === undefined) resolve({ stream, first })
        else {
          stream.destroy()
          reject(new Error(wrong))
        }
      })
      request.end()
    })
  }

  #receive(bytes: Uint8Array): void {
    this.#core.receive(bytes)
    this.#read()
  }

  /** Gives the client what has come, and reads on when it has taken that. */
  #read(): void {
    for (let event = this.#core.next(); event !== undefined; event = this.#core.next()) {
      if (event.type === 'close') {
        this.#flush()
        this.#stream?.end()
        this.#end(event.code === 1005 ? 1000 : event.code, event.reason)
        return
      }
      if (event.type !== 'message' || this.#over) continue
      const taken = this.#socket.send(event.data)
      if (taken === undefined) continue
      this.#stream?.pause()
      void taken.then(() => {
        this.#read()
        this.#stream?.resume()
      })
      return
    }
    this.#flush()
  }

  /** The program's side is over. */
  #end(code: number, reason: string): void {
    if (this.#over) return
    this.#over = true
    try {
      this.#socket.close(code, reason)
    } catch {
      // A code that is not for a server to say.
      this.#socket.close(INTERNAL_ERROR, reason)
    }
  }

  #refused(error: Error): void {
    const { log, callId } = this.#context
    log.warn({ err: error, callId }, 'the program did not take a WebSocket')
    const answered = error.message.startsWith('the program answered')
    this.#end(answered ? POLICY_VIOLATION : INTERNAL_ERROR, error.message)
  }
}

/** @returns what is wrong with the program's side of a handshake; undefined if nothing is */
function judge(
  fields: readonly (readonly [string, string])[],
  key: string,
  protocol: string | undefined,
): string | undefined {
  if (header(fields, 'sec-websocket-accept') !== acceptOf(key))
    return 'the program did not read the handshake'
  if (header(fields, 'sec-websocket-extensions') !== undefined) return 'the program wants an extension'
  const chosen = header(fields, 'sec-websocket-protocol')
  if (chosen !== undefined && chosen !== protocol) return `the program speaks ${chosen}`
  return undefined
}
