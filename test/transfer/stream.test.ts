import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ByteStream, StreamError, StreamKind } from '../../src/transfer/byte-stream.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { openPair, type Pair } from '../../src/transfer/pair.ts'
import { adopt, chooseStream, Descriptor, openStream } from '../../src/transfer/stream.ts'
import { probeBindings } from '../../src/transfer/streams/handle.ts'
import { utf8 } from '../../src/wire/index.ts'
import { connect, countSockets, sequence } from './channel-cluster.ts'

const clients: net.Socket[] = []

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})

/** What happened on a stream, in order: bytes are put together. */
function record(stream: ByteStream): { events: string[]; until(event: string | RegExp): Promise<void> } {
  const events: string[] = []
  let check = (): void => {}
  const add = (event: string): void => {
    const last = events.at(-1)
    if (event.startsWith('bytes ') && last?.startsWith('bytes '))
      events[events.length - 1] = last + event.slice(6)
    else events.push(event)
    check()
  }
  stream.read({
    bytes: view => add(`bytes ${new TextDecoder().decode(view)}`),
    end: () => add('end'),
    error: (error: StreamError) => add(`error ${error.code}`),
  })
  const until = (wanted: string | RegExp): Promise<void> =>
    new Promise(resolve => {
      check = () => events.some(event => event.search(wanted) >= 0) && resolve()
      check()
    })
  return { events, until }
}

async function overTcp(kind: StreamKind): Promise<{ stream: ByteStream; client: net.Socket }> {
  const { client, accepted } = await connect()
  clients.push(client)
  return { stream: adopt(accepted, { kind }), client }
}

