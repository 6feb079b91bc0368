import { type Field, header, type RequestView } from '../../http/message.ts'

/** A request, as handlers of OpenFaaS's node templates get it. */
export interface FunctionEvent {
  /**
   * Of JSON its value, of a form an object, of other text a string, with `RAW_BODY` a Buffer; `{}` without
   * content, and of content of any other kind.
   */
  readonly body: unknown
  /** Names in lower case. Fields that come several times are joined, but for those of `Set-Cookie`. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly method: string
  /** What comes once is a string, what comes several times a list. */
  readonly query: Readonly<Record<string, string | string[]>>
  /** Without what chose the function. */
  readonly path: string
}

/** What such templates are told in the environment, by the names that they have there. */
export interface BodyRules {
  /** `RAW_BODY`: bodies are given as they came. */
  readonly raw: boolean
  /** `MAX_RAW_SIZE`, `MAX_JSON_SIZE`: most bytes of a body, and of one that is JSON. */
  readonly bytes: number
  readonly jsonBytes: number
}

/** A request that such a template answers by itself. */
export class EventError extends Error {
  override readonly name = 'EventError'
  readonly status: 400 | 413

  constructor(status: 400 | 413, message: string) {
    super(message)
    this.status = status
  }
}

/** @throws TypeError a size is none */
export function bodyRules(environment: Readonly<Record<string, string | undefined>>): BodyRules {
  return {
    raw: environment.RAW_BODY === 'true',
    bytes: size('MAX_RAW_SIZE', environment.MAX_RAW_SIZE),
    jsonBytes: size('MAX_JSON_SIZE', environment.MAX_JSON_SIZE),
  }
}

/** What the templates take unless they are told otherwise. */
const MOST = 102_400
const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 }

function size(name: string, value = ''): number {
  if (value === '') return MOST
  const found = /^(\d+(?:\.\d+)?) *(b|kb|mb|gb)?$/i.exec(value)
  if (found === null) throw new TypeError(`${name} must be a size, as 100kb or 1mb, not ${value}`)
  return Math.floor(Number(found[1]) * UNITS[(found[2] ?? 'b').toLowerCase()]!)
}

/** The event of a request. @throws EventError its body is too large or malformed */
export function eventOf(request: RequestView, path: string, rules: BodyRules): FunctionEvent {
  const { method, query } = request
  const headers = headersOf(request.headers)
  // New users had been surprised by a body that is missing.
  headers['content-type'] ??= 'text/plain'
  return { body: bodyOf(request, rules), headers, method, query: fieldsOf(query), path }
}

function bodyOf({ headers, body }: RequestView, rules: BodyRules): unknown {
  const type = header(headers, 'content-type') ?? 'text/plain'
  const kind = type.split(';', 1)[0]!.trim().toLowerCase()
  const json = kind === 'application/json' && !rules.raw
  const most = json ? rules.jsonBytes : rules.bytes
  if (body.length > most) throw new EventError(413, `the body has ${body.length} bytes; ${most} are allowed`)
  if (body.length === 0) return {}
  if (rules.raw) return Buffer.from(body)
  if (json) return fromJson(textOf(body, type))
  if (kind === 'application/x-www-form-urlencoded') return fieldsOf(textOf(body, type))
  return kind.startsWith('text/') ? textOf(body, type) : {}
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new EventError(400, `the body is no JSON: ${(error as Error).message}`)
  }
}

function textOf(body: Uint8Array, type: string): string {
  const { buffer, byteOffset, length } = body
  const latin = /charset="?(?:iso-8859-1|latin1)/i.test(type)
  return Buffer.from(buffer, byteOffset, length).toString(latin ? 'latin1' : 'utf8')
}

function headersOf(fields: readonly Field[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null)
  for (const [given, value] of fields) {
    const name = given.toLowerCase()
    const before = headers[name]
    if (name === 'set-cookie') headers[name] = [...(before ?? []), value]
    else headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return headers
}

/** Of a query or a form; `name[]` is as good as a name that comes several times. */
function fieldsOf(text: string): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null)
  for (const [given, value] of new URLSearchParams(text)) {
    const list = given.endsWith('[]')
    const name = list ? given.slice(0, -2) : given
    const before = fields[name]
    if (before === undefined) fields[name] = list ? [value] : value
    else fields[name] = [...(Array.isArray(before) ? before : [before]), value]
  }
  return fields
}
