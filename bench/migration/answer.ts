import { H1Client, type H1ClientEvent } from '../../src/http/h1/index.ts'
import { type Field, header } from '../../src/http/message.ts'
import { concat, equal } from '../../src/wire/index.ts'
import { BenchError } from '../harness/run.ts'

/** Bytes of a request's body by default. */
export const BODY = 100

/** An answer that is not what was asked for: nothing that was measured with it counts. */
export class WrongAnswer extends BenchError {
  override readonly name = 'WrongAnswer'
}

/** What an answer has to be. */
export interface Expectation {
  /** Twice the request's. */
  readonly body: Uint8Array
  /** The container's name, as `raw-a-1`. */
  readonly container: string
  /** How often the connection has moved. */
  readonly hops: number
}

/**
 * The body of request `number`: no two are alike within 2^32 requests, and every byte depends on the number.
 */
export function bodyOf(number: number, length = BODY): Uint8Array {
  const body = new Uint8Array(length)
  new DataView(body.buffer).setUint32(0, number)
  let state = (number ^ 0x9e3779b9) | 1
  for (let at = 4; at < length; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    body[at] = state
  }
  return body
}

/** What the functions of the bench make of it. */
export function answerOf(number: number, length = BODY): Uint8Array {
  const body = bodyOf(number, length)
  return concat(body, body)
}

/** The answer's beginning, as text: enough to recognise it by when something is wrong. */
function excerpt(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder('latin1').decode(bytes.subarray(0, 120)))
}

/** An answer, in whichever version of HTTP it came. */
export interface Answer {
  readonly status: number
  readonly headers: readonly Field[]
  readonly body: Uint8Array
}

/**
 * Judges one answer, every byte of its content, and who says to have given it.
 * @throws WrongAnswer what is wrong with it
 */
export function judge({ status, headers, body }: Answer, expected: Expectation): void {
  if (status !== 200) throw new WrongAnswer(`status ${status}`)
  const container = header(headers, 'x-hotpotato-container')
  if (container !== expected.container)
    throw new WrongAnswer(`answered by ${container}, not by ${expected.container}`)
  const hops = header(headers, 'x-hotpotato-hops')
  // The platform's counter stays at the top of its 16 bits.
  if (hops !== String(Math.min(expected.hops, 0xffff)))
    throw new WrongAnswer(`after ${hops} moves, not ${expected.hops}`)
  if (equal(body, expected.body)) return
  const at = body.findIndex((byte, index) => byte !== expected.body[index])
  throw new WrongAnswer(
    body.length === expected.body.length
      ? `byte ${at} of the content is ${body[at]}, not ${expected.body[at]}`
      : `${body.length} bytes of content, not ${expected.body.length}`,
  )
}

/**
 * {@link judge}s an answer of HTTP/1.1. @param plaintext all application data that has come for one request
 * @throws WrongAnswer
 */
export function checkAnswer(plaintext: Uint8Array, expected: Expectation): void {
  try {
    judge(parse(plaintext), expected)
  } catch (error) {
    if (!(error instanceof WrongAnswer)) throw error
    throw new WrongAnswer(`${error.message}; the answer begins ${excerpt(plaintext)}`)
  }
}

function parse(plaintext: Uint8Array): Answer {
  const events = read(plaintext)
  const [head] = events
  if (head?.type !== 'response') throw new WrongAnswer('no response')
  if (events.filter(({ type }) => type === 'end').length !== 1)
    throw new WrongAnswer('not exactly one complete response')
  if (events.some(({ type }) => type === 'error' || type === 'interim'))
    throw new WrongAnswer('more than a response')
  const body = concat(...events.map(event => (event.type === 'body' ? event.data : NOTHING)))
  return { status: head.status, headers: head.headers, body }
}

/** Whether application data is a whole response, right or wrong. */
export function isWhole(plaintext: Uint8Array): boolean {
  return read(plaintext).some(({ type }) => type === 'end' || type === 'error')
}

/**
 * Bytes of the whole response that application data is the beginning of, by its Content-Length.
 * @returns undefined if the head has not come whole or does not tell
 */
export function lengthOf(plaintext: Uint8Array): number | undefined {
  const [head] = read(plaintext)
  if (head?.type !== 'response') return undefined
  const content = header(head.headers, 'content-length')
  if (content === undefined || !/^\d{1,15}$/.test(content)) return undefined
  for (let at = 3; at < plaintext.length; at++) {
    if (plaintext[at] === 0x0a && plaintext[at - 1] === 0x0d && plaintext[at - 2] === 0x0a)
      return at + 1 + Number(content)
  }
  return undefined
}

const NOTHING = new Uint8Array(0)

function read(plaintext: Uint8Array): H1ClientEvent[] {
  const http = new H1Client()
  http.request({ method: 'POST', target: '/', headers: [['host', 'bench']] })
  return http.receive(plaintext)
}
