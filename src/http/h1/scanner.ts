import { beginsKeyField, isKeyField, KEY_FIELD, secretCopy } from '../key-field.ts'
import type { Field } from '../message.ts'
import { BARE_LF, H1Error } from './error.ts'
import type { H1Limits } from './limits.ts'
import { latin1, TARGET, TOKEN, VALUE } from './syntax.ts'

const HTAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const COLON = 0x3a

/** Empty lines that we skip before a request line (RFC 9112 §2.2). */
const EMPTY_LINES = 2

/** A start line and its fields, or trailer fields alone, as text. */
export interface ScannedHead {
  /**
   * The parts of the start line: method, target, version; or version, status, reason; nothing for trailers.
   */
  readonly start: readonly [string, string, string] | undefined
  readonly fields: readonly Field[]
  /** Bytes of the head, with the empty line and what was skipped before it. */
  readonly length: number
  /** The key that a request brings: a copy, and where it lies from the head's first byte on. */
  readonly key?: { readonly value: Uint8Array; readonly at: number } | undefined
}

/** What stands before the field lines. */
export type StartLine = 'request-line' | 'status-line' | 'none'

/**
 * Where the fields of the head being scanned lie: name from, name to, value from, value to. Shared: a scan is
 * synchronous.
 */
let offsets = new Int32Array(4 * 128)

/**
 * Reads heads and trailers (RFC 9112 §2 to §5 and 7.1.2) out of bytes that come in any pieces, in one
 * pass and in linear time. Which error it finds does not depend on the pieces: a line is judged when its LF
 * is there, or when no more bytes are allowed.
 */
export class HeadScanner {
  readonly #limits: H1Limits
  readonly #startLine: StartLine
  // Offsets are from the head's first byte, because the queue may move its bytes between two scans.
  /** Where the line begins that is to be read next. */
  #line = 0
  /** Bytes of that line, and before it, in which there is no LF; 0 if the line has not been looked at. */
  #searched = 0
  #emptyLines = 0
  #started: boolean
  #first = 0
  #second = 0
  #third = 0
  #fourth = 0
  #fields = 0
  /** Which of them is the key of a sealed function; -1: none. */
  #key = -1
  #ascii = true
  #saved: Int32Array | undefined

  constructor(startLine: StartLine, limits: H1Limits) {
    this.#startLine = startLine
    this.#limits = limits
    this.#started = startLine === 'none'
  }

