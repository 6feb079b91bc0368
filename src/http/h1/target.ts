import { H1Error } from './error.ts'

/** What a request target says. */
export interface Target {
  readonly path: string
  readonly query: string
  /** Scheme and authority of the absolute-form; undefined for the other forms. */
  readonly scheme: string | undefined
  readonly authority: string | undefined
}

const ABSOLUTE = /^([a-z][a-z0-9+.-]*):\/\/([^/?]*)(.*)$/i

/**
 * Reads a request target (RFC 9112 §3.2): origin-form, absolute-form, or `*` for OPTIONS.
 * @param target characters of the target class of `syntax.ts` alone
 * @param tunnels whether CONNECT is taken, with its authority-form
 * @throws H1Error 400 for anything else, 501 for CONNECT where there are no tunnels
 */
export function parseTarget(method: string, target: string, tunnels = false): Target {
  if (method === 'CONNECT') return tunnelTarget(target, tunnels)
  if (target.charCodeAt(0) === 0x2f) return split(target, undefined, undefined)
  if (target === '*') {
    if (method !== 'OPTIONS') throw new H1Error(400, 'the target * belongs to OPTIONS')
    return { path: '*', query: '', scheme: undefined, authority: undefined }
  }
  const absolute = ABSOLUTE.exec(target)
  if (absolute === null) throw new H1Error(400, 'the request target has none of the forms that we take')
  const [, scheme, authority, rest] = absolute as unknown as [string, string, string, string]
  if (authority === '') throw new H1Error(400, 'the request target names no host')
  // §3.2.4: OPTIONS with neither path nor query asks about the server.
  if (rest === '') return { path: method === 'OPTIONS' ? '*' : '/', query: '', scheme, authority }
  return split(rest.startsWith('/') ? rest : `/${rest}`, scheme, authority)
}

/** §3.2.3: where a tunnel is to lead, a host and always a port. */
function tunnelTarget(authority: string, tunnels: boolean): Target {
  if (!tunnels) throw new H1Error(501, 'this server opens no tunnels')
  if (!/:[0-9]+$/.test(authority) || parseHost(authority) === undefined)
    throw new H1Error(400, 'the target of CONNECT is not a host and a port')
  return { path: '', query: '', scheme: undefined, authority }
}

/**
 * A path with or without a query, in its two parts. @throws H1Error 400 for a path that servers read in
 * different ways
 */
export function splitPath(target: string): Pick<Target, 'path' | 'query'> {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  // URL parsers read a backslash as a slash, so that two of them would disagree about where a path leads.
  if (path.includes('\\')) throw new H1Error(400, 'a backslash in the path')
  return { path, query: mark < 0 ? '' : target.slice(mark + 1) }
}

function split(target: string, scheme: string | undefined, authority: string | undefined): Target {
  const { path, query } = splitPath(target)
  return { path, query, scheme, authority }
}

const HOST = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~!$&'()*+,;=-]*)(?::([0-9]{0,5}))?$/
/** What URL parsers take for an IPv4 address, and the one way to write such an address. */
const NUMERIC = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/
const IPV4 = /^(?:(?:25[0-5]|(?:2[0-4]|1[0-9]|[1-9]?)[0-9])(?:\.(?!$)|$)){4}$/

/** As a rule the next request names the same one. */
let lastHost: { readonly value: string; readonly host: string | undefined } = { value: '', host: undefined }

/**
 * The host of `uri-host [ ":" port ]` (RFC 9110 §7.2), in lower case; undefined if it is empty.
 *
 * Escapes, and numbers that are no dotted quad, are no host here: a function's URL would name another one
 * than what has routed the request (`%62.example` as `b.example`, `127.1` as `127.0.0.1`).
 * @throws H1Error 400 if it is no host
 */
export function parseHost(value: string): string | undefined {
  if (value === lastHost.value) return lastHost.host
  const [, name, port = 0] = HOST.exec(value) ?? []
  const host = name?.toLowerCase()
  if (host === undefined || Number(port) > 65_535 || (NUMERIC.test(host) && !IPV4.test(host)))
    throw new H1Error(400, 'the host is not a name or address with an optional port')
  lastHost = { value, host: host || undefined }
  return lastHost.host
}
