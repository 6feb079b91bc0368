import { DEFAULT_LIMITS, type H1Limits } from '../../src/http/h1/limits.ts'
import type { ResponseHead } from '../../src/http/h1/response-head.ts'
import { type H1Event, H1Server as Real } from '../../src/http/h1/server.ts'
import { type H1State, h1State } from '../../src/http/h1/state.ts'
import type { Field, ResponseView } from '../../src/http/message.ts'
import { decode, encode } from '../../src/wire/index.ts'

/**
 * In the place of `H1Server` where the suite runs through moves, as `moving-session.ts` is in that of
 * `Session`.
 */
export class H1Server implements Pick<Real, keyof Real> {
  #real: Real
  readonly #limits: H1Limits
  /** A request has been announced to the owner, who does not expect to hear of it again. */
  #announced = false

  constructor(limits: H1Limits = DEFAULT_LIMITS, state?: H1State) {
    this.#limits = limits
    this.#real = new Real(limits, state)
  }

  #move(): void {
    if (!this.#real.idle) return
    const state = decode(h1State, encode(h1State, this.#real.export()))
    this.#real = new Real(this.#limits, state)
    if (this.#announced && this.#real.next()?.type !== 'request')
      throw new Error('a request was lost on the way')
  }

  #do<T>(work: (real: Real) => T): T {
    this.#move()
    try {
      return work(this.#real)
    } finally {
      this.#move()
    }
  }

  receive(bytes: Uint8Array): void {
    this.#do(real => real.receive(bytes))
  }
  next(): H1Event | undefined {
    this.#move()
    const event = this.#real.next()
    if (event?.type === 'request') this.#announced = true
    this.#move()
    return event
  }
  accept(): void {
    this.#move()
    this.#real.accept()
    this.#announced = false
  }
  withdraw(content: readonly Uint8Array[]): void {
    this.#do(real => real.withdraw(content))
  }
  continue(): Uint8Array {
    return this.#do(real => real.continue())
  }
  respond(head: ResponseHead, now: number): Uint8Array {
    return this.#do(real => real.respond(head, now))
  }
  write(data: Uint8Array): Uint8Array[] {
    return this.#do(real => real.write(data))
  }
  inform(status: number, headers: readonly Field[]): Uint8Array {
    return this.#do(real => real.inform(status, headers))
  }
  upgrade(headers: readonly Field[]): ReturnType<Real['upgrade']> {
    return this.#do(real => real.upgrade(headers))
  }
  end(trailers?: readonly Field[]): Uint8Array {
    return this.#do(real => real.end(trailers))
  }
  reply(response: ResponseView, now: number): Uint8Array {
    return this.#do(real => real.reply(response, now))
  }
  refuse(response: ResponseView, now: number): Uint8Array {
    return this.#do(real => real.refuse(response, now))
  }
  get shouldClose(): boolean {
    return this.#do(real => real.shouldClose)
  }
  get idle(): boolean {
    return this.#do(real => real.idle)
  }
  get withdrawable(): boolean {
    return this.#do(real => real.withdrawable)
  }
  get answerable(): boolean {
    return this.#do(real => real.answerable)
  }
  get upgraded(): boolean {
    return this.#do(real => real.upgraded)
  }
  get buffered(): number {
    return this.#do(real => real.buffered)
  }
  get requestsServed(): number {
    return this.#do(real => real.requestsServed)
  }
  export(): H1State {
    this.#move()
    return this.#real.export()
  }
}
export type { H1Event }
