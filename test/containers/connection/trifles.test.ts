import { expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { Session } from '../../../src/tls13/index.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { extensionOf } from '../../../src/transfer/extensions.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, FakeStream, movedConnection } from '../../support/connection-scene.ts'
import { clientConfig, outputOf } from '../../support/pair.ts'

/** A container with another one of its function beside it. */
function paired(): FakeHost {
  const host = new FakeHost()
  host.available.add('echo')
  return host
}

/** A client whose handshake with a container is over. */
function connected(host: FakeHost) {
  const client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
  const stream = new FakeStream()
  const inbound = outputOf(client)
  const fresh = freshTls({ sessionId: new Uint8Array(16), idleLeft: 30_000, inbound })
  const connection = new Connection(host, fresh, stream)
  connection.start()
  client.receive(stream.take())
  stream.receive(outputOf(client))
  client.receive(stream.take())
  return { client, connection, stream }
}

it('a client that changes keys without end is ended, however often its connection moves', async () => {
  let host = paired()
  let { client, connection, stream } = connected(host)
  let updates = 0
  for (; updates < 100 && !stream.finished; updates++) {
    client.updateKeys(false)
    stream.receive(outputOf(client))
    if (updates % 10 !== 9) continue
    connection.drain(true)
    const frozen = await host.offers[0]!.frozen
    expect(extensionOf(decodeEnvelope(frozen), 'trifles')).toMatchObject({ inARow: updates + 1 })
    const source = host
    host = paired()
    ;({ connection, stream } = movedConnection(host, frozen))
    source.offers[0]!.settle({ state: 'gone' })
  }
  expect(updates).toBe(33)
  expect(client.receive(stream.take()).at(-1)).toMatchObject({
    type: 'alert',
    from: 'peer',
    alert: 'unexpected_message',
  })
})

it('the envelope of a client that says something says nothing of it', async () => {
  const host = paired()
  const { client, connection, stream } = connected(host)
  for (let i = 0; i < 5; i++) client.updateKeys(false)
  client.send(utf8('GET /echo HTTP/1.1\r\nHost: a\r\n\r\n'))
  stream.receive(outputOf(client))
  connection.drain(true)
  const envelope = decodeEnvelope(await host.offers[0]!.frozen)
  expect(extensionOf(envelope, 'trifles')).toBeUndefined()
})
