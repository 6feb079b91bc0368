import { connect, createServer, type Socket } from 'node:net'
import { Relayed } from '../../src/gateway/relayed.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { takeHandle } from '../../src/transfer/lift.ts'
import { adopt, Descriptor } from '../../src/transfer/stream.ts'
import { concat, EMPTY, equal } from '../../src/wire/index.ts'
import { type CommonReport, obey, report, roleOf } from '../rig/child.ts'
import { said } from '../tamper/lie.ts'

/** What a process of this bench is. */
export type Role =
  | { readonly kind: 'server'; readonly path: string }
  | { readonly kind: 'relay'; readonly how: 'ours' | 'pipe'; readonly path: string }
  | { readonly kind: 'client' }

/** What the client is asked to do, over one new connection each time. */
export type Order =
  | { readonly do: 'check'; readonly port: number }
  | { readonly do: 'round trips'; readonly port: number; readonly count: number }
  | { readonly do: 'bulk'; readonly port: number; readonly records: number }
export type Report = CommonReport | { readonly say: 'took'; readonly microseconds: readonly number[] }

const HEADER = 5
/** Bytes of a request, of a record in a round trip, and of one in bulk. */
const SMALL = 64
const LARGE = 16_384 + 22

/** A record as a gateway sees it: it is not opened. */
function record(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0xa5)
  bytes.set([23, 3, 3, (length - HEADER) >> 8, (length - HEADER) & 0xff])
  return bytes
}

/** Answers a record of {@link SMALL} bytes with one like it, or with as many large ones as it asks for. */
function serve(stream: ByteStream): void {
  const small = said(record(SMALL))
  const large = said(record(LARGE))
  const block = new Uint8Array(4 * LARGE)
  for (let i = 0; i < 4; i++) block.set(large, i * LARGE)
  let left = 0
  const send = (): void => {
    while (left > 0) {
      left -= 4
      if (stream.write([block]) === 'queued') return
    }
  }
  stream.onDrain = send
  stream.read({
    bytes: view => {
      const asked = new DataView(view.buffer, view.byteOffset).getUint32(HEADER)
      if (asked === 0) stream.write([small])
      else {
        left += asked
        send()
      }
    },
    end: () => stream.destroy(),
    error: () => {},
  })
}

function listenAt(
  at: { path: string } | { port: number; host: string },
  onSocket: (socket: Socket) => void,
): void {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, onSocket)
  server.listen(at, () => {
    const address = server.address()
    report({ say: 'listening', port: typeof address === 'object' ? (address?.port ?? 0) : 0 })
  })
}

const MEMORY = new MemoryBudget()

/** Our own relay: a Unix connection to the server for each client's. */
function relay(client: Socket, path: string): void {
  const stream = adopt(client)
  const leg = connect({ path, allowHalfOpen: true }, () => {
    leg.pause()
    const owner = {
      clock: SYSTEM_CLOCK,
      memory: MEMORY,
      successor: (one: Relayed) => one.close({ kind: 'lost', reason: 'its server has ended' }),
      ended: () => {},
    }
    new Relayed(owner, stream, EMPTY, true).newLeg(Descriptor.fromHandle(takeHandle(leg).handle))
  })
}

/** The relay that one would write first. */
function pipe(client: Socket, path: string): void {
  const leg = connect({ path, allowHalfOpen: true })
  for (const socket of [client, leg]) socket.on('error', () => {})
  client.pipe(leg).pipe(client)
}

/** What comes back must be what was sent, to the last byte. */
async function check(stream: ByteStream): Promise<void> {
  const [one, some] = [record(SMALL), 8]
  const expected = concat(one, ...Array.from({ length: some }, () => record(LARGE)))
  const got: Uint8Array[] = []
  let left = expected.length
  await new Promise<void>((resolve, reject) => {
    stream.read({
      bytes: view => {
        got.push(view.slice())
        if (left === expected.length) stream.write([order(some)])
        left -= view.length
        if (left <= 0) resolve()
      },
      end: () => reject(new Error('the server closed')),
      error: reject,
    })
    stream.write([order(0)])
  })
  if (!equal(concat(...got), expected)) throw new Error('a wrong answer: the run does not count')
}

/** A record that asks for so many large ones; 0: for one like itself. */
function order(records: number): Uint8Array {
  const request = record(SMALL)
  new DataView(request.buffer).setUint32(HEADER, records)
  return request
}

/** @returns µs of each round trip */
function roundTrips(stream: ByteStream, count: number): Promise<number[]> {
  const request = order(0)
  const samples: number[] = []
  let began = 0
  let got = 0
  return new Promise((resolve, reject) => {
    const ask = (): void => {
      began = performance.now()
      stream.write([request])
    }
    stream.read({
      bytes: view => {
        got += view.length
        if (got < SMALL) return
        if (got > SMALL || view.at(-1) !== 0xa5) reject(new Error('not what was sent'))
        samples.push((performance.now() - began) * 1000)
        got = 0
        if (samples.length === count) resolve(samples)
        else ask()
      },
      end: () => reject(new Error('the server closed')),
      error: reject,
    })
    ask()
  })
}

/** @returns µs until the last byte of so many records */
function bulk(stream: ByteStream, records: number): Promise<number[]> {
  const request = order(records)
  let left = records * LARGE
  const began = performance.now()
  return new Promise((resolve, reject) => {
    stream.read({
      bytes: view => {
        left -= view.length
        if (left > 0) return
        if (left < 0 || view.at(-1) !== 0xa5) reject(new Error('not what was sent'))
        resolve([(performance.now() - began) * 1000])
      },
      end: () => reject(new Error('the server closed')),
      error: reject,
    })
    stream.write([request])
  })
}

function open(port: number): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => resolve(adopt(socket)))
  })
}

const role = roleOf<Role>()
if (role.kind === 'server') {
  // By its path for relays, and by TCP for those that need none; the last one to listen is the one reported.
  const unix = createServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => serve(adopt(socket)))
  unix.listen(role.path, () => listenAt({ port: 0, host: '127.0.0.1' }, socket => serve(adopt(socket))))
} else if (role.kind === 'relay') {
  const { how, path } = role
  listenAt({ port: 0, host: '127.0.0.1' }, socket =>
    how === 'ours' ? relay(socket, path) : pipe(socket, path),
  )
} else {
  report({ say: 'listening', port: 0 })
}

obey<Order, Report>(async order => {
  const stream = await open(order.port)
  const microseconds =
    order.do === 'bulk'
      ? await bulk(stream, order.records)
      : order.do === 'round trips'
        ? await roundTrips(stream, order.count)
        : await check(stream).then(() => [])
  stream.destroy()
  return { say: 'took', microseconds }
})
