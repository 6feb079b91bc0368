import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Frame } from '../../src/hosts/frames.ts'
import { makeIdentity } from '../../src/hosts/identity.ts'
import { WINDOW } from '../../src/hosts/window.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { encodeControl } from '../../src/transfer/control.ts'
import { MemoryDirectory } from '../../src/transfer/directory.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { openPair, type Pair } from '../../src/transfer/pair.ts'
import { hex } from '../../src/wire/index.ts'
import { consignment, FarHost, LinkScene, NEAR, peer, verdict } from '../support/link-scene.ts'

/* What a link stands: connections of any program, and a host that is broken or turned. */

/** Milliseconds for what comes by itself, on a busy machine. */
const PATIENCE = 20_000

describe.runIf(probe().available)('a link', () => {
  let scene: LinkScene
  beforeEach(async () => {
    scene = await LinkScene.start()
  })
  afterEach(() => scene.stop())

  describe('is connected to by a stranger', () => {
    const sockets: Socket[] = []
    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.destroy()
    })
    async function stranger(): Promise<Socket> {
      const socket = connect({ port: scene.port, host: '127.0.0.1' })
      socket.on('error', () => {}).resume()
      sockets.push(socket)
      await once(socket, 'connect')
      return socket
    }

    it('that no host vouches for: it is refused, and hears of no process', async () => {
      scene.tell({ kind: 'introduce', peer: peer(NEAR, 'echo-1') })
      const host = new FarHost(await makeIdentity(node, 'b', SYSTEM_CLOCK, () => 'a'))
      await host.meet(scene.port)
      await host.ends()
      expect(host.over).toMatch(/unknown_ca/)
      expect(host.heard).toEqual([])
      expect(scene.lines.map(({ line }) => line)).toEqual(['a connection to the link failed'])
      await scene.goesOn()
    })

    it('that shows no certificate, or speaks no TLS: it is refused, in one line a second', async () => {
      for (let i = 0; i < 20; i++) {
        const socket = await stranger()
        socket.write('GET / HTTP/1.1\r\n\r\n')
        await once(socket, 'close')
      }
      const identity = await makeIdentity(node, 'b', SYSTEM_CLOCK, () => 'a')
      const bare = new FarHost({ ...identity, client: { ...identity.client, certificates: [] } })
      await bare.meet(scene.port)
      await bare.ends()
      expect(scene.lines.length).toBeLessThan(20)
      await scene.goesOn()
    })

    it('and many more that say nothing: the oldest go, and a host is met', async () => {
      const all: Socket[] = []
      for (let i = 0; i < 100; i++) all.push(await stranger())
      await vi.waitUntil(() => all.filter(({ closed }) => closed).length >= 36, 4000)
      expect(all.at(-1)!.closed).toBe(false)
      await scene.goesOn()
    })
  })

  it('leaves a host when the directory has another certificate of that name', async () => {
    const { host } = await scene.met()
    const hosts = new Map([['b', scene.entry(host)]])
    scene.link.encounters.meet(hosts)
    expect(host.over).toBeUndefined()
    scene.link.encounters.meet(new Map([['b', { ...scene.entry(host), digest: 'f'.repeat(64) }]]))
    await host.ends()
    await scene.hears('parted')
  })

  const random = new Uint8Array(16)
  const nonsense: readonly (readonly [string, Frame | Uint8Array])[] = [
    ['a frame that is too long', Uint8Array.of(0xff, 0, 0, 0)],
    ['a frame of no kind', Uint8Array.of(0, 0, 0, 1, 99)],
    ['an empty frame', Uint8Array.of(0, 0, 0, 0)],
    ['a second hello', { kind: 'hello', version: 2, random }],
    ['the same process twice', { kind: 'process', peer: peer(1, 'echo-1') }],
    ['two processes with one key', { kind: 'process', peer: peer(2, 'echo-2', 1) }],
    ['a process with a key of ours', { kind: 'process', peer: peer(2, 'echo-2', 0x55) }],
    ['a signer', { kind: 'process', peer: { ...peer(2, 'echo-2'), role: 'signer' } }],
    ['a gateway of a function', { kind: 'process', peer: { ...peer(2, 'echo-2'), role: 'gateway' } }],
    ['a process of a third host', { kind: 'process', peer: { ...peer(2, 'echo-2'), name: 'c/echo-2' } }],
    ['a name that is no name', { kind: 'process', peer: { ...peer(2, 'echo-2'), name: '\u001b[2J' } }],
    ['a function that is no name', { kind: 'process', peer: { ...peer(2, 'echo-2'), functionName: '../x' } }],
    ['a message that is none', { kind: 'message', from: 1, to: NEAR, payload: Uint8Array.of(1, 2, 3) }],
    [
      'a connection without a span',
      { kind: 'message', from: 1, to: NEAR, payload: consignment(1, 'return') },
    ],
    ...(['hibernate', 'thaw', 'relayed', 'return'] as const).map(
      kind =>
        [
          `a ${kind}`,
          { kind: 'parcel', from: 1, to: NEAR, span: 1, itself: false, payload: consignment(1, kind) },
        ] as const,
    ),
    [
      'a span of ours',
      { kind: 'parcel', from: 1, to: NEAR, span: 2, itself: false, payload: consignment(1) },
    ],
  ]
  it.each(nonsense)('is told %s: that host is left, and nothing else happens', async (_, said) => {
    const { host, far } = await scene.met()
    if (said instanceof Uint8Array) host.sayBytes(said)
    else host.say(said)
    await host.ends()
    expect(await scene.hears('parted')).toEqual({ kind: 'parted', far })
    expect(scene.received).toEqual([])
    expect(scene.told.filter(({ kind }) => kind === 'reaches')).toHaveLength(1)
    const lost = scene.lines.filter(({ line }) => line === 'a host is lost')
    expect(lost).toMatchObject([{ what: { reason: expect.stringMatching(/^it speaks nonsense: /) } }])
    // Nothing stays claimed.
    const sessionId = hex(new Uint8Array(15)).concat('01')
    await vi.waitUntil(async () => (await scene.directory!.find(sessionId)) === undefined, 5000)
    await scene.goesOn()
  })

  it('is told of unknown spans and processes: nothing happens', async () => {
    const { host } = await scene.met()
    const bytes = new Uint8Array(100)
    host.say(
      { kind: 'data', span: 7, bytes },
      { kind: 'credit', span: 7, bytes: 2 ** 31 },
      { kind: 'end', span: 7 },
      { kind: 'reset', span: 7 },
      { kind: 'claimed', span: 7, revision: 3 },
      { kind: 'gone', id: 77 },
      { kind: 'retires', id: 77 },
      { kind: 'cut', from: 77, to: NEAR },
      { kind: 'message', from: 77, to: NEAR, payload: verdict(1, true) },
      { kind: 'message', from: 1, to: 77, payload: verdict(1, true) },
      { kind: 'message', from: 1, to: NEAR, payload: verdict(2, true) },
    )
    await vi.waitUntil(() => scene.received.length > 0, PATIENCE)
    expect(scene.received.map(({ message }) => message.kind)).toEqual(['verdict'])
    expect(host.over).toBeUndefined()
  })

  describe('with a connection', () => {
    let pair: Pair | undefined
    afterEach(() => {
      for (const end of pair ?? []) end.close()
      pair = undefined
    })

    it('believes its verdict from the process that it was offered to, and from no other', async () => {
      const { host, far } = await scene.met()
      host.say({ kind: 'process', peer: peer(2, 'echo-2') })
      const other = (await scene.hears('reaches', 2)).peer.id
      scene.bridge(other)
      pair = await openPair()
      scene.near.send(far + 100, consignment(3), [pair[1]])
      const [parcel] = await host.hears('parcel')
      host.say({ kind: 'message', from: 2, to: NEAR, payload: verdict(3, false) })
      await vi.waitUntil(() => scene.received.length > 0, PATIENCE)
      expect(host.heard.filter(({ kind }) => kind === 'reset')).toEqual([])
      const status = async (count: number): Promise<Record<string, number>> => {
        scene.tell({ kind: 'statusRequest' })
        const { counters } = await scene.hears('status', count)
        return Object.fromEntries(counters.map(({ name, value }) => [name, value]))
      }
      expect(await status(1)).toMatchObject({ inCustody: 1, connections: 1 })
      host.say({ kind: 'message', from: 1, to: NEAR, payload: verdict(3, true) })
      await vi.waitUntil(() => scene.received.length > 1, PATIENCE)
      expect(await status(2)).toMatchObject({ inCustody: 0, connections: 1 })
      expect(parcel).toMatchObject({ from: NEAR, to: 1 })
    })

    it('is sent more than a window of it: that host is left', async () => {
      const { host } = await scene.met()
      host.say({ kind: 'parcel', from: 1, to: NEAR, span: 1, itself: false, payload: consignment(1) })
      await vi.waitUntil(() => scene.received.length > 0, PATIENCE)
      // The container reads nothing of it, and the kernel takes less than a window more.
      for (let sent = 0; sent < 8 * WINDOW; sent += 65_536)
        host.say({ kind: 'data', span: 1, bytes: new Uint8Array(65_536) })
      await host.ends()
      await scene.hears('parted')
    })

    it('is refused one with a word of etcd that is no ASCII, and of any length', async () => {
      class Odd extends MemoryDirectory {
        override claim(): Promise<never> {
          return Promise.reject(new Error('ä'.repeat(300)))
        }
      }
      scene.directory = new Odd()
      const { host } = await scene.met()
      host.say({ kind: 'parcel', from: 1, to: NEAR, span: 1, itself: false, payload: consignment(1) })
      const [message] = await host.hears('message')
      expect(message).toMatchObject({ from: NEAR, to: 1 })
    })
  })

  it('asks the directory for all connections at once, and hands them on in their order', async () => {
    const asked: string[] = []
    const answers: (() => void)[] = []
    class Slow extends MemoryDirectory {
      override async claim(...what: Parameters<MemoryDirectory['claim']>) {
        asked.push(what[0])
        await new Promise<void>(resolve => answers.push(resolve))
        return super.claim(...what)
      }
    }
    scene.directory = new Slow()
    const { host } = await scene.met()
    for (let i = 1; i <= 5; i++)
      host.say({ kind: 'parcel', from: 1, to: NEAR, span: 2 * i - 1, itself: false, payload: consignment(i) })
    await vi.waitUntil(() => asked.length === 5, PATIENCE)
    for (const answer of answers.reverse()) answer()
    await vi.waitUntil(() => scene.received.length === 5, PATIENCE)
    const tickets = scene.received.map(({ message }) => (message as { ticket: Uint8Array }).ticket[0])
    expect(tickets).toEqual([1, 2, 3, 4, 5])
  })

  it('reads no more of a host whose connections wait for the directory, and goes on then', async () => {
    const answers: (() => void)[] = []
    class Slow extends MemoryDirectory {
      override async claim(...what: Parameters<MemoryDirectory['claim']>) {
        await new Promise<void>(resolve => answers.push(resolve))
        return super.claim(...what)
      }
    }
    scene.directory = new Slow()
    const { host } = await scene.met()
    const MIB = 2 ** 20
    for (let i = 1; i <= 60; i++)
      host.say({
        kind: 'parcel',
        from: 1,
        to: NEAR,
        span: 2 * i - 1,
        itself: false,
        payload: consignment(i, 'parcel', MIB),
      })
    await vi.waitUntil(() => answers.length >= 16, PATIENCE)
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(answers.length).toBeLessThan(24)
    expect(host.unsent).toBeGreaterThan(20 * MIB)
    for (let at = 0; at < 60; at++) {
      await vi.waitUntil(() => answers.length > at, 10_000)
      answers[at]!()
    }
    await vi.waitUntil(() => scene.received.length === 60, 20_000)
    expect(host.over).toBeUndefined()
  })

  it('keeps little of what waits for a pair that is not made, and says that it is not', async () => {
    const { host } = await scene.met()
    host.say({ kind: 'process', peer: peer(2, 'echo-2') })
    await scene.hears('reaches', 2)
    for (let i = 0; i < 1100; i++) host.say({ kind: 'message', from: 2, to: NEAR, payload: verdict(1, true) })
    expect((await host.hears('cut'))[0]).toEqual({ kind: 'cut', from: NEAR, to: 2 })
    // A connection that comes that way is not left without a word.
    host.say({ kind: 'parcel', from: 2, to: NEAR, span: 1, itself: false, payload: consignment(1) })
    expect((await host.hears('message'))[0]).toMatchObject({ from: NEAR, to: 2 })
    expect(scene.received).toEqual([])
  })

  it('tells a host that a process has given up its pair, and hears the same', async () => {
    const { host, far } = await scene.met()
    scene.near.cut(far + 100, 'enough')
    expect((await host.hears('cut'))[0]).toEqual({ kind: 'cut', from: NEAR, to: 1 })
    host.say({ kind: 'process', peer: peer(2, 'echo-2') })
    const other = (await scene.hears('reaches', 2)).peer.id
    scene.bridge(other)
    const lost: number[] = []
    scene.near.onLost = id => lost.push(id)
    // The pair is there when something has come through it.
    host.say({ kind: 'message', from: 2, to: NEAR, payload: verdict(1, true) })
    await vi.waitUntil(() => scene.received.length > 0, PATIENCE)
    host.say({ kind: 'cut', from: 2, to: NEAR })
    await vi.waitUntil(() => lost.includes(other + 100), PATIENCE)
    expect(host.over).toBeUndefined()
  })

  it('leaves a host that takes nothing, before much waits for it', async () => {
    const { host, far } = await scene.met()
    host.pause()
    const loan = encodeControl({
      kind: 'loan',
      ticket: new Uint8Array(8),
      sealed: new Uint8Array(2 ** 20),
    })
    let sent = 0
    scene.near.onLost = () => {}
    const send = async (): Promise<void> => {
      while (scene.told.every(({ kind }) => kind !== 'parted') && sent < 200) {
        if (scene.near.send(far + 100, loan) !== 'full') sent++
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    await send()
    await scene.hears('parted')
    expect(scene.lines.at(-1)?.what).toMatchObject({ reason: 'it does not take what it is sent' })
  })

  it('tells of so many processes of a host, and not of more', async () => {
    const { host } = await scene.met()
    for (let id = 2; id < 1100; id++) {
      const one = peer(id, 'echo-1')
      new DataView(one.publicKey.buffer).setUint32(0, id)
      host.say({ kind: 'process', peer: one })
    }
    await vi.waitUntil(() => scene.lines.some(({ line }) => line === 'a host has too many processes'), 20_000)
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(scene.told.filter(({ kind }) => kind === 'reaches')).toHaveLength(1024)
    expect(host.over).toBeUndefined()
  })
})
