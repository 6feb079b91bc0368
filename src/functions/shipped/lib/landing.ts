import type { Context } from '../../contract.ts'

/** What a browser shows may load nothing, and run nothing. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  vary: 'accept',
}

/** Whether a client asks for a page, as browsers do: `text/html` by that name (RFC 9110 §12.5.1). */
export function wantsPage(accept: string | null): boolean {
  return (accept ?? '')
    .split(',')
    .some(one => /^\s*text\/html\s*(;|$)/i.test(one) && !/;\s*q=0(\.0*)?\s*(;|$)/i.test(one))
}

/** The page of a platform: where this request is, and the functions that there are. */
export function landingPage({ connection, functions = [] }: Context, method: string): Response {
  const { container, hops, requestIndex, alpn } = connection
  const by = connection.tls ? `over TLS 1.3${alpn === undefined ? '' : ` with ${alpn}`}` : 'without TLS'
  const links = functions.map(name => `<li><a href="/${escaped(name)}">/${escaped(name)}</a>`)
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>hotpotato</title>
<style>body { font: 1.1em/1.5 sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em }</style>
<h1>hotpotato is running</h1>
<p>Request ${requestIndex + 1} of this connection, ${escaped(by)}, was served by
<b>${escaped(container)}</b>. The connection has moved ${hops} ${hops === 1 ? 'time' : 'times'} so far.
<p>These functions run in processes of their own. A request for another one moves this connection there;
come back to see the number of moves:
<ul>
${links.join('\n')}
</ul>
<p>The terminal where the platform was started shows commands to try.
</html>
`
  if (method !== 'HEAD') return new Response(page, { headers: HEADERS })
  const length = String(new TextEncoder().encode(page).length)
  return new Response(null, { headers: { ...HEADERS, 'content-length': length } })
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, one => `&#${one.charCodeAt(0)};`)
}
