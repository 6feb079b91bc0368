import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { recover } from '../../../src/containers/survival/recovery.ts'
import { goesOn, isOfSocket } from '../../../src/containers/survival/slot.ts'
import type { ResponseView } from '../../../src/http/message.ts'
import { Session } from '../../../src/tls13/index.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { SlotFile } from '../../../src/transfer/slot-file.ts'
import { Descriptor } from '../../../src/transfer/stream.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { FakeHost, FakeStream, get, movedConnection, TARGET, turn } from '../../support/connection-scene.ts'
import { clientConfig, dataOf } from '../../support/pair.ts'
import { tcpPair } from '../../support/tcp-pair.ts'

const GATEWAY = 50
const SLOT = 3
const SESSION = new Uint8Array(16).fill(6)
const PLACE = { gateway: GATEWAY, cookie: new Uint8Array(8).fill(2), slot: SLOT }
const native = probe()

describe.runIf(native.available)('a connection whose socket the gateway has a duplicate of', () => {
  const libc = native.available ? native.libc : (undefined as never)
  let file: SlotFile
  beforeEach(() => {
    file = SlotFile.create(libc, 5)
  })
  afterEach(() => file.close())

  const copy = (): Descriptor => Descriptor.fromFd(libc.duplicate(file.descriptor.fd))

  /** A connection after its handshake, and what has gone through its socket. */
  function connected(handle?: ConstructorParameters<typeof FakeHost>[0], given = true) {
    const host = new FakeHost(handle)
    if (given) host.slots.add(GATEWAY, copy(), 5)
    const stream = new FakeStream()
    const client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
    const inbound = concat(...client.takeOutput())
    const envelope = {
      ...freshTls({ sessionId: SESSION, idleLeft: 30_000, inbound }),
      extensions: writeExtensions({ slot: { ...PLACE, sequence: 0, received: inbound.length, sent: 0 } }),
    }
    const connection = new Connection(host, envelope, stream)
    const counts = { received: inbound.length, sent: 0 }
    const scene = {
      ...{ host, stream, client, connection, counts },
      /** Carries bytes both ways. @returns what the client reads */
      settle(): Uint8Array {
        const read: Uint8Array[] = []
        for (let quiet = false; !quiet; ) {
          const down = stream.take()
          counts.sent += down.length
          read.push(dataOf(client.receive(down)))
          const up = concat(...client.takeOutput())
          counts.received += up.length
          stream.receive(up)
          quiet = up.length + down.length === 0
        }
        return concat(...read)
      },
      ask(path = '/echo'): string {
        client.send(utf8(get(path)))
        return new TextDecoder().decode(scene.settle())
      },
      newest: () => file.checkpoints(SLOT)[0],
    }
    connection.start()
    scene.settle()
    return scene
  }

  it('leaves a checkpoint after handshake and each response, with what has gone through the socket', () => {
    const { ask, counts, newest } = connected()
    for (let round = 0; round < 4; round++) {
      const { sequence, checkpoint } = newest()!
      expect(checkpoint).toMatchObject({ sessionId: SESSION, functionName: 'echo', generation: 0, ...counts })
      expect(ask()).toContain('GET /echo')
      expect(newest()!.sequence).toBe(sequence + 1)
      // The one before is still whole.
      expect(file.checkpoints(SLOT)[1]).toEqual({ sequence, checkpoint })
    }
  })

  it('leaves none while a request is underway, nor while the client has not taken all', async () => {
    let answer: (view: ResponseView) => void = () => {}
    const { client, stream, settle, newest, counts } = connected(
      () => new Promise(resolve => (answer = resolve)),
    )
    const before = newest()
    client.send(utf8(get('/echo')))
    settle()
    expect(newest()).toEqual(before)
    stream.blocked = true
    answer({ status: 200, body: 'x' })
    await turn()
    expect(stream.queued).toBe(true)
    expect(newest()).toEqual(before)
    stream.drain()
    settle()
    expect(newest()!.sequence).toBe(before!.sequence + 1)
    expect(newest()!.checkpoint).toMatchObject(counts)
  })

  it('leaves one when half a record has come, which its successor has then', () => {
    const { client, stream, counts, newest, host } = connected()
    client.send(utf8(get('/half')))
    const bytes = concat(...client.takeOutput())
    stream.receive(bytes.subarray(0, 20))
    const { checkpoint } = newest()!
    expect(checkpoint).toMatchObject({ received: counts.received + 20, sent: counts.sent })
    const { sealed, generation, received } = checkpoint
    const takeOver = { checkpoint: sealed, generation, received, records: 0, retained: new Uint8Array(0) }
    const recovered = recover(host.checkpoints, takeOver, { sessionId: SESSION, generation: 1 })!
    expect(recovered.recovery.cut).toBe(false)
    const next = new FakeStream()
    new Connection(host, recovered.envelope, next, recovered).start()
    next.receive(bytes.subarray(20))
    // A KeyUpdate comes first, and the client follows it.
    const events = client.receive(next.take())
    expect(events[0]).toMatchObject({ type: 'key_update' })
    expect(new TextDecoder().decode(dataOf(events))).toContain('GET /half')
    expect(newest()!.checkpoint).toMatchObject({ generation: 1, received: counts.received + bytes.length })
  })

  it('says in its file what it does with it: has it, offers it, has it again when refused', async () => {
    const { host, client, settle } = connected()
    const live = { state: 'live', sessionId: SESSION }
    expect(file.header(SLOT)).toEqual({ ...live, generation: 0, target: 0 })
    client.send(utf8(get('/hello')))
    settle()
    await turn()
    expect(file.header(SLOT)).toEqual({ ...live, state: 'offered', generation: 1, target: TARGET })
    host.offers[0]!.settle({
      state: 'owned',
      verdict: { outcome: 'refused', reason: 'suite', detail: '' },
    })
    expect(file.header(SLOT)).toEqual({ ...live, generation: 1, target: 0 })
    expect(new TextDecoder().decode(settle())).toContain('503')
  })

  it('goes on counting where it has moved to, which says so in a file of its own', async () => {
    const { host, client, settle, counts, newest } = connected()
    client.send(utf8(get('/hello')))
    settle()
    const { sequence } = newest()!
    const target = new FakeHost()
    Object.assign(target, { functionName: 'hello' })
    const theirs = SlotFile.create(libc, 5)
    target.slots.add(GATEWAY, Descriptor.fromFd(libc.duplicate(theirs.descriptor.fd)), 5)
    const { stream } = movedConnection(target, await host.offers[0]!.frozen)
    host.offers[0]!.settle({ state: 'gone' } as never)
    expect(host.ends).toEqual(['moved'])
    expect(file.header(SLOT)).toMatchObject({ state: 'offered', generation: 1, target: TARGET })
    expect(theirs.header(SLOT)).toMatchObject({ state: 'live', generation: 1 })
    const [left] = theirs.checkpoints(SLOT)
    expect(left!.checkpoint).toMatchObject({
      ...{ functionName: 'hello', generation: 1, received: counts.received },
      sent: counts.sent + stream.take().length,
    })
    expect(left!.sequence).toBe(sequence + 1)
    theirs.close()
  })

  it('is ended for every process, not only closed, and its slot is free then', () => {
    const { client, stream, settle, host } = connected()
    client.close()
    settle()
    stream.fin()
    expect(stream.closedBy).toBe('shutdown')
    expect(host.ends).toEqual(['ended'])
    expect(file.header(SLOT)).toMatchObject({ state: 'done', target: 0 })
    expect([...file.done(5, () => SESSION)]).toEqual([SLOT])
  })

  it('without a known owner is ended, and its slot tells that another may still write there', async () => {
    const { host, client, settle, stream } = connected()
    client.send(utf8(get('/hello')))
    settle()
    await turn()
    host.offers[0]!.settle({ state: 'ended', reason: 'lost' })
    expect([stream.closedBy, host.ends]).toEqual(['shutdown', ['unclean']])
    expect(file.header(SLOT)).toEqual({ state: 'done', sessionId: SESSION, generation: 1, target: TARGET })
  })

  it('that came before the file of the gateway signs the slot as soon as it has that', () => {
    const { host, connection, ask, newest, counts } = connected(undefined, false)
    expect(ask()).toContain('GET /echo')
    expect([file.header(SLOT), newest()]).toEqual([undefined, undefined])
    host.slots.add(GATEWAY, copy(), 5)
    connection.pump()
    expect(file.header(SLOT)).toMatchObject({ state: 'live' })
    expect(newest()!.checkpoint).toMatchObject(counts)
  })

  it('lives on when that gateway is gone, and writes nothing any more', () => {
    const { host, ask, newest } = connected()
    const before = newest()
    host.slots.remove(GATEWAY)
    expect(ask()).toContain('GET /echo')
    expect(newest()).toEqual(before)
  })

  it('goes on from a checkpoint only if nothing has gone through its socket since', async () => {
    const pair = await tcpPair()
    try {
      const descriptor = Descriptor.fromFd(libc.duplicate(pair.fd))
      const cookie = libc.socketCookie(pair.fd)
      const envelope = (received: number, sent: number, of = cookie) => ({
        ...freshTls({ sessionId: SESSION, idleLeft: 1, inbound: new Uint8Array(0) }),
        extensions: writeExtensions({ slot: { ...PLACE, cookie: of, sequence: 1, received, sent } }),
      })
      expect(goesOn(envelope(0, 0), descriptor)).toBe(true)
      expect(goesOn(envelope(1, 0), descriptor)).toBe(false)
      expect(goesOn(envelope(0, 1), descriptor)).toBe(false)
      expect(goesOn({ ...envelope(1, 1), extensions: [] }, descriptor)).toBe(true)
      expect(isOfSocket(envelope(9, 9), descriptor)).toBe(true)
      for (const other of [
        file.descriptor,
        { fd: (pair.client as unknown as { _handle: { fd: number } })._handle.fd },
      ])
        expect(isOfSocket(envelope(9, 9), other)).toBe(false)
      pair.accepted.write(new Uint8Array(3))
      expect([goesOn(envelope(0, 0), descriptor), goesOn(envelope(0, 3), descriptor)]).toEqual([false, true])
      expect(goesOn(envelope(0, 3), file.descriptor)).toBe(false)
      // Another socket through which as much has gone.
      expect(goesOn(envelope(0, 3, PLACE.cookie), descriptor)).toBe(false)
      descriptor.close()
    } finally {
      pair.close()
    }
  })
})
