import { describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/http/h1/index.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { concat } from '../../src/wire/index.ts'
import { bytes, text } from '../support/h1-messages.ts'
import { FrameType, frame, GET, headers, PREFACE, SETTINGS, uint32 } from '../support/h2-frames.ts'
import { keeping, ok, Scene, VERSIONS } from '../support/serving-scene.ts'

/* What is so of HTTP/1 alone; and a client of either version that asks on and takes no answers. */

const windowUpdate = (streamId: number, by: number): Uint8Array =>
  frame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(by))

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

  it('the client is told to go on when the function wants its content', () => {
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
