import { type ClientRequest, type IncomingMessage, request as open } from 'node:http'
import { type Field, isTrailer } from '../../http/message.ts'
import { lowerName } from '../../web/headers.ts'
import { LightResponse } from '../../web/response.ts'
import { concat, plain } from '../../wire/index.ts'
import { contentsOf } from '../adapters/node-request.ts'
import type { Context, Endings } from '../contract.ts'
import { badGateway, noProgram, refusing } from './answers.ts'
import { type Endpoint, ProgramAgent, toAgent } from './endpoint.ts'
import { fieldsFromProgram, fieldsToProgram, pairsOf } from './fields.ts'
import { pour } from './pour.ts'

/** Bytes of a program's response head, and of its trailers. */
const HEAD = 65_536
/** Interim responses to one request. */
const INTERIM = 32
/** Bytes of a response that wait for the client; the program waits then. */
const BUFFER = 65_536
/** Methods of requests that may be sent a second time (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** Statuses whose responses have no content. */
const EMPTY_STATUS: ReadonlySet<number> = new Set([204, 205, 304])

type Content = Uint8Array | ReadableStream<Uint8Array> | null

/** Where a program is. */
export interface Whereabouts {
  /** Where it listens, as soon as it does; undefined if that takes too long. */
  ready(): Promise<Endpoint | undefined> | Endpoint
  /** The same when it has refused a connection: it may have ended just now. */
  refused(): Promise<Endpoint | undefined>
  /** Whether its process goes on, when a connection has broken. */
  lives(): Promise<boolean>
}

/** Sends the requests of one function to its program, over connections that are used again. */
export class Forwarder {
  readonly #agent = new ProgramAgent()
  readonly #functionName: string
  readonly #program: Whereabouts
  readonly #buffers: boolean

  /** @param buffers whether content is gathered first: some servers take none in chunks */
  constructor(functionName: string, program: Whereabouts, buffers = false) {
    this.#functionName = functionName
    this.#program = program
    this.#buffers = buffers
  }

