import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Admin } from '../../../src/supervisor/admin/admin.ts'
import { PageKey } from '../../../src/supervisor/admin/page-key.ts'
import { Tally } from '../../../src/supervisor/admin/tally.ts'
import { Observatory } from '../../../src/supervisor/observatory/observatory.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { kept } from '../../support/kept.ts'

/*
 * Who else may ask for what the page shows: other sites through a browser of this machine, other users of it,
 * and clients that mean harm.
 */

let admin: Admin
let clock: HandClock
let observatory: Observatory
let token: string
const sockets: Socket[] = []

beforeEach(async () => {
  clock = new HandClock()
  const tally = new Tally([])
  observatory = new Observatory({
    ...{ clock, tally, containers: () => new Map(), tell: () => {} },
    ...{ status: async () => [], connections: async () => [] },
  })
  const source = { tally, status: async () => [], observatory }
  admin = await Admin.open({ host: '127.0.0.1', port: 0 }, () => source)
  token = admin.page.split('#')[1]!
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  admin.close()
})

/** Sends a request as it is written. */
function begin(target: string, fields: Readonly<Record<string, string>> = {}, method = 'GET'): Socket {
  const socket = connect(admin.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  const all = { Host: `127.0.0.1:${admin.port}`, ...fields }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return socket
}

/** The first bytes of an answer, its head at least. */
function answerOf(socket: Socket, until = /\r\n\r\n/): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', data => {
      text += data
      if (until.test(text)) resolve(text)
    })
    socket.on('close', () => (text === '' ? reject(new Error('closed without a word')) : resolve(text)))
  })
}

const ask = (...request: Parameters<typeof begin>): Promise<string> => answerOf(begin(...request))
const status = async (...request: Parameters<typeof begin>): Promise<number> =>
  Number((await ask(...request)).split(' ')[1])
const bearer = (said = token): Record<string, string> => ({ Authorization: `Bearer ${said}` })

describe('the stream of events', () => {
  it('is told to the one that says the token', async () => {
    const text = await answerOf(begin('/ui/events', bearer()), /census[\s\S]*state|state[\s\S]*census/)
    expect(text).toMatch(/^HTTP\/1.1 200 [\s\S]*content-type: application\/x-ndjson/)
  })

  it('is told to no other, and nothing is collected for them', async () => {
    const guesses = [
      {},
      bearer(''),
      bearer(token.slice(0, -1)),
      bearer(`${token}x`),
      bearer(token.toLowerCase()),
      bearer('a'.repeat(8000)),
      bearer(`${token} ${token}`),
      { Authorization: `Basic ${token}` },
      { Authorization: token },
      { Cookie: `token=${token}` },
    ]
    for (const fields of guesses) {
      const answer = await ask('/ui/events', fields)
      expect(answer).toMatch(/^HTTP\/1.1 401 /)
      expect(answer).not.toContain('census')
    }
    expect(await status(`/ui/events?token=${token}`)).toBe(401)
    expect(await status(`/ui/connections/${'0'.repeat(32)}`)).toBe(401)
    expect(observatory.watching).toBe(false)
  })

  it('a token is 256 bits of chance, another one for each platform', () => {
    const tokens = Array.from({ length: 100 }, () => new PageKey().token)
    expect(new Set(tokens).size).toBe(100)
    for (const one of tokens) expect(Buffer.from(one, 'base64url').length).toBe(32)
  })

  it('is refused to a name that was led here', async () => {
    for (const Host of ['evil.example', `evil.example:${admin.port}`, '127.0.0.1.evil.example', '10.0.0.1'])
      for (const path of ['/ui/', '/ui', '/ui/events'])
        expect(await status(path, { ...bearer(), Host })).toBe(403)
  })

  it('is refused to pages of other sites, even with the token', async () => {
    const foreign = [
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
      { Origin: 'http://127.0.0.1:1' },
      { Origin: `https://127.0.0.1:${admin.port}` },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' },
    ]
    for (const fields of foreign) expect(await status('/ui/events', { ...bearer(), ...fields })).toBe(403)
    const own = { Origin: `http://127.0.0.1:${admin.port}`, 'Sec-Fetch-Site': 'same-origin' }
    expect(await status('/ui/events', { ...bearer(), ...own })).toBe(200)
  })

  it('grants nothing to scripts of other sites: no answer names an origin', async () => {
    const preflight = {
      Origin: 'https://evil.example',
      'Access-Control-Request-Method': 'GET',
      'Access-Control-Request-Headers': 'authorization',
    }
    for (const [path, method] of [
      ['/ui/events', 'OPTIONS'],
      ['/ui/', 'GET'],
    ] as const) {
      const answer = await ask(path, preflight, method)
      expect(answer).toMatch(/^HTTP\/1.1 403 /)
      expect(answer.toLowerCase()).not.toContain('access-control')
    }
  })

  it('is read only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])
      expect(await status('/ui/events', { ...bearer(), 'Content-Length': '0' }, method)).toBe(405)
    expect(observatory.watching).toBe(false)
  })

  it('has eight listeners at most; what a closed one had is free again', async () => {
    const open = Array.from({ length: 8 }, () => begin('/ui/events', bearer()))
    await Promise.all(open.map(one => answerOf(one)))
    expect(await status('/ui/events', bearer())).toBe(503)
    open[0]!.destroy()
    await expect.poll(() => status('/ui/events', bearer())).toBe(200)
    for (const one of sockets) one.destroy()
    await expect.poll(() => observatory.watching).toBe(false)
  })

  it('thousands who connect find 64 places, and leave the port in order', async () => {
    const crowd = Array.from({ length: 2000 }, () => begin('/ui/events', bearer()))
    await Promise.all(crowd.map(one => new Promise(resolve => one.on('close', resolve).on('data', resolve))))
    for (const one of crowd) one.destroy()
    await expect.poll(() => observatory.watching).toBe(false)
    await expect.poll(() => status('/ui/', {}), { timeout: 30_000 }).toBe(200)
  })

  it('keeps little for a listener that does not read, and lets go of it', async () => {
    const lazy = begin('/ui/events', bearer())
    await answerOf(lazy)
    lazy.pause()
    const quick = begin('/ui/events', bearer())
    let read = 0
    quick.on('data', data => {
      read += data.length
    })
    const before = kept()
    const sight = {
      ...{ kind: 'opened', cause: 'none', sessionId: new Uint8Array(16), generation: 0, target: 0 },
      ...{ ago: 0, prepared: 0, handed: 0 },
    } as const
    for (let line = 0; line < 600 && observatory.watching; line++) {
      observatory.heard({ name: 'x'.repeat(60), functionName: 'y' }, Array(200).fill(sight), 0)
      clock.pass(200)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(kept() - before).toBeLessThan(5_000_000)
    // The one that reads has got far more than what may wait for one that does not.
    expect(read).toBeGreaterThan(10_000_000)
    lazy.resume()
    await new Promise(resolve => (lazy.destroyed ? resolve(0) : lazy.on('close', resolve)))
    expect(observatory.watching).toBe(true)
  })
})

