import { expect } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { recover } from '../../../src/containers/survival/recovery.ts'
import type { FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import { ContentType } from '../../../src/tls13/codepoints.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { Session } from '../../../src/tls13/index.ts'
import { contradiction } from '../../../src/transfer/consignments/responses.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { LEG_CONTENT_TYPE } from '../../../src/transfer/leg.ts'
import { freshTls } from '../../../src/transfer/parcel.ts'
import { Relay } from '../../../src/transfer/relay.ts'
import { concat, EMPTY } from '../../../src/wire/index.ts'
import { FakeHost, FakeStream, turn } from '../../support/connection-scene.ts'
import { LONG_AFTER, NEVER } from '../../support/deadly-stream.ts'
import { NonceLedger, type Sealed } from '../../support/nonce-ledger.ts'
import { clientConfig } from '../../support/pair.ts'
import { SESSION_ID } from './world.ts'

/** A KeyUpdate that asks for nothing, as the plaintext of a record (RFC 8446 §4.6.3, 5.2). */
const KEY_UPDATE = Uint8Array.of(24, 0, 0, 1, 0, 22)
/** Bytes in front of a record's fragment, and the type of those that are protected (RFC 8446 §5.2). */
const HEADER = 5
const PROTECTED = 23
/** Turns of the event loop in which nothing happens, after which nothing will. */
const STILL = 400

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

/**
 * A client over a leg, and containers that die one after the other in the middle of what their function
 * streams. What the client speaks is for those that extend it.
 */
export abstract class StreamWorld {
  readonly ledger = new NonceLedger(node)
  readonly #keys: KeyRing
  protected readonly client: Session
  readonly #relay = new Relay(EMPTY)
  readonly #module: FakeHost['module']
  readonly #deaths: number[]
  readonly #alpn: string
  #stream!: LegEnd
  /** What has left the container at hand, and all records that have left one. */
  #output: Uint8Array[] = []
  readonly #left: Sealed[] = []
  written = 0
  /** Bytes of the handshake. */
  begun = 0
  end: 'whole' | 'alert' | 'lost' | undefined
  takenOver = 0
  /** What containers have logged. */
  readonly logged: unknown[] = []

  /** @param deaths after how many bytes each container dies */
  constructor(alpn: string, deaths: readonly number[], fetch: FetchHandler['fetch'], resume: ResumeFunction) {
    this.#alpn = alpn
    this.#deaths = [...deaths]
    this.#module = { kind: 'fetch', file: 'test', fetch, resume }
    const { provider } = this.ledger
    this.#keys = new KeyRing(provider, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
    this.client = Session.client(clientConfig({ alpn: [alpn] }))
  }

  /** The client asks for what it wants. */
  protected abstract ask(): void
  /** What has come; it may have something to say then. @returns whether all of it has */
  protected abstract take(data: Uint8Array): boolean
  /** What the client has to say now and again. */
  protected said(): void {}

  async run(): Promise<this> {
    const inbound = concat(...this.client.takeOutput())
    this.#relay.fromClient(inbound)
    const envelope = {
      ...freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound }),
      extensions: writeExtensions({ leg: { received: inbound.length } }),
    }
    this.#begin(stream => new Connection(this.#host(), envelope, stream))
    this.begun = this.written
    this.ask()
    for (let idle = 0; this.end === undefined && idle < STILL; idle++) {
      const before = this.written
      if (this.#stream.dead) this.#died()
      if (this.end !== undefined) break
      this.said()
      const up = concat(...this.client.takeOutput())
      if (up.length > 0) {
        this.#relay.fromClient(up)
        if (!this.#stream.dead) this.#stream.receive(up)
      }
      await turn()
      if (this.written > before) idle = 0
    }
    this.#checkNonces()
    return this
  }

  #host(): FakeHost {
    const host = new FakeHost(undefined, { timers: NEVER })
    const { provider } = this.ledger
    Object.assign(host, { module: this.#module, tls: { ...host.tls, provider, alpn: [this.#alpn] } })
    return Object.assign(host, { checkpoints: this.#keys.checkpoints, logged: this.logged })
  }

  #begin(connect: (stream: LegEnd) => Connection): void {
    const stream: LegEnd = new LegEnd(this.#deaths.shift() ?? Infinity, bytes => this.#hear(bytes, stream))
    this.#stream = stream
    connect(stream).start()
  }

  #died(): void {
    this.#writeDown()
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
    expect(contradiction(envelope.application)).toBeUndefined()
    this.#begin(stream => new Connection(this.#host(), envelope, stream, { recovery }))
  }

  #hear(bytes: Uint8Array, from: LegEnd): void {
    // What a dead one goes on to do in its memory reaches no client.
    if (from !== this.#stream) return
    this.written += bytes.length
    this.#output.push(bytes)
    const passed = this.#relay.fromLeg(bytes)
    expect(this.#relay.failure).toBeUndefined()
    for (const event of this.client.receive(concat(...passed))) {
      if (event.type === 'alert') {
        // Genuine: it opened under the right key and number.
        expect([event.from, event.alert]).toEqual(['peer', 'internal_error'])
        this.end ??= 'alert'
      }
      if (event.type === 'application_data' && this.take(event.data)) this.end ??= 'whole'
    }
  }

  /** Notes which records have left the container that is dead now. */
  #writeDown(): void {
    const bytes = concat(...this.#output)
    this.#output = []
    for (let at = 0; at + HEADER < bytes.length; ) {
      const length = (bytes[at + 3]! << 8) | bytes[at + 4]!
      if (bytes[at] === PROTECTED) {
        const sealed = this.ledger.find(bytes.subarray(at + HEADER, at + HEADER + length))
        if (sealed === undefined) throw new Error('a record that was never sealed')
        this.#left.push(sealed)
      } else if (bytes[at] !== LEG_CONTENT_TYPE && bytes[at]! > PROTECTED)
        throw new Error(`a record of type ${bytes[at]}`)
      at += HEADER + length
    }
  }

  /**
   * Of the records that left a container, whole or in part, at most one that was dropped shares its nonce
   * with one that follows, and that one is a KeyUpdate; checkpoints share none.
   */
  #checkNonces(): void {
    this.#writeDown()
    const byNonce = new Map<string, Set<Sealed>>()
    for (const one of this.#left) {
      const name = `${one.key} ${one.nonce}`
      byNonce.set(name, (byNonce.get(name) ?? new Set()).add(one))
    }
    for (const all of byNonce.values())
      for (const { plaintext } of [...all].slice(1)) expect(plaintext).toEqual(KEY_UPDATE)
    const tls = new Set(this.#left.map(({ key }) => key))
    const times = new Map<string, number>()
    for (const { key, nonce, plaintext } of this.ledger.entries) {
      if (plaintext.length === 3 && plaintext[2] === ContentType.alert) continue
      const name = `${key} ${nonce}`
      if (!tls.has(key)) times.set(name, (times.get(name) ?? 0) + 1)
    }
    for (const [name, count] of times) expect(count, name).toBe(1)
  }
}
