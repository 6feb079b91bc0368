import { once } from 'node:events'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ByteStream, StreamKind } from '../../src/transfer/byte-stream.ts'
import type { Channel } from '../../src/transfer/channel.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { sample } from '../support/long.ts'
import { Cluster, connect, sequence } from './channel-cluster.ts'

const CASES: { channel: Channel['kind']; stream: StreamKind }[] = [
  { channel: 'native', stream: 'raw' },
  { channel: 'native', stream: 'socket' },
  { channel: 'ipc', stream: 'raw' },
  { channel: 'ipc', stream: 'socket' },
]

let cluster: Cluster | undefined
let client: net.Socket | undefined

afterEach(async () => {
  client?.destroy()
  await cluster?.stop()
  cluster = undefined
})

/** A client whose connection child 1 owns now; `hello` is written before the hand-over and not read here. */
async function owned(
  cluster: Cluster,
  message: object,
  stream: StreamKind,
  half = false,
): Promise<net.Socket> {
  const pair = await connect()
  if (half) pair.client.end(sequence(0, 5000))
  const here = adopt(pair.accepted, { kind: stream })
  const { descriptor, unread } = await here.lift()
  cluster.send(1, message, [descriptor], new Uint8Array(unread))
  here.destroy()
  return pair.client
}

/** Checks what a client receives against the sequence as it comes. */
function checking(socket: net.Socket): { readonly count: number; readonly wrong: number | undefined } {
  const seen = { count: 0, wrong: undefined as number | undefined }
  socket.on('data', (chunk: Buffer) => {
    const expected = sequence(seen.count, chunk.length)
    if (!chunk.equals(expected))
      seen.wrong ??= seen.count + chunk.findIndex((byte, index) => byte !== expected[index])
    seen.count += chunk.length
  })
  return seen
}

describe.each(sample(CASES, 2))('a connection that moves ($channel, $stream)', ({ channel, stream }) => {
  it('loses no byte in either direction while the client talks and it changes hands 200 times', async () => {
    cluster = await Cluster.start(channel, 2, stream)
    const total = 4 << 20
    client = await owned(cluster, { do: 'own', key: 'a', position: 0, every: 1, hops: 0, other: 2 }, stream)
    const seen = checking(client)
    const ended = once(client, 'end')
    // At most 16 KiB are ahead of their echo: so there is always something on the way, and no owner gets far.
    let sent = 0
    const send = (): void => {
      if (sent === total) return
      while (sent < total && sent - seen.count < 16_384) {
        client?.write(sequence(sent, 4096))
        sent += 4096
      }
      if (sent === total) client?.end()
    }
    client.on('data', send)
    send()
    const told = await cluster.told(told => 'ended' in told)
    expect(told.ended).toBe(total)
    expect(told.hops).toBeGreaterThanOrEqual(200)
    await ended
    expect(seen).toEqual({ count: total, wrong: undefined })
    // The client is the only one who may end it, and all others have let go.
    expect((await cluster.report(1)).frozen + (await cluster.report(2)).frozen).toBe(0)
  })

  it('changes hands in silence: the client sees neither FIN nor RST, even with bytes unread', async () => {
    cluster = await Cluster.start(channel, 2, stream)
    client = await owned(cluster, { do: 'own', key: 'a', position: 0, every: 1, hops: 0, other: 2 }, stream)
    const seen = checking(client)
    const events: string[] = []
    for (const event of ['end', 'error', 'close']) client.on(event, () => events.push(event))
    for (let i = 0; i < 50; i++) {
      client.write(sequence(i * 100, 100))
      while (seen.count < (i + 1) * 100) await once(client, 'data')
    }
    expect(seen).toEqual({ count: 5000, wrong: undefined })
    expect(events).toEqual([])
  })

  it('waits until 16 MiB of queued writes have left', async () => {
    cluster = await Cluster.start(channel, 2, stream)
    const bytes = (16 << 20) + 1000
    const message = { do: 'writeThenMove', bytes, other: 2, key: 'a' }
    client = await owned(cluster, message, stream)
    const seen = checking(client)
    while (seen.count < bytes) await once(client, 'data')
    const ended = once(client, 'end')
    client.end(sequence(0, 3))
    await Promise.all([cluster.told(told => told.ended === 3 && told.from === 2), ended])
    // The echo of the next owner follows what the first had queued.
    expect(seen.count).toBe(bytes + 3)
    expect(seen.wrong).toBe(bytes)
  })

  it('moves after the client has half-closed: the next owner reads what was sent and the end', async () => {
    cluster = await Cluster.start(channel, 2, stream)
    client = await owned(
      cluster,
      { do: 'own', key: 'a', position: 0, every: 1, hops: 0, other: 2 },
      stream,
      true,
    )
    const seen = checking(client)
    const ended = once(client, 'end')
    await Promise.all([cluster.told(told => told.ended === 5000), ended])
    expect(seen).toEqual({ count: 5000, wrong: undefined })
  })

  it('moves after it has sent FIN itself: the next owner reads on', async () => {
    cluster = await Cluster.start(channel, 2, stream)
    client = await owned(cluster, { do: 'endThenMove', other: 2, key: 'a' }, stream)
    client.resume()
    await once(client, 'end')
    client.end(sequence(0, 1000))
    await cluster.told(told => told.counted === 1000 && told.from === 2)
  })
})

