import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import type { ByteStream, StreamKind } from '../../src/transfer/byte-stream.ts'
import type { Channel } from '../../src/transfer/channel.ts'
import { IpcBroker, IpcChannel } from '../../src/transfer/channels/ipc.ts'
import { createPair, NativeChannel } from '../../src/transfer/channels/native.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { adopt, Descriptor, openStream } from '../../src/transfer/stream.ts'

/**
 * What does it cost to move a connection, and to read and write it? Run what is built: `node
 * dist/bench/stream/main.js [hops]`. Figures of two processes depend on where they run: `taskset -c 0` puts
 * them on one core; compare within one run.
 *
 * A hop goes from before `lift()` in one process to after `openStream()` and `read()` in the other, with 520
 * bytes of state.
 */
const STATE = 520
const ROADS: { channel: Channel['kind']; stream: StreamKind }[] = [
  { channel: 'native', stream: 'raw' },
  { channel: 'native', stream: 'socket' },
  { channel: 'ipc', stream: 'raw' },
  { channel: 'ipc', stream: 'socket' },
]

interface ChildOptions {
  readonly self: number
  readonly other: number
  readonly channel: Channel['kind']
  readonly stream: StreamKind
  readonly hops: number
}

const now = (): number => Number(process.hrtime.bigint())
const micros = (nanoseconds: number): string => (nanoseconds / 1000).toFixed(1)

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/**
 * One of the two between which the connection bounces. The state begins with the hop's number and when it
 * began.
 */
function child({ self, other, channel: kind, stream: streamKind, hops }: ChildOptions): void {
  const channel = kind === 'native' ? NativeChannel.open(self) : IpcChannel.open({ self })
  channel.addPeer(0, kind === 'native' ? [Descriptor.fromFd(3)] : [])
  const frozen: ByteStream[] = []
  const times: number[] = []
  const introduced = new Set<number>()
  const handlers = { bytes() {}, end() {}, error() {} }

  channel.onMessage = (from, payload, descriptors) => {
    if (from === 0 && !introduced.has(other)) return introduce(other, descriptors)
    const stream = openStream(descriptors[0]!, { kind: streamKind })
    stream.read(handlers)
    const view = new DataView(payload.buffer, payload.byteOffset)
    if (from !== 0) times.push(now() - view.getFloat64(8))
    // Its arrival is the verdict on the hop before.
    frozen.shift()?.destroy()
    const hop = view.getUint32(0)
    if (hop >= hops) {
      stream.destroy()
      channel.send(0, new Uint8Array(Float64Array.from(times).buffer))
      return
    }
    setImmediate(() => void send(stream, hop))
  }

  function introduce(id: number, ends: Descriptor[]): void {
    introduced.add(id)
    channel.addPeer(id, ends)
    channel.send(0, new Uint8Array([1]))
  }

  async function send(stream: ByteStream, hop: number): Promise<void> {
    const state = new Uint8Array(STATE)
    const view = new DataView(state.buffer)
    view.setUint32(0, hop + 1)
    view.setFloat64(8, now())
    const lifted = stream.lift()
    const { descriptor } = 'descriptor' in lifted ? lifted : await lifted
    channel.send(other, state, [descriptor])
    frozen.push(stream)
  }
}

async function measureHops(road: (typeof ROADS)[number], hops: number): Promise<number[]> {
  const file = fileURLToPath(import.meta.url)
  const children: ChildProcess[] = []
  let channel: Channel
  if (road.channel === 'native') {
    channel = NativeChannel.open(0)
  } else channel = new IpcBroker()
  const arrived: Uint8Array[] = []
  let notify = (): void => {}
  channel.onMessage = (_, payload) => {
    arrived.push(payload)
    notify()
  }
  const message = async (): Promise<Uint8Array> => {
    while (arrived.length === 0) {
      await new Promise<void>(resolve => {
        notify = resolve
      })
    }
    return arrived.shift()!
  }

  for (const self of [1, 2]) {
    const options: ChildOptions = { self, other: 3 - self, hops, ...road }
    const words = [file, '--child', JSON.stringify(options)]
    if (channel instanceof IpcBroker) {
      const started = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      channel.attach(self, started)
      children.push(started)
      continue
    }
    const [ours, theirs] = createPair()
    const stdio = ['ignore', 'inherit', 'inherit', ...theirs.map(({ fd }) => fd)] as const
    children.push(spawn(process.execPath, words, { stdio: [...stdio] }))
    for (const descriptor of theirs) descriptor.close()
    channel.addPeer(self, ours)
  }
  const between = road.channel === 'native' ? createPair() : [[], []]
  for (const self of [1, 2]) channel.send(self, new Uint8Array(1), between[self - 1])
  await message()
  await message()

  const { client, stream } = await connection('raw')
  const lifted = await stream.lift()
  channel.send(1, new Uint8Array(STATE), [lifted.descriptor])
  const times = await message()
  stream.destroy()
  client.destroy()
  for (const started of children) started.kill('SIGKILL')
  channel.close()
  // The first hops load code lazily; they are told apart, not averaged in.
  return [...new Float64Array(times.buffer.slice(times.byteOffset))]
}

