import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { H1Client } from '../../src/http/h1/index.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { Session } from '../../src/tls13/session.ts'
import { type SecureTransport, secure, secureClient } from '../../src/transport/secure.ts'
import { serveConnection } from '../../src/transport/serve.ts'
import { overDuplex, type Transport, type TransportHandlers } from '../../src/transport/transport.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { text } from '../support/h1-messages.ts'
import { clientConfig, serverConfig } from '../support/pair.ts'

/** A transport without a socket. */
class FakeCarrier implements Transport {
  queued = false
  readonly unsent = 0
  onDrain: (() => void) | undefined
  handlers: TransportHandlers | undefined
  sent: Uint8Array[] = []
  /** The client takes nothing. */
  blocked = false
  ended = false
  destroyed = false
  paused = false

  read(handlers: TransportHandlers): void {
    this.handlers = handlers
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    this.sent.push(...chunks.map(chunk => chunk.slice()))
    this.queued = this.blocked
    return this.queued ? 'queued' : 'flushed'
  }
  end(): void {
    this.ended = true
  }
  destroy(): void {
    this.destroyed = true
  }
  drain(): void {
    this.queued = false
    this.onDrain?.()
  }
}

/** Our session at both ends of a transport. */
async function scene() {
  const below = new FakeCarrier()
  const client = Session.client(clientConfig())
  const transport = secure(below, serverConfig(), CLOCK)
  transport.catch(() => {})
  const give = (): void => {
    const bytes = concat(...client.takeOutput())
    if (bytes.length > 0) below.handlers?.bytes(bytes)
  }
  const take = (): string => {
    const events = client.receive(concat(...below.sent.splice(0)))
    return events
      .map(event => (event.type === 'application_data' ? text(event.data) : `[${event.type}]`))
      .join('')
  }
  give()
  take()
  give()
  return { below, client, transport, give, take }
}

const CLOCK = { clock: SYSTEM_CLOCK }
const app: HttpHandlers = {
  request: (request, response) => response.reply({ status: 200, body: request.path }),
}
const request = (path: string) =>
  new H1Client().request({ method: 'GET', target: path, headers: [['Host', 'a']] })
const turn = () => new Promise(resolve => setImmediate(resolve))

describe('TLS over a transport', () => {
  it('is a transport of plaintext', async () => {
    const { client, transport, give, take } = await scene()
    const one: SecureTransport = await transport
    expect([one.encrypted, one.session.connected, one.earlyBytes]).toEqual([true, true, 0])
    serveConnection(one, app)
    client.send(request('/hello'))
    give()
    await turn()
    take()
    expect(one.queued).toBe(false)
    client.send(request('/again'))
    give()
    await turn()
    expect(take()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*\/again$/)
  })

  it('answers what came before close_notify, and then ends in order', async () => {
    const { below, client, transport, give, take } = await scene()
    let answer = (): void => {}
    const { closed } = serveConnection(await transport, {
      request(_, response) {
        answer = () => response.reply({ status: 200, body: 'late' })
      },
    })
    client.send(request('/'))
    client.close()
    give()
    below.handlers?.end()
    await turn()
    expect(below.destroyed).toBe(false)
    answer()
    await turn()
    expect(take()).toMatch(/late\[close_notify\]$/)
    await closed
    expect([below.ended, below.destroyed]).toEqual([true, true])
  })

  it('a client that goes without a word is gone', async () => {
    const { below, transport } = await scene()
    const { closed } = serveConnection(await transport, app)
    await turn()
    below.handlers?.end()
    await closed
    expect(below.destroyed).toBe(true)
  })

  it('seals as fast as the client takes it', async () => {
    const { below, client, transport, take } = await scene()
    const one = await transport
    let drained = 0
    one.onDrain = () => drained++
    below.blocked = true
    take()
    expect(one.write([new Uint8Array(300_000).fill(97)])).toBe('queued')
    expect(concat(...below.sent).length).toBeLessThan(70_000)
    let got = take()
    for (let i = 0; i < 10 && one.queued; i++) {
      below.drain()
      got += take()
    }
    expect([got.length, drained]).toEqual([300_000, 1])
    expect(client.connected).toBe(true)
  })

  it('reads no further while it is paused', async () => {
    const { below, client, transport, give } = await scene()
    const one = await transport
    const got: string[] = []
    one.read({
      bytes(view) {
        got.push(text(view))
        one.pause()
      },
      end: () => got.push('end'),
      error: error => got.push(error.message),
    })
    await turn()
    client.send(utf8('one'))
    client.send(utf8('two'))
    give()
    expect([got, below.paused]).toEqual([['one'], true])
    one.resume()
    await turn()
    expect(got).toEqual(['one', 'two'])
  })

  it('tells why there is no connection: garbage, an end, too late', async () => {
    const garbage = new FakeCarrier()
    const first = secure(garbage, serverConfig(), CLOCK)
    garbage.handlers?.bytes(utf8('GET / HTTP/1.1\r\n\r\n'))
    await expect(first).rejects.toMatchObject({ name: 'TlsError' })
    expect([garbage.sent.length > 0, garbage.destroyed]).toEqual([true, true])
    const silent = new FakeCarrier()
    const second = secure(silent, serverConfig(), CLOCK)
    silent.handlers?.end()
    await expect(second).rejects.toThrow('without close_notify')
    await expect(secure(new FakeCarrier(), serverConfig(), { ...CLOCK, patienceMs: 1 })).rejects.toThrow(
      'no handshake in time',
    )
  })
})

it('writes over nothing that a stream of Node still holds', async () => {
  const [one, other] = latePair()
  const handshakes = [
    secureClient(overDuplex(one), clientConfig(), CLOCK),
    secure(overDuplex(other), serverConfig(), CLOCK),
  ]
  const [client, server] = await Promise.all(handshakes)
  let heard = ''
  const all = new Promise<void>((resolve, reject) => {
    const bytes = (view: Uint8Array): void => {
      heard += text(view)
      if (heard.endsWith('99,')) resolve()
    }
    server!.read({ bytes, end: () => {}, error: reject })
    client!.read({ bytes: () => {}, end: () => {}, error: reject })
  })
  for (let n = 0; n < 100; n++) client!.write([utf8(`${n},`)])
  await all
  expect(heard).toBe(Array.from({ length: 100 }, (_, n) => `${n},`).join(''))
  for (const end of [client, server]) end!.destroy()
})

/** Two ends of a stream that looks at what it was given only a while later, as the kernel may. */
function latePair(): [Duplex, Duplex] {
  const ends: Duplex[] = []
  for (const at of [0, 1])
    ends.push(
      new Duplex({
        writableHighWaterMark: 1 << 20,
        read() {},
        write(chunk: Uint8Array, _, then) {
          setTimeout(() => {
            ends[1 - at]!.push(Buffer.from(chunk))
            then()
          }, 2)
        },
      }),
    )
  return ends as [Duplex, Duplex]
}
