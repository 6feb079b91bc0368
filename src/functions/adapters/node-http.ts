import { channel } from 'node:diagnostics_channel'
import { createServer, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { prepare } from '../../web/globals.ts'
import { errorOf } from '../../wire/thrown.ts'
import type { Context, Endings, FetchHandler } from '../contract.ts'
import { NodeAnswer } from './node-answer.ts'
import type { NodeListener } from './node-listener.ts'
import { contentsOf, messageOf, NodeContent } from './node-request.ts'
import { NodeSocket } from './node-socket.ts'

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

/** For who watches the servers of a process. */
const STARTED = channel('http.server.request.start')
const FINISHED = channel('http.server.response.finish')

/**
 * Runs an application that people have as a function: `export default fromNode(app)`. It gets the objects of
 * `node:http`, made of the request at hand; no HTTP is written and read for it. They belong to a server that
 * listens nowhere, and to a {@link NodeSocket} for each request, which says what is known of the client, has
 * timeouts as a socket has, and ends when the client is gone.
 *
 * Content streams in both directions with backpressure. Upgrades, and so WebSockets, are not for functions of
 * this kind.
 */
export function fromNode(app: NodeApplication, { mount = 'strip' }: NodeOptions = {}): FetchHandler {
  prepare()
  const server = createServer()
  let listener: NodeListener | undefined
  let asked: Promise<NodeListener> | undefined
  const run: NodeListener = (request, response) => {
    const fail = (error: unknown): void => {
      request.socket?.destroy(errorOf(error))
    }
    try {
      const done = listener!(request, response) as { then?: unknown } | undefined
      if (typeof done?.then === 'function') Promise.resolve(done).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
  server.on('request', run)
  return {
    fetch(request, _env, context) {
      if (listener !== undefined) return call(server, request, context, mount)
      asked ??= listenerOf(app)
      return asked.then(found => {
        listener = found
        return call(server, request, context, mount)
      })
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

/** One request through the application. @throws what it has thrown, if it has */
function call(
  server: Server,
  request: Request,
  context: Context & Partial<Endings>,
  mount: 'strip' | 'keep',
): Response | Promise<Response> {
  const contents = contentsOf(request)
  const { target, content } = contents
  const socket = new NodeSocket(context.connection, server)
  const url = mount === 'keep' ? target : below(target, context.functionPath)
  const message = messageOf(request.method, url, contents, socket)
  const response = new ServerResponse(message)
  const answer = new NodeAnswer(request.method, context, socket)
  socket.request = message
  socket.reader = answer
  socket.source = new NodeContent(message, content, socket)
  // The platform says both.
  response.sendDate = false
  response.removeHeader('connection')
  response.assignSocket(socket as unknown as Socket)
  response.on('finish', finished)
  endWith(context, socket)
  if (!socket.destroyed) {
    if (STARTED.hasSubscribers) STARTED.publish({ request: message, response, socket, server })
    server.emit('request', message, response)
  }
  return answer.response
}

function finished(this: ServerResponse): void {
  const { req: request, socket } = this
  if (FINISHED.hasSubscribers)
    FINISHED.publish({ request, response: this, socket, server: (socket as unknown as NodeSocket).server })
  ;(socket as unknown as NodeSocket | null)?.finished()
}

/** The path of the function's own, with the query. */
function below(target: string, functionPath: string): string {
  const at = target.indexOf('?')
  return at < 0 ? functionPath : functionPath + target.slice(at)
}

/** Breaks the connection off when the call is over for the platform. */
function endWith(context: Context & Partial<Endings>, socket: NodeSocket): void {
  const end = (reason: Error): void => void socket.destroy(reason)
  if (context.onAbort !== undefined) {
    context.onAbort(end)
    return
  }
  const { signal } = context
  const abort = (): void => end(signal.reason as Error)
  if (signal.aborted) abort()
  else {
    signal.addEventListener('abort', abort, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', abort))
  }
}
