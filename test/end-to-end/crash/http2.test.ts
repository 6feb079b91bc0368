import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/wire/index.ts'
import { field, textOf } from '../../support/client.ts'
import { Http2Client } from '../../support/http2-client.ts'
import type { Platform } from '../../support/platform.ts'
import { ActingPlatform } from './acting.ts'

const CONFIG = `
version: 1
carrier: relay
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./act.mjs, replicas: 3 }
`

let acting: ActingPlatform
let platform: Platform

beforeAll(async () => {
  acting = await ActingPlatform.start(CONFIG, ['echo-1', 'echo-2', 'echo-3'])
  platform = acting.platform
})
afterAll(() => platform?.stop())
beforeEach(() => acting.whole())

const open = (): Promise<Http2Client> => Http2Client.open(acting.options())

describe('an HTTP/2 connection whose container dies', () => {
  it('goes on in another one, tables and all, if it was idle', async () => {
    const client = await open()
    const headers = [['user-agent', 'a field that is in the tables']] as const
    for (let round = 0; round < 3; round++) {
      const before = await client.request('/echo', { headers })
      expect(before.status).toBe(200)
      await platform.kill(before.container!)
      const after = await client.request('/echo', { headers, body: utf8('content') })
      expect([after.status, after.container === before.container]).toEqual([200, false])
      expect(textOf(after)).toMatch(/ 7$/)
      await platform.until(before.container!, ({ ready, counters }) => ready && counters.keyRing! >= 3)
    }
    expect(client.handshakes).toBe(1)
    expect(await client.close()).toMatchObject({ closeNotify: true, error: undefined })
  })

  it('has what was underway begun once more, if that may be', async () => {
    const client = await open()
    const { container } = await client.request('/echo')
    const asked = ['one', 'two'].map(id => client.request(`/echo?id=${id}&crash`))
    for (const { status, headers } of await Promise.all(asked)) {
      expect(status).toBe(503)
      expect(field({ headers }, 'x-hotpotato-error')).toBe('interrupted')
    }
    // Each of them kills the container that begins it; which one it was that time is not known.
    expect(acting.begun('one')).toBeGreaterThanOrEqual(1)
    expect(acting.begun('one') + acting.begun('two')).toBeLessThanOrEqual(4)
    const next = await client.request('/echo')
    expect([next.status, next.container === container]).toEqual([200, false])
    await client.close()
  })

  it('has it answered with 503 if it may not, and lives', async () => {
    const client = await open()
    const { container } = await client.request('/echo')
    const asked = client.request('/echo?id=posted&wait', { body: utf8('x') })
    await acting.whenBegun('posted')
    await platform.kill(container!)
    expect((await asked).status).toBe(503)
    expect(acting.begun('posted')).toBe(1)
    expect((await client.request('/echo')).status).toBe(200)
    expect(client.handshakes).toBe(1)
    await client.close()
  })
})
