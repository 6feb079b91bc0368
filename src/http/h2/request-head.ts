import { expectationIn, expectsContinue } from '../field-values.ts'
import { H1Error } from '../h1/error.ts'
import { parseTarget } from '../h1/target.ts'
import { isNeither, KEY_FIELD } from '../key-field.ts'
import { header, type RequestHead } from '../message.ts'
import { originOf, type Scheme } from '../origin.ts'
import type { H2Request } from './event.ts'

/**
 * A request's head as functions see it in either version of HTTP: the same rules for target and host as in
 * HTTP/1, and Host where there was :authority (RFC 9113 §8.3.1). A request for a WebSocket reads as
 * the GET that it is over HTTP/1 (RFC 8441 §5).
 * @param connection see {@link originOf} @param tunnels whether CONNECT is taken
 * @throws H1Error 421 for another scheme than that, 400 for a path, a host or keys that HTTP/1 would not
 * take, 417 for an expectation that cannot be met, 501 for CONNECT with anything else
 */
export function requestHead(
  { method: verb, scheme, protocol, path: target, authority, headers, key }: H2Request,
  connection?: Scheme,
  tunnels = false,
): RequestHead {
  if (protocol !== undefined && protocol !== 'websocket')
    throw new H1Error(501, 'only WebSockets have tunnels here')
  const method = protocol === undefined ? verb : 'GET'
  if (isNeither(key)) throw new H1Error(400, `two fields ${KEY_FIELD}`)
  const connects = method === 'CONNECT'
  const { path, query } = parseTarget(method, connects ? authority : target, tunnels)
  // Judged here, as in HTTP/1, and looked at when the content is asked for.
  expectsContinue(expectationIn(headers))
  const origin = originOf(
    {
      scheme: scheme || undefined,
      authority: authority || undefined,
      host: header(headers, 'host'),
      fields: headers,
    },
    connection,
  )
  return {
    method,
    target: connects ? authority : target,
    version: '2',
    headers: origin.fields,
    host: origin.host,
    path,
    query,
    key,
  }
}
