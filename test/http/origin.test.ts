import { describe, expect, it } from 'vitest'
import { toWebRequest } from '../../src/functions/web.ts'
import { HostRecogniser } from '../../src/gateway/host-recogniser.ts'
import { H1Error } from '../../src/http/h1/error.ts'
import { H1Server } from '../../src/http/h1/index.ts'
import { requestHead } from '../../src/http/h2/request-head.ts'
import { type Field, header, type RequestHead } from '../../src/http/message.ts'
import type { Scheme } from '../../src/http/origin.ts'
import { concat } from '../../src/wire/index.ts'
import { bytes } from '../support/h1-messages.ts'
import { headers, PREFACE, SETTINGS } from '../support/h2-frames.ts'

type Read = RequestHead | number

/** What a container makes of a request; a number: the status that refuses it. */
function http1(input: string, scheme: Scheme): Read {
  const server = new H1Server(undefined, undefined, scheme)
  server.receive(bytes(input))
  const event = server.next()
  if (event?.type === 'error') return event.status
  if (event?.type !== 'request') throw new Error('there is no request')
  return event.head
}

function http2(changes: Readonly<Record<string, string>>, scheme: Scheme): Read {
  const { ':scheme': claimed = scheme, ':authority': authority = 'echo.local', host } = changes
  const fields: Field[] = host === undefined ? [] : [['host', host]]
  const rest = { method: 'GET', path: '/', protocol: undefined }
  try {
    return requestHead({ ...rest, scheme: claimed, authority, headers: fields }, scheme)
  } catch (error) {
    if (!(error instanceof H1Error)) throw error
    return error.status
  }
}

const get = (target: string, ...fields: string[]) =>
  ['GET ', target, ' HTTP/1.1\r\n', ...fields.map(one => `${one}\r\n`), '\r\n'].join('')

/** What a function is told: its URL, and what `headers.get('host')` gives. */
function told(read: Read, scheme: Scheme): readonly [string, string | null] {
  if (typeof read === 'number') throw new Error(`refused with ${read}`)
  const request = toWebRequest(read, undefined, { scheme, authority: 'localhost' })
  return [request.url, request.headers.get('host')]
}

describe('the authority of a request', () => {
  it.each([
    ['another Host', 'http://echo.local/a?b', 'Host: evil.example'],
    ['the same', 'http://echo.local/a?b', 'Host: echo.local'],
    ['other capitals', 'HTTP://Echo.Local/a?b', 'Host: ECHO.local'],
    ['an empty Host', 'http://echo.local/a?b', 'Host:'],
    ['a Host behind other fields', 'http://echo.local/a?b', 'X: y', 'host: evil.example', 'Z: z'],
  ])('is that of an absolute-form target (RFC 9112 §3.2.2), with %s', (_, target, ...fields) => {
    const head = http1(get(target, ...fields), 'http')
    expect(head).toMatchObject({ host: 'echo.local', path: '/a', query: 'b', target })
    const [url, host] = told(head, 'http')
    expect(url).toBe('http://echo.local/a?b')
    expect(host?.toLowerCase()).toBe('echo.local')
    const names = (head as RequestHead).headers.map(([name]) => name.toLowerCase())
    expect(names.filter(name => name === 'host')).toHaveLength(1)
    expect(names.filter(name => name !== 'host')).toEqual(fields.length > 1 ? ['x', 'z'] : [])
  })

  it('has its port, and gives it to Host', () => {
    const head = http1(get('http://echo.local:8080/', 'Host: evil.example:99'), 'http')
    expect(told(head, 'http')).toEqual(['http://echo.local:8080/', 'echo.local:8080'])
  })

  it('is that of the target where HTTP/1.0 sends no Host', () => {
    const head = http1('GET http://echo.local/ HTTP/1.0\r\n\r\n', 'http')
    expect(told(head, 'http')).toEqual(['http://echo.local/', 'echo.local'])
  })

  it('is :authority, whatever the spelling of Host', () => {
    expect(told(http2({ host: 'ECHO.local' }, 'https'), 'https')).toEqual([
      'https://echo.local/',
      'echo.local',
    ])
    expect(header((http2({}, 'https') as RequestHead).headers, 'host')).toBe('echo.local')
  })

  it('does not excuse a Host that is none, or that is missing', () => {
    expect(http1(get('http://echo.local/', 'Host: a b'), 'http')).toBe(400)
    expect(http1(get('http://echo.local/', 'Host: a', 'Host: a'), 'http')).toBe(400)
    expect(http1(get('http://echo.local/'), 'http')).toBe(400)
  })

  it.each(['http://', 'http:///a', 'http://?', 'http://user@echo.local/', 'http://echo.local:port/'])(
    'must be one: %s',
    target => {
      expect(http1(get(target, 'Host: echo.local'), 'http')).toBe(400)
    },
  )
})

