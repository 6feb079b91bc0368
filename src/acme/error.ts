import { type Fields, isFields, textOf } from './json.ts'

/** Problems of one name among several (RFC 8555 §6.7.1). */
const MOST_SUBPROBLEMS = 8
const LONGEST = 300
const PREFIX = 'urn:ietf:params:acme:error:'

/**
 * What an ACME server refuses, or says that makes no sense. The message is one line for people: what was
 * asked for, and what is wrong.
 */
export class AcmeError extends Error {
  override readonly name = 'AcmeError'
  /** The name of an error of RFC 8555 §6.7, as `rateLimited`; undefined for anything else. */
  readonly type: string | undefined
  /** The status of the response; undefined: none came, or its status was in order. */
  readonly status: number | undefined
  /** Milliseconds after which it may be asked again, if the server says so. */
  readonly retryAfter: number | undefined

  constructor(
    message: string,
    {
      type,
      status,
      retryAfter,
    }: { readonly type?: string; readonly status?: number; readonly retryAfter?: number | undefined } = {},
  ) {
    super(message)
    this.type = type
    this.status = status
    this.retryAfter = retryAfter
  }
}

/** The type of a problem document, without what all of ACME have in front. */
export function problemType(problem: Fields): string | undefined {
  const type = textOf(problem.type, 200)
  return type?.startsWith(PREFIX) ? type.slice(PREFIX.length) : undefined
}

/**
 * A problem document (RFC 7807, RFC 8555 §6.7) in one line: `rateLimited: too many certificates (for a.test:
 * …)`.
 */
export function problemText(problem: unknown): string {
  if (!isFields(problem)) return 'no reason is given'
  const type = problemType(problem) ?? textOf(problem.type, 200)
  const detail = textOf(problem.detail, 4096) ?? textOf(problem.title, 4096)
  const own = [type, detail].filter(one => one !== undefined && one !== '').join(': ')
  const others = Array.isArray(problem.subproblems) ? problem.subproblems.slice(0, MOST_SUBPROBLEMS) : []
  const more = others.filter(isFields).map(one => {
    const name = isFields(one.identifier) ? textOf(one.identifier.value, 253) : undefined
    return `${name === undefined ? '' : `for ${name}, `}${problemText({ ...one, subproblems: undefined })}`
  })
  const text = `${own || 'no reason is given'}${more.length === 0 ? '' : ` (${more.join('; ')})`}`
  return oneLine(text)
}

/** What a server says goes to a terminal and into a log: no control characters, and not without end. */
export function oneLine(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return plain.length > LONGEST ? `${plain.slice(0, LONGEST - 1)}…` : plain
}
