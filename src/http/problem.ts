import { utf8 } from '../wire/index.ts'
import type { Field, ResponseView } from './message.ts'
import { reasonPhrase } from './status.ts'

/**
 * The field by which an error of the platform is told from one of a function; its value is the error's short
 * name.
 */
export const ERROR_FIELD = 'x-hotpotato-error'

/** What went wrong, for programs and for people (RFC 9457). */
export interface Problem {
  /** A short name of lower-case letters, digits and hyphens: `no-such-function`. */
  readonly name: string
  readonly status: number
  /** What the name means, the same for each occurrence; the status's reason phrase if left out. */
  readonly title?: string
  /** What happened this time. Never holds a secret or a stack trace. */
  readonly detail?: string
  /** Members of its own kind (§3.2). They cannot replace the standard ones. */
  readonly extensions?: Readonly<Record<string, unknown>>
  /** Fields that the response needs besides, such as Retry-After. */
  readonly headers?: readonly Field[]
}

/** What a client gets that has broken a rule. @param detail which */
export function refusal(status: number, detail: string): Problem {
  return { name: status === 421 ? 'misdirected-request' : 'bad-request', status, detail }
}

/**
 * The response that tells a problem: `application/problem+json`, marked as an error of the platform.
 * @throws TypeError for a name that is not of the form above
 */
export function problem({ name, status, title, detail, extensions, headers }: Problem): ResponseView {
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) throw new TypeError('not the short name of a problem')
  const members = {
    type: `urn:hotpotato:problem:${name}`,
    title: title ?? reasonPhrase(status),
    status,
    ...(detail !== undefined && { detail }),
  }
  return {
    status,
    headers: [
      ['content-type', 'application/problem+json'],
      ['cache-control', 'no-store'],
      [ERROR_FIELD, name],
      ...(headers ?? []),
    ],
    body: utf8(`${JSON.stringify({ ...members, ...extensions, ...members })}\n`),
  }
}
