import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { concat } from '../wire/index.ts'
import type { ByteStream, StreamKind } from './byte-stream.ts'
import { adopt, chooseStream, openStream } from './stream.ts'

/**
 * Streams stand on insides of Node that no document promises (see `streams/handle.ts` and `lift.ts`). That
 * they are there can be seen; whether they still do what they did can only be tried, on a connection to
 * ourselves.
 */

/** Milliseconds that a trial may take: far more than it needs on a busy machine. */
const PATIENCE = 10_000

/**
 * Tries what a move needs of a stream: it reads, writes, stops, is taken out of its owner and goes on in the
 * next.
 * @returns what does not work, or undefined if all does, or if nothing can be tried here
 */
export async function tryStream(kind: StreamKind, clock: Clock = SYSTEM_CLOCK): Promise<string | undefined> {
  const server = createServer({ pauseOnConnect: true })
  const sockets: Socket[] = []
  try {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    sockets.push(client)
    const [accepted] = (await once(server, 'connection')) as [Socket]
    sockets.push(accepted)
    let fail: (error: Error) => void = () => {}
    const late = new Promise<never>((_, reject) => {
      fail = reject
    })
    const timer = clock.after(PATIENCE, () => fail(new Error('the trial did not end in time')))
    await Promise.race([carry(client, accepted, kind), late]).finally(() => timer.stop())
    return undefined
  } catch (error) {
    // Without a connection there is no trial, and what is wrong shows where a port is to be opened.
    return sockets.length < 2 ? undefined : (error as Error).message
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

/**
 * Moves a connection once, with bytes on both sides of the move. @throws Error something comes out different
 */
async function carry(client: Socket, accepted: Socket, kind: StreamKind): Promise<void> {
  let stream = adopt(accepted, { kind })
  try {
    client.write(Uint8Array.of(1, 2))
    expect('what was read', await firstOf(stream), [1, 2])
    stream.write([Uint8Array.of(3), Uint8Array.of(4, 5)])
    const [answer] = (await once(client, 'data')) as [Uint8Array]
    expect('what was written', answer, [3, 4, 5])
    const { descriptor, unread } = await stream.lift()
    const successor = openStream(descriptor, { kind, unread })
    stream.destroy()
    stream = successor
    client.end(Uint8Array.of(6))
    expect('what was read after a move', await allOf(stream), [6])
  } finally {
    stream.destroy()
  }
}

/** The first bytes that come, paused after them. */
function firstOf(stream: ByteStream): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const bytes = (view: Uint8Array): void => {
      stream.pause()
      resolve(view.slice())
    }
    stream.read({ bytes, end: () => reject(new Error('it ended too early')), error: reject })
  })
}

/** All bytes up to the end. */
function allOf(stream: ByteStream): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let all: Uint8Array = new Uint8Array(0)
    const bytes = (view: Uint8Array): void => {
      all = concat(all, view)
    }
    stream.read({ bytes, end: () => resolve(all), error: reject })
  })
}

function expect(what: string, bytes: Uint8Array, expected: readonly number[]): void {
  if (bytes.length !== expected.length || expected.some((byte, i) => byte !== bytes[i])) {
    throw new Error(`${what} came back changed`)
  }
}

/**
 * Which streams this process and those that it starts will use: those that {@link chooseStream} picks, if
 * they work. Otherwise it is `socket`, and `HOTPOTATO_STREAM` says so to the others.
 * @returns `missing` what does not work, if that is why they are slower than they could be
 * @throws Error with one line to show, if this Node can move no connection at all
 */
export async function settleStream(): Promise<{
  readonly kind: StreamKind
  readonly reason: string
  readonly missing: string | undefined
}> {
  let { kind, reason } = chooseStream()
  const asked = process.env.HOTPOTATO_STREAM === 'socket'
  const broken = kind === 'raw' ? await tryStream('raw') : undefined
  if (broken !== undefined) {
    kind = 'socket'
    reason = `raw handles do not work: ${broken}`
    process.env.HOTPOTATO_STREAM = 'socket'
  }
  const hopeless = kind === 'socket' ? await tryStream('socket') : undefined
  if (hopeless !== undefined) throw new Error(`Node ${process.version} cannot move connections: ${hopeless}`)
  return { kind, reason, missing: kind === 'socket' && !asked ? reason : undefined }
}
