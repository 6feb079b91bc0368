import { describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { recover } from '../../../src/containers/survival/recovery.ts'
import type { ResumeFunction } from '../../../src/functions/contract.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { H1Client } from '../../../src/http/h1/index.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { Session } from '../../../src/tls13/index.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { Relay } from '../../../src/transfer/relay.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'
import { FakeHost, FakeStream, turn } from '../../support/connection-scene.ts'
import { LONG_AFTER, NEVER } from '../../support/deadly-stream.ts'
import { clientConfig } from '../../support/pair.ts'
import { EVERY_BYTE, SESSION_ID } from './world.ts'

/*
 * A container dies behind any byte of a response whose function freezes, over a leg, once and several times
 * in a row. Its client gets each byte once, or a genuine alert: never what only looks whole.
 */

/** Pieces of any size, of which some come together. */
const SIZES = [1, 300, 17, 5000, 2, 2, 2, 900, 40_000, 3, 20_000, 1]
const PIECES = SIZES.map((size, n) => new Uint8Array(size).fill(n + 65))
const CONTENT = concat(...PIECES)

/** @param times how often a pull waits before it gives what there is */
const from =
  (times: (n: number) => number): ResumeFunction =>
  state => {
    let n = state as number
    return resumable({
      async pull(controller) {
        for (let at = 0; at < times(n); at++) await turn()
        const piece = PIECES[n]
        if (piece === undefined) controller.close()
        else {
          n++
          controller.enqueue(piece.slice())
        }
      },
      freeze: () => n,
    })
  }

/** What has left a container, until it dies over that. */
class LegEnd extends FakeStream {
  left: number
  readonly #out: (bytes: Uint8Array) => void

  constructor(left: number, out: (bytes: Uint8Array) => void) {
    super()
    this.left = left
    this.#out = out
  }

  get dead(): boolean {
    return this.left <= 0
  }

  override write(chunks: readonly Uint8Array[]): 'flushed' {
    const bytes = concat(...chunks).subarray(0, Math.max(0, this.left))
    this.left -= bytes.length
    if (bytes.length > 0) this.#out(bytes.slice())
    return 'flushed'
  }
}

class World {
  readonly #keys = new KeyRing(node, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
  readonly #client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
  readonly #http = new H1Client()
  readonly #relay = new Relay(EMPTY)
  readonly #module: FakeHost['module']
  readonly #deaths: number[]
  #stream!: LegEnd
  written = 0
  /** Bytes of the handshake. */
  begun = 0
  body: Uint8Array = EMPTY
  end: 'whole' | 'alert' | 'lost' | undefined
  takenOver = 0

  constructor(deaths: readonly number[], resume: ResumeFunction, sized: boolean) {
    this.#deaths = [...deaths]
    const headers = sized ? { 'content-length': String(CONTENT.length) } : {}
    const fetch = (_: unknown, env: object, ctx: never): Response =>
      new Response(resume(0, ctx, env as never, undefined as never) as ReadableStream<Uint8Array>, {
        headers,
      })
    this.#module = { kind: 'fetch', file: 'test', fetch, resume } as FakeHost['module']
  }

  async run(): Promise<this> {
    const inbound = concat(...this.#client.takeOutput())
    this.#relay.fromClient(inbound)
    const envelope = {
      ...freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound }),
      extensions: writeExtensions({ leg: { received: inbound.length } }),
    }
    this.#begin(stream => new Connection(this.#host(), envelope, stream))
    this.begun = this.written
    this.#client.send(this.#http.request({ method: 'GET', target: '/echo', headers: [['host', 'a']] }))
    for (let idle = 0; this.end === undefined && idle < 400; idle++) {
      if (this.#stream.dead) this.#died()
      const up = concat(...this.#client.takeOutput())
      if (up.length > 0) {
        this.#relay.fromClient(up)
        if (!this.#stream.dead) this.#stream.receive(up)
      }
      await turn()
    }
    return this
  }

  #host(): FakeHost {
    const host = new FakeHost(undefined, { timers: NEVER })
    Object.assign(host, { module: this.#module, tls: { ...host.tls, alpn: ['http/1.1'] } })
    return Object.assign(host, { checkpoints: this.#keys.checkpoints })
  }

  #begin(connect: (stream: LegEnd) => Connection): void {
    const stream: LegEnd = new LegEnd(this.#deaths.shift() ?? Infinity, bytes => this.#hear(bytes))
    this.#stream = stream
    connect(stream).start()
  }

  #died(): void {
    const end = this.#relay.legEnded()
    if (end.kind !== 'takeOver') {
      this.end ??= 'lost'
      return
    }
    this.takenOver++
    const { checkpoint, records, retained } = end.from
    const { sealed, generation, received } = checkpoint
    const takeOver = { checkpoint: sealed, generation, received, records, retained }
    const session = { sessionId: SESSION_ID, generation: generation + 1 }
    const { envelope, recovery } = recover(this.#keys.checkpoints, takeOver, session)!
    this.#begin(stream => new Connection(this.#host(), envelope, stream, { recovery }))
  }

  #hear(bytes: Uint8Array): void {
    this.written += bytes.length
    const passed = this.#relay.fromLeg(bytes)
    expect(this.#relay.failure).toBeUndefined()
    for (const event of this.#client.receive(concat(...passed))) {
      if (event.type === 'alert') {
        expect([event.from, event.alert]).toEqual(['peer', 'internal_error'])
        this.end = 'alert'
      }
      if (event.type !== 'application_data') continue
      for (const one of this.#http.receive(event.data)) {
        if (one.type === 'error') throw new Error(one.reason)
        if (one.type === 'body') this.body = concat(this.body, one.data)
        if (one.type === 'end') this.end = 'whole'
      }
    }
  }
}

const FUNCTIONS: readonly [string, ResumeFunction][] = [
  ['gives at once', from(() => 0)],
  ['takes its time', from(n => n % 3)],
]
const KINDS = FUNCTIONS.flatMap(([name, resume]) => [
  [name, 'in chunks', resume, false] as const,
  [name, 'with a length', resume, true] as const,
])

describe.each(KINDS)('a function that %s, %s', (_name, _framing, resume, sized) => {
  it('goes on behind any byte after which its container dies, or says that it does not', async () => {
    const { written, begun, ...calm } = await new World([], resume, sized).run()
    expect(calm).toMatchObject({ end: 'whole', takenOver: 0 })
    expect(calm.body).toEqual(CONTENT)
    const step = EVERY_BYTE ? 7 : 1499
    let gone = 0
    for (let death = begun + 1; death < written; death += step) {
      const world = await new World([death], resume, sized).run()
      expect(world.end, `after ${death} bytes`).toMatch(/^(whole|alert|lost)$/)
      expect(world.body).toEqual(CONTENT.subarray(0, world.body.length))
      if (world.end === 'whole') expect(world.body).toEqual(CONTENT)
      if (world.end === 'whole' && world.takenOver > 0) gone++
    }
    // Most of them go on: what is cut is where a piece was too large, or the head had gone alone.
    expect(gone).toBeGreaterThan(((written - begun) / step) * 0.6)
  })

  it('goes on again and again', async () => {
    const deaths = [6000, 3000, 2500, 9000, 30_000]
    const world = await new World(deaths, resume, sized).run()
    expect([world.end, world.takenOver]).toEqual(['whole', deaths.length])
    expect(world.body).toEqual(CONTENT)
  })
})

it('what has no `freeze` is cut, and says so', async () => {
  const plain: ResumeFunction = () =>
    new ReadableStream({
      async pull(controller) {
        await turn()
        controller.enqueue(utf8('piece'))
      },
    })
  const { end, takenOver } = await new World([4000], plain, false).run()
  expect([end, takenOver]).toEqual(['alert', 1])
})
