import { describe, expect, it } from 'vitest'
import { serving } from '../../src/http/alpn.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/index.ts'
import { CLIENT_PREFACE } from '../../src/http/h2/index.ts'
import {
  type HttpHandlers,
  type HttpRequest,
  type HttpResponse,
  wholeContent,
} from '../../src/http/serving.ts'
import { DEFAULT_TIMERS } from '../../src/http/timers.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { bytes, text } from '../support/h1-messages.ts'
import { FrameType, frame, GET, headers, PREFACE, SETTINGS, uint32 } from '../support/h2-frames.ts'
import { Scene, VERSIONS } from '../support/serving-scene.ts'

const windowUpdate = (streamId: number, by: number): Uint8Array =>
  frame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(by))

/** Keeps what it gets, and answers nothing by itself. */
function keeping(): HttpHandlers & { readonly got: { request: HttpRequest; response: HttpResponse }[] } {
  const got: { request: HttpRequest; response: HttpResponse }[] = []
  return { got, request: (request, response) => void got.push({ request, response }) }
}

const ok: HttpHandlers = { request: (_, response) => response.reply({ status: 200, body: 'ok' }) }

describe.each(VERSIONS)('an application over %s', version => {
  it('sees the request, and its answer arrives', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask({ path: '/a/b?c=d', headers: [['X-Y', 'z']] })
    const { request, response } = app.got[0]!
    expect(request).toMatchObject({
      version: version === 'h2' ? '2' : '1.1',
      method: 'GET',
      target: '/a/b?c=d',
      path: '/a/b',
      query: 'c=d',
      host: 'a.example',
      length: 0,
      early: false,
      index: 0,
    })
    expect(request.headers.find(([name]) => name.toLowerCase() === 'x-y')?.[1]).toBe('z')
    response.inform(103, [['link', '</a>']])
    response.reply({ status: 201, headers: [['x', 'y']], body: 'hello' })
    scene.run()
    expect(answer).toMatchObject({
      interim: [103],
      status: 201,
      headers: { x: 'y', 'content-length': '5', date: 'Tue, 15 Nov 1994 08:12:31 GMT' },
      body: 'hello',
      end: 'whole',
    })
    scene.ask()
    expect(app.got[1]!.request.index).toBe(1)
  })

  it('writes a response in parts, with trailers', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    const { response } = app.got[0]!
    response.begin({ status: 200, headers: [], length: undefined })
    response.write(utf8('ab'))
    scene.run()
    expect(answer).toMatchObject({ status: 200, body: 'ab', end: undefined })
    response.write(utf8('cd'))
    response.end([['t', 'u']])
    scene.run()
    expect(answer).toMatchObject({ body: 'abcd', trailers: [['t', 'u']], end: 'whole' })
    response.write(utf8('too late'))
    response.end()
    scene.run()
    expect(answer.body).toBe('abcd')
  })

  it('answers HEAD with the length alone', () => {
    const scene = new Scene(version, {
      request: (_, response) => response.reply({ status: 200, body: 'hello' }),
    })
    expect(scene.ask({ method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '5' },
      body: '',
      end: 'whole',
    })
  })

  it('gets the content when it asks for it, and as fast as it takes it', async () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask({ method: 'POST', body: ['abc', 'def'], ends: false })
    const { request, response } = app.got[0]!
    expect(request.length).toBeUndefined()
    const seen: string[] = []
    let go = (): void => {}
    request.content({
      data(piece) {
        seen.push(text(piece))
        return seen.length === 1 ? new Promise<void>(resolve => (go = resolve)) : undefined
      },
      end: () => response.reply({ status: 200, body: seen.join('|') }),
      broken: reason => seen.push(reason.message),
    })
    scene.more('ghi')
    expect(seen).toHaveLength(1)
    go()
    await scene.settle()
    expect(seen.join('')).toBe('abcdefghi')
    scene.more('')
    expect(answer).toMatchObject({ status: 200, end: 'whole' })
    expect(() => request.content({ data() {}, end() {}, broken() {} })).toThrow('already')
  })

  it('gets all of it at once with wholeContent, up to a bound', async () => {
    const app = keeping()
    const scene = new Scene(version, app)
    scene.ask({ method: 'POST', body: ['abc', 'def'] })
    expect(text(await wholeContent(app.got[0]!.request))).toBe('abcdef')
    app.got[0]!.response.reply({ status: 200 })
    scene.ask({ method: 'POST', body: ['abc', 'def'] })
    await expect(wholeContent(app.got[1]!.request, 5)).rejects.toThrow(RangeError)
  })

  it('may answer without looking at the content', () => {
    const scene = new Scene(version, ok)
    expect(scene.ask({ method: 'POST', body: ['x'.repeat(1000)] })).toMatchObject({
      status: 200,
      end: 'whole',
    })
    expect(scene.ask()).toMatchObject({ status: 200, end: 'whole' })
  })

  it('is held back while the client takes nothing', async () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    scene.taking = false
    const { response } = app.got[0]!
    response.begin({ status: 200, headers: [], length: undefined })
    const piece = new Uint8Array(100_000).fill(97)
    let written = 0
    const writing = (async () => {
      for (; written < 40; written++) await response.write(piece)
      response.end()
    })()
    for (let i = 0; i < 50; i++) await scene.settle()
    expect(written).toBeLessThan(20)
    scene.taking = true
    for (let i = 0; i < 100; i++) await scene.settle()
    await writing
    expect(answer.body.length).toBe(4_000_000)
    expect(answer.end).toBe('whole')
  })

  it('that does not wait for the client loses nothing', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    scene.taking = false
    const { response } = app.got[0]!
    response.begin({ status: 200, headers: [], length: undefined })
    for (let i = 0; i < 40; i++) response.write(new Uint8Array(100_000).fill(97 + (i % 26)))
    response.end()
    scene.taking = true
    scene.run()
    const whole = Array.from({ length: 40 }, (_, i) =>
      String.fromCharCode(97 + (i % 26)).repeat(100_000),
    ).join('')
    expect(answer.body === whole).toBe(true)
    expect(answer.end).toBe('whole')
  })

  it('that throws is answered for with 500, and nothing of what it threw', () => {
    const scene = new Scene(version, {
      request() {
        throw new Error('secret')
      },
    })
    const answer = scene.ask()
    expect(answer).toMatchObject({
      status: 500,
      headers: { 'content-type': 'application/problem+json' },
      end: 'whole',
    })
    expect(answer.body).not.toContain('secret')
    expect(scene.faults).toMatchObject([{ kind: 'application', reason: 'secret', answerable: true }])
    expect(scene.ask()).toMatchObject({ status: 500 })
  })

  it('that is rejected later is answered for as well', async () => {
    const scene = new Scene(version, {
      async request() {
        await null
        throw new Error('later')
      },
    })
    const answer = scene.ask()
    await scene.settle()
    expect(answer).toMatchObject({ status: 500, end: 'whole' })
    expect(scene.faults).toMatchObject([{ kind: 'application', reason: 'later' }])
  })

  it.each(['data', 'end', 'broken', 'promise'] as const)(
    'that throws in %s of its sink fails, and nobody else',
    async where => {
      const fail = () => {
        throw new Error(`in ${where}`)
      }
      const app = keeping()
      const scene = new Scene(version, app)
      const answer = scene.ask({ method: 'POST', body: ['abc'], ends: where === 'end' })
      app.got[0]!.request.content({
        data: where === 'data' ? fail : where === 'promise' ? async () => fail() : () => {},
        end: where === 'end' ? fail : () => {},
        broken: where === 'broken' ? fail : () => {},
      })
      if (where === 'broken') scene.serving.broken(new Error('gone'))
      await scene.settle()
      expect(scene.faults).toMatchObject([{ kind: 'application', reason: `in ${where}` }])
      if (where !== 'broken') expect(answer).toMatchObject({ status: 500, end: 'whole' })
    },
  )

  it('that throws in the middle of a response shows that it is not whole', () => {
    const scene = new Scene(version, {
      request(_, response) {
        response.begin({ status: 200, headers: [], length: 10 })
        response.write(utf8('abc'))
        throw new Error('oh')
      },
    })
    expect(scene.ask()).toMatchObject({ status: 200, end: 'cut' })
    expect(scene.serving.aborted).toBe(version === 'http/1.1')
  })

  it('that throws when all is said changes nothing', () => {
    const scene = new Scene(version, {
      request(_, response) {
        response.reply({ status: 200, body: 'ok' })
        throw new Error('oh')
      },
    })
    expect(scene.ask()).toMatchObject({ status: 200, body: 'ok', end: 'whole' })
    expect(scene.faults).toMatchObject([{ kind: 'application', answerable: false }])
    expect(scene.ask()).toMatchObject({ status: 200 })
  })

  it('answers errors itself if it likes, but not with nonsense', () => {
    const handlers: HttpHandlers = {
      request() {
        throw new Error('oh')
      },
      error: fault => ({ status: 503, body: fault.reason }),
    }
    expect(new Scene(version, handlers).ask()).toMatchObject({ status: 503, body: 'oh' })
    const bad = { ...handlers, error: () => ({ status: 9 }) }
    expect(new Scene(version, bad).ask()).toMatchObject({ status: 500, end: 'whole' })
    const worse = {
      ...handlers,
      error: () => {
        throw new Error('again')
      },
    }
    expect(new Scene(version, worse).ask()).toMatchObject({ status: 500, end: 'whole' })
  })

  it('aborts a response', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    app.got[0]!.response.begin({ status: 200, headers: [], length: undefined })
    app.got[0]!.response.abort()
    scene.run()
    expect(answer).toMatchObject({ status: 200, end: 'cut' })
  })

  it('whose content is not what it announced is found out when the client takes it, too', async () => {
    for (const [count, length] of [
      [30, 2_999_999],
      [30, 3_000_001],
    ] as const) {
      const app = keeping()
      const scene = new Scene(version, app)
      const answer = scene.ask()
      scene.taking = false
      const { response } = app.got[0]!
      response.begin({ status: 200, headers: [], length })
      let thrown: unknown
      try {
        for (let i = 0; i < count; i++) response.write(new Uint8Array(100_000))
        response.end()
      } catch (error) {
        thrown = error
      }
      scene.taking = true
      scene.run()
      await scene.settle()
      // HTTP/1 knows at once; over HTTP/2 most of it waits for windows.
      expect(thrown instanceof RangeError || scene.faults[0]?.cause instanceof RangeError).toBe(true)
      if (thrown instanceof RangeError) response.abort()
      scene.run()
      expect(answer.end).toBe('cut')
    }
  })

  it('with too little content says so to itself and to the client', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    app.got[0]!.response.begin({ status: 200, headers: [], length: 5 })
    app.got[0]!.response.write(utf8('ab'))
    expect(() => app.got[0]!.response.end()).toThrow(RangeError)
    scene.run()
    expect(answer.end).toBe('cut')
  })

  it('is told when the client is gone', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    scene.ask({ method: 'POST', body: ['a'], ends: false })
    const { request, response } = app.got[0]!
    const heard: string[] = []
    response.onGone = reason => heard.push(`gone: ${reason.message}`)
    request.content({ data() {}, end: () => heard.push('end'), broken: reason => heard.push(reason.message) })
    scene.serving.broken(new Error('reset'))
    expect(heard).toEqual(['reset', 'gone: reset'])
    response.reply({ status: 200 })
    scene.run()
    expect(scene.serving.shouldClose).toBe(true)
  })

  it('knows what came as early data', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    scene.earlyBytes = 10
    scene.ask()
    app.got[0]!.response.reply({ status: 200 })
    scene.run()
    scene.ask()
    expect(app.got.map(one => one.request.early)).toEqual([true, false])
  })

  it('serves what is underway when the connection is drained, and no more', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    scene.serving.drain()
    scene.run()
    expect(scene.serving.shouldClose).toBe(false)
    app.got[0]!.response.reply({ status: 200 })
    scene.run()
    expect([answer.end, scene.serving.shouldClose]).toEqual(['whole', true])
    const idle = new Scene(version, app)
    idle.run()
    idle.serving.drain()
    idle.run()
    expect(idle.serving.shouldClose).toBe(true)
  })

  it('hears of a request that the client leaves unfinished, and closes', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    scene.ask({ method: 'POST', body: ['a'], ends: false })
    const heard: string[] = []
    const broken = (reason: Error): void => void heard.push(reason.message)
    app.got[0]!.request.content({ data() {}, end: () => heard.push('end'), broken })
    scene.serving.finish()
    expect(heard).toEqual(['the client closed in the middle of its request'])
    expect(scene.serving.shouldClose).toBe(true)
  })

  it('closes when a client without requests sends no more', () => {
    const scene = new Scene(version, ok)
    scene.run()
    scene.serving.finish()
    expect(scene.serving.shouldClose).toBe(true)
  })

  it('answers what came whole when the client sends no more', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    scene.serving.finish()
    scene.run()
    expect(scene.serving.shouldClose).toBe(false)
    app.got[0]!.response.reply({ status: 200, body: 'ok' })
    scene.run()
    expect([answer.end, answer.body, scene.serving.shouldClose]).toEqual(['whole', 'ok', true])
  })
})