async function connection(kind: StreamKind): Promise<{ client: net.Socket; stream: ByteStream }> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepting = once(server, 'connection') as Promise<[net.Socket]>
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [accepted] = await accepting
  server.close()
  return { client, stream: adopt(accepted, { kind }) }
}

/** µs for opening a stream on a duplicate and closing it. */
async function measureOpen(kind: StreamKind): Promise<number> {
  const probed = probe()
  if (!probed.available) throw new Error(probed.reason)
  const { client, stream } = await connection('raw')
  const { descriptor } = await stream.lift()
  const count = 4000
  const begin = now()
  for (let i = 0; i < count; i++) {
    openStream(Descriptor.fromFd(probed.libc.duplicate(descriptor.fd)), { kind }).destroy()
    if (i % 100 === 99) await new Promise(resolve => setImmediate(resolve))
  }
  const time = (now() - begin) / count
  stream.destroy()
  client.destroy()
  return time
}

/**
 * ns for a round trip of 64 bytes between two streams in this process, and MB/s one way in writes of 64 KiB.
 */
async function measureTraffic(kind: StreamKind): Promise<{ roundTrip: number; rate: number }> {
  const probed = probe()
  if (!probed.available) throw new Error(probed.reason)
  const [one, other] = probed.libc
    .socketPair('stream')
    .map(fd => openStream(Descriptor.fromFd(fd), { kind })) as [ByteStream, ByteStream]
  const small = [new Uint8Array(64)]
  const rounds = 20_000
  let left = rounds
  const error = (cause: Error): void => console.error(cause)
  const begin = now()
  await new Promise<void>(resolve => {
    other.read({ bytes: () => other.write(small), end() {}, error })
    one.read({ bytes: () => void (--left > 0 ? one.write(small) : resolve()), end() {}, error })
    one.write(small)
  })
  const roundTrip = (now() - begin) / rounds

  const total = 1 << 30
  const large = [new Uint8Array(65_536)]
  let sent = 0
  let received = 0
  const start = now()
  await new Promise<void>(resolve => {
    const write = (): void => {
      while (sent < total) {
        sent += 65_536
        if (one.write(large) === 'queued') return
      }
    }
    one.onDrain = write
    other.read({
      bytes(view) {
        received += view.length
        if (received === total) resolve()
      },
      end() {},
      error,
    })
    write()
  })
  const rate = total / ((now() - start) / 1000)
  one.destroy()
  other.destroy()
  return { roundTrip, rate }
}

async function main(): Promise<void> {
  const hops = Number(process.argv[2] ?? 5000)
  console.error(`hop, µs (${hops} hops, ${STATE} B of state)      p50     p99   first 5`)
  for (const road of ROADS) {
    const times = await measureHops(road, hops)
    const first = times.slice(0, 5).map(micros)
    const sorted = times.slice(50).sort((a, b) => a - b)
    const name = `${road.channel} + ${road.stream}`.padEnd(36)
    const figures = [percentile(sorted, 0.5), percentile(sorted, 0.99)].map(n => micros(n).padStart(8))
    console.error(`${name} ${figures.join('')}   ${first.join(' ')}`)
  }
  for (const kind of ['raw', 'socket'] as const) {
    await measureTraffic(kind)
    const open = await measureOpen(kind)
    const { roundTrip, rate } = await measureTraffic(kind)
    const times = `open + close ${micros(open)} µs, 64 B round trip ${micros(roundTrip)} µs`
    console.error(`${kind.padEnd(8)} ${times}, ${rate.toFixed(0)} MB/s`)
  }
}

const at = process.argv.indexOf('--child')
if (at > 0) child(JSON.parse(process.argv[at + 1]!) as ChildOptions)
else await main()
