import type { Field } from '../../http/message.ts'
import { utf8 } from '../../wire/index.ts'
import { stringOf } from '../../wire/thrown.ts'
import type { RawResponse } from '../contract.ts'

/** What handlers of OpenFaaS's node templates answer with. */
export class FunctionContext {
  #status = 200
  #headers: Readonly<Record<string, unknown>> = {}
  readonly #settle: (response: RawResponse) => void
  /** How often it was answered; the first answer counts. */
  cbCalled = 0

  /** @param settle called with the first answer */
  constructor(settle: (response: RawResponse) => void) {
    this.#settle = settle
  }

  /** Sets the status, or tells it. */
  status(): number
  status(code: number): this
  status(code?: number): number | this {
    if (code === undefined) return this.#status
    this.#status = code
    return this
  }

  /** Sets the fields of the response, by name, or tells them. */
  headers(): Readonly<Record<string, unknown>>
  headers(fields: Readonly<Record<string, unknown>>): this
  headers(fields?: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | this {
    if (fields === undefined) return this.#headers
    this.#headers = fields
    return this
  }

  /** Answers with a text, bytes, or what JSON can say. */
  succeed(value?: unknown): void {
    const { type, body } = contentOf(value)
    this.#answer(fieldsOf(this.#headers, type), body)
  }

  /** Answers with an error: 500, unless a status was set, and what the error says. */
  fail(error?: unknown): void {
    if (this.#status === 200) this.#status = 500
    this.#answer([['content-type', TEXT]], utf8(error === undefined ? '' : stringOf(error)))
  }

  #answer(headers: readonly Field[], body: Uint8Array): void {
    if (++this.cbCalled === 1) this.#settle({ status: this.#status, headers, body })
  }
}

const TEXT = 'text/plain; charset=utf-8'
const NOTHING = new Uint8Array(0)

/** The kinds of content are those of Express, with which the templates answer, but for JSON. */
function contentOf(value: unknown): { readonly type: string | undefined; readonly body: Uint8Array } {
  if (value === undefined || value === null) return { type: undefined, body: NOTHING }
  if (typeof value === 'string') return { type: 'text/html; charset=utf-8', body: utf8(value) }
  if (value instanceof Uint8Array) return { type: 'application/octet-stream', body: value }
  if (typeof value === 'object')
    return { type: 'application/json; charset=utf-8', body: utf8(JSON.stringify(value)) }
  return { type: TEXT, body: utf8(String(value)) }
}

function fieldsOf(given: Readonly<Record<string, unknown>>, type: string | undefined): Field[] {
  const fields = Object.entries(given).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one): Field => [name, String(one)]),
  )
  const typed = fields.some(([name]) => name.toLowerCase() === 'content-type')
  return typed || type === undefined ? fields : [...fields, ['content-type', type]]
}
