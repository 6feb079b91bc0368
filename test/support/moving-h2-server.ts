import { CARRIED_BYTES } from '../../src/containers/move/policy.ts'
import type { Exceeded } from '../../src/http/h2/error.ts'
import type { H2Event } from '../../src/http/h2/event.ts'
import { DEFAULT_H2_LIMITS, type H2Limits } from '../../src/http/h2/limits.ts'
import { type H2ResponseHead, H2Server as Real } from '../../src/http/h2/server.ts'
import { type H2State, h2State } from '../../src/http/h2/state.ts'
import type { Field } from '../../src/http/message.ts'
import { decode, encode } from '../../src/wire/index.ts'

/**
 * In the place of `H2Server` where the suite runs through moves, as `moving-session.ts` is in that of
 * `Session`.
 */
export class H2Server implements Pick<Real, keyof Real> {
  /** How often any of them has moved. */
  static moves = 0
  #real: Real
  readonly #limits: H2Limits
  readonly #exceeded: Exceeded | undefined
  /** Streams whose requests were announced to the owner, who does not expect to hear of them again. */
  readonly #announced = new Set<number>()
  /** Events that the owner has not pulled yet: they are not part of the state. */
  #events: H2Event[] = []

  constructor(limits: H2Limits = DEFAULT_H2_LIMITS, state?: H2State, exceeded?: Exceeded) {
    this.#limits = limits
    this.#exceeded = exceeded
    this.#real = new Real(limits, state, exceeded)
  }

  #move(): void {
    // As in a container: with more than that the client has to take some first.
    if (this.#real.unsent > CARRIED_BYTES) return
    let state: H2State
    try {
      state = this.#real.export()
    } catch (error) {
      // With events to be pulled, and after the end, there is nothing to be moved.
      if (error instanceof Error && /^(pull all events|the connection is over)/.test(error.message)) return
      throw error
    }
    H2Server.moves++
    const bytes = encode(h2State, state)
    this.#real = new Real(this.#limits, decode(h2State, bytes), this.#exceeded)
    const again = state.streams.filter(({ announced }) => announced !== undefined)
    for (const { id } of again) {
      const event = this.#real.next()
      if (event?.type !== 'request' || event.streamId !== id) throw new Error('a request was lost on the way')
      if (!this.#announced.has(id)) this.#events.push(event)
    }
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
  next(): H2Event | undefined {
    this.#move()
    const event = this.#events.shift() ?? this.#real.next()
    if (event?.type === 'request') this.#announced.add(event.streamId)
    this.#move()
    return event
  }
  takeOutput(): Uint8Array {
    return this.#do(real => real.takeOutput())
  }
  consume(streamId: number, count: number): void {
    this.#do(real => real.consume(streamId, count))
  }
  reset(streamId: number, code?: number): void {
    this.#do(real => real.reset(streamId, code))
  }
  tick(elapsed: number): void {
    this.#do(real => real.tick(elapsed))
  }
  get openStreams(): number {
    return this.#do(real => real.openStreams)
  }
  get quiescent(): boolean {
    return this.#do(real => real.quiescent) && this.#events.length === 0
  }
  get reporting(): boolean {
    return this.#events.length > 0 || this.#do(real => real.reporting)
  }
  get shouldClose(): boolean {
    return this.#do(real => real.shouldClose)
  }
  get unsent(): number {
    return this.#do(real => real.unsent)
  }
  get untaken(): number {
    return this.#do(real => real.untaken)
  }
  get held(): number {
    return this.#do(real => real.held)
  }
  withheld(streamId: number): number {
    return this.#do(real => real.withheld(streamId))
  }
  shed(most: number): number[] {
    return this.#do(real => real.shed(most))
  }
  calm(reason: string): void {
    this.#do(real => real.calm(reason))
  }
  answerable(streamId: number): boolean {
    return this.#do(real => real.answerable(streamId))
  }
  accept(streamId: number): void {
    this.#do(real => real.accept(streamId))
    this.#announced.delete(streamId)
  }
  withdraw(...withdrawn: Parameters<Real['withdraw']>): void {
    // Only those who restore it are told of the request anew.
    this.#announced.add(withdrawn[0].streamId)
    this.#do(real => real.withdraw(...withdrawn))
  }
  /** Asked when there are no events: then what has been looked at last is looked at again, and gives none. */
  get input(): Real['input'] {
    this.#move()
    const event = this.#real.next()
    if (event !== undefined) this.#events.push(event)
    return this.#real.input
  }
  respond(...response: Parameters<Real['respond']>): void {
    this.#do(real => real.respond(...response))
  }
  write(streamId: number, data: Uint8Array): number {
    return this.#do(real => real.write(streamId, data))
  }
  end(streamId: number, trailers?: readonly Field[]): void {
    this.#do(real => real.end(streamId, trailers))
  }
  reply(...response: Parameters<Real['reply']>): void {
    this.#do(real => real.reply(...response))
  }
  shutdown(): void {
    this.#do(real => real.shutdown())
  }
  export(): H2State {
    return this.#real.export()
  }
}
export type { H2ResponseHead }
