import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LEVELS } from '../../src/supervisor/isolation/levels.ts'
import { Client, textOf } from '../support/client.ts'
import { Platform } from '../support/platform.ts'

const HERE = { uids: { first: 58_000, last: 58_999 }, native: true }
const problem = LEVELS.sandbox.check(HERE)
const skipped = problem === undefined ? '' : ` (SKIPPED: ${problem.what}; ${problem.remedy})`

const module = (name: string): string => fileURLToPath(new URL(`./isolation/${name}.mjs`, import.meta.url))
const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
functions:
  echo: {}
  boxed: { handler: ${module('boxed')}, isolation: sandbox }
  served: { command: [node, served.mjs], handler: ${module('served')}, mode: socket, isolation: sandbox }
`
const CERTIFICATES = ['echo', 'boxed', 'served'].map(name => ({ name, hosts: [`${name}.local`] }))

/** What `boxed` says of itself. */
interface Said {
  readonly container: string
  readonly pid: number
  readonly uid: number
  readonly processes: number
  readonly root: readonly string[]
  readonly status: Readonly<Record<string, string>>
}

describe.skipIf(problem !== undefined)(`functions that are kept apart${skipped}`, () => {
  let platform: Platform
  let client: Client

  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG, certificates: CERTIFICATES })
    client = await Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'echo.local' } })
  })
  afterAll(async () => {
    client?.socket.destroy()
    await platform?.stop()
  })

  it('answer on a connection that comes from another function, and give it back', async () => {
    expect(await client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1', hops: 0 })
    const boxed = await client.request('/boxed')
    expect(boxed).toMatchObject({ status: 200, container: 'boxed-1', hops: 1 })
    const said = JSON.parse(textOf(boxed)) as Said
    expect(said).toMatchObject({ container: 'boxed-1', pid: 2, processes: 2 })
    expect(said.status).toMatchObject({ NoNewPrivs: '1', Seccomp: '2', CapEff: '0000000000000000' })
    expect(said.root).not.toContain('root')
    expect(await client.request('/echo')).toMatchObject({ status: 200, container: 'echo-1', hops: 2 })
    expect(client.handshakes).toBe(1)
  })

  it('may be programs, on a socket in a folder that they can write to', async () => {
    const served = await client.request('/served')
    expect(served).toMatchObject({ status: 200, container: 'served-1' })
    const { uid, processes, socket } = JSON.parse(textOf(served))
    expect([uid !== 0 || process.getuid!() !== 0, socket.startsWith('/tmp/')]).toEqual([true, true])
    // Init, the container, its guardian, and the program itself.
    expect(processes).toBe(4)
  })

  it('are known by the process ids that the machine has for them', async () => {
    const { pid } = await platform.member('boxed-1')
    expect(pid).toBeGreaterThan(2)
    await platform.kill('boxed-1')
    const next = await platform.until('boxed-1', one => one.ready && one.pid !== pid)
    expect(next.restarts).toBe(1)
  })
})
