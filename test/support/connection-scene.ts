import { Connection } from '../../src/containers/connection/connection.ts'
import type {
  ConnectionHost,
  ConnectionLimits,
  Frozen,
} from '../../src/containers/connection/connection-host.ts'
import { KeyRing } from '../../src/containers/process/key-ring.ts'
import { SlotFiles } from '../../src/containers/survival/slot-files.ts'
import type { FunctionModule } from '../../src/functions/module.ts'
import { H1Client, type H1ClientEvent, type H1Limits } from '../../src/http/h1/index.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/limits.ts'
import { DEFAULT_H2_LIMITS, type H2Limits, noneExceeded } from '../../src/http/h2/index.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import type { RequestView, ResponseView } from '../../src/http/message.ts'
import { DEFAULT_TIMERS, type TimerSettings } from '../../src/http/timers.ts'
import { ownerOfPath } from '../../src/platform/path.ts'
import type { Clock } from '../../src/time/clock.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import type {
  ByteStream,
  Lifted,
  StreamError,
  StreamHandlers,
  StreamState,
} from '../../src/transfer/byte-stream.ts'
import type { Release } from '../../src/transfer/custody.ts'
import { type ApplicationState, decodeEnvelope, encodeEnvelope } from '../../src/transfer/envelope.ts'
import type { LoanAnswer, LoanRequest } from '../../src/transfer/loans/loan.ts'
import { freshHttp } from '../../src/transfer/parcel.ts'
import type { Descriptor } from '../../src/transfer/stream.ts'
import { ENDLESS, type Loop } from '../../src/transport/turn.ts'
import { installGlobals } from '../../src/web/globals.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { serverConfig } from './pair.ts'

// As in every container: otherwise it would depend on what ran before whether a response goes out at once.
installGlobals()

/**
 * As in the real streams, one buffer for all: what is kept without a copy is overwritten by the next read.
 */
const SHARED = new Uint8Array(65_536)

/** A stream without a socket, whose peer and kernel do what the test says. */
export class FakeStream implements ByteStream {
  readonly kind = 'raw'
  readonly remoteAddress = '192.0.2.1'
  state: StreamState = 'open'
  onDrain: (() => void) | undefined
  /** What has left for the peer. */
  sent: Uint8Array[] = []
  /** The kernel takes nothing. */
  blocked = false
  /** The next write finds the connection broken. */
  broken = false
  finished = false
  paused = false
  /** How it was closed; undefined while it is not. */
  closedBy: 'destroy' | 'shutdown' | 'error' | undefined
  #handlers: StreamHandlers | undefined
  #queue: Uint8Array[] = []
  #unread: Uint8Array
  #waiting: { resolve(lifted: Lifted): void; reject(error: Error): void } | undefined

  constructor(unread: Uint8Array = EMPTY) {
    this.#unread = unread
  }

  get queued(): boolean {
    return this.#queue.length > 0
  }

