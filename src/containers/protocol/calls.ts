import { carried } from '../../http/h1/index.ts'
import type { H2Exchange } from '../../http/h2/exchanges/exchange.ts'
import type { H2Serving } from '../../http/h2/serving.ts'
import type { Http2Passenger } from '../../transfer/consignments/application.ts'
import type { FrozenCall } from '../../transfer/envelope.ts'
import { concat } from '../../wire/index.ts'
import type { Rates } from '../connection/rates.ts'
import { Tunnel } from '../socket/tunnel.ts'
import { type Leaving, unreadOf } from '../upstream/upstreams.ts'
import { FunctionCall } from './function-call.ts'
import { bytesOf } from './passenger.ts'

/** Milliseconds for which what is served stands still for the sake of what does not. */
const PATIENCE = 250
/** Milliseconds for which it goes on then, before it stands still again. */
const RESPITE = 1000

type ServingPart = Pick<H2Serving, 'exchanges' | 'withdraw' | 'leave'>

/** What the container has to know of the requests that are being served on one connection's streams. */
export class Calls {
  readonly #serving: ServingPart
  readonly #left: Http2Passenger[] = []
  /** Responses of upstreams that go along with them. */
  readonly upstreams: Leaving[] = []
  /** Those that {@link withdraw} has taken out. */
  readonly #leaving: (FunctionCall | Tunnel)[] = []
  /** They have gone along, or are about to. */
  #withdrawn = false
  /** When they began to stand still. */
  #since: number | undefined
  /** One of them has kept all others waiting for too long: by its name, and until when they go on. */
  #slow: { readonly name: string; readonly until: number } | undefined

  constructor(serving: ServingPart) {
    this.#serving = serving
  }