  /**
   * Goes on with the head that begins at `start`; the bytes before `end` that an earlier call has seen must
   * be the same.
   * @returns the head, or undefined if it is not complete
   * @throws H1Error 400 for bad syntax, 414 and 431 for what is too long, 505 for a version that is not ours
   */
  scan(bytes: Uint8Array, start: number, end: number): ScannedHead | undefined {
    const limit = start + this.#limits.headBytes
    const full = end >= limit
    const stop = full ? limit : end
    if (!this.#mayBegin(bytes, start, stop)) throw this.#noBeginning(bytes, start)
    if (this.#searched > 0 && !full && !hasLineFeed(bytes, start + this.#searched, stop)) {
      this.#searched = stop - start
      return undefined
    }
    if (this.#saved !== undefined) offsets.set(this.#saved)
    try {
      if (this.#scanLines(bytes, start, stop)) return this.#finish(bytes, start)
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      const judged = full || hasLineFeed(bytes, start + this.#line, stop)
      if (judged || !this.#mayBegin(bytes, start, stop)) throw error
    }
    if (full) throw this.#tooLong()
    this.#searched = stop - start
    this.#saved = this.#fields > 0 ? offsets.slice(0, 4 * this.#fields) : undefined
    return undefined
  }

  /**
   * Turns away what cannot be HTTP at its first byte, such as a TLS record, instead of waiting for a line.
   */
  #mayBegin(bytes: Uint8Array, start: number, stop: number): boolean {
    const at = start + this.#line
    if (this.#started || at >= stop) return true
    const byte = bytes[at] as number
    return TOKEN[byte] === 1 || byte === CR
  }

  #noBeginning(bytes: Uint8Array, start: number): H1Error {
    if (bytes[start + this.#line] === LF) return new H1Error(400, BARE_LF)
    return new H1Error(400, 'what came first is not the beginning of a message')
  }

  #tooLong(): H1Error {
    if (this.#startLine === 'request-line' && !this.#started) {
      return new H1Error(414, `the request line has more than ${this.#limits.headBytes} bytes`)
    }
    return new H1Error(431, `the head has more than ${this.#limits.headBytes} bytes`)
  }

  /** Whether there is a key in what has come, or the beginning of one. */
  hasKey(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#key >= 0 || beginsKeyField(bytes, start + this.#line, end)
  }

  /** @returns whether the empty line was reached; then `#line` lies behind it */
  #scanLines(bytes: Uint8Array, start: number, stop: number): boolean {
    while (!this.#started) {
      const next = this.#scanStartLine(bytes, start + this.#line, start, stop)
      if (next < 0) return false
      this.#line = next - start
      if (!this.#mayBegin(bytes, start, stop)) throw this.#noBeginning(bytes, start)
    }
    let at = start + this.#line
    let count = this.#fields
    let seen = 0
    for (;;) {
      const line = at
      while (at < stop && TOKEN[bytes[at] as number] === 1) at++
      if (at >= stop) break
      const nameEnd = at
      if (bytes[at] !== COLON || nameEnd === line) {
        if (nameEnd !== line || bytes[at] !== CR) throw badFieldName(bytes[at] as number, nameEnd === line)
        if (at + 1 >= stop) break
        if (bytes[at + 1] !== LF) throw new H1Error(400, 'a CR without LF')
        this.#line = at + 2 - start
        return true
      }
      at++
      while (at < stop && (bytes[at] === SP || bytes[at] === HTAB)) at++
      const valueStart = at
      while (at < stop) {
        const byte = bytes[at] as number
        if (VALUE[byte] === 0) break
        seen |= byte
        at++
      }
      if (at + 1 >= stop) {
        if (at < stop && bytes[at] !== CR) throw badFieldValue(bytes[at] as number)
        break
      }
      if (bytes[at] !== CR || bytes[at + 1] !== LF) throw badFieldValue(bytes[at] as number)
      let valueEnd = at
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--
      if (count === this.#limits.headerFields) throw new H1Error(431, `more than ${count} header fields`)
      if (4 * count === offsets.length) offsets = grown(offsets)
      if (nameEnd - line === KEY_FIELD.length && isKeyField(bytes, line, nameEnd)) {
        if (this.#key >= 0) throw new H1Error(400, `two fields ${KEY_FIELD}`)
        this.#key = count
      }
      const entry = 4 * count
      offsets[entry] = line - start
      offsets[entry + 1] = nameEnd - start
      offsets[entry + 2] = valueStart - start
      offsets[entry + 3] = valueEnd - start
      count++
      at += 2
      this.#fields = count
      this.#line = at - start
      if (seen > 0x7f) this.#ascii = false
    }
    return false
  }

  /** @returns where the next line begins; -1 if the line is not complete */
  #scanStartLine(bytes: Uint8Array, line: number, start: number, stop: number): number {
    if (line >= stop) return -1
    if (bytes[line] === CR) {
      if (line + 1 >= stop) return -1
      if (bytes[line + 1] !== LF) throw new H1Error(400, 'a CR without LF')
      if (this.#startLine === 'status-line' || ++this.#emptyLines > EMPTY_LINES) {
        throw new H1Error(400, 'empty lines before the message')
      }
      return line + 2
    }
    return this.#startLine === 'request-line'
      ? this.#scanRequestLine(bytes, line, start, stop)
      : this.#scanStatusLine(bytes, line, start, stop)
  }

  /** `method SP request-target SP HTTP-version CRLF` (RFC 9112 §3). */
  #scanRequestLine(bytes: Uint8Array, line: number, start: number, stop: number): number {
    let at = line
    while (at < stop && TOKEN[bytes[at] as number] === 1) at++
    if (at >= stop) return -1
    if (bytes[at] !== SP) throw new H1Error(400, 'the method is not a token followed by a space')
    const methodEnd = at
    const targetStart = ++at
    while (at < stop && TARGET[bytes[at] as number] === 1) at++
    if (at >= stop) return -1
    if (bytes[at] === CR || bytes[at] === LF) throw new H1Error(400, 'a request line without a version')
    if (bytes[at] !== SP) throw new H1Error(400, `the request target holds ${byteName(bytes[at] as number)}`)
    if (at === targetStart) throw new H1Error(400, 'two spaces after the method')
    const targetEnd = at
    const whole = at + 11 <= stop
    if (!whole && !hasLineFeed(bytes, at, stop)) return -1
    // One error for every line that is not of this form: which one must not hang on how much of the next line
    // is there.
    if (at + 9 < stop && bytes[at + 9] === LF && isVersion(bytes, at + 1)) throw new H1Error(400, BARE_LF)
    if (!whole || bytes[at + 9] !== CR || bytes[at + 10] !== LF || !isVersion(bytes, at + 1)) {
      throw new H1Error(400, 'the request line does not end in a version such as HTTP/1.1, and CR LF')
    }
    checkVersion(bytes, at + 1)
    this.#first = line - start
    this.#second = methodEnd - start
    this.#third = targetEnd - start
    this.#fourth = targetEnd + 9 - start
    this.#started = true
    return at + 11
  }

  /** `HTTP-version SP status-code SP [ reason-phrase ] CRLF` (RFC 9112 §4). */
  #scanStatusLine(bytes: Uint8Array, line: number, start: number, stop: number): number {
    const whole = line + 13 <= stop
    if (!whole && !hasLineFeed(bytes, line, stop)) return -1
    const status = whole && isDigit(bytes, line + 9) && isDigit(bytes, line + 10) && isDigit(bytes, line + 11)
    if (!status || !isVersion(bytes, line) || bytes[line + 8] !== SP || bytes[line + 12] !== SP) {
      throw new H1Error(400, 'the status line does not begin with a version and three digits')
    }
    checkVersion(bytes, line)
    let at = line + 13
    const reason = at
    while (at < stop && VALUE[bytes[at] as number] === 1) {
      if ((bytes[at] as number) > 0x7f) this.#ascii = false
      at++
    }
    if (at + 1 >= stop && (at >= stop || bytes[at] === CR)) return -1
    if (bytes[at] === LF) throw new H1Error(400, BARE_LF)
    if (bytes[at] !== CR || bytes[at + 1] !== LF) throw new H1Error(400, 'a control character in the reason')
    this.#first = line - start
    this.#second = line + 8 - start
    this.#third = reason - 1 - start
    this.#fourth = at - start
    this.#started = true
    return at + 2
  }

  #finish(bytes: Uint8Array, start: number): ScannedHead {
    if (this.#key >= 0) return this.#finishWithKey(bytes, start)
    return this.#textual(bytes, start)
  }

  /** No text is made of the key: what is read is a copy of the head without it. */
  #finishWithKey(bytes: Uint8Array, start: number): ScannedHead {
    const [from, to] = [offsets[4 * this.#key + 2]!, offsets[4 * this.#key + 3]!]
    const value = secretCopy(bytes, start + from, start + to)
    const masked = bytes.slice(start, start + this.#line).fill(SP, from, to)
    const { fields, ...head } = this.#textual(masked, 0)
    return { ...head, fields: fields.filter((_, index) => index !== this.#key), key: { value, at: from } }
  }

  #textual(bytes: Uint8Array, start: number): ScannedHead {
    const length = this.#line
    const text = latin1(bytes, start, start + length, this.#ascii)
    const fields: Field[] = new Array(this.#fields)
    for (let i = 0, entry = 0; i < fields.length; i++, entry += 4) {
      const name = text.slice(offsets[entry], offsets[entry + 1])
      fields[i] = [name, text.slice(offsets[entry + 2], offsets[entry + 3])]
    }
    if (this.#startLine === 'none') return { start: undefined, fields, length }
    const first = text.slice(this.#first, this.#second)
    const second = text.slice(this.#second + 1, this.#third)
    return { start: [first, second, text.slice(this.#third + 1, this.#fourth)], fields, length }
  }
}

/** `HTTP/` DIGIT `.` DIGIT, in capitals (RFC 9112 §2.3). */
function isVersion(bytes: Uint8Array, at: number): boolean {
  const http =
    bytes[at] === 0x48 && bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 && bytes[at + 3] === 0x50
  return (
    http &&
    bytes[at + 4] === 0x2f &&
    isDigit(bytes, at + 5) &&
    bytes[at + 6] === 0x2e &&
    isDigit(bytes, at + 7)
  )
}

function isDigit(bytes: Uint8Array, at: number): boolean {
  const byte = bytes[at] as number
  return byte >= 0x30 && byte <= 0x39
}

function checkVersion(bytes: Uint8Array, at: number): void {
  const major = (bytes[at + 5] as number) - 0x30
  const minor = (bytes[at + 7] as number) - 0x30
  if (major !== 1 || minor > 1) throw new H1Error(505, `HTTP/${major}.${minor} is not spoken here`)
}

function hasLineFeed(bytes: Uint8Array, from: number, stop: number): boolean {
  for (let i = from; i < stop; i++) if (bytes[i] === LF) return true
  return false
}

function grown(old: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 2)
  larger.set(old)
  return larger
}

function badFieldName(byte: number, first: boolean): H1Error {
  if (byte === LF) return new H1Error(400, first ? BARE_LF : 'a field line without a colon')
  const space = byte === SP || byte === HTAB
  if (first && space) return new H1Error(400, 'a line that begins with a space continues no field here')
  if (first && byte === COLON) return new H1Error(400, 'a field without a name')
  if (space) return new H1Error(400, 'a space between field name and colon')
  return new H1Error(400, `a field name holds ${byteName(byte)}`)
}

function badFieldValue(byte: number): H1Error {
  if (byte === CR) return new H1Error(400, 'a CR without LF')
  if (byte === LF) return new H1Error(400, BARE_LF)
  return new H1Error(400, `a field value holds ${byteName(byte)}`)
}

function byteName(byte: number): string {
  return `the byte 0x${byte.toString(16).padStart(2, '0')}`
}
