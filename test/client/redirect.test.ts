import { describe, expect, it } from 'vitest'
import type { Outgoing } from '../../src/client/outgoing.ts'
import { redirected } from '../../src/client/redirect.ts'
import { utf8 } from '../../src/wire/index.ts'

const FIELDS = [
  ['authorization', 'Bearer x'],
  ['Cookie', 'a=b'],
  ['content-type', 'text/plain'],
  ['x-other', 'y'],
  ['X-Hotpotato-Key', 'data-key AAAA'],
] as const

const request = (method: string, content?: Outgoing['content']): Outgoing => ({
  method,
  url: new URL('https://a.test/one'),
  fields: FIELDS,
  content,
  length: undefined,
})

/** Method, URL, names of fields, whether the content goes along. */
function followed(method: string, status: number, location: string): string {
  const next = redirected(request(method, method === 'GET' ? undefined : utf8('x')), status, location)
  const names = next.fields.map(([name]) => name.toLowerCase()).join(' ')
  return `${next.method} ${next.url.href} [${names}] ${next.content === undefined ? 'without' : 'with'}`
}

const ALL = 'authorization cookie content-type x-other x-hotpotato-key'

describe('a redirect', () => {
  it.each([
    ['GET', 302, '/two', `GET https://a.test/two [${ALL}] without`],
    ['POST', 301, '/two', 'GET https://a.test/two [authorization cookie x-other x-hotpotato-key] without'],
    ['POST', 302, 'two', 'GET https://a.test/two [authorization cookie x-other x-hotpotato-key] without'],
    ['PUT', 302, '/two', `PUT https://a.test/two [${ALL}] with`],
    ['PUT', 303, '/two', 'GET https://a.test/two [authorization cookie x-other x-hotpotato-key] without'],
    ['POST', 307, '/two', `POST https://a.test/two [${ALL}] with`],
    ['POST', 308, '/two#own', `POST https://a.test/two [${ALL}] with`],
    ['GET', 302, 'https://b.test/', 'GET https://b.test/ [content-type x-other] without'],
    ['GET', 302, 'http://a.test/', 'GET http://a.test/ [content-type x-other] without'],
    ['GET', 302, 'https://a.test:8443/', 'GET https://a.test:8443/ [content-type x-other] without'],
    // As they stand in a field: bytes, one for each character.
    ['GET', 302, '/\xc3\xa9', `GET https://a.test/%C3%A9 [${ALL}] without`],
    ['GET', 302, '/\xe9', `GET https://a.test/%C3%A9 [${ALL}] without`],
    ['GET', 302, 'https://\xc3\xa9.test/', 'GET https://xn--9ca.test/ [content-type x-other] without'],
    ['GET', 302, '//b.test/x', 'GET https://b.test/x [content-type x-other] without'],
  ] as const)('of %s with %i to %s', (method, status, location, expected) => {
    expect(followed(method, status, location)).toBe(expected)
  })

  it('does not send a stream twice, unless it is not wanted any more', () => {
    const streamed = request('POST', new ReadableStream<Uint8Array>())
    expect(() => redirected(streamed, 307, '/two')).toThrow(/stream/)
    expect(redirected(streamed, 303, '/two').method).toBe('GET')
  })
})
