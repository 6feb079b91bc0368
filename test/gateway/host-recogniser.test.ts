import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostRecogniser, http2Answer } from '../../src/gateway/host-recogniser.ts'
import { DEFAULT_LIMITS, H1Server } from '../../src/http/h1/index.ts'
import { H2Client } from '../../src/http/h2/index.ts'
import { utf8 } from '../../src/wire/index.ts'

const recognise = (text: string | Uint8Array) =>
  new HostRecogniser().recognise(typeof text === 'string' ? utf8(text) : text)

const GET = (host: string) => `GET /a?b HTTP/1.1\r\nAccept: */*\r\nHost: ${host}\r\n\r\n`

describe('HostRecogniser', () => {
  it.each([
    [GET('echo.local'), 'echo.local'],
    [GET('Echo.LOCAL:8080'), 'echo.local'],
    ['GET / HTTP/1.1\r\nhOsT:\techo.local \r\n\r\n', 'echo.local'],
    ['\r\nGET / HTTP/1.1\r\nHost: echo.local\r\n\r\n', 'echo.local'],
    ['GET http://Other.local/x HTTP/1.1\r\nHost: echo.local\r\n\r\n', 'other.local'],
    ['GET / HTTP/1.0\r\n\r\n', undefined],
    [`${GET('echo.local')}GET / HTTP/1.1\r\nHost: second.local\r\n\r\n`, 'echo.local'],
  ])('finds the host of %j', (text, host) => {
    expect(recognise(text)).toMatchObject({ kind: 'request', host })
  })

  it('gives the path too', () => {
    expect(recognise(GET('echo.local'))).toMatchObject({ head: { method: 'GET', path: '/a', query: 'b' } })
  })

  it('asks for more until the head is whole, whatever the pieces, and takes nothing', () => {
    const bytes = utf8(GET('echo.local'))
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(bytes.length - 1)), cuts => {
        const before = Uint8Array.from(bytes)
        const recogniser = new HostRecogniser()
        for (const cut of cuts.sort((a, b) => a - b)) {
          expect(recogniser.recognise(bytes.subarray(0, cut))).toEqual({ kind: 'more' })
        }
        expect(recogniser.recognise(bytes)).toMatchObject({ kind: 'request', host: 'echo.local' })
        expect(bytes).toEqual(before)
      }),
    )
  })

  it('recognises TLS on the plain port by the first byte', () => {
    expect(recognise(Uint8Array.of(0x16))).toEqual({ kind: 'tls' })
    expect(recognise(Uint8Array.of(0x16, 3, 1, 2, 0, 1))).toEqual({ kind: 'tls' })
  })

  it.each([
    ['\0\x01', 400],
    ['SSH-2.0-x\r\n', 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nX: y\r\n Host: a\r\nHost: b\r\n\r\n', 400],
    ['GET / HTTP/1.1\nHost: a\n\n', 400],
    ['CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ['PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 505],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n', 400],
  ])('says why %j is not for us', (text, status) => {
    expect(recognise(text)).toMatchObject({ kind: 'not_http', status, reason: expect.any(String) })
  })

  it('gives up on a head that does not end', () => {
    expect(recognise(`GET /${'a'.repeat(16_384)}`)).toMatchObject({ kind: 'too_large', status: 414 })
    const fields = `GET / HTTP/1.1\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(17)}`
    expect(recognise(fields)).toMatchObject({ kind: 'too_large', status: 431 })
    expect(recognise(fields.slice(0, 16_000))).toEqual({ kind: 'more' })
  })

  it('says the same as the parser of the container, of any bytes', () => {
    const line = fc.constantFrom(
      ...[
        'GET / HTTP/1.1',
        'GET / HTTP/1.0',
        'POST http://x.local/y HTTP/1.1',
        'OPTIONS * HTTP/1.1',
        'Host: a.local',
      ],
      ...[
        'Host: b.local:80',
        'host:',
        'Host: [::1]:8',
        'Host: a b',
        ' folded',
        'X: \u00ff',
        'Transfer-Encoding: chunked',
        'Content-Length: 5',
        '',
      ],
    )
    const lines = fc.array(line, { maxLength: 7 }).map(all => utf8(all.map(one => `${one}\r\n`).join('')))
    fc.assert(
      fc.property(fc.oneof(lines, fc.uint8Array({ maxLength: 60 })), bytes => {
        if (bytes[0] === 0x16) return
        const server = new H1Server(DEFAULT_LIMITS)
        // A copy: what may be the beginning of a key is wiped where it came from.
        server.receive(bytes.slice())
        const event = server.next()
        const found = recognise(bytes)
        if (event === undefined) expect(found).toEqual({ kind: 'more' })
        else if (event.type === 'request')
          expect(found).toMatchObject({ kind: 'request', host: event.head.host, head: event.head })
        else if (event.type === 'error') expect(found).toMatchObject({ status: event.status })
        else expect.unreachable()
      }),
      { numRuns: 2000 },
    )
  })
})

