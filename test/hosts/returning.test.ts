import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostsOf } from '../../src/platform/hosts/counters.ts'
import { Client } from '../support/client.ts'
import { HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { hotpotato, type Platform } from '../support/platform.ts'

/* A connection that has come back does not need the host any more that it was on. */

const FUNCTIONS = '  echo: { hosts: [echo.local] }\n  plain: { hosts: [plain.local], carrier: fd }\n'

const version = versionOf('etcd')
describe.skipIf(version === undefined)(`back home (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let scene: HostsScene
  beforeAll(async () => {
    const plain = FUNCTIONS.replace('carrier: fd', 'carrier: fd, handler: ./plain.mjs')
    const files = {
      'plain.mjs': 'export default request => request.arrayBuffer().then(b => new Response(b))',
    }
    scene = await HostsScene.start({ a: plain, b: plain }, files, { processes: 3 })
  })
  afterAll(() => scene?.stop())

  async function echoes(client: Client): Promise<void> {
    const body = new Uint8Array(randomBytes(300_000))
    const { status, body: answer } = await client.request('/', { body })
    expect(status).toBe(200)
    const digests = [body, answer].map(bytes => createHash('sha256').update(bytes).digest('hex'))
    expect(digests[1]).toBe(digests[0])
    expect(client.handshakes).toBe(1)
  }

  async function move(from: Platform, to: string): Promise<void> {
    const [connection] = await scene.connections(from)
    const { code, stderr } = await hotpotato(from.directory, ['move', connection!.id, to])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }

  const spans = (platform: Platform, connections: number, returned: number) =>
    platform.until(
      'link',
      ({ counters }) => counters.connections === connections && counters.returned === returned,
    )

  it.each(['echo', 'plain'])('%s: its bytes run here alone, be it the tenth time', async name => {
    const { https: port, ca } = scene.a
    const client = await Client.open({ port, tls: { ca, serverName: `${name}.local` } })
    await echoes(client)
    for (let round = 1; round <= 10; round++) {
      await move(scene.a, `b/${name}-1`)
      await echoes(client)
      await move(scene.b, `a/${name}-1`)
      await echoes(client)
    }
    await spans(scene.b, 0, 0)
    await spans(scene.a, 1, 1)
    const { counters } = await scene.a.member('link')
    expect(counters).toMatchObject({ guests: 0, absent: 0, refused: 0 })
    await scene.b.kill('link')
    await scene.a.until('link', one => !hostsOf(one.counters).has('b'))
    await echoes(client)
    expect(await scene.connections(scene.a)).toMatchObject([{ container: `${name}-1` }])
    await client.close()
    await spans(scene.a, 0, 0)
    await scene.met()
    await scene.idle()
  })
})
