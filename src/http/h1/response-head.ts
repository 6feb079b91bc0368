import { checkTrailers, type Field, isNamed, type RequestHead } from '../message.ts'
import { reasonPhrase } from '../status.ts'
import { fieldLine, isFieldValue, isToken } from './syntax.ts'

/** The start of a response, before the connection adds its own fields. */
export interface ResponseHead {
  /** 200 to 999; interim responses are not sent this way. */
  readonly status: number
  readonly headers: readonly Field[]
  /** Bytes of content that will be written, or that a GET would have got; undefined: not known beforehand. */
  readonly length: number | undefined
}

/** What the connection knows about the exchange. */
export interface ResponseContext {
  readonly headRequest: boolean
  readonly version: RequestHead['version']
  /** The connection could be used again. */
  readonly persistent: boolean
  /** Milliseconds since 1970, for Date. */
  readonly now: number
  /** Lines of further fields, see {@link fieldLines}. */
  readonly lines?: string
}

/**
 * Fields that go out with many responses, as lines, so that they are judged once. None is among those that
 * {@link serialiseHead} treats in a way of their own.
 * @throws TypeError for one that cannot be sent
 */
export function fieldLines(fields: readonly Field[]): string {
  let lines = ''
  for (const [name, value] of fields) lines += fieldLine(name, value)
  return lines
}

/** A response's head as it goes out, and how its content is framed. */
export interface SerialisedHead {
  /** Characters below U+0100, each one byte. */
  readonly text: string
  readonly framing: 'length' | 'chunked' | 'until close' | 'no content'
  /** Bytes of content to come if `framing` is `length`; otherwise 0. */
  readonly length: number
  readonly close: boolean
}

/**
 * Writes a response's head (RFC 9112 §4, 6 and 9). Date, Content-Length, Transfer-Encoding and
 * Connection are ours; Keep-Alive, Proxy-Connection and Upgrade of the function are left out (but Upgrade
 * stays with 426), Trailer stays where there are chunks, its `Connection: close` is followed, its Date is
 * kept, and its Content-Length is used where the length is not known.
 * @throws TypeError for a status, field or length that must not be sent
 */
