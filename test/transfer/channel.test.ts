import { openSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Channel, chooseChannel, MAX_DESCRIPTORS, MAX_PAYLOAD } from '../../src/transfer/channel.ts'
import { adopt, Descriptor } from '../../src/transfer/stream.ts'
import { Cluster, connect, countSockets, sequence } from './channel-cluster.ts'

let cluster: Cluster | undefined

afterEach(async () => {
  await cluster?.stop()
  cluster = undefined
})

describe.each<Channel['kind']>(['native', 'ipc'])('a channel (%s)', kind => {
  it('carries messages of every size in order, larger than a frame and than the window', async () => {
    cluster = await Cluster.start(kind, 1)
    for (const size of [0, 1, 65_500, 65_536, 300_000, 3_000_000]) {
      cluster.send(1, { do: 'report' }, [], new Uint8Array(size).fill(7))
      await cluster.told(told => 'report' in told)
    }
    cluster.send(1, { do: 'flood', to: 0, count: 200, size: 20_000 })
    for (let i = 0; i < 200; i++) {
      const told = await cluster.told(told => told.do === 'take')
      expect([told.i, told.rest.length, told.rest[0], told.rest.at(-1)]).toEqual([
        i,
        20_000,
        i & 255,
        i & 255,
      ])
    }
  })

  it('carries the largest payload and refuses a larger one', async () => {
    cluster = await Cluster.start(kind, 1)
    const head = new TextEncoder().encode('{"do":"take","i":0,"count":1}\0')
    const payload = new Uint8Array(MAX_PAYLOAD)
    payload.set(head)
    expect(cluster.channel.send(1, payload)).toBe('queued')
    await cluster.told(told => told.took === 1)
    expect(() => cluster!.channel.send(1, new Uint8Array(MAX_PAYLOAD + 1))).toThrow(RangeError)
  })

  it('lets the caller change its payload at once', async () => {
    cluster = await Cluster.start(kind, 1)
    const head = new TextEncoder().encode('{"do":"take","i":0,"count":1}\0')
    const payload = new Uint8Array(2_000_000)
    payload.set(head)
    expect(cluster.channel.send(1, payload)).toBe('queued')
    payload.fill(9)
    await cluster.told(told => told.took === 1)
  })

  it('goes on between two processes that flood each other', async () => {
    cluster = await Cluster.start(kind, 2)
    cluster.send(1, { do: 'flood', to: 2, count: 300, size: 60_000 })
    cluster.send(2, { do: 'flood', to: 1, count: 300, size: 60_000 })
    await cluster.told(told => told.took === 300 && told.from === 1)
    await cluster.told(told => told.took === 300 && told.from === 2)
  })

  it('queues for a reader that stands still, and goes on when it does', async () => {
    cluster = await Cluster.start(kind, 1)
    const child = cluster.children.get(1)!
    child.kill('SIGSTOP')
    let queued = 0
    for (let i = 0; i < 100; i++) {
      const result = cluster.send(1, { do: 'take', i, count: 100 }, [], new Uint8Array(50_000).fill(i))
      if (result === 'queued') queued++
      else expect(result).toBe('sent')
    }
    expect(queued).toBeGreaterThan(90)
    const drained = new Promise(resolve => {
      cluster!.channel.onDrain = resolve
    })
    child.kill('SIGCONT')
    await cluster.told(told => told.took === 100)
    expect(await drained).toBe(1)
  })

  it('says full rather than queue without bound', async () => {
    cluster = await Cluster.start(kind, 1)
    cluster.children.get(1)!.kill('SIGSTOP')
    const large = new Uint8Array(MAX_PAYLOAD)
    const results: string[] = []
    for (let i = 0; i < 5; i++) results.push(cluster.channel.send(1, large))
    expect(results).toEqual(['queued', 'queued', 'queued', 'queued', 'full'])
  })

  it('tells what a killed process will not get, and that it is gone', async () => {
    cluster = await Cluster.start(kind, 1)
    cluster.children.get(1)!.kill('SIGSTOP')
    for (let i = 0; i < 20; i++) cluster.send(1, { do: 'take', i, count: 20 }, [], new Uint8Array(50_000))
    const all = new Promise<void>(resolve => {
      const { undeliverable } = cluster!
      cluster!.channel.onUndeliverable = (to, payload, started) => {
        undeliverable.push({ to, started, length: payload.length })
        if (undeliverable.length === 15) resolve()
      }
    })
    await cluster.kill(1)
    await all
    expect(cluster.undeliverable.every(({ to, started }) => to === 1 && !started)).toBe(true)
    expect(cluster.send(1, { do: 'report' })).toBe('gone')
    expect(cluster.channel.peers.has(1)).toBe(false)
  })

  it('tells a child that its sibling is gone', async () => {
    cluster = await Cluster.start(kind, 2)
    await cluster.kill(2)
    cluster.send(1, { do: 'flood', to: 2, count: 3, size: 10 })
    const { results } = (await cluster.told(told => told.flooded === 2)) as unknown as {
      results: Record<string, number>
    }
    if (kind === 'native') expect(results).toEqual({ sent: 0, queued: 0, gone: 3, full: 0 })
    else {
      // The broker finds out, so the sender is told after the fact.
      expect((await cluster.report(1)).undeliverable).toBe(3)
    }
    expect((await cluster.report(1)).peers).not.toContain(2)
  })

  it('knows no peer that has not been introduced', async () => {
    cluster = await Cluster.start(kind, 1)
    expect(cluster.send(77, { do: 'report' })).toBe('gone')
    cluster.channel.forget(1)
    expect(cluster.send(1, { do: 'report' })).toBe('gone')
  })

  it('takes a message back whose first fragment had left, and says so', async () => {
    cluster = await Cluster.start(kind, 1)
    cluster.children.get(1)!.kill('SIGSTOP')
    expect(cluster.channel.send(1, new Uint8Array(1_000_000).fill(1))).toBe('queued')
    const told = new Promise(resolve => {
      cluster!.channel.onUndeliverable = (to, payload, started) =>
        resolve([to, payload.length, payload[0], started])
    })
    await cluster.kill(1)
    expect(await told).toEqual([1, 1_000_000, 1, true])
  })

  it('keeps a descriptor open until its message has left, though its owner has closed it', async () => {
    cluster = await Cluster.start(kind, 1)
    const pair = await connect()
    const { descriptor } = await adopt(pair.accepted).lift()
    const child = cluster.children.get(1)!
    child.kill('SIGSTOP')
    for (let i = 0; i < 20; i++) cluster.send(1, { do: 'nothing' }, [], new Uint8Array(50_000))
    expect(cluster.send(1, { do: 'count', key: 'a' }, [descriptor])).toBe('queued')
    descriptor.close()
    child.kill('SIGCONT')
    pair.client.end(sequence(0, 1000))
    await cluster.told(told => told.counted === 1000)
  })

  it('refuses to send what is closed, and more descriptors than it can', async () => {
    cluster = await Cluster.start(kind, 1)
    const fds = nulls(MAX_DESCRIPTORS + 1)
    expect(() => cluster?.send(1, { do: 'look' }, fds)).toThrow(RangeError)
    for (const fd of fds) fd.close()
    expect(() => cluster?.send(1, { do: 'look' }, fds.slice(0, 1))).toThrow(TypeError)
  })

  it('leaves no descriptor behind', async () => {
    const before = countSockets()
    cluster = await Cluster.start(kind, 2)
    cluster.send(1, { do: 'flood', to: 2, count: 10, size: 100_000 })
    await cluster.told(told => told.took === 10)
    await cluster.stop()
    cluster = undefined
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(countSockets()).toBe(before)
  })
})

