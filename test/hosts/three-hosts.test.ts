import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../support/client.ts'
import { eventually, HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { hotpotato, type Platform } from '../support/platform.ts'

/* Three real platforms and a real etcd: a client of host a goes on to b, from there to c, and comes back. */

const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local] }\n',
  b: '  echo: { hosts: [echo.local] }\n',
  c: '  echo: { hosts: [echo.local] }\n',
}

const version = versionOf('etcd')
describe.skipIf(version === undefined)(`three hosts (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let scene: HostsScene
  beforeAll(async () => {
    scene = await HostsScene.start(FUNCTIONS, {}, { processes: 2 })
  })
  afterAll(() => scene?.stop())

  const host = (name: string): Platform => scene.all.get(name)!

  /** Moves the only connection of a host to the container of another one. */
  async function move(from: string, to: string): Promise<{ code: number | null; stderr: string }> {
    const [connection] = await scene.connections(host(from))
    const { code, stderr } = await hotpotato(host(from).directory, ['move', connection!.id, `${to}/echo-1`])
    return { code, stderr }
  }

  /** Its client gets back what it sends, without a new handshake. */
  async function echoes(client: Client): Promise<void> {
    const body = new Uint8Array(randomBytes(300_000))
    // It may be begun twice, for it may be on its way to a host that has just ended.
    const answer = await client.request('/echo', { method: 'PUT', body })
    expect(answer.status).toBe(200)
    const digests = [body, answer.body].map(bytes => createHash('sha256').update(bytes).digest('hex'))
    expect(digests[1]).toBe(digests[0])
    expect(client.handshakes).toBe(1)
  }

  /** The only host that has a connection. */
  async function owner(): Promise<string> {
    return eventually(async () => {
      const owners: string[] = []
      for (const [name, platform] of scene.all)
        for (const _ of await scene.connections(platform)) owners.push(name)
      return owners.length === 1 ? owners[0] : undefined
    }, 'not exactly one host has the connection')
  }

  it('a connection goes from host to host in a ring, and on byte for byte', async () => {
    const { client } = await scene.client()
    const way = ['a', 'b', 'c', 'a', 'b', 'c', 'a']
    for (let i = 1; i < way.length; i++) {
      expect(await move(way[i - 1]!, way[i]!)).toEqual({ code: 0, stderr: '' })
      expect(await owner()).toBe(way[i])
      await echoes(client)
    }
    await client.close()
    await scene.idle()
  })

  it('the container of the third host dies: it goes on from its checkpoint', async () => {
    const { client } = await scene.client()
    await move('a', 'b')
    await echoes(client)
    await move('b', 'c')
    await echoes(client)
    await host('c').kill('echo-1')
    await echoes(client)
    await client.close()
    await scene.met()
    await scene.idle()
  })

  it('the host between ends: it goes on where its client is connected', async () => {
    const { client } = await scene.client()
    await move('a', 'b')
    await echoes(client)
    await move('b', 'c')
    await echoes(client)
    await host('b').kill('link')
    await echoes(client)
    await owner()
    await client.close()
    await scene.met()
    await scene.idle()
  })

  it('the third host ends: it goes on elsewhere', async () => {
    const { client } = await scene.client()
    await move('a', 'b')
    await echoes(client)
    await move('b', 'c')
    await echoes(client)
    await host('c').kill('link')
    await echoes(client)
    await owner()
    await client.close()
    await scene.met()
    await scene.idle()
  })
})