  get unsent(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0)
  }

  read(handlers: StreamHandlers): void {
    this.#handlers = handlers
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.#handOut()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    if (this.state === 'closed') return 'flushed'
    if (this.state !== 'open') throw new Error(`write on a stream that is ${this.state}`)
    if (this.finished) throw new Error('write after end')
    if (this.broken) this.#break('EPIPE')
    else if (this.blocked) this.#queue.push(...chunks.map(chunk => chunk.slice()))
    else this.sent.push(...chunks.map(chunk => chunk.slice()))
    return this.queued ? 'queued' : 'flushed'
  }

  forward(chunks: readonly Uint8Array[]) {
    return this.write(chunks)
  }

  end(): void {
    if (this.state === 'closed') return
    if (this.state !== 'open') throw new Error(`end of a stream that is ${this.state}`)
    this.finished = true
  }

  destroy(): void {
    this.#close('destroy')
  }

  shutdown(): void {
    this.#close('shutdown')
  }

  lift(): Lifted | Promise<Lifted> {
    if (this.state !== 'open') throw new Error(`lift of a stream that is ${this.state}`)
    this.state = 'lifting'
    if (!this.queued) return this.#lifted()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  unlift(): void {
    if (this.state !== 'lifted' && this.state !== 'lifting')
      throw new Error(`unlift of a stream that is ${this.state}`)
    this.state = 'open'
  }

  // From here on: what the test does to it.

  /** Bytes come from the peer. */
  receive(bytes: Uint8Array): void {
    this.#unread = concat(this.#unread, bytes)
    this.#handOut()
  }

  /** The peer ends its side. */
  fin(): void {
    this.#handlers?.end()
  }

  /** The connection breaks. */
  async reset(code = 'ECONNRESET'): Promise<void> {
    this.#break(code)
    await turn()
  }

  /** The kernel takes `bytes` of what waits, or everything; then `onDrain` is called. */
  drain(bytes = Number.POSITIVE_INFINITY): void {
    let left = bytes
    while (left > 0 && this.#queue.length > 0) {
      const [first] = this.#queue as [Uint8Array]
      const count = Math.min(left, first.length)
      this.sent.push(first.slice(0, count))
      if (count === first.length) this.#queue.shift()
      else this.#queue[0] = first.slice(count)
      left -= count
    }
    if (this.queued) return
    this.blocked = false
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) waiting.resolve(this.#lifted())
    else if (this.state === 'open') this.onDrain?.()
  }

  /** What has left since the last time. */
  take(): Uint8Array {
    const sent = concat(...this.sent)
    this.sent = []
    return sent
  }

  #lifted(): Lifted {
    this.state = 'lifted'
    const unread = this.#unread
    this.#unread = EMPTY
    // The fake host keeps the stream itself; only the bytes matter.
    return { descriptor: undefined as never, unread }
  }

  #handOut(): void {
    while (this.#unread.length > 0 && !this.paused && this.state === 'open' && this.#handlers !== undefined) {
      const view = SHARED.subarray(0, Math.min(SHARED.length, this.#unread.length))
      view.set(this.#unread.subarray(0, view.length))
      this.#unread = this.#unread.slice(view.length)
      this.#handlers.bytes(view)
      view.fill(0xaa)
    }
  }

  #break(code: string): void {
    const waiting = this.#waiting
    const handlers = this.#handlers
    this.#close('error')
    const error: StreamError = Object.assign(new Error(code), { code })
    if (waiting !== undefined) waiting.reject(error)
    else queueMicrotask(() => handlers?.error(error))
  }

  #close(how: FakeStream['closedBy'] & string): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.closedBy = how
    this.#handlers = undefined
    this.#waiting?.reject(new Error('the stream was destroyed'))
    this.#waiting = undefined
  }
}

/** A move that a connection has asked for. */
export interface Offer {
  readonly functionName: string
  /** What was frozen, once it is; encoded, because the source wipes it. */
  readonly frozen: Promise<Uint8Array>
  readonly settle: (release: Release) => void
  /** Of upstreams, when that is so. */
  companions: readonly Descriptor[]
}

/** The id of whom everything is offered to. */
export const TARGET = 2

/** A container without channels: it notes what its connections ask for. */
export class FakeHost implements ConnectionHost {
  readonly container = 'echo-1'
  readonly functionName = 'echo'
  readonly environment = {}
  /** What its sessions ask. */
  ask: ConnectionHost['ask'] = question => {
    throw new Error(`a ${question.kind} is asked for`)
  }
  readonly tls: ConnectionHost['tls']
  readonly limits: ConnectionLimits
  module: FunctionModule
  readonly logged: unknown[][] = []
  readonly log = {
    debug: () => {},
    info: () => {},
    warn: (...all: unknown[]) => void this.logged.push(all),
    error: (...all: unknown[]) => void this.logged.push(all),
  }
  readonly offers: Offer[] = []
  readonly loans: {
    functionName: string
    request: LoanRequest
    settle: (answer: LoanAnswer | undefined) => void
  }[] = []
  readonly ends: string[] = []
  readonly checkpoints: ConnectionHost['checkpoints']
  readonly exceeded = noneExceeded()
  readonly memory: MemoryBudget
  readonly slots = new SlotFiles()
  loop: Loop = ENDLESS
  readonly clock: Clock
  /** Functions that have a container. */
  available = new Set(['resize', 'hello'])

  constructor(
    handle: (request: RequestView) => ResponseView | Promise<ResponseView> = nameOfRequest,
    more: {
      readonly timers?: Partial<TimerSettings>
      readonly quietMilliseconds?: number
      readonly http?: Partial<H1Limits>
      readonly http2?: Partial<H2Limits>
      readonly memoryBytes?: number
      readonly clock?: Clock
    } = {},
  ) {
    this.clock = more.clock ?? SYSTEM_CLOCK
    this.memory = new MemoryBudget(more.memoryBytes)
    this.module = { kind: 'raw', file: 'test', handle }
    this.tls = { ...serverConfig(), alpn: ['h2', 'http/1.1'] }
    const { provider } = this.tls
    const spans = { rotationSeconds: 3600, lifetimeSeconds: 7200, now: Date.now }
    this.checkpoints = new KeyRing(provider, spans).checkpoints
    this.limits = {
      timers: { ...DEFAULT_TIMERS, ...more.timers },
      quietMilliseconds: more.quietMilliseconds ?? 50,
      http: { ...DEFAULT_LIMITS, ...more.http },
      http2: { ...DEFAULT_H2_LIMITS, ...more.http2 },
    }
  }