describe.each(VERSIONS)('timers over %s', version => {
  it('handler: 504 that names it, and what the application says later is lost', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    const gone: string[] = []
    app.got[0]!.response.onGone = reason => gone.push(reason.message)
    scene.tick(DEFAULT_TIMERS.handler - 1)
    expect(answer.status).toBe(0)
    scene.tick(1)
    expect(answer).toMatchObject({
      status: 504,
      headers: { 'x-hotpotato-error': 'handler-timeout' },
      end: 'whole',
    })
    expect(JSON.parse(answer.body)).toMatchObject({ timer: 'handler', milliseconds: 60_000 })
    expect(gone).toEqual(['the function did not start to answer within 60 s'])
    app.got[0]!.response.reply({ status: 200 })
    scene.run()
    expect(answer.status).toBe(504)
    expect(scene.faults).toMatchObject([{ kind: 'timeout', timer: 'handler', status: 504 }])
  })

  it('request-body: from piece to piece, 408', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask({ method: 'POST', body: ['a'], ends: false })
    const heard: string[] = []
    app.got[0]!.request.content({ data() {}, end() {}, broken: reason => heard.push(reason.message) })
    scene.tick(DEFAULT_TIMERS['request-body'] - 1)
    scene.more('b')
    scene.tick(DEFAULT_TIMERS['request-body'] - 1)
    expect(answer.status).toBe(0)
    scene.tick(1)
    expect(answer).toMatchObject({ status: 408, headers: { 'x-hotpotato-error': 'request-body-timeout' } })
    expect(heard).toEqual(['no more request content arrived within 30 s'])
    expect(scene.serving.shouldClose).toBe(version === 'http/1.1')
  })

  it('an upload may take longer than the handler may', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask({ method: 'POST', body: ['a'], ends: false })
    app.got[0]!.request.content({
      data() {},
      end: () => app.got[0]!.response.reply({ status: 200 }),
      broken() {},
    })
    const enough = 'b'.repeat(20 * DEFAULT_TIMERS.rate!.bytesPerSecond)
    for (let i = 0; i < 10; i++) {
      scene.tick(20_000)
      scene.more(enough)
    }
    scene.more('')
    expect(answer).toMatchObject({ status: 200, end: 'whole' })
  })

  it('request-rate: a byte now and then is too slow, 408', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask({ method: 'POST', body: ['a'], ends: false })
    app.got[0]!.request.content({ data() {}, end() {}, broken() {} })
    for (let waited = 0; waited < DEFAULT_TIMERS.rate!.grace; waited += 12_000) {
      expect(answer.status).toBe(0)
      scene.tick(12_000)
      scene.more('b')
    }
    scene.tick(1)
    expect(answer).toMatchObject({ status: 408, headers: { 'x-hotpotato-error': 'request-rate-timeout' } })
    expect(JSON.parse(answer.body)).toMatchObject({ timer: 'request-rate', bytesPerSecond: 240 })
  })

  it('request-rate: time in which the application does not want more is not counted', async () => {
    const app = keeping()
    const scene = new Scene(version, app)
    scene.ask({ method: 'POST', body: ['a'], ends: false })
    const taken: (() => void)[] = []
    app.got[0]!.request.content({
      data: () => new Promise<void>(resolve => taken.push(resolve)),
      end: () => app.got[0]!.response.reply({ status: 200 }),
      broken() {},
    })
    for (let i = 0; i < 5; i++) {
      app.got[0]!.response.inform(102, [])
      scene.tick(50_000)
      taken.shift()!()
      await Promise.resolve()
      scene.run()
      scene.more(i < 4 ? 'b' : '')
    }
    await Promise.resolve()
    taken.shift()?.()
    scene.run()
    expect(scene.faults.filter(({ timer }) => timer === 'request-rate')).toEqual([])
  })

  it('keep-alive: closed without a word', () => {
    const scene = new Scene(version, ok)
    scene.ask()
    scene.tick(DEFAULT_TIMERS['keep-alive'] - 1)
    expect(scene.serving.shouldClose).toBe(false)
    scene.ask()
    scene.tick(DEFAULT_TIMERS['keep-alive'] - 1)
    expect(scene.serving.shouldClose).toBe(false)
    scene.tick(1)
    expect([scene.serving.shouldClose, scene.faults]).toEqual([true, []])
  })

  it('a response that takes its time stops nobody', () => {
    const app = keeping()
    const scene = new Scene(version, app)
    const answer = scene.ask()
    app.got[0]!.response.begin({ status: 200, headers: [], length: undefined })
    for (let i = 0; i < 10; i++) scene.tick(30_000)
    app.got[0]!.response.end()
    scene.run()
    expect(answer).toMatchObject({ status: 200, end: 'whole' })
  })
})