describe('HTTP/2 with prior knowledge', () => {
  /** What a client says first. */
  function opening(authority: string, path: string): Uint8Array {
    const client = new H2Client()
    client.request({ method: 'GET', scheme: 'http', authority, path }, true)
    return client.takeOutput()
  }

  it('tells by its first request where it belongs, whatever the pieces', () => {
    const bytes = opening('Echo.local:8080', '/a?b')
    for (let cut = 1; cut < bytes.length; cut++) {
      const recogniser = new HostRecogniser()
      expect(['more', 'preface']).toContain(recogniser.recognise(bytes.subarray(0, cut)).kind)
      expect(recogniser.recognise(bytes)).toMatchObject({
        kind: 'request',
        host: 'echo.local',
        head: { path: '/a', query: 'b', version: '2' },
      })
    }
  })

  it('may ask for a WebSocket at once', () => {
    const client = new H2Client()
    const to = { scheme: 'http', authority: 'echo.local', path: '/chat' }
    client.request({ method: 'CONNECT', protocol: 'websocket', ...to }, false)
    expect(recognise(client.takeOutput())).toMatchObject({
      kind: 'request',
      host: 'echo.local',
      head: { method: 'GET', path: '/chat' },
    })
  })

  it('may have a head as large as its container takes', () => {
    const client = new H2Client()
    const headers = Array.from({ length: 60 }, (_, i) => [`x-${i}`, 'y'.repeat(900)] as const)
    client.request({ method: 'GET', scheme: 'http', authority: 'echo.local', path: '/', headers }, true)
    const bytes = client.takeOutput()
    const of = (headBytes: number) =>
      new HostRecogniser({ ...DEFAULT_LIMITS, headBytes }).recognise(bytes).kind
    expect([of(16_384), of(65_536)]).toEqual(['not_http', 'request'])
  })

  it('may have no request yet', () => {
    expect(recognise(new H2Client().takeOutput())).toEqual({ kind: 'preface' })
  })

  it('is refused where its container would refuse it', () => {
    expect(recognise(opening('echo.local', '/a\\b'))).toMatchObject({ kind: 'not_http', status: 400 })
  })

  it.each([
    ['two hosts', { authority: 'echo.local', headers: [['host', 'hello.local']] }],
    ['a user in its authority', { authority: 'user@echo.local' }],
    ['an absolute target', { authority: 'echo.local', path: 'http://hello.local/' }],
    ['a head that is too long', { authority: 'echo.local', headers: Array(1200).fill(['x', 'y']) }],
  ] as const)('is told at once that its first request is none: %s', (_, request) => {
    const client = new H2Client()
    const id = client.request({ method: 'GET', scheme: 'http', path: '/', ...request }, true)
    const bytes = client.takeOutput()
    expect(recognise(bytes).kind).toBe('reset')
    client.receive(http2Answer(bytes, { name: 'bad-request', status: 400 }, 0)!)
    const events = []
    for (let event = client.next(); event !== undefined; event = client.next()) events.push(event)
    expect(events).toContainEqual(expect.objectContaining({ streamId: id }))
    expect(events.at(-1)).toMatchObject({ type: 'goaway' })
  })

  it('is answered in its own language', () => {
    const client = new H2Client()
    const id = client.request({ method: 'GET', scheme: 'http', authority: 'x', path: '/' }, true)
    const other = client.request({ method: 'GET', scheme: 'http', authority: 'echo.local', path: '/' }, true)
    const answer = http2Answer(client.takeOutput(), { name: 'unknown-host', status: 404 }, 0)!
    client.receive(answer)
    const events = []
    for (let event = client.next(); event !== undefined; event = client.next()) events.push(event)
    expect(events).toContainEqual(expect.objectContaining({ type: 'response', streamId: id, status: 404 }))
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'reset', streamId: other, retryable: true }),
    )
    expect(events.at(-1)).toMatchObject({ type: 'goaway', lastStreamId: other })
    expect(http2Answer(utf8('POST / HTTP/1.1'), { name: 'x', status: 404 }, 0)).toBeUndefined()
  })
})