export function serialiseHead(head: ResponseHead, context: ResponseContext): SerialisedHead {
  const { status } = head
  if (!Number.isInteger(status) || status < 200 || status > 999) {
    throw new TypeError(`${status} is not the status of a final response`)
  }
  let close = !context.persistent
  let dated = false
  let declared: number | undefined
  let trailer = ''
  let text = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`
  for (const [name, value] of head.headers) {
    if (!isToken(name)) throw new TypeError('a field name is not a token')
    if (!isFieldValue(value)) throw new TypeError(`the value of ${name} cannot be sent in a field`)
    switch (name.length) {
      case 4:
        if (isNamed(name, 'date')) dated = true
        break
      case 7: {
        const lower = name.toLowerCase()
        if (lower === 'upgrade' && status !== 426) continue
        if (lower !== 'trailer') break
        trailer += `${name}: ${value}\r\n`
        continue
      }
      case 10: {
        const lower = name.toLowerCase()
        if (lower === 'keep-alive') continue
        if (lower !== 'connection') break
        if (/(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value)) close = true
        continue
      }
      case 14:
        if (!isNamed(name, 'content-length')) break
        declared = declaredLength(value, declared)
        continue
      case 16:
        if (isNamed(name, 'proxy-connection')) continue
        break
      case 17:
        if (isNamed(name, 'transfer-encoding')) continue
        break
    }
    text += `${name}: ${value}\r\n`
  }
  if (context.lines !== undefined) text += context.lines
  const noContent = context.headRequest || status === 204 || status === 304
  const length = noContent ? (declared ?? head.length) : (head.length ?? declared)
  if (!noContent && declared !== undefined && declared !== length) {
    throw new TypeError(`Content-Length says ${declared}, but the content has ${length} bytes`)
  }
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) {
    throw new TypeError(`${length} is not a number of bytes`)
  }
  if (status === 205 && length !== 0) throw new TypeError('a 205 response carries no content')
  let framing: SerialisedHead['framing'] = 'length'
  if (noContent) {
    framing = 'no content'
    // 204 never has a length, and 304 only the one that the function knows (RFC 9110 §8.6).
    const tells = status === 204 ? undefined : status === 304 ? declared : length
    if (tells !== undefined) text += `Content-Length: ${tells}\r\n`
  } else if (length !== undefined) {
    text += `Content-Length: ${length}\r\n`
  } else if (context.version === '1.1') {
    framing = 'chunked'
    text += `Transfer-Encoding: chunked\r\n${trailer}`
  } else {
    framing = 'until close'
    close = true
  }
  if (!dated) text += `Date: ${httpDate(context.now)}\r\n`
  // RFC 9110 §15.5.22: 426 must say what to upgrade to, and §7.8 to name that in Connection.
  const option = status === 426 ? 'upgrade, ' : ''
  if (close) text += `Connection: ${option}close\r\n`
  else if (option !== '') text += 'Connection: upgrade\r\n'
  else if (context.version === '1.0') text += 'Connection: keep-alive\r\n'
  return { text: `${text}\r\n`, framing, length: framing === 'length' ? length! : 0, close }
}

/**
 * The head of an interim response (RFC 9110 §15.2): 101 with the fields given and `Connection:
 * upgrade`, any other 1xx with the fields alone.
 * @throws TypeError for another status, or a field that must not be sent; 101 without an Upgrade field
 */
export function serialiseInterim(status: number, headers: readonly Field[]): string {
  if (!Number.isInteger(status) || status < 100 || status > 199) {
    throw new TypeError(`${status} is not the status of an interim response`)
  }
  let text = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`
  let upgrade = false
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (lower === 'connection') continue
    if (FRAMING.has(lower)) throw new TypeError(`${name} has no place in an interim response`)
    if (lower === 'upgrade') upgrade = true
    text += fieldLine(name, value)
  }
  if (upgrade !== (status === 101)) throw new TypeError('101 and an Upgrade field go together')
  return `${text}${upgrade ? 'Connection: upgrade\r\n' : ''}\r\n`
}

/**
 * The head that grants CONNECT: it has neither Content-Length nor Transfer-Encoding (RFC 9110 §9.3.6).
 * @throws TypeError for a field that must not be sent
 */
export function serialiseTunnel(headers: readonly Field[]): string {
  let text = 'HTTP/1.1 200 OK\r\n'
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (lower === 'connection') continue
    if (FRAMING.has(lower) || lower === 'upgrade')
      throw new TypeError(`${name} has no place in a tunnel's head`)
    text += fieldLine(name, value)
  }
  return `${text}\r\n`
}

/**
 * The last chunk and what follows it (RFC 9112 §7.1.2). @throws TypeError for a field that must not
 * be sent, or not behind the content
 */
export function serialiseTrailers(trailers: readonly Field[]): string {
  checkTrailers(trailers)
  let text = '0\r\n'
  for (const [name, value] of trailers) text += fieldLine(name, value)
  return `${text}\r\n`
}

/** Where a message ends is no business of an interim response, which has no content. */
const FRAMING = new Set(['content-length', 'transfer-encoding'])

function declaredLength(value: string, before: number | undefined): number {
  if (!/^[0-9]{1,15}$/.test(value) || (before !== undefined && before !== Number(value))) {
    throw new TypeError('Content-Length is not one number of bytes')
  }
  return Number(value)
}

let dateSecond = Number.NaN
let dateText = ''

/**
 * IMF-fixdate (RFC 9110 §5.6.7): `Tue, 15 Nov 1994 08:12:31 GMT`. @param now milliseconds since 1970
 */
export function httpDate(now: number): string {
  const second = Math.floor(now / 1000)
  if (second !== dateSecond) {
    dateText = new Date(second * 1000).toUTCString()
    dateSecond = second
  }
  return dateText
}
