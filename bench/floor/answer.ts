import { copy } from './slab.ts'

const FIELDS =
  'HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n' +
  'date: Sat, 28 Nov 2026 21:00:00 GMT\r\nx-hotpotato-container: '
const BEHIND_NAME = '\r\nx-hotpotato-hops: '
const BEHIND_HOPS = '\r\ncontent-length: '
/** Digits of a number in the head; what it does not need are spaces in front, which HTTP passes over. */
const DIGITS = 5
const [SPACE, ZERO] = [32, 48] as const

/** Writes answers for one owner: a head that is the same but for two numbers, and the content twice. */
export class Answer {
  readonly #head: Uint8Array
  readonly #hopsAt: number
  readonly #lengthAt: number

  /** @param name of the owner, in ASCII */
  constructor(name: string) {
    const blank = ' '.repeat(DIGITS)
    const before = FIELDS + name + BEHIND_NAME
    const head = `${before}${blank}${BEHIND_HOPS}${blank}\r\n\r\n`
    this.#head = Buffer.from(head, 'latin1')
    this.#hopsAt = before.length
    this.#lengthAt = before.length + DIGITS + BEHIND_HOPS.length
  }

  /** @param hops 0 to 65,535 @returns where it ends */
  write(to: Uint8Array, at: number, hops: number, from: Uint8Array, content: number, length: number): number {
    number(this.#head, this.#hopsAt, hops)
    number(this.#head, this.#lengthAt, 2 * length)
    copy(this.#head, 0, to, at, this.#head.length)
    const body = at + this.#head.length
    copy(from, content, to, body, length)
    copy(from, content, to, body + length, length)
    return body + 2 * length
  }
}

function number(bytes: Uint8Array, at: number, value: number): void {
  let left = value
  for (let i = at + DIGITS - 1; i >= at; i--) {
    bytes[i] = left > 0 || i === at + DIGITS - 1 ? ZERO + (left % 10) : SPACE
    left = Math.floor(left / 10)
  }
}