const nulls = (count: number): Descriptor[] =>
  Array.from({ length: count }, () => Descriptor.fromFd(openSync('/dev/null', 'r')))

describe('the native channel', () => {
  it('carries as many descriptors as it may, also with a payload of many fragments', async () => {
    cluster = await Cluster.start('native', 1)
    const before = (await cluster.report(1)).fds
    const fds = nulls(MAX_DESCRIPTORS)
    cluster.send(1, { do: 'look' }, fds, new Uint8Array(500_000))
    for (const fd of fds) fd.close()
    const told = await cluster.told(told => 'looked' in told)
    expect([told.looked, told.length]).toEqual([fds.map(() => 'fd'), 500_000])
    expect((await cluster.report(1)).fds).toBe(before)
  })

  it.each([0, 1])(
    'refuses a message when its receiver has room for %i of 2 descriptors, and goes on',
    async spare => {
      cluster = await Cluster.start('native', 1, 'raw', 64)
      cluster.send(1, { do: 'fill', spare })
      expect((await cluster.told(told => 'full' in told)).full).toBe('EMFILE')
      const fds = [0, 1].map(() => Descriptor.fromFd(openSync('/dev/null', 'r')))
      cluster.send(1, { do: 'look' }, fds, new Uint8Array(200_000))
      const refused = await cluster.told(told => 'refused' in told)
      expect(refused.refused).toBe('descriptors were lost')
      // Its payload came all the same, so that its sender can be told.
      expect(refused.bytes).toBe('{"do":"look"}'.length + 1 + 200_000)
      cluster.send(1, { do: 'empty' })
      await cluster.told(told => 'empty' in told)
      cluster.send(1, { do: 'look' }, fds)
      expect((await cluster.told(told => 'looked' in told)).looked).toEqual(['fd', 'fd'])
      for (const fd of fds) fd.close()
    },
  )
})

it('says which channel it chooses, and why', () => {
  expect(chooseChannel()).toEqual({ kind: 'native', reason: 'foreign calls work' })
  vi.stubEnv('HOTPOTATO_CHANNEL', 'ipc')
  expect(chooseChannel()).toEqual({ kind: 'ipc', reason: 'HOTPOTATO_CHANNEL=ipc' })
  vi.unstubAllEnvs()
})
