import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request as open } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Field, header, type ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import { acceptOf, WebSocketClient } from '../../http/websocket/index.ts'
import type { Clock } from '../../time/clock.ts'
import { concat } from '../../wire/index.ts'
import type { Endings } from '../contract.ts'
import type { Socket, SocketAdmission, SocketContext, SocketHandlers } from '../web-socket.ts'
import { badGateway, noProgram } from './answers.ts'
import { type Endpoint, toAgent } from './endpoint.ts'
import { fieldsFromProgram, fieldsToProgram, pairsOf } from './fields.ts'
import { room } from './pour.ts'

/** What a program may say in one message, and how many frames with hardly any content: it is ours. */
const LIMITS = { messageBytes: 16_777_216, frames: { perSecond: 100_000, burst: 1_000_000 } }
/** Milliseconds that a program has to answer the handshake, that its WebSocket waits for the client, and that
 * it has to say goodbye. */
const HANDSHAKE = 10_000
const CLAIM = 10_000
const FAREWELL = 1000
/** Bytes of an answer that refuses. */
const REFUSAL = 65_536
/** Codes that are said in place of what cannot be (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001
const INTERNAL_ERROR = 1011

/** What a WebSocket asks of the platform. */
export interface SocketOptions {
  /** Where the program listens; undefined if it does not. */
  readonly ready: () => Promise<Endpoint | undefined> | Endpoint
  readonly clock: Clock
  /** Goodbyes that a program is being told and has not answered: it is not to end before. */
  readonly goodbyes: Set<Promise<void>>
}

/**
 * One client's WebSocket, passed on to one of the program's: message by message, each side as fast as the
 * other one takes it.
 */
export class ProgramSocket implements SocketHandlers {
  readonly #clock: Clock
  readonly #goodbyes: Set<Promise<void>>
  readonly #stream: Duplex
  readonly #core: WebSocketClient
  #socket: Socket | undefined
  #over = false

  /**
   * Asks the program for a WebSocket, as the client has asked. @param protocols the subprotocols
   * @returns what it says: its WebSocket, or the answer that it gives instead
   */
  static async open(
    context: SocketContext & Partial<Endings>,
    protocols: readonly string[],
    options: SocketOptions,
  ): Promise<SocketAdmission> {
    const { functionName, log, callId } = context
    const { ready, clock } = options
    const endpoint = await ready()
    if (endpoint === undefined) return { refused: problem(noProgram(functionName, 'is not running')) }
    try {
      const answer = await handshake(endpoint, context, protocols, clock)
      if ('refused' in answer) return answer
      const { stream, first, fields, protocol } = answer
      const state = new ProgramSocket(stream, first, options)
      return { protocol, fields, state, abandon: () => void stream.destroy() }
    } catch (error) {
      log.warn({ err: error, callId }, 'the program did not take a WebSocket')
      return { refused: problem(badGateway(functionName, 'did not take the WebSocket')) }
    }
  }

  private constructor(stream: Duplex, first: Uint8Array, { clock, goodbyes }: SocketOptions) {
    this.#stream = stream
    this.#clock = clock
    this.#goodbyes = goodbyes
    this.#core = new WebSocketClient(
      LIMITS,
      () => clock.steady(),
      () => randomBytes(4),
    )
    stream.pause()
    stream.on('error', () => {})
    stream.on('end', () => stream.end())
    this.#core.receive(first)
    // The client may have gone before it could have it.
    const unclaimed = clock.after(CLAIM, () => this.#socket ?? stream.destroy())
    stream.once('close', () => unclaimed.stop())
  }

