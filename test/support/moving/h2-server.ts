import { CARRIED_BYTES } from '../../../src/containers/move/policy.ts'
import type { Exceeded } from '../../../src/http/h2/error.ts'
import type { H2Event } from '../../../src/http/h2/event.ts'
import { DEFAULT_H2_LIMITS, type H2Limits } from '../../../src/http/h2/limits.ts'
import { type H2ResponseHead, H2Server as Real } from '../../../src/http/h2/server.ts'
import { type H2State, h2State } from '../../../src/http/h2/state.ts'
import { decode, encode } from '../../../src/wire/index.ts'
import { Moving, movesLike } from './moving.ts'

class MovingH2Server extends Moving<Real> {
  /** How often any of them has moved. */
  static moves = 0
  readonly #limits: H2Limits
  readonly #exceeded: Exceeded | undefined
  /** Streams whose requests were announced to the owner, who does not expect to hear of them again. */
  readonly #announced = new Set<number>()
  /** Events that the owner has not pulled yet: they are not part of the state. */
  #events: H2Event[] = []

  constructor(limits: H2Limits = DEFAULT_H2_LIMITS, state?: H2State, exceeded?: Exceeded) {
    super()
    this.#limits = limits
    this.#exceeded = exceeded
    this.real = new Real(limits, state, exceeded)
  }

  protected override move(): void {
    // As in a container: with more than that the client has to take some first.
    if (this.real.unsent > CARRIED_BYTES) return
    let state: H2State
    try {
      state = this.real.export()
    } catch (error) {
      // With events to be pulled, and after the end, there is nothing to be moved.
      if (error instanceof Error && /^(pull all events|the connection is over)/.test(error.message)) return
      throw error
    }
    MovingH2Server.moves++
    const bytes = encode(h2State, state)
    this.real = new Real(this.#limits, decode(h2State, bytes), this.#exceeded)
    const again = state.streams.filter(({ announced }) => announced !== undefined)
    for (const { id } of again) {
      const event = this.real.next()
      if (event?.type !== 'request' || event.streamId !== id) throw new Error('a request was lost on the way')
      if (!this.#announced.has(id)) this.#events.push(event)
    }
  }

  next(): H2Event | undefined {
    this.move()
    const event = this.#events.shift() ?? this.real.next()
    if (event?.type === 'request') this.#announced.add(event.streamId)
    this.move()
    return event
  }

  accept(streamId: number): void {
    this.around(real => real.accept(streamId))
    this.#announced.delete(streamId)
  }

  withdraw(...withdrawn: Parameters<Real['withdraw']>): void {
    // Only those who restore it are told of the request anew.
    this.#announced.add(withdrawn[0].streamId)
    this.around(real => real.withdraw(...withdrawn))
  }

  get quiescent(): boolean {
    return this.around(real => real.quiescent) && this.#events.length === 0
  }

  get reporting(): boolean {
    return this.#events.length > 0 || this.around(real => real.reporting)
  }

  /** Asked when there are no events: then what has been looked at last is looked at again, and gives none. */
  get input(): Real['input'] {
    this.move()
    const event = this.real.next()
    if (event !== undefined) this.#events.push(event)
    return this.real.input
  }

  export(): H2State {
    return this.real.export()
  }
}

/** In the place of `H2Server` where the suite runs through moves. */
export const H2Server = movesLike(MovingH2Server, Real)
export type { H2ResponseHead }
