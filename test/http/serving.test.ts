import { describe, expect, it } from 'vitest'
import { type HttpHandlers, wholeContent } from '../../src/http/serving.ts'
import { utf8 } from '../../src/wire/index.ts'
import { text } from '../support/h1-messages.ts'
import { keeping, ok, Scene, VERSIONS } from '../support/serving-scene.ts'

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
    'that throws in %s of its sink fails, and no other request',
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
