import { expect, it } from 'vitest'
import { header } from '../../src/http/message.ts'
import { ERROR_FIELD, problem } from '../../src/http/problem.ts'

const body = (response: ReturnType<typeof problem>): unknown =>
  JSON.parse(new TextDecoder().decode(response.body as Uint8Array))

it('a problem is JSON of its own type, and marked', () => {
  const response = problem({
    name: 'no-such-function',
    status: 404,
    detail: 'No function is called x.',
    extensions: { known: ['echo'], status: 200, type: 'other' },
    headers: [['Retry-After', '1']],
  })
  expect(response.status).toBe(404)
  expect(header(response.headers!, 'content-type')).toBe('application/problem+json')
  expect(header(response.headers!, ERROR_FIELD)).toBe('no-such-function')
  expect(header(response.headers!, 'retry-after')).toBe('1')
  expect(body(response)).toEqual({
    type: 'urn:hotpotato:problem:no-such-function',
    title: 'Not Found',
    status: 404,
    detail: 'No function is called x.',
    known: ['echo'],
  })
})

it('what is not said is left out', () => {
  expect(body(problem({ name: 'overload', status: 503, title: 'Too much to do' }))).toEqual({
    type: 'urn:hotpotato:problem:overload',
    title: 'Too much to do',
    status: 503,
  })
})

it.each(['', 'Bad', 'a b', 'a\r\nb', '-a', 'a-'])('the name %j is refused', name => {
  expect(() => problem({ name, status: 500 })).toThrow(TypeError)
})