  /** The client's side is there. */
  join(socket: Socket): this {
    this.#socket = socket
    const stream = this.#stream
    stream.on('data', (bytes: Uint8Array) => {
      this.#core.receive(bytes)
      this.#read()
    })
    stream.once('close', () => this.#end(INTERNAL_ERROR, 'the program closed the connection'))
    if (stream.destroyed) this.#end(INTERNAL_ERROR, 'the program closed the connection')
    else this.#read()
    return this
  }

  /** @returns a promise of the moment when the program takes more */
  message(data: string | Uint8Array): Promise<void> | undefined {
    return this.#send(data)
  }

  /** The client's side is over: the program is told with the same code, as far as that can be said. */
  closed(code: number, reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#core.close(code === 1005 ? 1000 : code === 1006 ? GOING_AWAY : code, reason)
    this.#flush()
    const stream = this.#stream
    if (stream.destroyed) return
    const timer = this.#clock.after(FAREWELL, () => stream.destroy())
    const goodbye = new Promise<void>(settle => stream.once('close', () => settle()))
    this.#goodbyes.add(goodbye)
    void goodbye.then(() => {
      timer.stop()
      this.#goodbyes.delete(goodbye)
    })
    // What it still says is thrown away, its goodbye among it.
    stream.resume()
  }

  #send(data: string | Uint8Array): Promise<void> | undefined {
    const stream = this.#stream
    if (this.#over) return undefined
    this.#core.send(data)
    if (this.#flush() || stream.destroyed) return undefined
    return room(stream)
  }

  /** @returns whether the program takes more */
  #flush(): boolean {
    const output = concat(...this.#core.takeOutput())
    return output.length === 0 || this.#stream.destroyed || this.#stream.write(output)
  }

  /** Gives the client what has come, and reads on when it has taken that. */
  #read(): void {
    for (let event = this.#core.next(); event !== undefined; event = this.#core.next()) {
      if (event.type === 'close') {
        this.#flush()
        this.#stream.end()
        this.#end(event.code === 1005 ? 1000 : event.code, event.reason)
        return
      }
      if (event.type !== 'message' || this.#over) continue
      const taken = this.#socket!.send(event.data)
      if (taken === undefined) continue
      this.#stream.pause()
      void taken.then(() => this.#read())
      return
    }
    this.#flush()
    this.#stream.resume()
  }

  /** The program's side is over. */
  #end(code: number, reason: string): void {
    if (this.#over) return
    this.#over = true
    try {
      this.#socket!.close(code, reason)
    } catch {
      // A code that is not for a server to say.
      this.#socket!.close(INTERNAL_ERROR, reason)
    }
  }
}

interface Open {
  readonly stream: Duplex
  readonly first: Uint8Array
  readonly fields: readonly Field[]
  readonly protocol: string | undefined
}

/** @throws Error what goes wrong */
function handshake(
  endpoint: Endpoint,
  context: SocketContext & Partial<Endings>,
  protocols: readonly string[],
  clock: Clock,
): Promise<Open | { readonly refused: ResponseView }> {
  const { request: head, functionPath, connection, callId } = context
  const { tls, remoteAddress } = connection
  const key = randomBytes(16).toString('base64')
  const said = head.headers.filter(([name]) => !name.toLowerCase().startsWith('sec-websocket-'))
  const headers = fieldsToProgram(said, { callId, tls, remoteAddress, host: head.host ?? 'localhost' })
  headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket')
  headers.push('Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', key)
  if (protocols.length > 0) headers.push('Sec-WebSocket-Protocol', protocols.join(', '))
  const path = head.query === '' ? functionPath : `${functionPath}?${head.query}`
  return new Promise((resolve, reject) => {
    const request = open({ ...toAgent(endpoint), agent: false, method: 'GET', path, headers })
    const timer = clock.after(HANDSHAKE, () => request.destroy(new Error('it did not answer')))
    context.onAbort?.(reason => request.destroy(reason))
    request.once('close', () => timer.stop())
    request.on('error', reject)
    request.on('response', response => {
      refusalOf(response).then(refused => resolve({ refused }), reject)
    })
    request.on('upgrade', (response, stream, first) => {
      timer.stop()
      const all = pairsOf(response.rawHeaders)
      const wrong = judge(all, key, protocols)
      if (wrong !== undefined) {
        stream.destroy()
        reject(new Error(wrong))
        return
      }
      const fields = fieldsFromProgram(response.rawHeaders).filter(
        ([name]) => !name.startsWith('sec-websocket-') && name !== 'content-length',
      )
      resolve({ stream, first, fields, protocol: header(all, 'sec-websocket-protocol') })
    })
    request.end()
  })
}

/** The answer that a program gives instead of a WebSocket. @throws Error it breaks off, or is too large */
async function refusalOf(response: IncomingMessage): Promise<ResponseView> {
  const { statusCode: status = 502, rawHeaders } = response
  if (status < 200 || status > 599) {
    response.destroy()
    throw new Error(`the status ${status}`)
  }
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response) {
    bytes += (piece as Uint8Array).length
    if (bytes > REFUSAL) throw new Error(`it refuses with more than ${REFUSAL} bytes`)
    pieces.push(piece as Uint8Array)
  }
  const headers = fieldsFromProgram(rawHeaders).filter(([name]) => name !== 'content-length')
  return { status, headers, body: concat(...pieces) }
}

/** @returns what is wrong with the program's side of a handshake; undefined if nothing is */
function judge(
  fields: readonly (readonly [string, string])[],
  key: string,
  protocols: readonly string[],
): string | undefined {
  if (header(fields, 'sec-websocket-accept') !== acceptOf(key))
    return 'the program did not read the handshake'
  if (header(fields, 'sec-websocket-extensions') !== undefined) return 'the program wants an extension'
  const chosen = header(fields, 'sec-websocket-protocol')
  if (chosen !== undefined && !protocols.includes(chosen)) return `the program speaks ${chosen}`
  return undefined
}
