/** Plain text. `body` undefined is for HEAD: the length is still told. */
export function text(body: string, method: string): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
  if (method !== 'HEAD') return new Response(body, { headers })
  const length = String(new TextEncoder().encode(body).length)
  return new Response(null, { headers: { ...headers, 'content-length': length } })
}

/** An error that says what is wrong (RFC 9457). */
export function problem(status: number, title: string, detail: string): Response {
  const headers = { 'content-type': 'application/problem+json' }
  return new Response(JSON.stringify({ type: 'about:blank', title, status, detail }), { status, headers })
}

/** 405 with the methods that would have been served, as `GET, HEAD`. */
export function methodNotAllowed(method: string, allow: string): Response {
  const response = problem(405, 'Method Not Allowed', `${method} is not allowed here; allowed are ${allow}`)
  response.headers.set('allow', allow)
  return response
}
