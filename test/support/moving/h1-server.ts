import type { H1Event } from '../../../src/http/h1/event.ts'
import { DEFAULT_LIMITS, type H1Limits } from '../../../src/http/h1/limits.ts'
import { H1Server as Real } from '../../../src/http/h1/server.ts'
import { type H1State, h1State } from '../../../src/http/h1/state.ts'
import type { Scheme } from '../../../src/http/origin.ts'
import { decode, encode } from '../../../src/wire/index.ts'
import { Moving, movesLike } from './moving.ts'

class MovingH1Server extends Moving<Real> {
  readonly #limits: H1Limits
  readonly #scheme: Scheme | undefined
  /** A request has been announced to the owner, who does not expect to hear of it again. */
  #announced = false

  constructor(limits: H1Limits = DEFAULT_LIMITS, state?: H1State, scheme?: Scheme) {
    super()
    this.#limits = limits
    this.#scheme = scheme
    this.real = new Real(limits, state, scheme)
  }

  protected override move(): void {
    if (!this.real.idle) return
    const state = decode(h1State, encode(h1State, this.real.export()))
    this.real = new Real(this.#limits, state, this.#scheme)
    if (this.#announced && this.real.next()?.type !== 'request')
      throw new Error('a request was lost on the way')
  }

  next(): H1Event | undefined {
    this.move()
    const event = this.real.next()
    if (event?.type === 'request') this.#announced = true
    this.move()
    return event
  }

  accept(): void {
    this.move()
    this.real.accept()
    this.#announced = false
  }

  left(): void {
    this.#announced = false
    this.real.left()
  }

  /** What lies in the exported state is that of the object that is left. */
  export(reads = false): H1State {
    this.move()
    return this.real.export(reads)
  }
}

/** In the place of `H1Server` where the suite runs through moves. */
export const H1Server = movesLike(MovingH1Server, Real)
