import type { Context, FetchHandler } from '../contract.ts'
import { methodNotAllowed, text } from './lib/answers.ts'
import { landingPage, wantsPage } from './lib/landing.ts'

/**
 * Gives back what it gets: a body as it is, while it is still coming in; without one, the request as text. A
 * browser that asks for `/` gets a page that says what runs.
 */
const echo: FetchHandler = {
  fetch(request, _env, context) {
    switch (request.method) {
      case 'POST':
      case 'PUT':
        return new Response(request.body, { headers: bodyHeaders(request) })
      case 'GET':
      case 'HEAD':
        if (new URL(request.url).pathname === '/' && wantsPage(request.headers.get('accept')))
          return landingPage(context, request.method)
        return text(asText(request, context), request.method)
      default:
        return methodNotAllowed(request.method, 'GET, HEAD, POST, PUT')
    }
  },
}

export default echo

function bodyHeaders(request: Request): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': request.headers.get('content-type') ?? 'application/octet-stream',
    'x-content-type-options': 'nosniff',
  }
  const length = request.headers.get('content-length')
  if (length !== null) headers['content-length'] = length
  return headers
}

function asText(request: Request, { connection }: Context): string {
  const { pathname, search } = new URL(request.url)
  const fields = [...request.headers].map(([name, value]) => `${name}: ${value}`)
  const { container, hops, requestIndex } = connection
  const what = `request ${requestIndex + 1} of this connection, which has moved ${hops} times`
  const who = `served by ${container}, ${what}`
  return [`${request.method} ${pathname}${search}`, ...fields, '', who, ''].join('\n')
}