describe('a host that a URL reads as another one', () => {
  it.each([
    ['an escape', '%62ad.local'],
    ['a number', '2130706433'],
    ['too few numbers', '127.1'],
    ['hexadecimal', '0x7f.0.0.1'],
    ['hexadecimal at the end', 'a.0x1'],
    ['octal', '0177.0.0.1'],
    ['a dot behind an address', '127.0.0.1.'],
    ['a number of 256', '1.2.3.256'],
    ['a port beyond 65535', 'echo.local:65536'],
  ])('is none, in any version: %s', (_, host) => {
    expect(http1(get('/', `Host: ${host}`), 'http')).toBe(400)
    expect(http1(get(`http://${host}/`, 'Host: echo.local'), 'http')).toBe(400)
    expect(http2({ ':authority': host }, 'https')).toBe(400)
  })

  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '255.249.199.10:65535',
    '1a',
    'a.1b',
    '0x.a',
    'a0x1',
    'x.0xg',
    '1.2.3.4.a',
  ])('is another thing: %s', host => {
    expect(told(http1(get('/', `Host: ${host}`), 'http'), 'http')).toEqual([`http://${host}/`, host])
  })
})

describe('the scheme of a request', () => {
  it.each(['http', 'https'] as const)('is that of the connection: %s', scheme => {
    for (const spelling of [scheme, scheme.toUpperCase()]) {
      const head = http1(get(`${spelling}://echo.local/`, 'Host: echo.local'), scheme)
      expect(told(head, scheme)[0]).toBe(`${scheme}://echo.local/`)
      expect(told(http2({ ':scheme': spelling }, scheme), scheme)[0]).toBe(`${scheme}://echo.local/`)
    }
  })

  it.each([
    ['http', 'https'],
    ['http', 'HTTPS'],
    ['https', 'http'],
  ] as const)('of %s is not %s: 421 (RFC 9110 §7.4)', (scheme, other) => {
    expect(http1(get(`${other}://echo.local/`, 'Host: echo.local'), scheme)).toBe(421)
    expect(http2({ ':scheme': other }, scheme)).toBe(421)
  })

  it.each(['ftp', 'ws', 'wss', 'coap', 'file', 'httpx', 'a+b-c.1'])('is never %s: 400', other => {
    for (const scheme of ['http', 'https'] as const) {
      expect(http1(get(`${other}://echo.local/`, 'Host: echo.local'), scheme)).toBe(400)
      expect(http2({ ':scheme': other }, scheme)).toBe(400)
    }
  })
})

describe('the gateway', () => {
  const over2 = (scheme: string) =>
    concat(
      PREFACE,
      SETTINGS,
      headers(1, [
        [':method', 'GET'],
        [':scheme', scheme],
        [':authority', 'echo.local'],
        [':path', '/'],
      ]),
    )

  it.each([
    ['https', 421],
    ['ftp', 400],
  ] as const)('refuses %s on the plain port as the container does, in both versions', (scheme, status) => {
    const answers = [bytes(get(`${scheme}://echo.local/`, 'Host: echo.local')), over2(scheme)].map(input =>
      new HostRecogniser().recognise(input),
    )
    for (const found of answers) expect(found).toMatchObject({ kind: 'not_http', status })
  })

  it('routes by the name that the function sees', () => {
    const input = get('http://echo.local/', 'Host: evil.example')
    const found = new HostRecogniser().recognise(bytes(input))
    expect(found).toMatchObject({ kind: 'request', host: 'echo.local', head: http1(input, 'http') as object })
  })
})
