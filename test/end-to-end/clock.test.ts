import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ResumptionTicket } from '../../src/tls13/index.ts'
import { connect } from '../../src/tls13/io/net.ts'
import { Client } from '../support/client.ts'
import { eventually, Platform } from '../support/platform.ts'

const LIBRARY = ['/usr/lib', '/usr/lib64', '/usr/local/lib']
  .filter(existsSync)
  .flatMap(folder => [folder, ...readdirSync(folder).map(one => join(folder, one))])
  .map(folder => join(folder, 'faketime', 'libfaketime.so.1'))
  .find(existsSync)
const MISSING = LIBRARY === undefined ? ' (skipped: it needs libfaketime, apt-get install faketime)' : ''
const DAY = 86_400

let platform: Platform | undefined
let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-clock-'))
  if (LIBRARY === undefined) return
  set(0)
  platform = await Platform.start({
    config: `
version: 1
tls: { tickets: { count: 1 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { replicas: 2 }
`,
    environment: {
      HOTPOTATO_CARRIER: 'relay',
      LD_PRELOAD: LIBRARY,
      // A real clock that is set leaves the others alone.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_TIMESTAMP_FILE: join(directory, 'offset'),
      FAKETIME_NO_CACHE: '1',
    },
  })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true })
})

/** Sets the wall clock of the platform, and of it alone, off by so much. */
function set(seconds: number): void {
  writeFileSync(join(directory, 'offset'), `${seconds < 0 ? '' : '+'}${seconds}s\n`)
}

async function visit(resume?: ResumptionTicket) {
  const { https: port, ca } = platform!
  const more = resume === undefined ? {} : { resume }
  const socket = connect({ port, host: '127.0.0.1', ca, serverName: 'echo.local', ...more })
  let ticket: ResumptionTicket | undefined
  socket.once('session', one => {
    ticket = one
  })
  socket.write('GET / HTTP/1.1\r\nHost: echo.local\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += chunk
  const { resumed } = socket.session.inspect()
  const date = Date.parse(/\r\nDate: ([^\r]*)/i.exec(text)?.[1] ?? '')
  return { status: text.slice(9, 12), resumed, ticket: ticket!, ahead: (date - Date.now()) / 1000 }
}

it.skipIf(MISSING !== '')(
  `a wall clock set a day forward and back costs no ticket, checkpoint or connection${MISSING}`,
  async () => {
    const { https: port, ca } = platform!
    const client = await Client.open({ port, tls: { ca, serverName: 'echo.local' } })
    const asked = await client.request('/echo')
    const before = await visit()
    expect(before).toMatchObject({ status: '200', resumed: false })
    expect((await visit(before.ticket)).resumed).toBe(true)

    const noticed = async (word: string): Promise<void> => {
      await eventually(() => (platform!.log.includes(`set ${word}`) ? true : undefined), 'no process noticed')
    }
    set(DAY)
    await noticed('forward')
    const ahead = await visit(before.ticket)
    // Two hours are over by that clock, so a handshake is due; what is sealed now is good now.
    expect(ahead).toMatchObject({ status: '200', resumed: false })
    expect(ahead.ahead).toBeGreaterThan(DAY - 60)
    expect(await visit(ahead.ticket)).toMatchObject({ status: '200', resumed: true })

    set(0)
    await noticed('back')
    expect(await visit(before.ticket)).toMatchObject({ status: '200', resumed: true })
    const after = await visit()
    expect(after).toMatchObject({ status: '200', resumed: false })
    expect(await visit(after.ticket)).toMatchObject({ status: '200', resumed: true })

    // A checkpoint is opened by the other container.
    expect((await client.request('/echo')).status).toBe(200)
    await platform!.kill(asked.container!)
    const moved = await client.request('/echo')
    expect(moved.status).toBe(200)
    expect(moved.container).not.toBe(asked.container)
    client.socket.destroy()
  },
)
