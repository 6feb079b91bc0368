import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { Platform } from '../support/platform.ts'

/** Two functions with one container each, as is the default; a client's connection by either road. */
const CONFIG = `
version: 1
duplicate: true
gateway: { defaultFunction: echo, limits: { helloSeconds: 60, holdSeconds: 60, orphanSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
liveness: { startSeconds: 300, failureSeconds: 60 }
restart: { firstSeconds: 0.05, mostSeconds: 0.2, crashLoop: 1000 }
functions:
  echo: {}
  hello: { carrier: relay, duplicate: false }
`
let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, environment: { HOTPOTATO_CARRIER: '' } })
})
afterAll(() => platform?.stop())

const open = (serverName: string): Promise<Client> =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })

/** Kills the container of a process that is ready. @returns its id */
async function kill(name: string): Promise<number> {
  const { id } = await platform.until(name, ({ ready }) => ready)
  await platform.kill(name)
  return id!
}

describe('the only container of a function is killed', () => {
  it.each([
    ['fd with a duplicate', 'echo'],
    ['relay', 'hello'],
  ])('by %s its idle connection goes on in the one that is started in its place', async (_road, name) => {
    const client = await open(`${name}.local`)
    const first = await client.request(`/${name}`)
    expect(first).toMatchObject({ status: 200, container: `${name}-1` })
    const killed = await kill(`${name}-1`)
    const next = await client.request(`/${name}`)
    expect(next).toMatchObject({ status: 200, container: `${name}-1`, hops: first.hops + 1 })
    expect((await platform.member(`${name}-1`)).id).not.toBe(killed)
    // And again: what its successor has left is known, too.
    await kill(`${name}-1`)
    expect(await client.request(`/${name}`)).toMatchObject({ status: 200, hops: first.hops + 2 })
    expect(client.handshakes).toBe(1)
    expect(await client.close()).toMatchObject({ closeNotify: true, error: undefined })
  })

  it('after the signer was: that has learnt the ring from the container', async () => {
    const client = await open('echo.local')
    expect((await client.request('/echo')).status).toBe(200)
    const before = await platform.until('signer', ({ ready }) => ready)
    await platform.kill('signer')
    await platform.until(
      'signer',
      ({ id, ready, counters }) => id !== before.id && ready && counters.ringsTold! >= 2,
    )
    await kill('echo-1')
    expect(await client.request('/echo')).toMatchObject({ status: 200 })
    expect(client.handshakes).toBe(1)
    await client.close()
  })

  it('while the signer is stopped: it starts all the same, and new connections are served', async () => {
    const { pid } = await platform.until('signer', ({ ready }) => ready)
    process.kill(pid!, 'SIGSTOP')
    try {
      const killed = await kill('echo-1')
      await platform.until('echo-1', ({ id, ready }) => ready && id !== killed)
      const client = await open('echo.local')
      expect((await client.request('/echo')).status).toBe(200)
      await client.close()
    } finally {
      process.kill(pid!, 'SIGCONT')
    }
    await platform.until('signer', ({ counters }) => counters.containers === 2)
  })
})
