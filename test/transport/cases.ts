import type { ServerHandlers } from '../../src/transport/server.ts'
import { utf8 } from '../../src/wire/index.ts'

/** Where all moves between any two calls, a little is as good as much, and takes minutes less. */
const MOVING = process.env.HOTPOTATO_THROUGH_MOVES === '1'
const PIECES = MOVING ? 2 : 16
const LARGE = MOVING ? 80_000 : 400_000
const PIECE = new Uint8Array(65_536).fill(0x70)

/** What every transport has to carry, over every version of HTTP. */
export interface Case {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly body?: Uint8Array
  readonly status?: number
  /** Bytes of content, or what it says. */
  readonly content: number | RegExp
}

export const CASES: readonly Case[] = [
  { name: 'a small answer', method: 'GET', path: '/a?b', content: /^GET \/a\?b$/ },
  { name: 'no content', method: 'HEAD', path: '/a', content: 0 },
  { name: 'a large answer', method: 'GET', path: '/large', content: PIECES * PIECE.length },
  { name: 'an answer of unknown length', method: 'GET', path: '/stream', content: /^one two three$/ },
  {
    name: 'a request with content',
    method: 'POST',
    path: '/echo',
    body: PIECE.subarray(0, 50_000),
    content: 50_000,
  },
  { name: 'a large request', method: 'POST', path: '/echo', body: new Uint8Array(LARGE), content: LARGE },
  {
    name: 'a fault of the application',
    method: 'GET',
    path: '/throw',
    status: 500,
    content: /application-failed/,
  },
  {
    name: 'what is known of the connection',
    method: 'GET',
    path: '/connection',
    content: /^(true|false) \S+$/,
  },
]

/** Answers them. */
export const application: ServerHandlers = {
  async request(request, response, { secure, alpn }) {
    switch (request.path) {
      case '/large':
        response.begin({ status: 200, headers: [], length: PIECES * PIECE.length })
        for (let i = 0; i < PIECES; i++) await response.write(PIECE)
        response.end()
        return
      case '/stream':
        response.begin({ status: 200, headers: [], length: undefined })
        for (const part of ['one ', 'two ', 'three']) response.write(utf8(part))
        response.end()
        return
      case '/echo':
        response.begin({ status: 200, headers: [], length: request.length })
        request.content({
          data: bytes => response.write(bytes),
          end: () => response.end(),
          broken: () => response.abort(),
        })
        return
      case '/throw':
        throw new Error('on purpose')
      case '/connection':
        response.reply({ status: 200, body: `${secure} ${alpn}` })
        return
      default:
        response.reply({ status: 200, body: `${request.method} ${request.target}` })
    }
  },
}