describe('HTTP/1 alone', () => {
  it('headers: 408 when a head does not end, however slowly it goes on', () => {
    const scene = new Scene('http/1.1', ok)
    const answer = scene.ask()
    expect(answer.end).toBe('whole')
    for (const byte of 'GET / HTT') {
      scene.serving.receive(bytes(byte))
      scene.tick(1000)
    }
    expect(scene.serving.shouldClose).toBe(false)
    scene.now += 1000
    scene.serving.tick()
    const sent = text(concat(...scene.serving.takeOutput()))
    expect(sent).toMatch(
      /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*Connection: close\r\n[\s\S]*"timer":"headers"/,
    )
    expect(scene.serving.shouldClose).toBe(true)
  })

  it('what is malformed is told, answered, and the end', () => {
    const scene = new Scene('http/1.1', ok)
    scene.serving.receive(bytes('GET / HTTP/1.1\r\n\r\n'))
    expect(text(concat(...scene.serving.takeOutput()))).toMatch(/^HTTP\/1\.1 400 /)
    expect(scene.faults).toMatchObject([{ kind: 'client', status: 400, reason: 'no Host field' }])
    expect(scene.serving.shouldClose).toBe(true)
  })

  it('content that is malformed reaches the one who reads it as an error', () => {
    const app = keeping()
    const scene = new Scene('http/1.1', app)
    scene.serving.receive(bytes('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx'))
    const heard: string[] = []
    app.got[0]!.request.content({ data() {}, end() {}, broken: reason => heard.push(reason.message) })
    scene.serving.receive(bytes('\r\n'))
    expect(heard).toEqual(['a chunk without a size'])
    expect(text(concat(...scene.serving.takeOutput()))).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('the client is told to go on when somebody wants its content', () => {
    const app = keeping()
    const scene = new Scene('http/1.1', app)
    scene.serving.receive(
      bytes('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'),
    )
    expect(scene.serving.takeOutput()).toEqual([])
    app.got[0]!.request.content({
      data() {},
      end: () => app.got[0]!.response.reply({ status: 204 }),
      broken() {},
    })
    expect(text(concat(...scene.serving.takeOutput()))).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    scene.serving.receive(bytes('ab'))
    expect(text(concat(...scene.serving.takeOutput()))).toMatch(/^HTTP\/1\.1 204 /)
  })

  it('requests in one piece are answered in order, one at a time', () => {
    const app = keeping()
    const scene = new Scene('http/1.1', app)
    scene.serving.receive(bytes('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(app.got.map(one => one.request.path)).toEqual(['/1'])
    app.got[0]!.response.reply({ status: 200 })
    expect(app.got.map(one => one.request.path)).toEqual(['/1', '/2'])
  })

  it('a client that runs ahead is held back', () => {
    const app = keeping()
    const scene = new Scene('http/1.1', app, { http1: { ...DEFAULT_LIMITS, headBytes: 100_000 } })
    const request = bytes(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`)
    for (let i = 0; i < 7; i++) {
      expect(scene.serving.wantsInput).toBe(true)
      scene.serving.receive(request)
    }
    scene.serving.receive(request)
    expect(scene.serving.wantsInput).toBe(false)
    while (app.got.length < 8) app.got.at(-1)!.response.reply({ status: 200 })
    expect(scene.serving.wantsInput).toBe(true)
  })
})

describe('a client that asks on and takes no answers', () => {
  const request = {
    'http/1.1': () => bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    h2: (i: number) => headers(2 * i + 1, GET),
  }

  it.each(VERSIONS)('over %s is not read any more', version => {
    let asked = 0
    const app: HttpHandlers = {
      request(_, response) {
        asked++
        // No content, for which HTTP/2 has windows.
        response.reply({ status: 204, headers: [['x', String(asked).padEnd(900, 'x')]] })
      },
    }
    const scene = new Scene(version, app, { http1: { ...DEFAULT_LIMITS, requests: 1e9 } })
    const { serving: one } = scene
    if (version === 'h2') one.receive(concat(PREFACE, SETTINGS, windowUpdate(0, 1e9)))
    let sent = 0
    const send = (): void => one.receive(request[version](sent++))
    while (sent < 5000 && one.wantsInput) send()
    expect(one.wantsInput).toBe(false)
    expect(asked).toBeLessThan(1000)
    // All at once is no way around it.
    const before = asked
    if (version === 'http/1.1') {
      one.receive(concat(...Array.from({ length: 1000 }, () => request[version]())))
      expect(asked).toBe(before)
    }
    let taken = 0
    for (let out = concat(...one.takeOutput()); out.length > 0; out = concat(...one.takeOutput())) {
      expect(out.length).toBeLessThan(600_000)
      taken += out.length
    }
    expect(taken).toBeGreaterThan(asked * 700)
    expect(asked).toBe(version === 'h2' ? sent : sent + 1000)
    expect(one.wantsInput).toBe(true)
  })
})

describe('the dispatcher', () => {
  const context = () => ({
    handlers: ok,
    timers: DEFAULT_TIMERS,
    now: () => 0,
    date: () => 0,
    wake() {},
    earlyBytes: () => 0,
    fault() {},
  })

  it.each([
    ['h2', true, 'h2'],
    ['h2', false, 'h2'],
    ['http/1.1', true, 'http/1.1'],
    ['http/1.0', false, 'http/1.1'],
    [undefined, false, 'http/1.1'],
    [false, false, 'http/1.1'],
    [null, false, 'http/1.1'],
    ['', false, 'http/1.1'],
    [undefined, true, undefined],
  ] as const)('%s, plain: %s → %s', (alpn, plain, protocol) => {
    expect(serving(alpn, plain, context()).protocol).toBe(protocol)
  })

  it('refuses what is not HTTP', () => {
    expect(() => serving('imap', false, context())).toThrow(TypeError)
  })

  it.each([
    [CLIENT_PREFACE, 'h2'],
    ['GET / HTTP/1.1\r\n', 'http/1.1'],
    ['PUT / HTTP/1.1\r\n', 'http/1.1'],
    ['PRI / HTTP/1.1\r\n', 'http/1.1'],
    ['\r\n', 'http/1.1'],
  ])('reads %j as %s, in any pieces', (first, protocol) => {
    for (let cut = 0; cut <= first.length; cut++) {
      const one = serving(undefined, true, context())
      one.receive(bytes(first.slice(0, cut)))
      one.receive(bytes(first.slice(cut)))
      expect(one.protocol).toBe(protocol)
    }
  })

  it('a plain client that says nothing, or only a little, is not waited for for ever', () => {
    for (const first of ['', 'P', 'PRI * HTTP/2.0\r\n']) {
      const clock = { now: 0 }
      const one = serving(undefined, true, { ...context(), now: () => clock.now })
      one.receive(bytes(first))
      clock.now = DEFAULT_TIMERS['keep-alive']
      one.tick()
      expect(one.shouldClose).toBe(true)
    }
  })
})
