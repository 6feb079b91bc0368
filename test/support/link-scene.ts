import { expect, vi } from 'vitest'
import { type Frame, FrameReader, frameBytes, TRUNK_VERSION } from '../../src/hosts/frames.ts'
import { digestOf, type Identity, makeIdentity } from '../../src/hosts/identity.ts'
import { Link } from '../../src/hosts/link.ts'
import type { HostEntry, Registry } from '../../src/hosts/registry.ts'
import type { Log } from '../../src/platform/log.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { SUPERVISOR } from '../../src/transfer/channel.ts'
import { createPair, NativeChannel } from '../../src/transfer/channels/native.ts'
import {
  type ControlMessage,
  decodeControl,
  encodeControl,
  type Peer,
  writeControl,
} from '../../src/transfer/control.ts'
import { MemoryDirectory, type SessionDirectory } from '../../src/transfer/directory.ts'
import type { Descriptor } from '../../src/transfer/stream.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import type { Listener } from '../../src/transport/listener.ts'
import { secureClient } from '../../src/transport/secure.ts'
import type { Transport } from '../../src/transport/transport.ts'
import { concat } from '../../src/wire/index.ts'

/** The id of the link, and that of a container of its host. */
const LINK = 9
export const NEAR = 5

type Of<K extends Frame['kind']> = Extract<Frame, { kind: K }>

/** What another host could be: it says what a test wants it to. */
export class FarHost {
  readonly identity: Identity
  readonly heard: Frame[] = []
  /** Why its connection is over. */
  over: string | undefined
  #transport: Transport | undefined

  constructor(identity: Identity) {
    this.identity = identity
  }

  /** Connects, and says hello. */
  async meet(port: number, hello = true): Promise<this> {
    const signal = new AbortController().signal
    const { transport } = await tcp.connect(
      { scheme: 'hotpotato', host: '127.0.0.1', port },
      { signal, clock: SYSTEM_CLOCK },
      {},
    )
    const secured = await secureClient(transport, this.identity.client, { clock: SYSTEM_CLOCK })
    this.#transport = secured
    this.over = undefined
    const reader = new FrameReader()
    secured.read({
      bytes: view => this.heard.push(...reader.push(view)),
      end: () => {
        this.over = 'end'
      },
      error: error => {
        this.over = error.message
      },
    })
    if (hello) this.say({ kind: 'hello', version: TRUNK_VERSION, random: new Uint8Array(16) })
    return this
  }

  say(...frames: readonly Frame[]): void {
    for (const frame of frames) this.sayBytes(frameBytes(frame))
  }

  sayBytes(bytes: Uint8Array): void {
    this.#transport?.write([bytes])
  }

  /** It reads nothing any more. */
  pause(): void {
    this.#transport?.pause()
  }

  /** Bytes that the link has not taken. */
  get unsent(): number {
    return this.#transport?.unsent ?? 0
  }

  async hears<K extends Frame['kind']>(kind: K, count = 1): Promise<Of<K>[]> {
    const found = (): Of<K>[] => this.heard.filter((one): one is Of<K> => one.kind === kind)
    await vi.waitUntil(() => found().length >= count, 20_000)
    return found()
  }

  async ends(): Promise<void> {
    await vi.waitUntil(() => this.over !== undefined, 20_000)
  }

  leave(): void {
    this.#transport?.destroy()
  }
}

/** A message, with what came along. */
interface Received {
  readonly message: ControlMessage
  readonly descriptors: readonly Descriptor[]
}

/** A real link of host `a`, with a supervisor and a container that a test speaks for. */
export class LinkScene {
  readonly link: Link
  readonly lines: { readonly level: string; readonly line: string; readonly what: object }[] = []
  /** What the supervisor has heard. */
  readonly told: ControlMessage[] = []
  /** What the container has heard. */
  readonly received: Received[] = []
  readonly near: NativeChannel
  /** By digest. */
  readonly vouched = new Map<string, string>()
  directory: SessionDirectory | undefined = new MemoryDirectory()
  readonly #channel: NativeChannel
  readonly #supervisor: NativeChannel
  readonly #hosts: FarHost[] = []
  #listener: Listener | undefined
  #pairs = 1

  static async start(): Promise<LinkScene> {
    const vouched = new Map<string, string>()
    const vouch = (digest: string): string | undefined => vouched.get(digest)
    const scene = new LinkScene(await makeIdentity(node, 'a', SYSTEM_CLOCK, vouch), vouched)
    const listener = await tcp.listen({ port: 0 })
    scene.#listener = listener
    listener.start(
      ({ transport }) => scene.link.encounters.accept(transport),
      () => {},
    )
    return scene
  }

