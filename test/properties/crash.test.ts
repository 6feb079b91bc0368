import { describe, expect, it } from 'vitest'
import { Connection } from '../../src/containers/connection/connection.ts'
import { KeyRing } from '../../src/containers/process/key-ring.ts'
import { recover } from '../../src/containers/survival/recovery.ts'
import { H1Client } from '../../src/http/h1/index.ts'
import type { RequestView, ResponseView } from '../../src/http/message.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { writeExtensions } from '../../src/transfer/extensions.ts'
import { HEADER_LENGTH, LEG_CONTENT_TYPE } from '../../src/transfer/leg.ts'
import { freshTls } from '../../src/transfer/parcel.ts'
import { Relay } from '../../src/transfer/relay.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { FakeHost, FakeStream } from '../support/connection-scene.ts'
import { DeadlyStream, Death, LONG_AFTER, NEVER } from '../support/deadly-stream.ts'
import { NonceLedger, type Sealed } from '../support/nonce-ledger.ts'
import { clientConfig, ticketSealer } from '../support/pair.ts'
import { below, seeded } from '../support/random.ts'

const EVERY_BYTE = process.env.HOTPOTATO_EVERY_BYTE === '1'
const LONG = process.env.HOTPOTATO_LONG === '1'
/**
 * A KeyUpdate that asks for nothing, as the plaintext of a record: the message and the content type (RFC
 * 8446 §4.6.3, 5.2).
 */
const KEY_UPDATE = Uint8Array.of(24, 0, 0, 1, 0, 22)
const SESSION_ID = new Uint8Array(16).fill(5)

/** What the client does, one after the other. `half`: a request whose rest comes with the next step. */
const STEPS = ['get', 'keys', 'post', 'pipeline', 'keys and get', 'half', 'rest', 'large', 'get'] as const

/** What has come of one request. */
type Fate = 'answered' | 'interrupted' | 'cut'

/**
 * A client, a gateway's relay, and containers that die after so many bytes have left them: everything is real
 * but sockets and processes.
 */
class World {
  readonly ledger = new NonceLedger(node)
  /** TLS records that have left a container, whole or in part. */
  readonly left: { readonly sealed: Sealed; readonly whole: boolean }[] = []
  readonly fates: Fate[] = []
  readonly begun = new Map<string, number>()
  /** Those that may have effects, and are begun once at most. */
  readonly once = new Set<string>()
  written = 0
  crashes = 0
  end: 'closed' | 'alert' | 'lost' | undefined
  readonly #deaths: number[]
  readonly #keys: KeyRing
  readonly #client: Session
  readonly #http = new H1Client()
  readonly #relay: Relay
  #stream: FakeStream
  #asked = 0
  #fault: unknown
  #status = 0
  #rest: Uint8Array = EMPTY
  /** What has left the container at hand, to be cut into records. */
  #output: Uint8Array[] = []

  /** @param deaths after how many bytes from containers, counted from the last death, one dies */
  constructor(deaths: readonly number[]) {
    this.#deaths = [...deaths]
    const { provider } = this.ledger
    this.#keys = new KeyRing(provider, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
    this.#client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
    this.#relay = new Relay(EMPTY)
    this.#stream = new FakeStream()
  }

  /** Does everything, and closes. */
  run(): void {
    this.#fresh(EMPTY)
    this.#settle()
    for (const step of STEPS) {
      if (this.end !== undefined) return
      this.#do(step)
      this.#settle()
    }
    if (this.end !== undefined) return
    this.#client.close()
    this.#settle()
    this.end ??= 'lost'
  }

  #host(): FakeHost {
    const host = new FakeHost(request => this.#answer(request), { timers: NEVER })
    const { provider } = this.ledger
    Object.assign(host, {
      tls: {
        ...host.tls,
        provider,
        alpn: ['http/1.1'],
        tickets: { sealer: ticketSealer(provider), count: 2 },
      },
      checkpoints: this.#keys.checkpoints,
    })
    return host
  }

