import { expect } from 'vitest'
import type { Connection } from '../../../src/containers/connection/connection.ts'
import { KeyRing } from '../../../src/containers/process/key-ring.ts'
import { H1Client } from '../../../src/http/h1/index.ts'
import type { RequestView, ResponseView } from '../../../src/http/message.ts'
import { ContentType } from '../../../src/tls13/codepoints.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { Session, type SessionEvent } from '../../../src/tls13/index.ts'
import { LEG_CONTENT_TYPE } from '../../../src/transfer/leg.ts'
import { concat, EMPTY } from '../../../src/wire/index.ts'
import { FakeHost, FakeStream } from '../../support/connection-scene.ts'
import { DeadlyStream, Death, NEVER } from '../../support/deadly-stream.ts'
import { NonceLedger, type Sealed } from '../../support/nonce-ledger.ts'
import { clientConfig, ticketSealer } from '../../support/pair.ts'

export const EVERY_BYTE: boolean = process.env.HOTPOTATO_EVERY_BYTE === '1'
/** Milliseconds for a test of every byte, on a machine that does other things too. */
export const LONGEST = 3_600_000
export const LONG: boolean = process.env.HOTPOTATO_LONG === '1'
export const SESSION_ID: Uint8Array = new Uint8Array(16).fill(5)
/** Bytes in front of a record's fragment (RFC 8446 §5.2). */
const HEADER = 5
/** The type of records that are protected. */
const PROTECTED = 23

/** After which byte a request is cut, whose rest comes with the step `rest`; below 0: from its end. */
const CUTS = { half: 70, head: 30, body: -10 } as const

/** What the client does. */
export type Step =
  | 'get'
  | 'post'
  | 'keys'
  | 'keys and get'
  | 'pipeline'
  | 'large'
  | 'rest'
  | keyof typeof CUTS

/**
 * A client, and containers that die after so many bytes have left them: everything is real but sockets and
 * processes. What stands between the two, and who goes on, is for those that extend it.
 */
export abstract class CrashWorld {
  readonly ledger = new NonceLedger(node)
  /** TLS records that have left a container, whole or in part, in that order. */
  readonly left: Sealed[] = []
  /** How often a request of that path was begun. */
  readonly begun = new Map<string, number>()
  /** Paths of requests that may have effects. */
  readonly posted = new Set<string>()
  /** Bytes that have left containers. */
  written = 0
  /** How many bytes that were after each whole write. */
  readonly writeEnds = new Set<number>()
  crashes = 0
  /** Requests that the client has made. */
  asked = 0
  end: 'closed' | 'alert' | 'lost' | undefined
  protected readonly keys: KeyRing
  protected readonly client: Session
  protected stream = new FakeStream()
  readonly #http = new H1Client()
  readonly #deaths: number[]
  #fault: unknown
  #status = 0
  #rest: Uint8Array = EMPTY
  /** What has left the container at hand, to be cut into records. */
  #output: Uint8Array[] = []

  /** @param deaths after how many bytes from containers, counted from the last death, one dies */
  constructor(deaths: readonly number[]) {
    this.#deaths = [...deaths]
    const { provider } = this.ledger
    this.keys = new KeyRing(provider, { rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 })
    this.client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
  }

  /** Bytes that have left a container, on their way to the client. */
  protected abstract toClient(bytes: Uint8Array): void
  /** Bytes on their way from the client, before a container gets them. */
  protected abstract fromClient(bytes: Uint8Array): void
  /** The container at hand is no more. */
  protected abstract died(): void
  /** An alert has reached the client. */
  protected abstract alerted(event: Extract<SessionEvent, { type: 'alert' }>): void
  /** A whole response has reached the client. */
  protected abstract answered(status: number): void

  /** A container, with the keys that all of them share. */
  protected host(): FakeHost {
    const host = new FakeHost(request => this.#answer(request), { timers: NEVER })
    const { provider } = this.ledger
    const tickets = { sealer: ticketSealer(provider), count: 2 }
    Object.assign(host, { tls: { ...host.tls, provider, alpn: ['http/1.1'], tickets } })
    Object.assign(host, { checkpoints: this.keys.checkpoints })
    return host
  }

  #answer({ path, body, method }: RequestView): ResponseView {
    this.begun.set(path, (this.begun.get(path) ?? 0) + 1)
    if (method === 'POST') this.posted.add(path)
    return {
      status: 200,
      body: path.startsWith('/large') ? new Uint8Array(200_000).fill(7) : `${method} ${path} ${body.length}`,
    }
  }

