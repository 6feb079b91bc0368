import { describe, expect, it } from 'vitest'
import { ErrorCode, H2Client, type H2Event } from '../../src/http/h2/index.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { type ServeConnectionOptions, serveConnection } from '../../src/transport/serve.ts'
import type { Transport, TransportHandlers } from '../../src/transport/transport.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { HandClock } from '../support/hand-clock.ts'

/** A client in memory, which takes what it is sent unless told not to. */
class Peer implements Transport {
  unsent = 0
  blocked = false
  closed = false
  onDrain: (() => void) | undefined
  #handlers: TransportHandlers | undefined
  #sent: Uint8Array[] = []

  get queued(): boolean {
    return this.unsent > 0
  }
  read(handlers: TransportHandlers): void {
    this.#handlers = handlers
  }
  pause(): void {}
  resume(): void {}
  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    for (const chunk of chunks) {
      if (this.blocked) this.unsent += chunk.length
      else this.#sent.push(chunk.slice())
    }
    return this.queued ? 'queued' : 'flushed'
  }
  end(): void {}
  destroy(): void {
    this.closed = true
  }

  send(bytes: Uint8Array | string): this {
    this.#handlers?.bytes(typeof bytes === 'string' ? utf8(bytes) : bytes)
    return this
  }
  lose(): void {
    this.#handlers?.error(new Error('ECONNRESET'))
  }
  take(): Uint8Array {
    return concat(...this.#sent.splice(0))
  }
}

/** As many bytes as the path says; content is not asked for. */
const app: HttpHandlers = {
  request(request, response) {
    if (request.method === 'GET')
      response.reply({ status: 200, body: new Uint8Array(Number(request.path.slice(1))) })
  },
}
const GET = 'GET /300000 HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(60_000)}`

/** Connections under one budget, a second apart. */
function world(limit: number) {
  const clock = new HandClock()
  const memory = new MemoryBudget(limit)
  const open = (options: ServeConnectionOptions = {}, blocked = false): Peer => {
    clock.pass(1000)
    const peer = Object.assign(new Peer(), { blocked })
    serveConnection(peer, app, { encrypted: true, memory, clock, ...options })
    return peer
  }
  return { memory, open }
}

describe('what served connections hold together', () => {
  it('content that the function does not ask for: the oldest gets 503', async () => {
    const { memory, open } = world(100_000)
    const old = open({ alpn: 'http/1.1' }).send(POST)
    expect(memory.held).toBe(60_000)
    const young = open({ alpn: 'http/1.1' }).send(POST)
    const text = new TextDecoder().decode(old.take())
    expect(text).toMatch(/^HTTP\/1.1 503 /)
    expect(text).toContain('x-hotpotato-error: memory-limit')
    expect(text.toLowerCase()).toContain('connection: close')
    expect([young.take().length, young.closed, memory.shed]).toEqual([0, false, 1])
  })

  it('answers that a client does not take: its connection ends', () => {
    const { memory, open } = world(500_000)
    const old = open({ alpn: 'http/1.1' }, true).send(GET)
    expect(memory.held).toBeGreaterThan(300_000)
    const young = open({ alpn: 'http/1.1' }, true).send(GET)
    expect([old.closed, young.closed, memory.shed]).toEqual([true, false, 1])
    expect(memory.held).toBeLessThan(310_000)
  })

  it('answers that no window lets through: their streams end, and others of the connection go on', () => {
    const { memory, open } = world(500_000)
    const peer = open({ alpn: 'h2' })
    const client = new H2Client()
    const events: H2Event[] = []
    const exchange = (): void => {
      peer.send(client.takeOutput())
      client.receive(peer.take())
      for (let event = client.next(); event !== undefined; event = client.next()) events.push(event)
    }
    exchange()
    const get = (path: string): number =>
      client.request({ method: 'GET', scheme: 'https', authority: 'a', path, headers: [] }, true)
    // Its window lets 256 KiB through.
    const large = get('/700000')
    exchange()
    expect(memory.held).toBeGreaterThan(300_000)
    open({ alpn: 'http/1.1' }, true).send(GET)
    exchange()
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'reset', streamId: large, code: ErrorCode.ENHANCE_YOUR_CALM }),
    )
    expect(memory.held).toBeLessThan(320_000)
    expect(peer.closed).toBe(false)
  })

  it('nothing when they are gone', () => {
    const { memory, open } = world(0)
    const peers = [open({ alpn: 'http/1.1' }).send(POST), open({ alpn: 'http/1.1' }, true).send(GET)]
    const served = serveConnection(new Peer(), app, { memory, encrypted: true, alpn: 'h2' })
    expect(memory.held).toBeGreaterThan(360_000)
    served.destroy()
    for (const peer of peers) peer.lose()
    expect(memory.held).toBe(0)
  })
})
