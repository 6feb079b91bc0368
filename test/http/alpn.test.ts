import { describe, expect, it } from 'vitest'
import { serving } from '../../src/http/alpn.ts'
import { CLIENT_PREFACE } from '../../src/http/h2/index.ts'
import { DEFAULT_TIMERS } from '../../src/http/timers.ts'
import { bytes } from '../support/h1-messages.ts'
import { ok } from '../support/serving-scene.ts'

/* Which version of HTTP a connection speaks: by ALPN, or by its first bytes. */

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
