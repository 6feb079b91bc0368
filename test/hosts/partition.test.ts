import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { textOf } from '../support/client.ts'
import { eventually, HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { hotpotato, type Platform } from '../support/platform.ts'

/* The two hosts do not hear each other for a while, and both live. */

/** A function that notes which of its requests it begins, where, and waits until it may answer. */
const functionIn = (directory: string): string => `
import { appendFileSync, existsSync } from 'node:fs'
export default async request => {
  const id = new URL(request.url).searchParams.get('id')
  await request.text()
  if (id === null) return new Response(String(process.pid))
  appendFileSync(${JSON.stringify(join(directory, 'ledger'))}, id + '\\n')
  while (!existsSync(${JSON.stringify(directory)} + '/' + id)) await new Promise(go => setTimeout(go, 50))
  return new Response(String(process.pid))
}
`

const version = versionOf('etcd')
describe.skipIf(version === undefined)(
  `between two hosts (${noteOf(version, 'etcd', 'etcd-server')})`,
  () => {
    let scene: HostsScene
    const directory = mkdtempSync(join(tmpdir(), 'partition-'))
    beforeAll(async () => {
      const files = { 'work.mjs': functionIn(directory) }
      const functions = '  echo: { hosts: [echo.local], handler: ./work.mjs }\n'
      scene = await HostsScene.start({ a: functions, b: functions }, files, { leaseSeconds: 6, processes: 2 })
      writeFileSync(join(directory, 'ledger'), '')
    })
    let stopped: number | undefined
    afterEach(() => {
      if (stopped !== undefined) process.kill(stopped, 'SIGCONT')
      stopped = undefined
    })
    afterAll(async () => {
      await scene?.stop()
      rmSync(directory, { recursive: true, force: true })
    })

    const begun = (id: string): number =>
      readFileSync(join(directory, 'ledger'), 'utf8')
        .split('\n')
        .filter(one => one === id).length

    const without = (platform: Platform, host: string) =>
      platform.until('link', ({ counters }) => !Object.keys(counters).includes(`host ${host}`))

    async function cutOff(id: string, body: Uint8Array | undefined) {
      const { client } = await scene.client('/echo')
      const [connection] = await scene.connections(scene.a)
      const moved = await hotpotato(scene.a.directory, ['move', connection!.id, 'b/echo-1'])
      expect(moved).toMatchObject({ code: 0, stderr: '' })
      const there = textOf(await client.request('/echo'))
      const answer = client.request(`/echo?id=${id}`, body === undefined ? {} : { body })
      await eventually(() => begun(id) > 0 || undefined, `${id} is not begun`)
      stopped = (await scene.b.member('link')).pid!
      process.kill(stopped, 'SIGSTOP')
      await without(scene.a, 'b')
      return { client, there, answer }
    }

    async function heals(): Promise<void> {
      process.kill(stopped!, 'SIGCONT')
      stopped = undefined
      await scene.met()
    }

    it('nothing is heard: a POST that was begun is not begun again, and its session goes on', async () => {
      const { client, there, answer } = await cutOff('post', utf8('effects'))
      expect((await answer).status).toBe(503)
      const here = textOf(await client.request('/echo'))
      expect(here).not.toBe(there)
      await heals()
      // The first container answers now, to a client that must not hear of it.
      writeFileSync(join(directory, 'post'), '')
      expect(textOf(await client.request('/echo'))).toBe(here)
      expect([begun('post'), client.handshakes]).toEqual([1, 1])
      await client.close()
      await scene.idle()
    })

    it('nothing is heard: a GET is begun once more, and its client gets one answer', async () => {
      const { client, there, answer } = await cutOff('get', undefined)
      await eventually(() => begun('get') === 2 || undefined, 'it is not begun again')
      await heals()
      writeFileSync(join(directory, 'get'), '')
      const first = await answer
      expect(first.status).toBe(200)
      expect(textOf(first)).not.toBe(there)
      expect(textOf(await client.request('/echo'))).toBe(textOf(first))
      expect([begun('get'), client.handshakes]).toEqual([2, 1])
      await client.close()
      await scene.idle()
    })
  },
)
