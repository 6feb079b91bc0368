import { describe, expect, it } from 'vitest'
import { Connection } from '../../src/containers/connection/connection.ts'
import { KeyRing } from '../../src/containers/process/key-ring.ts'
import { recover } from '../../src/containers/survival/recovery.ts'
import { H1Client } from '../../src/http/h1/index.ts'
import type { RequestView, ResponseView } from '../../src/http/message.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { writeExtensions } from '../../src/transfer/extensions.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { freshTls } from '../../src/transfer/parcel.ts'
import { SlotFile } from '../../src/transfer/slot-file.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { FakeHost, FakeStream } from '../support/connection-scene.ts'
import { DeadlyStream, Death, LONG_AFTER, NEVER } from '../support/deadly-stream.ts'
import { NonceLedger, type Sealed } from '../support/nonce-ledger.ts'
import { clientConfig, ticketSealer } from '../support/pair.ts'
import { below, seeded } from '../support/random.ts'

const EVERY_BYTE = process.env.HOTPOTATO_EVERY_BYTE === '1'
const LONG = process.env.HOTPOTATO_LONG === '1'
const SESSION_ID = new Uint8Array(16).fill(5)
const GATEWAY = 50
const PLACE = { gateway: GATEWAY, cookie: new Uint8Array(8), slot: 0 }
/** Bytes in front of a record's fragment (RFC 8446 §5.2). */
const HEADER = 5
/** `head` and `body`: a request as far as somewhere in these; its rest comes with the next step. */
const STEPS = ['get', 'keys', 'post', 'keys and get', 'head', 'rest', 'large', 'body', 'rest', 'get'] as const
const IN_A_BODY = STEPS.indexOf('body') + 1

const native = probe()
const libc = native.available ? native.libc : (undefined as never)

/**
 * A client, a kernel that counts, a file of slots, and containers that die: over a write, after so many
 * bytes, or between two steps. Everything is real but sockets and processes.
 */
class World {
  readonly ledger = new NonceLedger(node)
  /** Of TLS records, what has left a container. */
  readonly left: Sealed[] = []
  answered = 0
  written = 0
  crashes = 0
  takenOver = 0
  end: 'closed' | 'lost' | undefined
  readonly begun = new Map<string, number>()
  readonly #file = SlotFile.create(libc, 1)
  readonly #deaths: number[]
  readonly #dieBefore: ReadonlySet<number>
  readonly #keys: KeyRing
  readonly #client: Session
  readonly #http = new H1Client()
  #stream = new FakeStream()
  #asked = 0
  #generation = 0
  #rest: Uint8Array = EMPTY
  #counts = { read: 0, written: 0 }
  /** How many bytes there were after each whole write. */
  readonly writeEnds = new Set<number>()
  #output: Uint8Array[] = []

  /**
   * @param deaths after how many bytes from containers, counted from the last death, one dies
   * @param dieBefore the steps before which one dies
   */
  constructor(deaths: readonly number[], dieBefore: readonly number[]) {
    this.#deaths = [...deaths]
    this.#dieBefore = new Set(dieBefore)
    const { provider } = this.ledger
    this.#keys = new KeyRing(provider, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
    this.#client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
  }

