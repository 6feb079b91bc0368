import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { noteOf, versionOf } from '../support/interop/program.ts'

/* `npm run demo:hosts`, as a user starts it. */

const DEMO = fileURLToPath(new URL('../../dist/test/hosts/demo.js', import.meta.url))

const run = (env: NodeJS.ProcessEnv = process.env) =>
  spawnSync(process.execPath, [DEMO], { encoding: 'utf8', env, timeout: 300_000 })

const version = versionOf('etcd')
describe('demo:hosts', () => {
  it.skipIf(version === undefined)(
    `tells its story, and ends (${noteOf(version, 'etcd', 'etcd-server')})`,
    () => {
      const { status, stdout, stderr } = run()
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      const hosts = [...stdout.matchAll(/answered by host (\w), process \d+, .*handshakes so far: (\d)$/gm)]
      expect(hosts.map(([, host, handshakes]) => `${host}${handshakes}`)).toEqual([
        'a1',
        'b1',
        'a1',
        'b1',
        'a1',
      ])
      expect(stdout).toMatch(/s {2}all processes have ended\n$/)
    },
  )

  it('without etcd says where to get it', () => {
    const { status, stderr } = run({ ...process.env, PATH: '/nonexistent' })
    expect(status).toBe(1)
    expect(stderr).toContain('apt-get install etcd-server')
  })
})
