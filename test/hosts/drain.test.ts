import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { Client, textOf } from '../support/client.ts'
import { eventually, HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { hotpotato, type Platform } from '../support/platform.ts'

/* A host gives what it has to another one: the last container of a function, or all of it, before it ends. */

const SLOW = `
export default async request => {
  await new Promise(go => setTimeout(go, 1500))
  return new Response(String(process.pid))
}
`
const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local] }\n  slow: { handler: ./slow.mjs }\n  alone: { handler: ./slow.mjs }\n',
  b: '  echo: { hosts: [echo.local] }\n  slow: { handler: ./slow.mjs }\n',
}

const version = versionOf('etcd')
describe.skipIf(version === undefined)(`a host drains (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let scene: HostsScene
  beforeAll(async () => {
    scene = await HostsScene.start(FUNCTIONS, { 'slow.mjs': SLOW }, { processes: 3 })
  })
  afterAll(() => scene?.stop())

  const open = ({ https, ca }: Platform, serverName = 'echo.local'): Promise<Client> =>
    Client.open({ port: https, tls: { ca, serverName } })

  async function command(platform: Platform, ...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await hotpotato(platform.directory, words)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  const statusOf = (platform: Platform): Promise<PlatformStatus> => platform.order<PlatformStatus>('status')

  async function answers(client: Client): Promise<void> {
    expect((await client.request('/echo')).status).toBe(200)
    expect(client.handshakes).toBe(1)
  }

  /** The only container of a function on host a, as long as one of b takes its connections. */
  it('the only container of a function goes, its connections go on at the other host', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(scene.a)))
    await Promise.all(clients.map(answers))
    const said = await command(scene.a, 'drain', 'echo-1')
    expect(said).toBe('moved 20 connections, ended echo-1\n')
    await Promise.all(clients.map(answers))
    expect(await scene.connections(scene.b)).toHaveLength(20)
    expect(await command(scene.a, 'status')).toMatch(/^served by other hosts: echo \(b\/echo-1\)$/m)
    const { functions } = await statusOf(scene.a)
    expect(functions).toContainEqual(expect.objectContaining({ name: 'echo', ready: 0, replicas: 0 }))
    // And a new one, of a function that has no container here.
    const fresh = await open(scene.a)
    await answers(fresh)
    expect(await scene.connections(scene.b)).toHaveLength(21)
    await Promise.all([...clients, fresh].map(client => client.close()))
    await scene.idle()
    expect(await command(scene.a, 'scale', 'echo', '1')).toMatch(/^started echo-\d+$/m)
    await scene.knows(scene.b, 'a', 4)
  })

  it('what no other host has is not drained, and the refusal says why', async () => {
    const { code, stderr } = await hotpotato(scene.a.directory, ['drain', 'alone-1'])
    expect(code).toBe(1)
    expect(stderr).toBe('alone-1 is the only container of alone: no container could take its connections\n')
  })

  it('drain needs names or --all, and not both', async () => {
    for (const words of [['drain'], ['drain', '--all', 'echo-1']])
      expect(await hotpotato(scene.a.directory, words)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('drain needs the names of one or more containers, or --all alone'),
      })
  })

  it('drain --all: all connections of all functions, with what is underway', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => open(scene.b)))
    for (const client of clients) await answers(client)
    const [slow] = clients
    const answer = slow!.request('/slow')
    await eventually(
      async () => (await scene.connections(scene.b)).some(one => one.container === 'slow-1') || undefined,
      'nothing is underway',
    )
    const said = await command(scene.b, 'drain', '--all')
    expect(said).toMatch(/^moved 5 connections, ended (echo-1, slow-1|slow-1, echo-1)$/m)
    expect((await answer).status).toBe(200)
    await Promise.all(clients.map(answers))
    expect(await scene.connections(scene.a)).toHaveLength(5)
    expect(await command(scene.b, 'drain', '--all')).toBe('nothing to do\n')
    await Promise.all(clients.map(client => client.close()))
    await scene.idle()
    for (const name of ['echo', 'slow']) await command(scene.b, 'scale', name, '1')
    await scene.met()
  })
})

describe.skipIf(version === undefined)(`a host ends (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let scene: HostsScene
  beforeEach(async () => {
    scene = await HostsScene.start(FUNCTIONS, { 'slow.mjs': SLOW }, { processes: 3 })
  })
  afterEach(() => scene?.stop())

  it.each([
    ['SIGTERM', (platform: Platform) => platform.end('SIGTERM')],
    ['down', ({ directory }: Platform) => hotpotato(directory, ['down'])],
  ])('%s: clients of the other host notice nothing, its own get an end in order', async (_, end) => {
    const theirs = await Client.open({
      port: scene.a.https,
      tls: { ca: scene.a.ca, serverName: 'echo.local' },
    })
    await theirs.request('/echo')
    const [connection] = await scene.connections(scene.a)
    await hotpotato(scene.a.directory, ['move', connection!.id, 'b/echo-1'])
    expect(await scene.connections(scene.b)).toHaveLength(1)
    const underway = theirs.request('/slow')
    const own = await Client.open({ port: scene.b.https, tls: { ca: scene.b.ca, serverName: 'echo.local' } })
    await own.request('/echo')
    await end(scene.b)
    const answer = await underway
    expect(answer.status).toBe(200)
    expect(textOf(answer)).toMatch(/^\d+$/)
    expect((await theirs.request('/echo')).status).toBe(200)
    expect(theirs.handshakes).toBe(1)
    expect(await own.ended).toEqual({ closeNotify: true, alert: undefined, error: undefined })
    await theirs.close()
  })
})