describe.each<StreamKind>(['raw', 'socket'])('lift (%s)', kind => {
  async function opened(): Promise<{ stream: ByteStream; client: net.Socket }> {
    const pair = await connect()
    client = pair.client
    return { stream: adopt(pair.accepted, { kind }), client: pair.client }
  }

  it('keeps what the accepted socket had read already', async () => {
    const server = net.createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    const [accepted] = (await once(server, 'connection')) as [net.Socket]
    client.write('ab')
    await once(accepted, 'readable')
    const stream = adopt(accepted, { kind })
    const lifted = await stream.lift()
    expect(new TextDecoder().decode(lifted.unread)).toBe('ab')
    stream.unlift()
    const text = await new Promise<string>(resolve => {
      stream.read({ bytes: view => resolve(new TextDecoder().decode(view)), end() {}, error() {} })
    })
    expect(text).toBe('ab')
    const closed = once(server, 'close')
    server.close()
    // The server counts the adopted socket as gone.
    await closed
    stream.destroy()
  })

  it('goes on for a new owner, who has what was read and is told of the end once more', async () => {
    const { stream, client } = await opened()
    const said: string[] = []
    const listen = (name: string) => ({
      bytes: (view: Uint8Array) => said.push(`${name} ${new TextDecoder().decode(view)}`),
      end: () => said.push(`${name} end`),
      error() {},
    })
    const untilSaid = async (count: number): Promise<void> => {
      while (said.length < count) await new Promise(resolve => setTimeout(resolve, 2))
    }
    stream.read(listen('one'))
    client.write('ab')
    await untilSaid(1)
    client.end()
    await untilSaid(2)
    await stream.lift()
    stream.read(listen('two'))
    stream.unlift('taken')
    await untilSaid(3)
    expect(said).toEqual(['one ab', 'one end', 'two end'])
    stream.destroy()
  })

  it('does not hand out again what was taken with the lift', async () => {
    const { stream, client } = await opened()
    const said: string[] = []
    stream.read({ bytes: view => said.push(new TextDecoder().decode(view)), end() {}, error() {} })
    stream.pause()
    client.write('ab')
    // A net.Socket reads on once if it is paused within the tick of its resume().
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(stream.write([new Uint8Array(16 << 20)])).toBe('queued')
    stream.resume()
    const lifting = stream.lift()
    client.resume()
    const { unread } = await lifting
    stream.unlift('taken')
    client.write('cd')
    while (!said.join('').includes('cd')) await new Promise(resolve => setTimeout(resolve, 2))
    expect(new TextDecoder().decode(unread) + said.join('')).toBe('abcd')
    stream.destroy()
  })

  it('loses nothing of a socket that was reading when it was adopted', async () => {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const adopting = once(server, 'connection').then(([accepted]) => adopt(accepted as net.Socket, { kind }))
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    const stream = await adopting
    server.close()
    client.end(sequence(0, 1000))
    await new Promise(resolve => setTimeout(resolve, 20))
    let count = 0
    const bytes = (view: Uint8Array): void => {
      count += view.length
    }
    await new Promise<void>((resolve, reject) => {
      stream.read({ bytes, end: resolve, error: reject })
    })
    expect(count).toBe(1000)
    stream.destroy()
  })

  it('refuses to adopt a socket with writes that wait', async () => {
    const pair = await connect()
    client = pair.client
    pair.accepted.write(new Uint8Array(16 << 20))
    expect(() => adopt(pair.accepted, { kind })).toThrow('have not left yet')
    pair.accepted.destroy()
  })

  it('stops reading at once, also from within a callback, and reads on after unlift', async () => {
    const { stream, client } = await opened()
    let count = 0
    const lifts: number[] = []
    const total = 4 << 20
    await new Promise<void>((resolve, reject) => {
      stream.read({
        bytes(view) {
          if (stream.state !== 'open') reject(new Error('bytes after lift'))
          if (Buffer.compare(view, sequence(count, view.length)) !== 0) reject(new Error(`after ${count}`))
          count += view.length
          if (count === total) resolve()
          else if (lifts.length < 20) {
            lifts.push(count)
            void stream.lift()
            setTimeout(() => stream.unlift(), 2)
          }
        },
        end() {},
        error: reject,
      })
      client.write(sequence(0, total))
    })
    expect(lifts.length).toBe(20)
    stream.destroy()
  })

  it('can be taken back while writes still wait', async () => {
    const { stream, client } = await opened()
    expect(stream.write([sequence(0, 16 << 20)])).toBe('queued')
    const lifting = stream.lift()
    expect(stream.state).toBe('lifting')
    stream.unlift()
    await expect(lifting).rejects.toThrow('taken up again')
    const drained = new Promise<void>(resolve => {
      stream.onDrain = resolve
    })
    const seen = checking(client)
    await drained
    expect(stream.queued).toBe(false)
    stream.end()
    await once(client, 'end')
    expect(seen).toEqual({ count: 16 << 20, wrong: undefined })
    stream.destroy()
  })

  it('is rejected when the client goes away while writes still wait', async () => {
    const { stream, client } = await opened()
    stream.read({ bytes() {}, end() {}, error() {} })
    stream.write([new Uint8Array(16 << 20)])
    const lifting = stream.lift()
    client.resetAndDestroy()
    await expect(lifting).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) })
    expect(stream.state).toBe('closed')
  })

  it('is an error to write to a lifted stream, and to lift it twice', async () => {
    const { stream } = await opened()
    await stream.lift()
    expect(() => stream.write([new Uint8Array(1)])).toThrow('lifted')
    expect(() => stream.lift()).toThrow('lifted')
    stream.destroy()
    expect(() => stream.unlift()).toThrow('closed')
  })

  it.runIf(probe().available)('ends for the client only when the last holder has gone', async () => {
    const { stream, client } = await opened()
    const probed = probe()
    if (!probed.available) throw new Error(probed.reason)
    const { descriptor } = await stream.lift()
    const copy = probed.libc.duplicate(descriptor.fd)
    let ended = false
    client.resume().on('end', () => {
      ended = true
    })
    stream.destroy()
    client.write('x')
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(ended).toBe(false)
    // shutdown, unlike close, ends it for every process that holds it.
    expect(probed.libc.shutdown(copy)).toBeUndefined()
    await once(client, 'end')
    new net.Socket({ fd: copy }).destroy()
  })
})