  /** A container has the connection now. */
  protected begin(connect: (stream: FakeStream) => Connection): void {
    this.stream = new DeadlyStream(bytes => this.#leave(bytes))
    this.#output = []
    this.#mayDie(() => connect(this.stream).start())
  }

  #mayDie(work: () => void): void {
    const { crashes } = this
    try {
      work()
    } catch (error) {
      // Code that caught the death and went on found itself in a process that is no more.
      if (this.crashes === crashes) throw error
    }
    if (this.#fault !== undefined) throw this.#fault
    if (this.crashes > crashes) this.died()
  }

  #request(method: string, body?: Uint8Array, name = 'r'): Uint8Array {
    const target = `/${name}${this.asked++}`
    return this.#http.request({ method, target, headers: [['host', 'echo.local']] }, body)
  }

  protected take(step: Step): void {
    const { client } = this
    if (step === 'get') client.send(this.#request('GET'))
    if (step === 'post') client.send(this.#request('POST', new Uint8Array(300)))
    if (step.startsWith('keys')) client.updateKeys(true)
    if (step === 'keys and get') client.send(this.#request('GET'))
    if (step === 'large') client.send(this.#request('GET', undefined, 'large'))
    if (step === 'rest') client.send(this.#rest)
    if (step === 'pipeline') {
      const post = ['POST', new Uint8Array(9)] as const
      client.send(concat(this.#request('GET'), this.#request(...post), this.#request('GET')))
    }
    if (step === 'half' || step === 'head' || step === 'body') {
      const bytes = this.#request('PUT', new Uint8Array(200))
      this.#rest = bytes.slice(CUTS[step])
      client.send(bytes.slice(0, CUTS[step]))
    }
  }

  /** The container at hand has ended its stream. */
  protected finished(): void {
    this.died()
  }

  /** Carries bytes to and fro until none are left. */
  protected settle(): void {
    while (this.end === undefined) {
      if (this.stream.finished) {
        this.finished()
        return
      }
      const up = concat(...this.client.takeOutput())
      if (up.length === 0) return
      this.fromClient(up)
      this.#mayDie(() => this.stream.receive(up))
    }
  }

  /** Bytes leave the container; it may die over them. */
  #leave(bytes: Uint8Array): void {
    const [death = Number.POSITIVE_INFINITY] = this.#deaths
    const passed = bytes.subarray(0, death)
    this.written += passed.length
    this.#output.push(passed)
    try {
      this.toClient(passed.slice())
    } catch (error) {
      // The code that writes may catch it and say something else.
      this.#fault ??= error
    }
    if (passed.length === bytes.length) this.writeEnds.add(this.written)
    if (death > bytes.length) {
      if (this.#deaths.length > 0) this.#deaths[0] = death - bytes.length
      return
    }
    this.#deaths.shift()
    this.crashes++
    throw new Death()
  }

  /** What the client makes of bytes. */
  protected hear(bytes: Uint8Array): void {
    for (const event of this.client.receive(bytes)) {
      if (event.type === 'alert') this.alerted(event)
      if (event.type !== 'application_data') continue
      for (const one of this.#http.receive(event.data)) {
        if (one.type === 'error') throw new Error(one.reason)
        if (one.type === 'response') this.#status = one.status
        if (one.type === 'end') this.answered(this.#status)
      }
    }
  }

  /** Notes which records have left the container that is dead now. */
  protected writeDown(): void {
    const bytes = concat(...this.#output)
    this.#output = []
    for (let at = 0; at + HEADER < bytes.length; ) {
      const length = (bytes[at + 3]! << 8) | bytes[at + 4]!
      if (bytes[at] === PROTECTED) {
        const sealed = this.ledger.find(bytes.subarray(at + HEADER, at + HEADER + length))
        if (sealed === undefined) throw new Error('a record that was never sealed')
        this.left.push(sealed)
      } else if (bytes[at] !== LEG_CONTENT_TYPE && bytes[at]! > PROTECTED)
        throw new Error(`a record of type ${bytes[at]}`)
      at += HEADER + length
    }
  }

  /**
   * Different records that have left a container, whole or in part, under one key with one nonce; each time
   * in the order in which they left. Checkpoints have keys of their own, and never share a nonce.
   */
  sharedNonces(): Sealed[][] {
    this.writeDown()
    const byNonce = new Map<string, Sealed[]>()
    for (const one of this.left) {
      const name = `${one.key} ${one.nonce}`
      byNonce.set(name, [...(byNonce.get(name) ?? []), one])
    }
    const times = new Map<string, number>()
    const tls = new Set(this.left.map(({ key }) => key))
    for (const { key, nonce, plaintext } of this.ledger.entries) {
      // A process that is dead here catches its own death, and seals an alert that never leaves it.
      if (plaintext.length === 3 && plaintext[2] === ContentType.alert) continue
      const name = `${key} ${nonce}`
      if (!tls.has(key)) times.set(name, (times.get(name) ?? 0) + 1)
    }
    for (const [name, count] of times) expect(count, name).toBe(1)
    return [...byNonce.values()].filter(all => new Set(all).size > 1)
  }
}
