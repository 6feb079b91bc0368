import { describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { RequestView, ResponseView } from '../../../src/http/message.ts'
import { Session } from '../../../src/tls13/index.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/transfer/envelope.ts'
import { plusExtension } from '../../../src/transfer/extensions.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { because } from '../../support/alert.ts'
import {
  FakeHost,
  FakeStream,
  get,
  movedConnection,
  openBody,
  REFUSED,
  turn,
} from '../../support/connection-scene.ts'
import { clientConfig, dataOf, outputOf, serverConfig } from '../../support/pair.ts'
import { EXTENDING, generationOf } from '../../support/updating.ts'

/* What a container does for the keys of a connection that has come from another one. */

/** A container of the function, with another one beside it, that has extended key updates. */
function extendingHost(handle?: (request: RequestView) => ResponseView | Promise<ResponseView>): FakeHost {
  const host = new FakeHost(handle)
  host.available.add('echo')
  return Object.assign(host, { tls: { ...serverConfig(EXTENDING), alpn: ['http/1.1'] } })
}

/** A client, and where its connection is now. */
class Scene {
  readonly client: Session
  host: FakeHost
  connection: Connection
  stream = new FakeStream()
  readonly heard: Uint8Array[] = []

  constructor(extendedKeyUpdate = true) {
    this.client = Session.client(clientConfig({ alpn: ['http/1.1'], extendedKeyUpdate }))
    this.host = extendingHost()
    const inbound = outputOf(this.client)
    const fresh = freshTls({ sessionId: new Uint8Array(16), idleLeft: 30_000, inbound })
    this.connection = new Connection(this.host, fresh, this.stream)
    this.connection.start()
    this.settle()
  }

  /** Carries bytes across until both are quiet. */
  settle(): void {
    for (;;) {
      const down = this.stream.take()
      this.heard.push(dataOf(this.client.receive(down)))
      const up = outputOf(this.client)
      if (down.length + up.length === 0) return
      this.stream.receive(up)
    }
  }

  /** Moves to another container. */
  async move(host = extendingHost()): Promise<void> {
    this.connection.drain(true)
    const [offer] = this.host.offers
    const frozen = await offer!.frozen
    const left = this.stream.take()
    ;({ connection: this.connection, stream: this.stream } = movedConnection(host, frozen))
    this.stream.sent.unshift(left)
    offer!.settle({ state: 'gone' })
    this.host = host
  }

  get generations(): readonly number[] {
    return [generationOf(this.client), generationOf(this.connection.out.session!)]
  }

  get text(): string {
    return new TextDecoder().decode(concat(...this.heard))
  }
}

describe('a connection with extended key updates', () => {
  it('has new keys after each move, and none without one', async () => {
    const scene = new Scene()
    scene.client.send(utf8(get('/echo')))
    scene.settle()
    expect(scene.generations).toEqual([0, 0])
    for (let moves = 1; moves <= 3; moves++) {
      await scene.move()
      scene.settle()
      expect(scene.generations).toEqual([moves, moves])
    }
    scene.client.send(utf8(get('/echo/last')))
    scene.settle()
    expect(scene.text).toContain('GET /echo/last')
  })

  it('has them while a response goes on that wants no input, and loses no request behind it', async () => {
    const scene = new Scene()
    const { body, controller } = openBody()
    const slow = extendingHost()
    slow.module = {
      kind: 'fetch',
      file: 'test',
      fetch: ({ url }) => new Response(url.endsWith('/slow') ? body : url),
    } as typeof slow.module
    // The request is in the pipe when the connection moves.
    scene.client.send(utf8(get('/echo/slow')))
    const request = outputOf(scene.client)
    await scene.move(slow)
    scene.stream.receive(request)
    controller.enqueue(utf8('begun'))
    await turn()
    scene.client.send(utf8(get('/echo/behind')))
    scene.settle()
    await turn()
    scene.settle()
    expect(scene.generations[0]).toBe(1)
    expect(scene.text).toContain('begun')
    controller.close()
    await turn()
    scene.settle()
    await turn()
    scene.settle()
    expect(scene.generations).toEqual([1, 1])
    expect(scene.text).toContain('/echo/behind')
  })

  it('that moves in the middle of an exchange has one more, from here', async () => {
    const scene = new Scene()
    await scene.move()
    // The request is out, and its answer has not come.
    scene.client.receive(scene.stream.take())
    const answer = outputOf(scene.client)
    await scene.move()
    scene.stream.receive(answer)
    scene.settle()
    expect(scene.generations).toEqual([2, 2])
  })

  it('that is refused elsewhere, where it was seen, has new keys here', async () => {
    const scene = new Scene()
    scene.connection.moveTo(new MoveOrder(1, () => {}))
    const [offer] = scene.host.offers
    await offer!.frozen
    offer!.settle(REFUSED)
    await turn()
    scene.settle()
    expect(scene.generations).toEqual([1, 1])
  })

  it('that has moved during its handshake has new keys behind it', async () => {
    const scene = new Scene()
    const client = Session.client(clientConfig({ alpn: ['http/1.1'], ...EXTENDING }))
    const server = Session.server({ ...scene.host.tls })
    server.receive(outputOf(client))
    client.receive(outputOf(server))
    const fresh = freshTls({ sessionId: new Uint8Array(16), idleLeft: 30_000, inbound: new Uint8Array(0) })
    const { connection, stream } = movedConnection(
      scene.host,
      encodeEnvelope({ ...fresh, tls: server.release() }),
    )
    Object.assign(scene, { client, connection, stream })
    stream.receive(outputOf(client))
    scene.settle()
    expect(scene.generations).toEqual([1, 1])
  })

  it('is one whose client has agreed: another one moves without a byte', async () => {
    const scene = new Scene(false)
    await scene.move()
    expect(scene.stream.take()).toHaveLength(0)
    expect(scene.generations).toEqual([-1, -1])
  })
})

describe('a connection that outlives its container', () => {
  it('does not agree on them', () => {
    const client = Session.client(clientConfig({ alpn: ['http/1.1'], ...EXTENDING }))
    const fresh = freshTls({ sessionId: new Uint8Array(16), idleLeft: 30_000, inbound: outputOf(client) })
    const leg = { ...fresh, extensions: plusExtension(fresh.extensions, 'leg', { received: 0 }) }
    const stream = new FakeStream()
    new Connection(extendingHost(), leg, stream).start()
    client.receive(stream.take())
    expect(client.connected).toBe(true)
    expect(client.extendedKeyUpdates).toBeUndefined()
  })

  it('is not taken with them: its successor could not change its key', async () => {
    const scene = new Scene()
    scene.connection.drain(true)
    const envelope = decodeEnvelope(await scene.host.offers[0]!.frozen)
    const leg = { ...envelope, extensions: plusExtension(envelope.extensions, 'leg', { received: 0 }) }
    expect(() => new Connection(scene.host, leg, new FakeStream())).toThrow(because('updates_not_survivable'))
  })
})
