import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { field, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { eventually, Platform } from '../support/platform.ts'

const CONFIG = `
version: 1
carrier: relay
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
functions:
  echo: { handler: ./act.mjs, replicas: 3 }
`
/** Does what its query says, and notes that it was begun. */
const ACT = `
import { appendFileSync } from 'node:fs'
export default async request => {
  const query = new URL(request.url).searchParams
  const body = await request.text()
  if (query.has('id')) appendFileSync(new URL('./ledger', import.meta.url), query.get('id') + '\\n')
  if (query.has('crash')) process.kill(process.pid, 'SIGKILL')
  if (query.has('wait')) await new Promise(() => {})
  return new Response(process.pid + ' ' + body.length)
}
`

let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({
    config: CONFIG,
    files: { 'act.mjs': ACT, ledger: '' },
    environment: { HOTPOTATO_CARRIER: '' },
  })
})
afterAll(() => platform?.stop())
/** All replicas are there, and know each other's keys: nobody can go on from a checkpoint before. */
beforeEach(async () => {
  for (const name of ['echo-1', 'echo-2', 'echo-3'])
    await platform.until(name, ({ ready, counters }) => ready && counters.keyRing! >= 3)
})

const open = (): Promise<Http2Client> =>
  Http2Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'echo.local' } })
const begun = (id: string): number =>
  readFileSync(join(platform.directory, 'ledger'), 'utf8')
    .split('\n')
    .filter(one => one === id).length

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
    // Each of them kills whoever begins it; nobody knows which of them it was that time.
    expect(begun('one')).toBeGreaterThanOrEqual(1)
    expect(begun('one') + begun('two')).toBeLessThanOrEqual(4)
    const next = await client.request('/echo')
    expect([next.status, next.container === container]).toEqual([200, false])
    await client.close()
  })

  it('has it answered with 503 if it may not, and lives', async () => {
    const client = await open()
    const { container } = await client.request('/echo')
    const asked = client.request('/echo?id=posted&wait', { body: utf8('x') })
    await eventually(() => (begun('posted') > 0 ? true : undefined), 'it is not begun')
    await platform.kill(container!)
    expect((await asked).status).toBe(503)
    expect(begun('posted')).toBe(1)
    expect((await client.request('/echo')).status).toBe(200)
    expect(client.handshakes).toBe(1)
    await client.close()
  })
})
