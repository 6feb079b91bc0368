import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import type { StreamKind } from '../../src/transfer/byte-stream.ts'
import type { Channel } from '../../src/transfer/channel.ts'
import { IpcBroker } from '../../src/transfer/channels/ipc.ts'
import { createPair, NativeChannel } from '../../src/transfer/channels/native.ts'
import type { Descriptor } from '../../src/transfer/stream.ts'

export type Told = Record<string, unknown> & { from: number; rest: Uint8Array; descriptors: Descriptor[] }

const PEER = fileURLToPath(new URL('./children/peer.mjs', import.meta.url))
const BUILT = fileURLToPath(new URL('../../dist/src/transfer/channels/native.js', import.meta.url))

/** A supervisor with some children that do what they are told (`children/peer.mjs`). */
export class Cluster {
  readonly channel: Channel
  readonly children = new Map<number, ChildProcess>()
  readonly undeliverable: { to: number; started: boolean; length: number }[] = []
  /** Told in this order and not yet waited for. */
  readonly #told: Told[] = []
  #waiting: { matches(told: Told): boolean; resolve(told: Told): void; reject(error: Error): void }[] = []
  readonly #stream: StreamKind
  readonly #command: readonly string[]

  /** `limit`: how many descriptors each child may have. */
  static async start(
    kind: Channel['kind'],
    children: number,
    stream: StreamKind = 'raw',
    limit?: number,
  ): Promise<Cluster> {
    if (!existsSync(BUILT)) throw new Error('children run what is built: npm run build first')
    const cluster = new Cluster(kind, stream, limit)
    for (let id = 1; id <= children; id++) cluster.#spawn(id)
    for (let id = 1; id <= children; id++) {
      for (let other = 1; other < id; other++) await cluster.introduce(id, other)
    }
    return cluster
  }

  private constructor(kind: Channel['kind'], stream: StreamKind, limit: number | undefined) {
    const node = [process.execPath, PEER]
    this.#command = limit === undefined ? node : ['sh', '-c', `ulimit -n ${limit}; exec "$0" "$@"`, ...node]
    this.#stream = stream
    if (kind === 'ipc') this.channel = new IpcBroker()
    else this.channel = NativeChannel.open(0)
    this.channel.onMessage = (from, payload, descriptors) => {
      const end = payload.indexOf(0)
      const message = JSON.parse(new TextDecoder().decode(payload.subarray(0, end))) as object
      this.#tell({ ...message, from, rest: payload.slice(end + 1), descriptors })
    }
    this.channel.onUndeliverable = (to, payload, started) =>
      this.undeliverable.push({ to, started, length: payload.length })
  }

  #spawn(id: number): void {
    const { kind } = this.channel
    const options = JSON.stringify({ self: id, channel: kind, stream: this.#stream })
    const [program, ...words] = this.#command
    if (this.channel instanceof IpcBroker) {
      const child = spawn(program!, [...words, options], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      this.children.set(id, child)
      this.channel.attach(id, child)
    } else {
      const [ours, theirs] = createPair()
      const stdio = ['ignore', 'inherit', 'inherit', ...theirs.map(({ fd }) => fd)] as const
      this.children.set(id, spawn(program!, [...words, options], { stdio: [...stdio] }))
      for (const descriptor of theirs) descriptor.close()
      this.channel.addPeer(id, ours)
    }
    this.children.get(id)!.on('exit', code => {
      if (code)
        for (const waiting of this.#waiting) waiting.reject(new Error(`child ${id} ended with ${code}`))
    })
  }

  /** Makes a pair for two children, and waits until both know each other. */
  async introduce(one: number, other: number): Promise<void> {
    const ends = this.channel.kind === 'native' ? createPair() : [[], []]
    for (const [at, [id, peer]] of [
      [one, other],
      [other, one],
    ].entries()) {
      this.send(id!, { do: 'introduce', id: peer }, [...ends[at]!])
      for (const end of ends[at]!) end.close()
      await this.told(told => told.introduced === peer && told.from === id)
    }
  }

  send(to: number, message: object, descriptors: Descriptor[] = [], rest = new Uint8Array(0)): string {
    const head = new TextEncoder().encode(`${JSON.stringify(message)}\0`)
    const bytes = new Uint8Array(head.length + rest.length)
    bytes.set(head)
    bytes.set(rest, head.length)
    return this.channel.send(to, bytes, descriptors)
  }

  /**
   * The first message, of those that came and those to come, that matches. What a child found wrong is
   * thrown.
   */
  told(matches: (told: Told) => boolean): Promise<Told> {
    const at = this.#told.findIndex(told => 'wrong' in told || matches(told))
    if (at >= 0) {
      const [told] = this.#told.splice(at, 1)
      return 'wrong' in told! ? Promise.reject(new Error(String(told.wrong))) : Promise.resolve(told!)
    }
    return new Promise((resolve, reject) => this.#waiting.push({ matches, resolve, reject }))
  }

  #tell(told: Told): void {
    if ('wrong' in told) {
      const waiting = this.#waiting
      this.#waiting = []
      if (waiting.length === 0) this.#told.push(told)
      for (const { reject } of waiting) reject(new Error(String(told.wrong)))
      return
    }
    const at = this.#waiting.findIndex(({ matches }) => matches(told))
    if (at < 0) this.#told.push(told)
    else this.#waiting.splice(at, 1)[0]!.resolve(told)
  }

  async report(id: number): Promise<{
    fds: number
    frozen: number
    undeliverable: number
    refused: number
    drained: number
    peers: number[]
  }> {
    this.send(id, { do: 'report' })
    const told = await this.told(told => told.from === id && 'report' in told)
    return told.report as never
  }

  /** Ends a child and waits until it has ended. */
  async kill(id: number): Promise<void> {
    const child = this.children.get(id)
    if (child === undefined) return
    this.children.delete(id)
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async stop(): Promise<void> {
    for (const id of [...this.children.keys()]) await this.kill(id)
    this.channel.close()
  }
}

/** A connected pair over loopback TCP: the client's socket, and the server's, which has not read anything. */
export async function connect(): Promise<{ client: net.Socket; accepted: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  const accepting = new Promise<net.Socket>(resolve => server.once('connection', resolve))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => {})
  const accepted = await accepting
  server.close()
  return { client, accepted }
}

/** Byte `position` of the sequence that clients send: no short period, so that a shift shows. */
export function byteAt(position: number): number {
  return (position * 7 + (position >>> 8) * 13 + (position >>> 16)) & 0xff
}

export function sequence(from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = byteAt(from + i)
  return bytes
}

/** Open descriptors of this process that are sockets: others come and go with the test runner. */
export function countSockets(): number {
  return readdirSync('/proc/self/fd').filter(fd => isSocket(fd)).length
}

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false
  }
}