  #answer({ path, body, method }: RequestView): ResponseView {
    this.begun.set(path, (this.begun.get(path) ?? 0) + 1)
    if (method === 'POST') this.once.add(path)
    return {
      status: 200,
      body: path.startsWith('/large') ? new Uint8Array(200_000).fill(7) : `${method} ${path} ${body.length}`,
    }
  }

  #fresh(inbound: Uint8Array): void {
    const envelope = {
      ...freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound }),
      extensions: writeExtensions({ leg: { received: inbound.length } }),
    }
    this.#begin(stream => new Connection(this.#host(), envelope, stream))
  }

  #begin(connect: (stream: FakeStream) => Connection): void {
    this.#stream = new DeadlyStream(bytes => this.#leave(bytes))
    this.#output = []
    this.#mayDie(() => connect(this.#stream).start())
  }

  #mayDie(work: () => void): void {
    const { crashes } = this
    try {
      work()
    } catch (error) {
      // Whoever caught the death and went on, found itself in a process that is no more.
      if (this.crashes === crashes) throw error
    }
    if (this.#fault !== undefined) throw this.#fault
    if (this.crashes > crashes) this.#legEnds()
  }

  #request(method: string, body?: Uint8Array, name = 'r'): Uint8Array {
    const target = `/${name}${this.#asked++}`
    return this.#http.request({ method, target, headers: [['host', 'echo.local']] }, body)
  }

  #do(step: (typeof STEPS)[number]): void {
    const client = this.#client
    switch (step) {
      case 'get':
        client.send(this.#request('GET'))
        return
      case 'post':
        client.send(this.#request('POST', new Uint8Array(300)))
        return
      case 'keys':
        client.updateKeys(true)
        return
      case 'keys and get':
        client.updateKeys(true)
        client.send(this.#request('GET'))
        return
      case 'pipeline':
        client.send(
          concat(this.#request('GET'), this.#request('POST', new Uint8Array(9)), this.#request('GET')),
        )
        return
      case 'half': {
        const bytes = this.#request('PUT', new Uint8Array(200))
        this.#rest = bytes.slice(70)
        client.send(bytes.slice(0, 70))
        return
      }
      case 'rest':
        client.send(this.#rest)
        return
      case 'large':
        client.send(this.#request('GET', undefined, 'large'))
    }
  }

  /** Carries bytes to and fro until nobody has any. */
  #settle(): void {
    for (;;) {
      if (this.end !== undefined) return
      if (this.#stream.finished) {
        this.#legEnds()
        return
      }
      const up = concat(...this.#client.takeOutput())
      if (up.length === 0) return
      this.#relay.fromClient(up)
      this.#mayDie(() => this.#stream.receive(up))
    }
  }

  /** Bytes leave the container; it may die over them. */
  #leave(bytes: Uint8Array): void {
    const [death = Number.POSITIVE_INFINITY] = this.#deaths
    const passed = bytes.subarray(0, death)
    this.written += passed.length
    this.#output.push(passed)
    try {
      this.#toClient(this.#relay.fromLeg(passed.slice()))
      if (this.#relay.failure !== undefined) throw new Error(this.#relay.failure)
    } catch (error) {
      // Whoever writes may catch it and say something else.
      this.#fault ??= error
    }
    if (death > bytes.length) {
      if (this.#deaths.length > 0) this.#deaths[0] = death - bytes.length
      return
    }
    this.#deaths.shift()
    this.crashes++
    throw new Death()
  }

  #legEnds(): void {
    if (this.end !== undefined) return
    this.#writeDown()
    const end = this.#relay.legEnded()
    switch (end.kind) {
      case 'goodbye':
        this.end ??= 'closed'
        return
      case 'broken':
      case 'lost':
        this.end = 'lost'
        return
      case 'anew':
        this.#fresh(end.inbound)
        return
      case 'takeOver': {
        const { checkpoint, records, retained } = end.from
        const { sealed, generation, received } = checkpoint
        const takeOver = { checkpoint: sealed, generation, received, records, retained }
        const session = { sessionId: SESSION_ID, generation: generation + 1 }
        const recovered = recover(this.#keys.checkpoints, takeOver, session)
        if (recovered === undefined) throw new Error('a checkpoint that nobody can open')
        const { envelope, recovery } = recovered
        this.#begin(stream => new Connection(this.#host(), envelope, stream, recovery))
      }
    }
  }

  /** Notes which records have left the container that is dead now. */
  #writeDown(): void {
    const bytes = concat(...this.#output)
    this.#output = []
    for (let at = 0; at + HEADER_LENGTH < bytes.length; ) {
      const length = (bytes[at + 3]! << 8) | bytes[at + 4]!
      const fragment = bytes.subarray(at + HEADER_LENGTH, at + HEADER_LENGTH + length)
      if (bytes[at] === 23) {
        const sealed = this.ledger.find(fragment)
        if (sealed === undefined) throw new Error('a record that nobody has sealed')
        this.left.push({ sealed, whole: fragment.length === length })
      } else if (bytes[at] !== LEG_CONTENT_TYPE && bytes[at]! > 23)
        throw new Error(`a record of type ${bytes[at]}`)
      at += HEADER_LENGTH + length
    }
  }

  #toClient(pieces: readonly Uint8Array[]): void {
    for (const event of this.#client.receive(concat(...pieces))) {
      if (event.type === 'alert') {
        // Genuine: it opened under the right key and number, and it is what a successor says of a response
        // that was cut.
        expect([event.from, event.alert]).toEqual(['peer', 'internal_error'])
        this.fates.push('cut')
        this.end = 'alert'
      }
      if (event.type !== 'application_data') continue
      for (const one of this.#http.receive(event.data)) {
        if (one.type === 'error') throw new Error(one.reason)
        if (one.type === 'response') this.#status = one.status
        if (one.type !== 'end') continue
        expect([200, 503]).toContain(this.#status)
        this.fates.push(this.#status === 200 ? 'answered' : 'interrupted')
      }
    }
  }

  /**
   * At most one record of a dead container shares its nonce with one that follows, which is a KeyUpdate; the
   * client has seen only that.
   */
  checkNonces(): void {
    this.#writeDown()
    const byNonce = new Map<string, { readonly sealed: Sealed; readonly whole: boolean }[]>()
    for (const one of this.left) {
      const name = `${one.sealed.key} ${one.sealed.nonce}`
      byNonce.set(name, [...(byNonce.get(name) ?? []), one])
    }
    for (const all of byNonce.values()) {
      const different = new Set(all.map(({ sealed }) => sealed))
      if (different.size === 1) continue
      // In the order in which they left: all but the first are KeyUpdates.
      for (const { sealed } of all.slice(1)) expect(sealed.plaintext).toEqual(KEY_UPDATE)
    }
    // Checkpoints have keys of their own; they obey the simple rule.
    const all = new Map<string, number>()
    const tls = new Set(this.left.map(({ sealed }) => sealed.key))
    for (const { key, nonce } of this.ledger.entries) {
      if (tls.has(key)) continue
      const name = `${key} ${nonce}`
      all.set(name, (all.get(name) ?? 0) + 1)
    }
    for (const [name, times] of all) expect(times, name).toBe(1)
  }

  /** Nothing is answered twice, lost without a word, or begun more often than its method allows. */
  checkFates(): void {
    if (this.end === 'closed') expect(this.fates.length).toBe(this.#asked)
    else expect(this.fates.length).toBeLessThanOrEqual(this.#asked)
    for (const [path, times] of this.begun)
      expect(times, path).toBeLessThanOrEqual(this.once.has(path) ? 1 : 2)
  }
}

function survive(...deaths: readonly number[]): World {
  const world = new World(deaths)
  world.run()
  world.checkNonces()
  world.checkFates()
  return world
}

describe('a container dies after any number of bytes that have left it', () => {
  const whole = survive()

  it('and without that, everything is answered', () => {
    expect(whole.end).toBe('closed')
    expect(whole.fates).toEqual(Array(9).fill('answered'))
  })

  it('once: its client is answered in the same session, told, or was still in its handshake', () => {
    const ends = { closed: 0, alert: 0, lost: 0 }
    let lastLost = 0
    // The large response is looked at here and there.
    for (let at = 1; at < whole.written; at += EVERY_BYTE ? 1 : at < 6000 ? 13 : 2999) {
      const world = survive(at)
      expect(world.crashes).toBe(1)
      ends[world.end!]++
      if (world.end === 'lost') lastLost = at
    }
    expect(Math.min(ends.closed, ends.alert, ends.lost)).toBeGreaterThan(0)
    // Two records of the server's flight, and nothing later, can be lost.
    expect(lastLost).toBeLessThan(1500)
  })

  it('twice and more often, at random', () => {
    const random = seeded(4)
    const ends = { closed: 0, alert: 0, lost: 0 }
    for (let round = 0; round < (LONG ? 2000 : 150); round++) {
      const deaths = Array.from({ length: 2 + below(random, 3) }, () => 1 + below(random, 4000))
      const world = survive(...deaths)
      ends[world.end!]++
    }
    expect(ends.closed).toBeGreaterThan(0)
  }, 600_000)
})
