import type { Field, RequestView } from '../../http/message.ts'
import { header } from '../../http/message.ts'

/** A request as the environment of a process tells it. */
export interface ToldRequest {
  readonly method: string
  /** Below what chose the function, as the client sent it. */
  readonly path: string
  /** Without the question mark. */
  readonly query: string
  readonly host: string
  readonly fields: readonly Field[]
  /** Bytes of content. */
  readonly length: number
}

/**
 * Fields that must not become a variable. Libraries take `Http_Proxy`, in any spelling, for the proxy that
 * they are to use.
 */
const NEVER: ReadonlySet<string> = new Set(['proxy'])

/**
 * The variables that OpenFaaS's classic watchdog gives a process for one request: `Http_Method`, `Http_Path`
 * (decoded), `Http_Query`, `Http_Host`, `Http_Content_Length` and `Http_NAME` for each
 * field, of which the first one counts. A name of other characters than letters, digits and hyphens is left
 * out: `X_User` would look as `X-User` does.
 */
export function requestVariables(request: ToldRequest): Record<string, string> {
  const { method, path, query, host, fields, length } = request
  const told: Record<string, string> = {}
  for (const [name, value] of fields) {
    if (!/^[A-Za-z0-9-]+$/.test(name) || NEVER.has(name.toLowerCase())) continue
    const variable = `Http_${canonical(name).replaceAll('-', '_')}`
    if (!Object.hasOwn(told, variable)) told[variable] = value
  }
  const bytes = String(length)
  return {
    ...told,
    Http_Method: method,
    Http_ContentLength: bytes,
    Http_Content_Length: bytes,
    Http_Path: decoded(path),
    ...(query === '' ? {} : { Http_Query: query }),
    ...(host === '' ? {} : { Http_Host: host }),
    ...(header(fields, 'transfer-encoding') === undefined ? {} : { Http_Transfer_Encoding: 'chunked' }),
  }
}

/**
 * What the process reads with `marshal_request`, as the classic watchdog writes it: `header` has the values
 * of each field, and `body.raw` the content in base64.
 */
export function marshalled({ headers, body }: Pick<RequestView, 'headers' | 'body'>): string {
  const header: Record<string, string[]> = Object.create(null)
  for (const [name, value] of headers) {
    const values = header[canonical(name)]
    if (values === undefined) header[canonical(name)] = [value]
    else values.push(value)
  }
  const raw = Buffer.from(body.buffer, body.byteOffset, body.length).toString('base64')
  return JSON.stringify({ header, body: { raw } })
}

/** As Go spells it: `x-call-id` becomes `X-Call-Id`. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll(/(^|-)[a-z]/g, letter => letter.toUpperCase())
}

/** What cannot stand in a variable, or is no UTF-8, stays as it came. */
function decoded(path: string): string {
  try {
    const text = decodeURIComponent(path)
    return text.includes('\0') ? path : text
  } catch {
    return path
  }
}
