import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'

/* What stays on its host is served there, although the other host has containers of the function. */

const version = versionOf('etcd')
describe.skipIf(version === undefined)(
  `of two hosts (${noteOf(version, 'etcd', 'etcd-server')}), one`,
  () => {
    let scene: HostsScene
    beforeAll(async () => {
      const functions =
        '  echo: { hosts: [echo.local] }\n' +
        '  hello: { hosts: [hello.local], carrier: fd, idle: 1h }\n' +
        '  resize: { hosts: [resize.local], carrier: fd, duplicate: true, idle: 1h }\n'
      scene = await HostsScene.start({ a: functions, b: functions }, {}, { processes: 4 })
    })
    afterAll(() => scene?.stop())

    async function sleeps(name: string): Promise<void> {
      await eventually(async () => {
        await scene.a.order(`scale ${name} 0`)
        const members = (await scene.a.status()).filter(one => one.functionName === name)
        return members.every(({ state, pid }) => state === 'asleep' && pid === undefined) || undefined
      }, `${name} does not fall asleep`)
    }

    it('keeps a connection whose function sleeps, and wakes a container of its own for it', async () => {
      const { client } = await scene.client('/hello', 'hello.local')
      expect(await scene.connections(scene.a)).toHaveLength(1)
      await sleeps('hello')
      expect([await scene.a.total('hibernating'), await scene.connections(scene.b)]).toEqual([1, []])
      expect((await client.request('/hello')).status).toBe(200)
      expect(await scene.connections(scene.a)).toMatchObject([{ functionName: 'hello' }])
      expect(client.handshakes).toBe(1)
      await client.close()
      await scene.idle()
    })

    it('wakes a container of its own for a connection that has a duplicate', async () => {
      await sleeps('resize')
      const { client, status } = await scene.client('/resize', 'resize.local')
      expect(status).toBeLessThan(500)
      expect(await scene.connections(scene.a)).toMatchObject([{ functionName: 'resize' }])
      // The next function that it wants sleeps here, too.
      await sleeps('hello')
      expect((await client.request('/hello')).status).toBe(200)
      expect(await scene.connections(scene.a)).toMatchObject([{ functionName: 'hello' }])
      await client.close()
      await scene.idle()
    })
  },
)