  get #exchanges(): Iterable<H2Exchange> {
    return this.#serving.exchanges.values()
  }

  get #tunnels(): Tunnel[] {
    return [...this.#exchanges].map(({ sink }) => sink).filter(sink => sink instanceof Tunnel)
  }

  get size(): number {
    return this.#serving.exchanges.size
  }

  /** Whether {@link withdraw} has been called. */
  get withdrawn(): boolean {
    return this.#withdrawn
  }

  /** The first of them that cannot go elsewhere, or not soon, by its name. */
  get stays(): string | undefined {
    for (const { sink } of this.#exchanges) {
      const name = sink instanceof FunctionCall || sink instanceof Tunnel ? sink.stays : undefined
      if (name !== undefined) return name
    }
    return this.#slow?.name
  }

  /** A whole request is with a function. */
  get working(): boolean {
    for (const { whole, sink } of this.#exchanges) if (whole && !(sink instanceof Tunnel)) return true
    return false
  }

  /** The first WebSocket that cannot go elsewhere, by its name. */
  get rooted(): string | undefined {
    return this.#tunnels.find(({ stays }) => stays !== undefined)?.stays
  }

  /** Something else is served than WebSockets, which ask by themselves whether their clients are there. */
  get timed(): boolean {
    for (const { sink } of this.#exchanges) if (!(sink instanceof Tunnel)) return true
    return false
  }

  /** Something is waited for: a response, or what a function does with a message. */
  get watched(): boolean {
    for (const { sink } of this.#exchanges) if (!(sink instanceof Tunnel) || sink.working) return true
    return false
  }

  /**
   * Bytes of content that go along, of requests that no function has begun with and of what stands still;
   * undefined if there is something else.
   */
  get portable(): number | undefined {
    let bytes = 0
    const sockets: Tunnel[] = []
    for (const { sink, unsent } of this.#exchanges) {
      for (const { length } of unsent) bytes += length
      if (sink instanceof Tunnel) {
        sockets.push(sink)
        continue
      }
      if (!(sink instanceof FunctionCall)) return undefined
      const weight = sink.still ?? (sink.started || sink.bodyEnded ? undefined : sink.unread)
      if (weight === undefined) return undefined
      bytes += weight
    }
    // Their functions are asked, so they come last.
    for (const { still } of sockets) {
      if (still === undefined) return undefined
      bytes += still
    }
    return bytes
  }

  /** Connections to upstreams that may have to go along. */
  get companions(): number {
    let companions = 0
    for (const { sink } of this.#exchanges) if (sink instanceof FunctionCall) companions += sink.upstreams
    return companions
  }

  /**
   * Whether there are responses from which another container could go on, and nothing else but some that have
   * yet to begin.
   */
  get coverable(): boolean {
    let some = false
    for (const { sink } of this.#exchanges) {
      const coverable = sink instanceof FunctionCall ? sink.coverable : false
      if (coverable === false) return false
      some ||= coverable === true
    }
    return some
  }

  /** Whether there is one that is served and has not begun to answer, as far as that is known. */
  get pending(): boolean {
    for (const { sink } of this.#exchanges) {
      if (sink instanceof Tunnel) continue
      if (!(sink instanceof FunctionCall) || sink.coverable === undefined) return true
    }
    return false
  }

  /** Has functions' pieces given out that wait for others; to be called in a turn of its own. */
  gather(): void {
    for (const { sink } of [...this.#exchanges]) if (sink instanceof FunctionCall) sink.gather()
  }

  /**
   * Where all of it stands, to be asked behind {@link gather}. @param most bytes that it may have @returns
   * undefined if one cannot say it, or they are too many
   */
  standing(most: number): readonly Http2Passenger[] | undefined {
    const standing: Http2Passenger[] = []
    let bytes = 0
    for (const exchange of this.#exchanges) {
      const { announced, index, head, sink } = exchange
      const call = sink instanceof FunctionCall ? sink.standing : undefined
      if (call === undefined) return undefined
      const frozen = { kind: 'response', call: behind(exchange, call) } as const
      bytes += bytesOf(frozen)
      if (bytes > most) return undefined
      standing.push({ streamId: announced.streamId, index, request: carried(head), frozen })
    }
    return standing
  }

  /** What is left of all that went along with {@link withdraw}. */
  get left(): readonly Http2Passenger[] {
    return this.#left
  }

  /** Bytes of them, and of those that are to go on here. @param resuming from elsewhere */
  held(resuming: readonly Http2Passenger[]): number {
    let bytes = unreadOf(this.upstreams)
    for (const { frozen } of this.#left) bytes += bytesOf(frozen)
    for (const { frozen } of resuming) bytes += bytesOf(frozen)
    return bytes
  }

  /** What became of all that went along. @param goesOn it does, elsewhere or here */
  settled(goesOn: boolean): void {
    for (const one of this.#leaving.splice(0)) one.settled(goesOn)
  }

  /**
   * All that is served stops between two pieces or two messages, if all of it can go elsewhere; otherwise
   * none stands still because of another one, or not for long.
   * @param most bytes that may go along @param socketsAlone what else there is comes to its end first
   * @param then called when one has stopped @returns when to ask again, if at a certain time
   */
  freezeSoon(most: number, now: number, socketsAlone: boolean, then: () => void): number | undefined {
    let bytes = 0
    for (const { sink, unsent } of this.#exchanges) {
      bytes += (sink instanceof FunctionCall || sink instanceof Tunnel ? sink.left : undefined) ?? Infinity
      for (const { length } of unsent) bytes += length
    }
    if (this.#slow !== undefined && now >= this.#slow.until) this.#slow = undefined
    if (this.#slow !== undefined) return this.#slow.until
    if (bytes > most && !socketsAlone) {
      this.thaw()
      return undefined
    }
    this.#since ??= now
    const late = now - this.#since >= PATIENCE ? this.#late : undefined
    if (late !== undefined) {
      this.#slow = { name: late, until: now + RESPITE }
      this.thaw()
      return this.#slow.until
    }
    for (const { sink } of this.#exchanges) {
      if (sink instanceof Tunnel) sink.hold()
      else if (sink instanceof FunctionCall && !socketsAlone) sink.freezeSoon(then)
    }
    const until = this.#since + PATIENCE
    return this.size === 0 || now >= until ? undefined : until
  }

  /** The first of them that does not stand still. */
  get #late(): string | undefined {
    for (const { sink } of this.#exchanges) {
      if (sink instanceof FunctionCall && sink.started && sink.still === undefined) return sink.name
      if (sink instanceof Tunnel && sink.working) return sink.name
    }
    return undefined
  }

  /** They stay here after all. */
  thaw(): void {
    this.#since = undefined
    for (const { sink } of [...this.#exchanges])
      if (sink instanceof FunctionCall || sink instanceof Tunnel) sink.thaw()
  }

  /**
   * Gives all requests back to the connection as they were before they were accepted, and takes out what
   * stands still; see {@link portable}.
   */
  withdraw(rates: Rates, waiting: { has(streamId: number): boolean }): void {
    this.#withdrawn = true
    rates.retain(waiting)
    for (const exchange of [...this.#exchanges]) {
      const { announced, index, head, sink } = exchange
      if (!(sink instanceof FunctionCall) && !(sink instanceof Tunnel)) continue
      const { streamId } = announced
      this.#leaving.push(sink)
      if (sink instanceof FunctionCall && sink.still === undefined) {
        rates.keep({ streamId, left: exchange.patience, counted: sink.unread })
        this.#serving.withdraw(exchange, sink.takeBack())
        continue
      }
      const frozen = sink instanceof Tunnel ? sink.leave() : leaving(exchange, sink)
      if (sink instanceof FunctionCall)
        for (const journey of sink.journeys) this.upstreams.push({ streamId, journey })
      if (frozen?.kind === 'upload') rates.keep({ streamId, left: exchange.patience, counted: 0 })
      if (frozen !== undefined) this.#left.push({ streamId, index, request: carried(head), frozen })
      this.#serving.leave(exchange)
    }
  }

  /** There is no more content for now: functions that can read a stream begin. */
  wait(): void {
    for (const { sink } of this.#exchanges)
      if (sink instanceof FunctionCall || sink instanceof Tunnel) sink.wait()
  }

  /** The container has to go: WebSockets are told. @param rooted only those that cannot go elsewhere */
  drain(rooted: boolean): void {
    for (const tunnel of this.#tunnels) if (!rooted || tunnel.stays !== undefined) tunnel.drain()
  }
}

function leaving(exchange: H2Exchange, sink: FunctionCall): Http2Passenger['frozen'] {
  const frozen = sink.leave()
  return { ...frozen, call: behind(exchange, frozen.call) }
}

/** What is left of a call that stands still, behind what waits for a window of its client. */
function behind({ unsent }: H2Exchange, call: FrozenCall): FrozenCall {
  if (unsent.length === 0) return call
  const content = concat(...unsent, call.content)
  // What waits has been counted, where something counts.
  return { ...call, content, given: Math.max(0, call.given - (content.length - call.content.length)) }
}