describe('the page itself', () => {
  it('runs its own script and style alone, in no frame, and tells no token', async () => {
    const answer = await answerOf(begin('/ui/', { Connection: 'close' }), /<\/html>/)
    expect(answer).toMatch(/^HTTP\/1.1 200 /)
    expect(answer).not.toContain(token)
    const policy = /content-security-policy: (.*)\r\n/.exec(answer)![1]!
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
    expect(answer).toMatch(/referrer-policy: no-referrer/)
  })

  it('opens by a link of another site, and not in a frame of it', async () => {
    const opened = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }
    expect(await status('/ui/', { ...opened, 'Sec-Fetch-Dest': 'document' })).toBe(200)
    expect(await status('/ui/', { ...opened, 'Sec-Fetch-Dest': 'iframe' })).toBe(403)
    expect(await status('/ui/', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Dest': 'script' })).toBe(403)
  })

  it.each([
    ['/ui', 308],
    ['/ui?', 308],
    ['/ui//events', 404],
    ['/ui/../metrics', 404],
    ['/ui/connections/', 404],
    ['/ui/connections/0', 404],
    [`/ui/connections/${'0'.repeat(32)}`, 404],
    [`/ui/connections/${'0'.repeat(32)}/`, 404],
    ['/ui/connections/__proto__', 404],
    ['/ui/%65vents', 404],
    ['/uievents', 404],
    [`/ui/${'a'.repeat(8000)}`, 404],
  ])('%s is answered with %i', async (path, expected) => {
    expect(await status(path, bearer())).toBe(expected)
  })

  it('what is no HTTP ends its own connection', async () => {
    for (const bytes of [
      '\0\0\0\0',
      'GET /ui/events\r\n\r\n',
      `GET /ui/ HTTP/1.1\r\nHost: ${'a'.repeat(1e6)}`,
    ]) {
      const socket = connect(admin.port, '127.0.0.1').on('error', () => {})
      sockets.push(socket)
      socket.end(bytes)
      await new Promise(resolve => socket.resume().on('close', resolve))
    }
    expect(await status('/ui/')).toBe(200)
  })
})
