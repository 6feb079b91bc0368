import { describe, expect, it } from 'vitest'
import { DEFAULT_TIMERS } from '../../src/http/timers.ts'
import { keeping, ok, Scene, VERSIONS } from '../support/serving-scene.ts'

/* How long an application and its clients are waited for, over both versions of HTTP. */

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

  it('a response that takes its time stops no other', () => {
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
