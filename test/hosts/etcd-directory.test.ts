import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Etcd, EtcdAway } from '../../src/hosts/etcd.ts'
import { EtcdDirectory, LeaseOver } from '../../src/hosts/etcd-directory.ts'
import { Lease } from '../../src/hosts/lease.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import type { Ownership } from '../../src/transfer/directory.ts'
import { at, keepsTheContract } from '../support/directory-contract.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { EtcdServer } from '../support/peers/etcd.ts'
import { eventually } from '../support/platform.ts'

/* Who owns a session, of several hosts that ask one etcd. */

const version = versionOf('etcd')
describe.skipIf(version === undefined)(`in etcd (${noteOf(version, 'etcd', 'etcd-server')})`, () => {
  let server: EtcdServer
  let places = 0
  const opened: { readonly etcd: Etcd; readonly leases: readonly Lease[] }[] = []
  beforeAll(async () => {
    server = await EtcdServer.start()
  })
  afterEach(async () => {
    for (const { etcd, leases } of opened.splice(0)) {
      for (const lease of leases) await lease.end()
      await etcd.close()
    }
  })
  afterAll(() => server?.close())

  /** A host's. @param prefix where those of one test look */
  async function host(
    prefix: string,
    seconds = 60,
  ): Promise<{ directory: EtcdDirectory; lease: Lease; memory: Lease }> {
    const etcd = new Etcd({ endpoints: [server.endpoint], requestMs: 20_000, clock: SYSTEM_CLOCK })
    const options = { seconds, clock: SYSTEM_CLOCK, onLost: () => {} }
    const [lease, memory] = [await Lease.grant(etcd, options), await Lease.grant(etcd, options)]
    opened.push({ etcd, leases: [lease, memory] })
    return {
      directory: new EtcdDirectory({ etcd, lease, memory, clock: SYSTEM_CLOCK, prefix }),
      lease,
      memory,
    }
  }
  const place = (): string => `/test-${places++}`

  keepsTheContract(async () => (await host(place())).directory, 20)

  it('gives each change a number that is higher than all before', async () => {
    const { directory } = await host(place())
    const entries = [
      await directory.claim('s', at('a', 0)),
      await directory.claim('t', at('a', 0)),
      await directory.transfer('s', at('a', 0), at('b', 1)),
      await directory.claim('s', at('b', 1)),
      await directory.release('s', at('b', 1)),
    ]
    const numbers = entries.map(entry => (entry.granted && entry.revision) || 0n)
    expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => Number(one - other)))
    expect(numbers[0]).toBeGreaterThan(0n)
  })

  it('a session whose host has died is free, for a later generation', async () => {
    const prefix = place()
    const [one, other] = [await host(prefix), await host(prefix)]
    await one.directory.claim('s', at('a', 3))
    const heard: (Ownership | undefined)[] = []
    const stop = other.directory.watch('s', ownership => heard.push(ownership))
    await eventually(() => heard[0], 'nothing is heard')
    expect(await other.directory.claim('s', at('b', 3))).toMatchObject({ reason: 'owned' })
    // It ends as a host that dies lets it end, at once.
    await one.lease.end()
    await eventually(() => heard.length === 2 || undefined, 'its end is not heard')
    stop()
    expect(heard).toEqual([at('a', 3), undefined])
    expect(await other.directory.claim('s', at('b', 3))).toMatchObject({ reason: 'stale' })
    expect(await other.directory.claim('s', at('b', 4))).toMatchObject({ granted: true })
    // The host that was taken for dead gets nothing any more.
    await expect(one.directory.claim('u', at('a', 0))).rejects.toThrow(LeaseOver)
    await expect(one.directory.transfer('s', at('b', 4), at('a', 5))).rejects.toThrow(LeaseOver)
    await expect(one.directory.claim('s', at('a', 3))).rejects.toThrow(LeaseOver)
    expect(await other.directory.find('s')).toEqual(at('b', 4))
  })

  it('a host that could not remember a generation claims nothing', async () => {
    const prefix = place()
    const { directory, memory } = await host(prefix)
    await directory.claim('s', at('a', 0))
    await memory.end()
    await expect(directory.claim('t', at('a', 0))).rejects.toThrow(LeaseOver)
    await expect(directory.transfer('s', at('a', 0), at('a', 1))).rejects.toThrow(LeaseOver)
    expect(await directory.find('t')).toBeUndefined()
    // What it has it may still give up: that is remembered by another lease.
    expect((await (await host(prefix)).directory.find('s'))?.generation).toBe(0)
    expect(await directory.release('s', at('a', 0))).toMatchObject({ granted: true })
  })

  it('of many that want a session each generation is for one, whatever becomes of etcd', async () => {
    const prefix = place()
    const hosts = await Promise.all(Array.from({ length: 4 }, () => host(prefix)))
    const granted = new Map<number, string>()
    let isOver = false
    let doubled = ''
    let unknown = 0
    const one = async ({ directory }: { directory: EtcdDirectory }, name: string): Promise<void> => {
      while (!isOver) {
        try {
          const found = await directory.find('s')
          const next = at(name, (found?.generation ?? -1) + 1)
          const entry = found ? await directory.transfer('s', found, next) : await directory.claim('s', next)
          if (!entry.granted) continue
          const before = granted.get(next.generation)
          if (before !== undefined && before !== name)
            doubled = `${before} and ${name} have ${next.generation}`
          granted.set(next.generation, name)
        } catch (error) {
          if (!(error instanceof EtcdAway)) throw error
          unknown++
        }
      }
    }
    const work = hosts.map((each, index) => one(each, `host-${index}`))
    for (let round = 0; round < 3; round++) {
      const goal = granted.size + 20
      await eventually(() => granted.size >= goal || undefined, 'nothing goes on')
      await server.kill()
      await server.begin()
    }
    const goal = granted.size + 20
    await eventually(() => granted.size >= goal || undefined, 'nothing goes on at last')
    isOver = true
    await Promise.all(work)
    expect(doubled).toBe('')
    // Every generation was for one, or for one that does not know: then no other has it either.
    const last = await hosts[0]!.directory.find('s')
    const missing = Array.from({ length: last!.generation + 1 }, (_, g) => g).filter(g => !granted.has(g))
    expect(missing.length).toBeLessThanOrEqual(unknown)
    expect(granted.get(last!.generation) ?? last!.owner).toBe(last!.owner)
  })
})