  private constructor(identity: Identity, vouched: Map<string, string>) {
    this.vouched = vouched
    const [ours, theirs] = createPair()
    this.#channel = NativeChannel.open(LINK)
    this.#channel.addPeer(SUPERVISOR, ours)
    this.#supervisor = NativeChannel.open(SUPERVISOR)
    this.#supervisor.addPeer(LINK, theirs)
    this.#supervisor.onMessage = (_, payload) => this.told.push(decodeControl(payload.slice()))
    this.near = NativeChannel.open(NEAR)
    this.near.onMessage = (_, payload, descriptors) =>
      this.received.push({ message: decodeControl(payload.slice()), descriptors })
    const say = (level: string) => (what: object | string, line?: string) =>
      this.lines.push(
        typeof what === 'string' ? { level, line: what, what: {} } : { level, line: line!, what },
      )
    const log = { info: say('info'), warn: say('warn'), error: say('error') } as unknown as Log
    this.link = new Link({
      ...{ channel: this.#channel, clock: SYSTEM_CLOCK, log, identity },
      settings: { hostName: 'a', leaseSeconds: 60 },
      registry: () =>
        ({ hostOf: (digest: string) => this.vouched.get(digest), directory: this.directory }) as Registry,
      memory: () => ({}),
    })
    this.#channel.onMessage = (...what) => this.link.receive(...what)
    this.#channel.onRefused = (...what) => this.link.refused(...what)
    this.#channel.onLost = (pair, reason) => this.link.lost(pair, reason)
  }

  get port(): number {
    return this.#listener!.address.port!
  }

  /** Another host, which the directory vouches for. */
  async host(name = 'b'): Promise<FarHost> {
    const host = new FarHost(await makeIdentity(node, name, SYSTEM_CLOCK, () => 'a'))
    this.vouched.set(host.identity.digest, name)
    this.#hosts.push(host)
    return host
  }

  /** One that is met, with a container 1 that the near one has a pair with. @returns it, and its number */
  async met(): Promise<{ readonly host: FarHost; readonly far: number }> {
    const host = await (await this.host()).meet(this.port)
    this.tell({ kind: 'introduce', peer: peer(NEAR, 'echo-1', 0x55) })
    await host.hears('process')
    host.say({ kind: 'process', peer: peer(1, 'echo-1') })
    const far = (await this.hears('reaches')).peer.id
    this.bridge(far)
    return { host, far }
  }

  /** As the supervisor does it. */
  bridge(far: number): void {
    const [one, two] = createPair()
    this.tell({ kind: 'bridge', pair: this.#pairs++, near: NEAR, far }, one)
    this.near.addPeer(far + 100, two)
    one[0].close()
  }

  tell(message: ControlMessage, descriptors: readonly Descriptor[] = []): void {
    this.#supervisor.send(LINK, writeControl(message), descriptors)
  }

  /** The newest that the supervisor has heard of that kind. */
  async hears<K extends ControlMessage['kind']>(
    kind: K,
    count = 1,
  ): Promise<Extract<ControlMessage, { kind: K }>> {
    const found = () => this.told.filter(one => one.kind === kind)
    await vi.waitUntil(() => found().length >= count, 20_000)
    return found().at(-1) as Extract<ControlMessage, { kind: K }>
  }

  /** As of hosts in the directory. */
  entry(host: FarHost): HostEntry {
    return { run: 'r', address: '127.0.0.1', port: 1, digest: host.identity.digest }
  }

  /** It goes on: a host that behaves is met. */
  async goesOn(): Promise<void> {
    const host = await (await this.host('c')).meet(this.port)
    await host.hears('hello')
    host.leave()
    expect(this.lines.filter(({ level }) => level === 'error')).toEqual([])
  }

  stop(): void {
    for (const host of this.#hosts) host.leave()
    void this.#listener?.close()
    this.link.encounters.end('the test is over')
    for (const { descriptors } of this.received) for (const one of descriptors) one.close()
    for (const channel of [this.near, this.#channel, this.#supervisor]) channel.close()
  }
}

/** A process of another host, or of this one. */
export function peer(id: number, name: string, key = id): Peer {
  const functionName = name.slice(0, name.lastIndexOf('-'))
  return { id, role: 'container', name, functionName, publicKey: new Uint8Array(32).fill(key) }
}

/** A connection on its way. */
export function consignment(
  ticket: number,
  kind: 'parcel' | 'takeOver' | 'hibernate' | 'thaw' | 'relayed' | 'return' = 'parcel',
  bytes = 10,
): Uint8Array {
  return encodeControl({
    kind,
    ticket: new Uint8Array(8).fill(ticket),
    sessionId: concat(new Uint8Array(12), Uint8Array.of(0, 0, ticket >> 8, ticket)),
    generation: 1,
    sealed: new Uint8Array(bytes),
  })
}

export function verdict(ticket: number, accepted: boolean): Uint8Array {
  return encodeControl({
    kind: 'verdict',
    ticket: new Uint8Array(8).fill(ticket),
    verdict: accepted ? { outcome: 'accepted' } : { outcome: 'refused', reason: 'seal', detail: '' },
  })
}

export { digestOf }
