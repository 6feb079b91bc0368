import { type ClientRequest, type IncomingMessage, request as open } from 'node:http'
import type { Field } from '../../http/message.ts'
import { plain } from '../../wire/index.ts'
import { contentsOf } from '../adapters/node-request.ts'
import type { Context, Endings } from '../contract.ts'
import { LightResponse } from '../light/response.ts'
import { badGateway, noProgram, refusing } from './answers.ts'
import { type Endpoint, ProgramAgent, toAgent } from './endpoint.ts'
import { fieldsFromProgram, fieldsToProgram, pairsOf } from './fields.ts'

/** Bytes of a program's response head, and of its trailers. */
const HEAD = 65_536
/** Bytes of a response that wait for the client; the program waits then. */
const BUFFER = 65_536
/** Methods of requests that may be sent a second time (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** Statuses whose responses have no content. */
const EMPTY_STATUS: ReadonlySet<number> = new Set([204, 205, 304])

type Content = Uint8Array | ReadableStream<Uint8Array> | null

/** Sends the requests of one function to its program, over connections that are used again. */
export class Forwarder {
  readonly #agent = new ProgramAgent()
  readonly #functionName: string
  readonly #ready: () => Promise<Endpoint | undefined> | Endpoint

  /** @param ready where the program listens, as soon as it does; undefined if that takes too long */
  constructor(functionName: string, ready: () => Promise<Endpoint | undefined> | Endpoint) {
    this.#functionName = functionName
    this.#ready = ready
  }

  async fetch(request: Request, context: Context & Partial<Endings>): Promise<Response> {
    const endpoint = await this.#ready()
    if (endpoint === undefined) return refusing(noProgram(this.#functionName, 'is not running'))
    const { fields, content, target, host } = contentsOf(request)
    const at = target.indexOf('?')
    const { remoteAddress, tls } = context.connection
    const headers = fieldsToProgram(fields, { callId: context.callId, tls, remoteAddress, host })
    if (content instanceof Uint8Array) headers.push('Content-Length', String(content.length))
    else if (content !== null) headers.push(...framing(fields))
    const options = {
      ...toAgent(endpoint),
      agent: this.#agent,
      method: request.method,
      path: at < 0 ? context.functionPath : context.functionPath + target.slice(at),
      headers,
      maxHeaderSize: HEAD,
    }
    try {
      return await exchange(options, content, context)
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error
      context.log.error({ err: error.cause, callId: context.callId }, 'the program did not answer')
      return refusing(badGateway(this.#functionName, 'did not answer; the log of its container says why'))
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
}

/** How content is framed whose length may be known. */
function framing(fields: readonly Field[]): string[] {
  const said = fields.find(([name]) => name.toLowerCase() === 'content-length')
  return said === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', said[1]]
}

/** One request, tried once more where a connection had been closed before the program could see it. */
async function exchange(
  options: object & { readonly method: string },
  content: Content,
  context: Context & Partial<Endings>,
): Promise<Response> {
  const again = IDEMPOTENT.has(options.method) && !(content instanceof ReadableStream)
  for (let tries = 1; ; tries++) {
    const sent = open(options)
    try {
      return await answerTo(sent, options.method, content, context)
    } catch (error) {
      if (!again || !sent.reusedSocket || tries > 2 || context.signal.aborted) throw error
    }
  }
}

/** @throws Unanswered */
function answerTo(
  sent: ClientRequest,
  method: string,
  content: Content,
  context: Context & Partial<Endings>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const abort = (reason: Error): void => void sent.destroy(reason)
    if (context.onAbort !== undefined) context.onAbort(abort)
    else context.signal.addEventListener('abort', () => abort(context.signal.reason as Error))
    sent.on('error', cause => reject(new Unanswered('no response', { cause })))
    sent.on('information', ({ statusCode, rawHeaders }) => {
      // The platform has said 100 (Continue) by itself, where it is waited for.
      if (statusCode >= 102) context.inform(statusCode, fieldsFromProgram(rawHeaders as unknown as string[]))
    })
    // Nothing here has asked for another protocol.
    sent.on('upgrade', (_response, socket) => {
      socket.destroy()
      reject(
        new Unanswered('no response', { cause: new Error('101 (Switching Protocols) without being asked') }),
      )
    })
    sent.on('response', message => {
      const { statusCode = 0 } = message
      if (statusCode < 200 || statusCode > 599) {
        sent.destroy()
        reject(new Unanswered('no response', { cause: new Error(`the status ${statusCode}`) }))
      } else resolve(responseOf(sent, message, method, context))
    })
    give(sent, content).catch(cause => sent.destroy(cause as Error))
  })
}

/** Gives the program the content, as fast as it takes it. */
async function give(sent: ClientRequest, content: Content): Promise<void> {
  if (!(content instanceof ReadableStream)) {
    if (content === null) sent.end()
    else sent.end(content)
    return
  }
  const reader = content.getReader()
  const gone = new Promise<'gone'>(settle => sent.once('close', () => settle('gone')))
  for (;;) {
    const piece = await Promise.race([reader.read(), gone])
    if (piece === 'gone' || sent.destroyed) {
      // It wants none of the rest.
      await reader.cancel()
      return
    }
    if (piece.done) break
    if (!sent.write(piece.value))
      await Promise.race([new Promise(settle => sent.once('drain', settle)), gone])
  }
  sent.end()
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
  if (fields.some(([name]) => name === 'trailer')) context.trailers(() => pairsOf(message.rawTrailers))
  return LightResponse.from(status, fields, contentOf(sent, message)) as unknown as Response
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
