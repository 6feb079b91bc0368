import { H1Error } from './h1/error.ts'
import { type Field, isNamed } from './message.ts'

/*
 * Values of fields that mean the same in every version of HTTP, and are read in one place for that.
 */

/**
 * The number of bytes that a Content-Length says (RFC 9110 §8.6): decimal digits and nothing else.
 * @returns NaN for anything else; Infinity beyond 2^53 - 1, which no number holds exactly
 */
export function lengthOf(value: string): number {
  let length = value === '' ? Number.NaN : 0
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : Number.NaN
  }
  return length > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : length
}

/** Whether that can be the value of X-Call-Id: it is written into fields, logs, and names of files. */
export function isCallId(value: string): boolean {
  return /^[\w.:+/=@-]{1,128}$/.test(value)
}

/** What the Expect fields say, their lines joined by commas; undefined: there is none. */
export function expectationIn(fields: readonly Field[]): string | undefined {
  let expectation: string | undefined
  for (const [name, value] of fields) {
    if (name.length !== 6 || !isNamed(name, 'expect')) continue
    expectation = expectation === undefined ? value : `${expectation},${value}`
  }
  return expectation
}

/**
 * Whether a client waits for 100 (Continue) before it sends its content (RFC 9110 §10.1.1).
 * @param value see {@link expectationIn}
 * @throws H1Error 417 for an expectation that cannot be met
 */
export function expectsContinue(value: string | undefined): boolean {
  if (value === undefined) return false
  const expected = value.split(',').flatMap(one => one.trim().toLowerCase() || [])
  if (expected.some(one => one !== '100-continue'))
    throw new H1Error(417, 'an expectation other than 100-continue')
  return expected.length > 0
}