  retries() {
    return 'idempotent' as const
  }

  ownerOf(path: string, host: string | undefined) {
    const byPath = ownerOfPath(path, new Set(['echo', 'resize', 'hello', 'nobody']))
    if (byPath !== undefined || host !== 'hello.local') return byPath
    return { functionName: 'hello', functionPath: path }
  }

  reaches(functionName: string): boolean {
    return this.available.has(functionName)
  }

  lend(functionName: string, request: LoanRequest, settle: (answer: LoanAnswer | undefined) => void): void {
    this.loans.push({ functionName, request, settle })
  }

  offer(
    functionName: string,
    freeze: (warm: boolean) => Frozen | Promise<Frozen>,
    settle: (release: Release) => void,
  ): boolean {
    if (!this.available.has(functionName)) return false
    const result = freeze(false)
    const offered = ({ envelope, offering, companions }: Frozen): Uint8Array => {
      offering(TARGET, envelope.generation)
      offer.companions = companions
      return encodeEnvelope(envelope)
    }
    const offer: Offer = { functionName, settle, companions: [], frozen: Promise.resolve(EMPTY) }
    const frozen = result instanceof Promise ? result.then(offered) : Promise.resolve(offered(result))
    frozen.catch(() => settle({ state: 'ended', reason: 'lost' }))
    this.offers.push(Object.assign(offer, { frozen }))
    return true
  }

  keep(): void {
    throw new Error('nothing here is warm')
  }

  vacate(): void {
    throw new Error('nothing here is warm')
  }

  closed(_connection: Connection, why: string): void {
    this.ends.push(why)
  }

  waitUntil(): void {}
}

function nameOfRequest({ method, path }: RequestView): ResponseView {
  return { status: 200, body: `${method} ${path}` }
}

/** A connection without TLS, as it arrives from a gateway. */
export function freshConnection(host: FakeHost, inbound = '', stream = new FakeStream()) {
  const envelope = freshHttp({
    sessionId: new Uint8Array(16).fill(1),
    idleLeft: host.limits.timers['keep-alive'],
    inbound: utf8(inbound),
  })
  const connection = new Connection(host, envelope, stream)
  connection.start()
  return { connection, stream }
}

/** A connection that arrives from another container. */
export function movedConnection(host: FakeHost, bytes: Uint8Array, stream = new FakeStream()) {
  const connection = new Connection(host, decodeEnvelope(bytes), stream)
  connection.start()
  return { connection, stream }
}

/** Reads the responses to a number of GET requests. */
export function responses(bytes: Uint8Array, count: number, method = 'GET') {
  const client = new H1Client()
  for (let i = 0; i < count; i++) client.request({ method, target: '/', headers: [['host', 'a']] })
  const answers: { status: number; headers: Record<string, string>; body: string }[] = []
  const take = (event: H1ClientEvent): void => {
    if (event.type === 'error') throw new Error(event.reason)
    if (event.type === 'response') {
      const fields = event.headers.map(([name, value]) => [name.toLowerCase(), value] as const)
      answers.push({ status: event.status, headers: Object.fromEntries(fields), body: '' })
    }
    if (event.type === 'body') answers.at(-1)!.body += new TextDecoder().decode(event.data)
  }
  for (const event of client.receive(bytes)) take(event)
  return answers
}

/** What has been received of requests that no container has accepted, over HTTP/1.1. */
export function inboundOf(application: ApplicationState): Uint8Array {
  if (application.protocol !== 'http1') throw new Error(`it speaks ${application.protocol}`)
  return application.inbound
}

export function get(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
}

/** Lets everything happen that waits for its turn. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)))
}

/** A body to be written bit by bit. */
export function openBody() {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>({
    start: one => {
      controller = one
    },
  })
  return { body, controller }
}

/** The release of a connection that another container has refused. */
export const REFUSED = {
  state: 'owned',
  verdict: { outcome: 'refused', reason: 'suite', detail: 'none of these' },
} as const
/** It refuses what it would have taken a moment ago. */
export const STOPS = {
  state: 'owned',
  verdict: { outcome: 'refused', reason: 'draining', detail: 'it is about to stop' },
} as const
