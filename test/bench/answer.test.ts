import { describe, expect, it } from 'vitest'
import { answerOf, bodyOf, checkAnswer, isWhole, WrongAnswer } from '../../bench/migration/answer.ts'
import { concat, utf8 } from '../../src/wire/index.ts'

const expected = { body: answerOf(7), container: 'raw-b-1', hops: 3 }

function answer({
  body = expected.body,
  container = 'raw-b-1',
  hops = '3',
  status = '200 OK',
} = {}): Uint8Array {
  const fields = `X-Hotpotato-Container: ${container}\r\nX-Hotpotato-Hops: ${hops}`
  return concat(utf8(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${fields}\r\n\r\n`), body)
}

describe('the checker of answers', () => {
  it('takes the right answer', () => {
    expect(() => checkAnswer(answer(), expected)).not.toThrow()
    expect(expected.body).toHaveLength(200)
  })

  it('finds one wrong byte wherever it is', () => {
    for (let at = 0; at < 200; at++) {
      const body = expected.body.slice()
      body[at]! ^= 1
      expect(() => checkAnswer(answer({ body }), expected), `byte ${at}`).toThrow(
        new RegExp(`byte ${at} of the content`),
      )
    }
  })

  it("finds another request's answer, and a byte too few or too many", () => {
    const wrong = [answerOf(8), expected.body.slice(1), concat(expected.body, Uint8Array.of(0))]
    for (const body of wrong) expect(() => checkAnswer(answer({ body }), expected)).toThrow(WrongAnswer)
  })

  it('finds the wrong container, the wrong number of moves, and the wrong status', () => {
    expect(() => checkAnswer(answer({ container: 'raw-a-1' }), expected)).toThrow(/answered by raw-a-1/)
    expect(() => checkAnswer(answer({ hops: '2' }), expected)).toThrow(/after 2 moves/)
    expect(() => checkAnswer(answer({ status: '503 Service Unavailable' }), expected)).toThrow(/status 503/)
  })

  it('finds what is more than one answer', () => {
    expect(() => checkAnswer(concat(answer(), utf8('x')), expected)).toThrow(WrongAnswer)
  })

  it('knows when an answer is whole', () => {
    const whole = answer()
    for (let length = 0; length < whole.length; length++)
      expect(isWhole(whole.subarray(0, length))).toBe(false)
    expect(isWhole(whole)).toBe(true)
  })

  it('every request has a body of its own', () => {
    const bodies = new Set(Array.from({ length: 1000 }, (_, number) => bodyOf(number).join()))
    expect(bodies.size).toBe(1000)
  })
})
