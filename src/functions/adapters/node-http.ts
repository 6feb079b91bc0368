import { createServer, type IncomingMessage, Server, type ServerResponse } from 'node:http'
import { H1Client } from '../../http/h1/index.ts'
import type { Field } from '../../http/message.ts'
import { EMPTY } from '../../wire/index.ts'
import type { Context, FetchHandler } from '../contract.ts'
import { NodeAnswer } from './node-answer.ts'
import type { NodeListener } from './node-listener.ts'
import { Wire } from './wire.ts'

/**
 * An application written for `node:http`: Express's `app`, a Fastify instance, an `http.Server`, or any
 * `(req, res) => …`.
 */
export type NodeApplication = NodeListener | Server | FastifyLike

/** What tells a Fastify instance: it must be ready before it takes requests. */
export interface FastifyLike {
  ready(): PromiseLike<unknown>
  readonly routing: NodeListener
}

export interface NodeOptions {
  /**
   * What the application sees as `req.url` where a path named the function: the rest of it (`strip`, unless
   * told) or all of it (`keep`). `req.originalUrl` is all of it in any case.
   */
  readonly mount?: 'strip' | 'keep'
}

/**
 * Runs an application that people have as a function: `export default fromNode(app)`. Each request goes over
 * a wire of its own, in memory, into a `node:http` server that listens nowhere. Four things that such a
 * server does not do by itself (or does otherwise) are set right:
 *
 * - it would check the timeouts of heads and requests only if it listened: heads come whole here, and a wire
 *   ends with its call's `signal`;
 * - it would know idle timeouts only if the stream had `setTimeout`: a {@link Wire} has it, so
 *   `req.setTimeout` and `res.setTimeout` work;
 * - it would keep a connection a second longer than it was told: a wire is used once;
 * - `remoteAddress`, `encrypted` and the like would be undefined: a wire says what is known of the client.
 *
 * Content streams in both directions with backpressure. Upgrades, and so WebSockets, are not for functions of
 * this kind.
 */
export function fromNode(app: NodeApplication, options: NodeOptions = {}): FetchHandler {
  let listener: Promise<NodeListener> | undefined
  const server = createServer((request, response) => dispatch(request, response))
  server.keepAliveTimeout = 0
  // Continue is the platform's business, and an application that looks at Expect must not wait.
  server.on('checkContinue', (request, response) => dispatch(request, response))
  const dispatch = (request: IncomingMessage, response: ServerResponse): void => {
    const wire = request.socket as unknown as Wire
    const fail = (error: unknown): void => wire.fail(error)
    Object.assign(request, { originalUrl: wire.originalUrl })
    try {
      Promise.resolve(wire.listener(request, response)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
  return {
    async fetch(request, _env, context) {
      listener ??= listenerOf(app)
      return call(server, await listener, request, context, options.mount ?? 'strip')
    },
  }
}

async function listenerOf(app: NodeApplication): Promise<NodeListener> {
  if (app instanceof Server) {
    return (request, response) => {
      if (!app.emit('request', request, response))
        throw new TypeError('the server has no listener for requests')
    }
  }
  if (isFastify(app)) {
    await app.ready()
    return app.routing
  }
  if (typeof app !== 'function')
    throw new TypeError('fromNode takes a listener, an http.Server or a Fastify instance')
  return app
}

function isFastify(app: NodeListener | FastifyLike): app is FastifyLike {
  const { ready, routing } = app as Partial<FastifyLike>
  return typeof ready === 'function' && typeof routing === 'function'
}

/** One request through the application. */
function call(
  server: Server,
  listener: NodeListener,
  request: Request,
  context: Context,
  mount: 'strip' | 'keep',
): Promise<Response> {
  const { pathname, search, host } = new URL(request.url)
  const originalUrl = pathname + search
  const wire = new Wire(context, listener, originalUrl)
  const http = new H1Client(LIMITS)
  const answer = new NodeAnswer(wire, http, context)
  server.emit('connection', wire)
  const { headers, chunked } = headersFor(request, host)
  const target = mount === 'keep' ? originalUrl : context.functionPath + search
  wire.push(http.request({ method: request.method, target, headers }))
  if (request.body !== null) sendBody(wire, request.body, chunked)
  return answer.response
}

/** What an application may answer with. It is trusted more than a client is. */
const LIMITS = { headBytes: 262_144, headerFields: 2000, bodyBytes: Number.MAX_SAFE_INTEGER, requests: 1 }

/** What was between the client and us only. */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

function headersFor(request: Request, host: string): { headers: Field[]; chunked: boolean } {
  const headers: Field[] = []
  let [hosted, framed] = [false, false]
  for (const [name, value] of request.headers) {
    if (HOP_BY_HOP.has(name)) continue
    if (name === 'host') hosted = true
    if (name === 'content-length') framed = true
    headers.push([name, value])
  }
  if (!hosted) headers.unshift(['host', host])
  const chunked = request.body !== null && !framed
  if (chunked) headers.push(['transfer-encoding', 'chunked'])
  return { headers, chunked }
}

/** Gives the application the content as fast as it reads it. */
async function sendBody(wire: Wire, body: ReadableStream<Uint8Array>, chunked: boolean): Promise<void> {
  try {
    for await (const bytes of body) {
      if (wire.destroyed) return
      if (bytes.length > 0 && !wire.push(chunked ? H1Client.chunk(bytes) : bytes)) await wire.wanted()
    }
    if (chunked) wire.push(H1Client.chunk(EMPTY))
  } catch (error) {
    // The client is gone in the middle of it, which is not to look like an end.
    wire.destroy(error as Error)
  }
}
