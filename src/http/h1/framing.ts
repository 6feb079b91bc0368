import { lengthOf } from '../field-values.ts'
import { type Field, isNamed } from '../message.ts'
import { H1Error } from './error.ts'

/** What the fields of a head say about the message and its connection (RFC 9112 §6 and §9). */
export interface Framing {
  /** From Content-Length, in bytes. */
  contentLength: number | undefined
  chunked: boolean
  close: boolean
  keepAlive: boolean
  /** Connection says that Upgrade is meant for this hop (RFC 9110 §7.8). */
  upgrading: boolean
  /** The value of Upgrade, lines joined by commas; undefined if there is none. */
  upgrade: string | undefined
  /** The value of Host; undefined if there is none. */
  host: string | undefined
  /** The value of Expect, lines joined by commas; undefined if there is none. */
  expect: string | undefined
}

/**
 * Reads the fields that decide where a message ends. Two readings of one message would be a smuggling hole,
 * so what is in doubt is refused.
 * @throws H1Error 400 for contradictions and bad values, 413 for a length beyond 2^53 - 1, 501 for a transfer
 * coding other than chunked
 */
export function readFraming(version: '1.0' | '1.1', fields: readonly Field[]): Framing {
  const framing: Framing = {
    contentLength: undefined,
    chunked: false,
    close: false,
    keepAlive: false,
    upgrading: false,
    upgrade: undefined,
    host: undefined,
    expect: undefined,
  }
  let codings: string | undefined
  for (const [name, value] of fields) {
    switch (name.length) {
      case 4:
        if (!isNamed(name, 'host')) break
        if (framing.host !== undefined) throw new H1Error(400, 'more than one Host field')
        framing.host = value
        break
      case 6:
        if (isNamed(name, 'expect')) framing.expect = joined(framing.expect, value)
        break
      case 7:
        if (isNamed(name, 'upgrade')) framing.upgrade = joined(framing.upgrade, value)
        break
      case 10:
        if (isNamed(name, 'connection')) readConnection(value, framing)
        break
      case 14:
        if (!isNamed(name, 'content-length')) break
        if (framing.contentLength !== undefined) throw new H1Error(400, 'more than one Content-Length')
        framing.contentLength = readLength(value)
        break
      case 17:
        if (!isNamed(name, 'transfer-encoding')) break
        codings = joined(codings, value)
        break
    }
  }
  if (codings !== undefined) {
    if (framing.contentLength !== undefined) {
      throw new H1Error(400, 'both Content-Length and Transfer-Encoding')
    }
    if (version === '1.0') throw new H1Error(400, 'Transfer-Encoding in an HTTP/1.0 message')
    checkCodings(codings)
    framing.chunked = true
  }
  return framing
}

/** The lines of one field as one list (RFC 9110 §5.3). */
function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`
}

function readLength(value: string): number {
  const length = lengthOf(value)
  if (Number.isNaN(length)) throw new H1Error(400, 'Content-Length is not a decimal number')
  if (length === Number.POSITIVE_INFINITY) throw new H1Error(413, 'Content-Length exceeds every limit')
  return length
}

function checkCodings(value: string): void {
  const codings = value.split(',').map(coding => coding.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase())
  const other = codings.find(coding => coding !== 'chunked')
  if (other === '') throw new H1Error(400, 'Transfer-Encoding names no coding')
  if (other !== undefined) throw new H1Error(501, 'a transfer coding other than chunked')
  if (codings.length > 1) throw new H1Error(400, 'the coding chunked is applied twice')
}

function readConnection(value: string, framing: Framing): void {
  const lower = value.toLowerCase()
  if (lower === 'keep-alive') framing.keepAlive = true
  else if (lower === 'close') framing.close = true
  else {
    for (const option of lower.split(/[ \t]*,[ \t]*/)) {
      if (option === 'close') framing.close = true
      else if (option === 'keep-alive') framing.keepAlive = true
      else if (option === 'upgrade') framing.upgrading = true
    }
  }
}
