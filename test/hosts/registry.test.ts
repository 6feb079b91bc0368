import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Etcd } from '../../src/hosts/etcd.ts'
import { type HostEntry, Registry } from '../../src/hosts/registry.ts'
import type { Log } from '../../src/platform/log.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { EtcdServer } from '../support/peers/etcd.ts'

/* Which hosts there are, as etcd says, whatever else stands there. */

const version = versionOf('etcd')
describe.skipIf(version === undefined)(
  `the hosts in etcd (${noteOf(version, 'etcd', 'etcd-server')})`,
  () => {
    let server: EtcdServer
    let etcd: Etcd
    beforeAll(async () => {
      server = await EtcdServer.start()
      etcd = new Etcd({ endpoints: [server.endpoint], requestMs: 20_000, clock: SYSTEM_CLOCK })
    })
    afterAll(async () => {
      await etcd?.close()
      await server?.close()
    })

    const digest = 'a'.repeat(64)
    const entry = (run: string): HostEntry => ({ run, address: '127.0.0.1', port: 7443, digest })

    function registry(prefix: string, run: string) {
      const heard: ReadonlyMap<string, HostEntry>[] = []
      const log = { info() {}, warn() {}, error() {} } as unknown as Log
      const options = { etcd, clock: SYSTEM_CLOCK, log, name: 'a', prefix, leaseSeconds: 60 }
      const one = new Registry({ ...options, entry: entry(run), onHosts: hosts => heard.push(hosts) })
      one.begin()
      return { one, heard }
    }

    it('are those with a name and an entry of one: what else is there is none', async () => {
      const puts: readonly (readonly [string, unknown])[] = [
        ['b', entry('b')],
        ['', entry('b')],
        ['B', entry('b')],
        ['b/c', entry('b')],
        ['\u001b[2J', entry('b')],
        ['x'.repeat(64), entry('b')],
        ['c', { ...entry('c'), port: 70_000 }],
        ['d', { ...entry('d'), digest: 'short' }],
        ['e', null],
        ['f', 'no object'],
      ]
      for (const [name, value] of puts)
        await etcd.transact([], [{ put: `/one/host/${name}`, value: JSON.stringify(value) }])
      const { one, heard } = registry('/one', 'a')
      await vi.waitUntil(() => heard.length > 0, 20_000)
      expect([...heard[0]!.keys()]).toEqual(['b'])
      expect([one.hostOf(digest), one.hostOf('short')]).toEqual(['b', undefined])
      await one.end()
    })

    it('do not meet one whose name another platform has', async () => {
      await etcd.transact([], [{ put: '/two/host/a', value: JSON.stringify(entry('another')) }])
      await etcd.transact([], [{ put: '/two/host/b', value: JSON.stringify(entry('b')) }])
      const { one, heard } = registry('/two', 'a')
      await vi.waitUntil(() => heard.length > 0, 20_000)
      expect([one.taken, one.directory, heard[0]!.size]).toEqual([true, undefined, 0])
      await one.end()
    })
  },
)
