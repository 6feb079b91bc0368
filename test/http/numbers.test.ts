import { describe, expect, it } from 'vitest'
import { application } from '../../src/cli/serve/application.ts'
import { lengthOf } from '../../src/http/field-values.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/index.ts'
import { H1Server } from '../../src/http/h1/server.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { bytes, text as textOf } from '../support/h1-messages.ts'
import { Scene, VERSIONS } from '../support/serving-scene.ts'

/*
 * Numbers that peers send, as far as they are text: none may wrap around, lose its last digits or mean two
 * things in two places.
 */

const UNBOUNDED = { ...DEFAULT_LIMITS, bodyBytes: Number.MAX_SAFE_INTEGER }
const LARGEST = Number.MAX_SAFE_INTEGER

const asking: HttpHandlers = {
  request(request, response) {
    request.content({ data() {}, end: () => response.reply({ status: 200 }), broken() {} })
  },
}

describe('Content-Length', () => {
  it.each([
    ['0', 0],
    ['00000000000000000000000000000000005', 5],
    [String(LARGEST), LARGEST],
    [String(2n ** 53n), Number.POSITIVE_INFINITY],
    [String(2n ** 64n + 5n), Number.POSITIVE_INFINITY],
    ['9'.repeat(400), Number.POSITIVE_INFINITY],
  ])('%s is read as it is', (text, value) => {
    expect(lengthOf(text)).toBe(value)
  })

  it.each([
    '',
    ' 5',
    '5 ',
    '+5',
    '-5',
    '-0',
    '5.0',
    '5e1',
    '0x5',
    '5,5',
    '5_0',
    '٥',
    '５',
    'Infinity',
    'NaN',
  ])('%j is no number', text => {
    expect(lengthOf(text)).toBeNaN()
  })

  it.each(VERSIONS)('beyond every limit gets 413 over %s, also where content has no limit', version => {
    for (const length of [2n ** 53n, 2n ** 63n, 2n ** 64n + 1n, 10n ** 40n]) {
      const scene = new Scene(version, asking, { http1: UNBOUNDED })
      if (version === 'h2') {
        const headers = [['content-length', String(length)] as const]
        expect(scene.ask({ method: 'POST', headers, body: [], ends: false }).status).toBe(413)
      } else {
        // Our client would not send it.
        scene.serving.receive(bytes(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`))
        expect(textOf(scene.serving.takeOutput()[0]!)).toMatch(/^HTTP\/1\.1 413 /)
      }
    }
  })
})

describe('the size of a chunk', () => {
  /** What a server without a limit reports of a chunked request. */
  function sized(...sizes: readonly string[]): unknown[] {
    const server = new H1Server(UNBOUNDED)
    server.receive(bytes('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'))
    server.next()
    server.accept()
    return sizes.map(size => {
      server.receive(bytes(size))
      const event = server.next()
      return event?.type === 'error' ? event.status : event?.type
    })
  }

  it.each([
    '20000000000000', // 2^53
    '10000000000000005',
    '1000000000000000000000005',
    'ffffffffffffffff',
    'fffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ])('%s, which no number holds, is refused (RFC 9112 §7.1)', size => {
    expect(sized(`${size}\r\n`)).toEqual([413])
  })

  it('may be the largest that a number holds, with zeros before it', () => {
    expect(sized('0000000000000000001fffffffffffff\r\n', 'a')).toEqual([undefined, 'body'])
  })

  it('is told by what echoes content, too, as long as its response has not begun', () => {
    const scene = new Scene('http/1.1', application({}), { http1: UNBOUNDED })
    const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
    scene.serving.receive(bytes(`${head}10000000000000005\r\nabc`))
    expect(textOf(scene.serving.takeOutput()[0]!)).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('counts with those before it', () => {
    expect(sized('1\r\na\r\n', '1fffffffffffff\r\n')).toEqual(['body', 413])
  })
})