async function overUnix(kind: StreamKind): Promise<{ stream: ByteStream; client: net.Socket }> {
  const folder = mkdtempSync(join(tmpdir(), 'stream-'))
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  try {
    server.listen(join(folder, 's'))
    await once(server, 'listening')
    const accepting = once(server, 'connection') as Promise<[net.Socket]>
    const client = net.connect({ path: join(folder, 's'), allowHalfOpen: true })
    client.on('error', () => {})
    clients.push(client)
    const [accepted] = await accepting
    return { stream: adopt(accepted, { kind }), client }
  } finally {
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

it('says which kind of stream it picks, and why', () => {
  const { kind, reason } = chooseStream()
  expect(kind).toBe(probeBindings().available && process.env.HOTPOTATO_STREAM !== 'socket' ? 'raw' : 'socket')
  expect(reason).not.toBe('')
})

describe.each<StreamKind>(['raw', 'socket'])('a stream (%s)', kind => {
  it.each([
    ['TCP', overTcp, '127.0.0.1'],
    ['a Unix socket', overUnix, undefined],
  ] as const)('reads, writes and half-closes over %s', async (_, open, address) => {
    const { stream, client } = await open(kind)
    expect([stream.kind, stream.remoteAddress]).toEqual([kind, address])
    const { events, until } = record(stream)
    client.end('hello')
    await until('end')
    expect(events).toEqual(['bytes hello', 'end'])
    expect(stream.write([sequence(0, 3), new Uint8Array(0), sequence(3, 3)])).toBe('flushed')
    stream.end()
    const chunks: Buffer[] = []
    client.on('data', chunk => chunks.push(chunk))
    await once(client, 'end')
    expect(new Uint8Array(Buffer.concat(chunks))).toEqual(sequence(0, 6))
    // Both sides have ended: it has closed itself.
    await new Promise(resolve => setImmediate(resolve))
    expect(stream.state).toBe('closed')
  })

  it('hands out nothing while paused, neither bytes nor the end', async () => {
    const { stream, client } = await overTcp(kind)
    const { events, until } = record(stream)
    stream.pause()
    client.end('later')
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(events).toEqual([])
    stream.resume()
    await until('end')
    expect(events).toEqual(['bytes later', 'end'])
    stream.destroy()
  })

  it('may be told to read, to pause and to resume again and again', async () => {
    const { stream, client } = await overTcp(kind)
    const forgotten = record(stream)
    const { events, until } = record(stream)
    stream.resume()
    stream.pause()
    stream.pause()
    stream.resume()
    stream.resume()
    client.write('once')
    await until('bytes once')
    expect([events, forgotten.events]).toEqual([['bytes once'], []])
    stream.destroy()
  })

  it('hands out first what was read before', async () => {
    const { accepted, client } = await connect()
    clients.push(client)
    client.end('world')
    const lifted = await adopt(accepted, { kind }).lift()
    const stream = openStream(lifted.descriptor, { kind, unread: new TextEncoder().encode('hello ') })
    const { events, until } = record(stream)
    expect(events).toEqual([])
    await until('end')
    expect(events).toEqual(['bytes hello world', 'end'])
    stream.destroy()
  })

  it('says queued when the client does not read, and drains when it does', async () => {
    const { stream, client } = await overTcp(kind)
    const chunks = Array.from({ length: 64 }, (_, i) => sequence(i << 18, 1 << 18))
    let drained = 0
    const draining = new Promise<void>(resolve => {
      stream.onDrain = () => {
        drained++
        resolve()
      }
    })
    expect(stream.write(chunks)).toBe('queued')
    expect(stream.write([new Uint8Array([1])])).toBe('queued')
    expect(stream.queued).toBe(true)
    let count = 0
    client.on('data', chunk => {
      count += chunk.length
    })
    await draining
    expect([drained, stream.queued]).toEqual([1, false])
    stream.end()
    await once(client, 'end')
    expect(count).toBe((16 << 20) + 1)
    stream.destroy()
  })

  it('sends FIN after what is queued', async () => {
    const { stream, client } = await overTcp(kind)
    stream.write([new Uint8Array(8 << 20)])
    stream.end()
    expect(() => stream.write([new Uint8Array(1)])).toThrow('after end')
    let count = 0
    client.on('data', chunk => {
      count += chunk.length
    })
    await once(client, 'end')
    expect(count).toBe(8 << 20)
    stream.destroy()
  })

  it('reports a reset while it reads, once, and is closed then', async () => {
    const { stream, client } = await overTcp(kind)
    const { events, until } = record(stream)
    await once(client, 'connect').catch(() => {})
    client.resetAndDestroy()
    await until('error ECONNRESET')
    expect(events).toEqual(['error ECONNRESET'])
    expect(stream.state).toBe('closed')
    expect(stream.write([new Uint8Array(1)])).toBe('flushed')
    stream.end()
    stream.shutdown()
    stream.destroy()
  })

  it('reports a reset while it writes, and never throws', async () => {
    const { stream, client } = await overTcp(kind)
    const { events } = record(stream)
    stream.pause()
    client.resetAndDestroy()
    for (let i = 0; i < 100 && events.length === 0; i++) {
      stream.write([new Uint8Array(1000)])
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(events).toEqual([expect.stringMatching(/^error (EPIPE|ECONNRESET)$/)])
  })

  it('reports an error that came before its owner read', async () => {
    const { stream, client } = await overTcp(kind)
    client.resetAndDestroy()
    for (let i = 0; i < 100 && stream.state !== 'closed'; i++) {
      stream.write([new Uint8Array(1000)])
      await new Promise(resolve => setImmediate(resolve))
    }
    const { events, until } = record(stream)
    await until(/^error/)
    expect(events).toEqual([expect.stringMatching(/^error (EPIPE|ECONNRESET)$/)])
  })

  it('calls no handler after destroy', async () => {
    const { stream, client } = await overTcp(kind)
    const { events } = record(stream)
    stream.write([new Uint8Array(16 << 20)])
    stream.onDrain = () => events.push('drain')
    stream.destroy()
    client.end('x')
    client.resume()
    // It may be reset, because bytes of it were not read: that is the end as well.
    await new Promise(resolve => client.once('close', resolve))
    expect(events).toEqual([])
  })

  it('ends both ways on shutdown', async () => {
    const { stream, client } = await overTcp(kind)
    const { events } = record(stream)
    const ended = once(client.resume(), 'end')
    stream.shutdown()
    await ended
    expect([stream.state, events]).toEqual(['closed', []])
  })

  it.runIf(probe().available)('takes over a bare descriptor of either kind', async () => {
    const probed = probe()
    if (!probed.available) throw new Error(probed.reason)
    const [one, other] = probed.libc.socketPair('stream').map(Descriptor.fromFd)
    const left = openStream(one!, { kind })
    const right = openStream(other!, { kind })
    const { events, until } = record(right)
    left.write([new TextEncoder().encode('over')])
    left.end()
    await until('end')
    expect(events).toEqual(['bytes over', 'end'])
    left.destroy()
    right.destroy()
  })

  it('refuses what is no socket, and closes it', () => {
    const fd = openSync('/dev/null', 'r')
    const descriptor = Descriptor.fromFd(fd)
    expect(() => openStream(descriptor, { kind })).toThrow()
    expect(descriptor.open).toBe(false)
    expect(openSync('/dev/null', 'r')).toBe(fd)
    Descriptor.fromFd(fd).close()
  })

  it('leaves no descriptor behind', async () => {
    const before = countSockets()
    for (let i = 0; i < 20; i++) {
      const { stream, client } = await overTcp(kind)
      if (i % 2 === 0) await stream.lift()
      stream.destroy()
      client.destroy()
    }
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(countSockets()).toBe(before)
  })
})

describe.runIf(probe().available)('a raw stream over a Unix socket that hangs up', () => {
  const options = { kind: 'raw', hangsUp: true } as const
  const pair = () => openPair() as Pair

  it('has an end where its peer sends no more, and an error where that is gone', async () => {
    const [ours, theirs] = pair()
    const { events, until } = record(openStream(ours, options))
    const peer = openStream(theirs, { kind: 'raw' })
    peer.write([utf8('last words')])
    peer.end()
    await until('end')
    peer.destroy()
    expect(events).toEqual(['bytes last words', 'end'])
    const [mine, other] = pair()
    const second = record(openStream(mine, options))
    const gone = openStream(other, { kind: 'raw' })
    gone.write([utf8('cut')])
    gone.destroy()
    await second.until('error')
    expect(second.events).toEqual(['bytes cut', 'error ECONNRESET'])
  })

  it('has an end in both cases without that', async () => {
    const [ours, theirs] = pair()
    const { events, until } = record(openStream(ours, { kind: 'raw' }))
    theirs.close()
    await until('end')
    expect(events).toEqual(['end'])
  })
})

describe('a descriptor', () => {
  it('closes once', () => {
    const fd = openSync('/dev/null', 'r')
    const descriptor = Descriptor.fromFd(fd)
    descriptor.close()
    const again = openSync('/dev/null', 'r')
    expect(again).toBe(fd)
    descriptor.close()
    // Had it closed twice, this would be EBADF.
    Descriptor.fromFd(again).close()
    expect(() => descriptor.fd).toThrow(TypeError)
    expect(() => descriptor.take()).toThrow(TypeError)
  })

  it('stays open while it is held', () => {
    const fd = openSync('/dev/null', 'r')
    const descriptor = Descriptor.fromFd(fd)
    const letGo = descriptor.hold()
    descriptor.close()
    expect(descriptor.open).toBe(false)
    const other = openSync('/dev/null', 'r')
    expect(other).not.toBe(fd)
    letGo()
    letGo()
    const again = openSync('/dev/null', 'r')
    expect(again).toBe(fd)
    Descriptor.fromFd(other).close()
    Descriptor.fromFd(again).close()
  })

  it('is gone for its owner once taken', () => {
    const fd = openSync('/dev/null', 'r')
    const descriptor = Descriptor.fromFd(fd)
    expect(descriptor.take()).toEqual({ kind: 'fd', fd })
    descriptor.close()
    Descriptor.fromFd(fd).close()
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 31])('is not %s', fd => {
    expect(() => Descriptor.fromFd(fd)).toThrow(RangeError)
  })
})
