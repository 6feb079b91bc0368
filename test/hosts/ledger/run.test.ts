import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostsScene } from '../../support/hosts-scene.ts'
import { noteOf, versionOf } from '../../support/interop/program.ts'
import { LONG, SAMPLE } from '../../support/long.ts'
import { below, seeded } from '../../support/random.ts'
import { check } from './check.ts'
import { Asker, begunIn, functionIn, pause } from './crew.ts'

/*
 * Two real hosts and a real etcd, between which connections move all the time, while something is wrong with
 * one of them. Wall clocks that jump are not tried: leases are counted by steady ones.
 */

/** Seconds after which silent hosts and containers are given up. */
const LEASE = 4
/** Milliseconds that a process stands still: beyond the lease, and what is added to it. */
const STILL = LEASE * 1500 + 1000
const CLIENTS = 4
/** Times that all faults are gone through. */
const ROUNDS = LONG ? 8 : 1
/** Milliseconds for each of them, on a busy machine. */
const OF_A_ROUND = 600_000

const version = versionOf('etcd')
describe.skipIf(version === undefined)(
  `the ledger of two hosts (${noteOf(version, 'etcd', 'etcd-server')})`,
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'ledger-'))
    const random = seeded(18)
    let scene: HostsScene
    beforeAll(async () => {
      const of = (name: string): string =>
        `  echo: { hosts: [echo.local], replicas: 2, handler: ./work.mjs, environment: { HOST: ${name} } }\n`
      const files = { 'work.mjs': functionIn(directory) }
      scene = await HostsScene.start({ a: of('a'), b: of('b') }, files, { leaseSeconds: LEASE })
    })
    afterAll(async () => {
      await scene?.stop()
      rmSync(directory, { recursive: true, force: true })
    })

    async function still(pid: number): Promise<void> {
      process.kill(pid, 'SIGSTOP')
      await pause(STILL)
      process.kill(pid, 'SIGCONT')
    }

    const pidOf = async (host: 'a' | 'b', name: string): Promise<number> =>
      (await scene[host].member(name)).pid!

    const FAULTS: readonly (readonly [string, () => Promise<void>])[] = [
      ['the link of b stands still, beyond the lease', async () => still(await pidOf('b', 'link'))],
      ['the link of a stands still, beyond the lease', async () => still(await pidOf('a', 'link'))],
      ['a container stands still', async () => still(await pidOf('b', 'echo-1'))],
      ['a supervisor stands still', () => still(scene.b.child.pid!)],
      [
        'etcd stands still',
        async () => {
          scene.etcd.signal('SIGSTOP')
          await pause(STILL)
          scene.etcd.signal('SIGCONT')
        },
      ],
      [
        'etcd is killed, and begins anew',
        async () => {
          await scene.etcd.kill()
          await pause(STILL)
          await scene.etcd.begin()
        },
      ],
      ['a container is killed', () => scene.b.kill('echo-2')],
      ['a link is killed', () => scene.a.kill('link')],
    ]

    /** Moves some connection to some container, or not: what it is told does not matter. */
    async function move(): Promise<void> {
      const from = below(random, 2) === 0 ? 'a' : 'b'
      const connections = await scene.connections(scene[from])
      if (connections.length === 0) return
      const target = `echo-${1 + below(random, 2)}`
      const to = below(random, 2) === 0 ? target : `${from === 'a' ? 'b' : 'a'}/${target}`
      await scene[from].order(`move ${connections[below(random, connections.length)]!.id} ${to}`)
    }

    it(
      `nothing is lost, twice, or of two owners, whatever fails${SAMPLE}`,
      async () => {
        const askers = Array.from({ length: CLIENTS }, (_, index) => {
          const host = index % 2 === 0 ? 'a' : 'b'
          return new Asker(`${host}${index}`, scene[host], () => below(random, 1000) / 1000)
        })
        const asking = askers.map(asker => asker.run())
        let over = false
        const moving = (async () => {
          while (!over) {
            await Promise.race([move().catch(() => {}), pause(2000)])
            await pause(100)
          }
        })()
        for (let round = 0; round < ROUNDS; round++)
          for (const [, fault] of FAULTS) {
            await pause(1000)
            await fault()
            await scene.met()
          }
        await pause(1000)
        over = true
        for (const asker of askers) asker.end()
        await Promise.all([...asking, moving])
        const entries = [...askers.flatMap(asker => asker.entries), ...begunIn(directory)]
        const answered = entries.filter(({ kind }) => kind === 'answered')
        expect(check(entries)).toEqual([])
        // That there was something to judge.
        expect(answered.length).toBeGreaterThan(100 * ROUNDS)
        const hops = answered.map(one => (one.kind === 'answered' ? one.hops : 0))
        expect(Math.max(...hops)).toBeGreaterThan(5 * ROUNDS)
        const hosts = new Set(answered.map(one => one.kind === 'answered' && one.says?.process.slice(0, 1)))
        expect(hosts).toContain('a')
        expect(hosts).toContain('b')
      },
      ROUNDS * OF_A_ROUND,
    )
  },
)
