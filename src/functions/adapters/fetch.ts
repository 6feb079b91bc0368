import { LightRequest } from '../../web/request.ts'
import type { Context, Environment, FetchHandler } from '../contract.ts'

/** An application with the `fetch` of the web's servers: Hono, itty-router, anything of that kind. */
export interface FetchApplication {
  // biome-ignore lint/suspicious/noExplicitAny: each has types of its own for environment and context
  fetch(request: Request, env?: any, context?: any): Response | Promise<Response>
}

/**
 * Runs an application that has `fetch` at the root of its function. Such an application is a function as it
 * is (`export default app`) as long as a host name chooses it. Where a path does (`/NAME/…`), its routes
 * would have to begin with that; with `export default fromFetch(app)` it sees the rest of the path, as
 * `ctx.functionPath` says it.
 */
export function fromFetch(app: FetchApplication): FetchHandler {
  if (typeof app?.fetch !== 'function')
    throw new TypeError('fromFetch takes an application with a method fetch')
  return {
    fetch: (request: Request, env: Environment, context: Context) =>
      app.fetch(atRoot(request, context), env, context),
  }
}

function atRoot(request: Request, { functionPath }: Context): Request {
  const url = new URL(request.url)
  const { pathname } = url
  // The URL has its dots resolved, the function's path is as the client sent it: only a prefix may go.
  const prefixed = functionPath === '/' ? pathname !== '/' : pathname.endsWith(functionPath)
  if (!prefixed || pathname === functionPath) return request
  url.pathname = functionPath
  const light = LightRequest.is(request) ? LightRequest.at(request, url) : undefined
  if (light !== undefined) return light as unknown as Request
  const { signal } = request
  const moved = new Request(url, request)
  // A copy would have a signal of its own, which costs more than all the rest.
  Object.defineProperty(moved, 'signal', { get: () => signal, configurable: true })
  return moved
}
