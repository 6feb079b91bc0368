import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectNode } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostsOf } from '../../src/platform/hosts/counters.ts'
import type { Client } from '../support/client.ts'
import { eventually, HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { hotpotato, type Platform } from '../support/platform.ts'

/* Two real platforms and a real etcd: clients of host a are served by containers of both. */

const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local], replicas: 2 }\n  hello: { carrier: fd, handler: ./broken.mjs }\n',
  b: '  echo: { hosts: [echo.local] }\n  hello: { carrier: fd }\n',
}

const version = versionOf('etcd')
describe.skipIf(version === undefined)(`two hosts (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let scene: HostsScene
  beforeAll(async () => {
    scene = await HostsScene.start(FUNCTIONS, { 'broken.mjs': "throw new Error('not on this host')" })
  })
  afterAll(() => scene?.stop())

  /** Moves by the command, the only connection that a host has. @returns its id */
  async function move(from: Platform, to: string): Promise<string> {
    const [connection] = await scene.connections(from)
    const { code, stderr } = await hotpotato(from.directory, ['move', connection!.id, to])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return connection!.id
  }

  /** Its client gets back what it sends. */
  async function echoes(client: Client, bytes = 400_000): Promise<void> {
    const body = new Uint8Array(randomBytes(bytes))
    const answer = await client.request('/echo', { body })
    expect(answer.status).toBe(200)
    expect(digest(answer.body)).toBe(digest(body))
    expect(client.handshakes).toBe(1)
  }

  it('a live connection moves to the other host and back, and goes on byte for byte', async () => {
    const { client } = await scene.client()
    for (let round = 0; round < 3; round++) {
      const id = await move(scene.a, 'b/echo-1')
      await echoes(client)
      expect(await scene.connections(scene.a)).toEqual([])
      expect(await scene.connections(scene.b)).toMatchObject([{ id, container: 'echo-1' }])
      await move(scene.b, 'a/echo-2')
      await echoes(client)
      expect(await scene.connections(scene.b)).toEqual([])
      expect(await scene.connections(scene.a)).toMatchObject([{ id, container: 'echo-2' }])
    }
    await client.close()
    await scene.idle()
  })

  it('a function that cannot work here is served by the other host, on the same connection', async () => {
    const { client } = await scene.client()
    const answer = await client.request('/hello')
    expect(answer.status).toBe(200)
    expect(await scene.connections(scene.b)).toMatchObject([{ container: 'hello-1' }])
    await echoes(client)
    await client.close()
    // And one that has said nothing yet.
    const fresh = await scene.client('/hello', 'hello.local')
    expect(fresh.status).toBe(200)
    expect(await scene.connections(scene.b)).toMatchObject([{ container: 'hello-1' }])
    await fresh.client.close()
    await scene.idle()
  })

  it('node:tls and openssl notice nothing', async () => {
    const options = { port: scene.a.https, host: '127.0.0.1', servername: 'echo.local', ca: scene.a.ca }
    const socket = connectNode({ ...options, minVersion: 'TLSv1.3' })
    let heard = ''
    socket.setEncoding('utf8').on('data', text => (heard += text))
    await once(socket, 'secureConnect')
    const ask = async (): Promise<void> => {
      heard = ''
      socket.write('GET /echo?node HTTP/1.1\r\nHost: echo.local\r\n\r\n')
      await eventually(() => heard.includes('/echo?node') || undefined, 'no answer')
    }
    await ask()
    await move(scene.a, 'b/echo-1')
    await ask()
    await move(scene.b, 'a/echo-1')
    await ask()
    socket.destroy()
    await scene.idle()
    const words = ['s_client', '-connect', `127.0.0.1:${scene.a.https}`, '-servername', 'echo.local']
    const child = spawn('openssl', [...words, '-CAfile', scene.a.caFile, '-quiet', '-no_ign_eof'])
    let said = ''
    child.stdout.setEncoding('utf8').on('data', text => (said += text))
    const asks = async (what: string): Promise<void> => {
      child.stdin.write(`GET /echo?${what} HTTP/1.1\r\nHost: echo.local\r\n\r\n`)
      await eventually(() => said.includes(`/echo?${what}`) || undefined, 'openssl gets no answer')
    }
    await asks('here')
    await move(scene.a, 'b/echo-1')
    await asks('there')
    child.stdin.end()
    await once(child, 'exit')
    await scene.idle()
  })

  it('a container of the other host dies: its connections go on, from their checkpoints', async () => {
    const { client } = await scene.client()
    await move(scene.a, 'b/echo-1')
    await echoes(client)
    await scene.b.kill('echo-1')
    await echoes(client)
    expect(await scene.connections(scene.a)).toHaveLength(1)
    await client.close()
    await scene.met()
    await scene.idle()
  })

  it.each(['a', 'b'] as const)(
    'the link of host %s dies: connections go on, and the hosts meet again',
    async which => {
      const { client } = await scene.client()
      await move(scene.a, 'b/echo-1')
      await scene[which].kill('link')
      await echoes(client)
      expect(await scene.connections(scene.a)).toHaveLength(1)
      await scene.met()
      await move(scene.a, 'b/echo-1')
      await echoes(client)
      await client.close()
      await scene.idle()
    },
  )

  it('etcd is away: what lives goes on, nothing new is claimed, moves within a host work', async () => {
    const { client } = await scene.client()
    const { client: there } = await scene.client('/echo')
    const ids = (await scene.connections(scene.a)).map(({ id }) => id)
    const moved = await hotpotato(scene.a.directory, ['move', ids[0]!, 'b/echo-1'])
    expect(moved).toMatchObject({ code: 0, stderr: '' })
    await scene.etcd.kill()
    for (const platform of [scene.a, scene.b])
      await platform.until('link', ({ counters }) => counters.etcdAway === 1)
    await echoes(client)
    await echoes(there)
    const refused = await hotpotato(scene.a.directory, ['move', ids[1]!, 'b/echo-1'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('nothing is claimed')
    const [left] = await scene.connections(scene.a)
    const other = left!.container === 'echo-1' ? 'echo-2' : 'echo-1'
    expect(await hotpotato(scene.a.directory, ['move', left!.id, other])).toMatchObject({ code: 0 })
    await echoes(client)
    await echoes(there)
    const { stdout } = await hotpotato(scene.a.directory, ['status'])
    expect(stdout).toMatch(/^hosts: b \(\d processes\)$/m)
    expect(stdout).toMatch(/^etcd is away/m)
    await scene.etcd.begin()
    for (const platform of [scene.a, scene.b])
      await platform.until('link', ({ counters }) => counters.etcdAway === 0)
    await client.close()
    await there.close()
    await scene.idle()
  })

  it('the other host dies, all of it: its connections go on here', async () => {
    const { client } = await scene.client()
    await move(scene.a, 'b/echo-1')
    await echoes(client)
    await scene.b.end('SIGKILL')
    // What ends a little later than its supervisor could begin a request, which is not begun again then.
    await scene.a.until('link', ({ counters }) => !hostsOf(counters).has('b'))
    await echoes(client)
    expect(await scene.connections(scene.a)).toHaveLength(1)
    await client.close()
  })
})

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