  async fetch(request: Request, context: Context & Partial<Endings>): Promise<Response> {
    const { fields, content: given, target, host } = contentsOf(request)
    const content = this.#buffers && given instanceof ReadableStream ? await whole(given) : given
    const at = target.indexOf('?')
    const { remoteAddress, tls } = context.connection
    const headers = fieldsToProgram(fields, { callId: context.callId, tls, remoteAddress, host })
    if (content instanceof Uint8Array) headers.push('Content-Length', String(content.length))
    else if (content !== null) headers.push(...framing(fields))
    const options = {
      agent: this.#agent,
      method: request.method,
      path: at < 0 ? context.functionPath : context.functionPath + target.slice(at),
      headers,
      maxHeaderSize: HEAD,
    }
    try {
      let endpoint = await this.#program.ready()
      if (endpoint !== undefined) {
        const answer = await this.#exchange({ ...options, ...toAgent(endpoint) }, content, context)
        if (answer !== undefined) return answer
        endpoint = await this.#program.refused()
      }
      const second =
        endpoint && (await this.#exchange({ ...options, ...toAgent(endpoint) }, content, context))
      return second ?? refusing(noProgram(this.#functionName, 'is not running'))
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error
      if (!error.unwanted)
        context.log.error({ err: error.cause, callId: context.callId }, 'the program did not answer')
      return refusing(badGateway(this.#functionName, 'did not answer; the log of its container says why'))
    }
  }

  /**
   * One request, tried once more where a connection that was to be used again broke and its process lives:
   * the program has closed it before it could see the request.
   * @returns undefined if the program takes no connection @throws Unanswered
   */
  async #exchange(
    options: object & { readonly method: string },
    content: Content,
    context: Context & Partial<Endings>,
  ): Promise<Response | undefined> {
    const again = IDEMPOTENT.has(options.method) && !(content instanceof ReadableStream)
    for (let first = true; ; first = false) {
      const sent = open(options)
      try {
        return await answerTo(sent, options.method, content, context)
      } catch (error) {
        if (error instanceof Unanswered && error.unseen) return undefined
        if (!again || !first || !sent.reusedSocket || context.signal.aborted) throw error
        if (!(await this.#program.lives())) throw error
      }
    }
  }

  /** Closes what is open to a program that has ended. */
  reset(): void {
    this.#agent.destroy()
  }
}

/** No response came. */
class Unanswered extends Error {
  override readonly name = 'Unanswered'
  /** Nothing waits for it any more. */
  readonly unwanted: boolean

  constructor(cause: Error, unwanted = false) {
    super('no response', { cause })
    this.unwanted = unwanted
  }

  /** There was no connection: the program has seen nothing. */
  get unseen(): boolean {
    const { code } = this.cause as NodeJS.ErrnoException
    return code === 'ECONNREFUSED' || code === 'ENOENT'
  }
}

/** All of it: at most what the platform takes of a request. */
async function whole(content: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return concat(...pieces)
}

/** How content is framed whose length may be known. */
function framing(fields: readonly Field[]): string[] {
  const said = fields.find(([name]) => name.toLowerCase() === 'content-length')
  return said === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', said[1]]
}

/** @throws Unanswered */
function answerTo(
  sent: ClientRequest,
  method: string,
  content: Content,
  context: Context & Partial<Endings>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    let unwanted = false
    const abort = (reason: Error): void => {
      unwanted = true
      sent.destroy(reason)
    }
    if (context.onAbort !== undefined) context.onAbort(abort)
    else context.signal.addEventListener('abort', () => abort(context.signal.reason as Error))
    sent.on('error', cause => reject(new Unanswered(cause, unwanted)))
    let interim = 0
    sent.on('information', ({ statusCode, rawHeaders }) => {
      // Nothing holds the program back here, so there is an end.
      if (++interim > INTERIM) {
        sent.destroy(new Error(`more than ${INTERIM} interim responses`))
        return
      }
      // The platform has said 100 (Continue) by itself, where it is waited for.
      if (statusCode >= 102) context.inform(statusCode, fieldsFromProgram(rawHeaders as unknown as string[]))
    })
    // Nothing here has asked for another protocol.
    sent.on('upgrade', (_response, socket) => {
      socket.destroy()
      reject(new Unanswered(new Error('101 (Switching Protocols) without being asked')))
    })
    sent.on('response', message => {
      const wrong = wrongOf(message)
      if (wrong !== undefined) {
        sent.destroy()
        reject(new Unanswered(new Error(wrong)))
      } else resolve(responseOf(sent, message, method, context))
    })
    give(sent, content)
  })
}

/**
 * What is wrong with the head of a response that Node takes; undefined: nothing. What it reads as another
 * message than its program means would be another one for the client, too.
 */
function wrongOf({ statusCode = 0, httpVersion, rawHeaders }: IncomingMessage): string | undefined {
  if (statusCode < 200 || statusCode > 599) return `the status ${statusCode}`
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return `it speaks HTTP/${httpVersion}`
  const codings = pairsOf(rawHeaders).filter(([name]) => lowerName(name) === 'transfer-encoding')
  if (codings.length === 0) return undefined
  const coding = codings.map(([, value]) => value).join(', ')
  if (httpVersion === '1.0') return `the transfer coding ${coding} in HTTP/1.0`
  return coding.toLowerCase() === 'chunked' ? undefined : `the transfer coding ${coding}`
}

/** Gives the program the content. Nothing of it is taken before there is a connection. */
function give(sent: ClientRequest, content: Content): void {
  if (content === null) sent.end()
  else if (!(content instanceof ReadableStream)) sent.end(content)
  else {
    const begin = (): void => void pour(content, sent).catch(cause => sent.destroy(cause as Error))
    sent.once('socket', socket => {
      if (socket.connecting) socket.once('connect', begin)
      else begin()
    })
  }
}

function responseOf(
  sent: ClientRequest,
  message: IncomingMessage,
  method: string,
  context: Context,
): Response {
  const { statusCode: status = 502, rawHeaders } = message
  const fields = fieldsFromProgram(rawHeaders)
  if (method === 'HEAD' || EMPTY_STATUS.has(status)) {
    message.resume()
    return LightResponse.from(status, fields, null) as unknown as Response
  }
  if (fields.some(([name]) => name === 'trailer')) context.trailers(() => trailersOf(message))
  return LightResponse.from(status, fields, contentOf(sent, message)) as unknown as Response
}

/** Those that the client may have: what is no trailer is dropped (RFC 9110 §6.5.1). */
function trailersOf({ rawTrailers }: IncomingMessage): Field[] {
  return pairsOf(rawTrailers).filter(([name]) => isTrailer(name))
}

/** The content as the web streams it; the program is read as fast as the client takes it. */
function contentOf(sent: ClientRequest, message: IncomingMessage): ReadableStream<Uint8Array> {
  let over = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const fail = (error: Error): void => {
          if (over) return
          over = true
          controller.error(error)
        }
        message.on('data', (bytes: Uint8Array) => {
          controller.enqueue(plain(bytes))
          if ((controller.desiredSize ?? 0) <= 0) message.pause()
        })
        message.on('end', () => {
          if (over) return
          over = true
          controller.close()
          // One that has answered without reading all would get the rest of it as another request.
          if (!sent.writableFinished) sent.destroy()
        })
        message.on('error', fail)
        // Node takes a connection that breaks for the end of content that has no length.
        const { socket } = sent
        socket?.once('error', fail)
        message.once('close', () => void socket?.off('error', fail))
        message.on('close', () =>
          fail(new Error('the program closed the connection in the middle of its answer')),
        )
      },
      pull: () => void message.resume(),
      cancel() {
        over = true
        sent.destroy()
      },
    },
    { highWaterMark: BUFFER, size: chunk => chunk.length },
  )
}