  run(): void {
    const extensions = writeExtensions({ slot: { ...PLACE, sequence: 0, received: 0, sent: 0 } })
    const fresh = freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound: EMPTY })
    this.#begin(stream => new Connection(this.#host(), { ...fresh, extensions }, stream))
    this.#settle()
    STEPS.forEach((step, index) => {
      if (this.end !== undefined) return
      if (this.#dieBefore.has(index)) {
        this.crashes++
        this.#succeed()
      }
      if (this.end === undefined) this.#do(step)
      this.#settle()
    })
    if (this.end === undefined) this.#client.close()
    this.#settle()
    this.#file.close()
  }

  get asked(): number {
    return this.#asked
  }

  #host(): FakeHost {
    const answer = ({ path, method }: RequestView): ResponseView => {
      this.begun.set(path, (this.begun.get(path) ?? 0) + 1)
      return { status: 200, body: path.startsWith('/large') ? new Uint8Array(200_000).fill(7) : method }
    }
    const host = new FakeHost(answer, { timers: NEVER })
    const { provider } = this.ledger
    const tickets = { sealer: ticketSealer(provider), count: 2 }
    Object.assign(host, { tls: { ...host.tls, provider, alpn: ['http/1.1'], tickets } })
    Object.assign(host, { checkpoints: this.#keys.checkpoints })
    host.slots.add(GATEWAY, Descriptor.fromFd(libc.duplicate(this.#file.descriptor.fd)), 1)
    return host
  }

  #begin(connect: (stream: FakeStream) => Connection): void {
    const stream = new DeadlyStream(bytes => this.#leave(bytes))
    this.#stream = stream
    this.#mayDie(() => connect(stream).start())
  }

  #mayDie(work: () => void): void {
    const { crashes } = this
    try {
      work()
    } catch (error) {
      // Whoever caught the death and went on, found itself in a process that is no more.
      if (this.crashes === crashes) throw error
    }
    if (this.crashes > crashes) this.#succeed()
  }

  #request(method: string, body?: Uint8Array, name = 'r'): Uint8Array {
    const target = `/${name}${this.#asked++}`
    return this.#http.request({ method, target, headers: [['host', 'echo.local']] }, body)
  }

  #do(step: (typeof STEPS)[number]): void {
    const client = this.#client
    if (step === 'get') client.send(this.#request('GET'))
    if (step === 'post') client.send(this.#request('POST', new Uint8Array(300)))
    if (step.startsWith('keys')) client.updateKeys(true)
    if (step === 'keys and get') client.send(this.#request('GET'))
    if (step === 'large') client.send(this.#request('GET', undefined, 'large'))
    if (step === 'rest') client.send(this.#rest)
    if (step === 'head' || step === 'body') {
      const bytes = this.#request('PUT', new Uint8Array(200))
      const cut = step === 'head' ? 30 : bytes.length - 10
      this.#rest = bytes.slice(cut)
      client.send(bytes.slice(0, cut))
    }
  }

  /** Carries bytes to and fro until nobody has any. */
  #settle(): void {
    while (this.end === undefined) {
      if (this.#stream.finished) this.end = 'closed'
      const up = concat(...this.#client.takeOutput())
      if (up.length === 0 || this.end !== undefined) return
      this.#counts.read += up.length
      this.#mayDie(() => this.#stream.receive(up))
    }
  }

  /** Bytes leave the container for the kernel; it may die over them. */
  #leave(bytes: Uint8Array): void {
    const [death = Number.POSITIVE_INFINITY] = this.#deaths
    const passed = bytes.subarray(0, death)
    this.written += passed.length
    this.#counts.written += passed.length
    this.#output.push(passed)
    this.#toClient(passed.slice())
    if (passed.length === bytes.length) this.writeEnds.add(this.written)
    if (death > bytes.length) {
      if (this.#deaths.length > 0) this.#deaths[0] = death - bytes.length
      return
    }
    this.#deaths.shift()
    this.crashes++
    throw new Death()
  }

  /** What the gateway does: it asks the kernel, and looks for a checkpoint that says the same. */
  #succeed(): void {
    this.#writeDown()
    const { read, written } = this.#counts
    const found = this.#file
      .checkpoints(0)
      .find(({ checkpoint: { received, sent } }) => received === read && sent === written)
    if (found === undefined) {
      this.end = 'lost'
      return
    }
    const { sealed, generation, received } = found.checkpoint
    this.#generation = Math.max(this.#generation, generation) + 1
    const takeOver = { checkpoint: sealed, generation, received, records: 0, retained: EMPTY }
    const recovered = recover(this.#keys.checkpoints, takeOver, {
      sessionId: SESSION_ID,
      generation: this.#generation,
    })
    if (recovered === undefined) throw new Error('a checkpoint that nobody can open')
    this.takenOver++
    this.#begin(stream => new Connection(this.#host(), recovered.envelope, stream, recovered.recovery))
  }

  /** Notes which records have left the container that is dead now. */
  #writeDown(): void {
    const bytes = concat(...this.#output)
    this.#output = []
    for (let at = 0; at + HEADER < bytes.length; ) {
      const length = (bytes[at + 3]! << 8) | bytes[at + 4]!
      const fragment = bytes.subarray(at + HEADER, at + HEADER + length)
      if (bytes[at] === 23) {
        const sealed = this.ledger.find(fragment)
        if (sealed === undefined) throw new Error('a record that nobody has sealed')
        this.left.push(sealed)
      }
      at += HEADER + length
    }
  }

  #toClient(bytes: Uint8Array): void {
    for (const event of this.#client.receive(bytes)) {
      if (event.type === 'alert') throw event.error
      if (event.type !== 'application_data') continue
      for (const one of this.#http.receive(event.data)) {
        if (one.type === 'error') throw new Error(one.reason)
        if (one.type === 'response') expect(one.status).toBe(200)
        if (one.type === 'end') this.answered++
      }
    }
  }

  /**
   * No two records that have left any process share a nonce, not even in part: here there is no exception.
   */
  checkNonces(): void {
    this.#writeDown()
    const byNonce = new Map<string, Sealed>()
    for (const one of this.left) {
      const name = `${one.key} ${one.nonce}`
      expect(byNonce.get(name) ?? one, name).toBe(one)
      byNonce.set(name, one)
    }
    const times = new Map<string, number>()
    const tls = new Set(this.left.map(({ key }) => key))
    for (const { key, nonce } of this.ledger.entries) {
      if (tls.has(key)) continue
      const name = `${key} ${nonce}`
      times.set(name, (times.get(name) ?? 0) + 1)
    }
    for (const [name, count] of times) expect(count, name).toBe(1)
  }

  /** Nothing is begun twice; what was asked is answered, or the connection has ended. */
  checkFates(): void {
    for (const [path, times] of this.begun) expect(times, path).toBe(1)
    if (this.end === 'closed') expect(this.answered).toBe(this.asked)
    else expect(this.answered).toBeLessThanOrEqual(this.asked)
  }
}

function survive(deaths: readonly number[], dieBefore: readonly number[] = []): World {
  const world = new World(deaths, dieBefore)
  world.run()
  world.checkNonces()
  world.checkFates()
  return world
}

describe.runIf(native.available)('a container dies whose connection has a duplicate', () => {
  it('and without that, everything is answered', () => {
    expect(survive([])).toMatchObject({ end: 'closed', answered: 7, crashes: 0 })
  })

  it('between any two steps: the client notices nothing but new keys, unless half of a content has come', () => {
    STEPS.forEach((step, index) => {
      const world = survive([], [index])
      expect([world.end, world.takenOver], step).toEqual(index === IN_A_BODY ? ['lost', 0] : ['closed', 1])
    })
  })

  it('between all of these: it goes on every time', () => {
    const idle = STEPS.map((_, index) => index).filter(index => index !== IN_A_BODY)
    expect(survive([], idle)).toMatchObject({ end: 'closed', crashes: idle.length, takenOver: idle.length })
  })

  it('over a write, after any number of bytes: it ends, and what was sealed twice has left nobody twice', () => {
    const whole = survive([])
    // Behind the small answers there is one of 200,000 bytes, all alike.
    const within = Array.from({ length: whole.written - 1 }, (_, i) => i + 1).filter(at =>
      at < 6000 ? EVERY_BYTE || at % 83 === 1 : at % (EVERY_BYTE ? 499 : 19_973) === 0,
    )
    const lost = { crashes: 1, takenOver: 0, end: 'lost' }
    for (const at of within.filter(at => !whole.writeEnds.has(at))) expect(survive([at])).toMatchObject(lost)
  })

  it('right behind a write: it is taken over where the checkpoint counts that write, and nowhere else', () => {
    const { writeEnds, written } = survive([])
    const ends = [...writeEnds].filter(at => at < written).map(at => survive([at]))
    const fates = ends.map(({ end, takenOver }) => `${end} ${takenOver}`)
    expect(new Set(fates)).toEqual(new Set(['lost 0', 'closed 1']))
  })

  it('at random, over writes and between them', () => {
    const random = seeded(8)
    let takenOver = 0
    for (let round = 0; round < (LONG ? 2000 : 40); round++) {
      const deaths = below(random, 2) === 0 ? [] : [1 + below(random, 6000)]
      const before = Array.from({ length: 1 + below(random, 4) }, () => below(random, STEPS.length))
      takenOver += survive(deaths, before).takenOver
    }
    expect(takenOver).toBeGreaterThan(20)
  }, 600_000)
})
