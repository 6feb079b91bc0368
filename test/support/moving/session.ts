import type { ClientConfig, ServerConfig } from '../../../src/tls13/config.ts'
import { Session as Real } from '../../../src/tls13/session.ts'
import { SessionState } from '../../../src/tls13/state.ts'
import { decode, encode } from '../../../src/wire/index.ts'
import { Moving, movesLike } from './moving.ts'

class MovingSession extends Moving<Real> {
  /** Moves so far, in this process. */
  static moves = 0
  readonly #config: ServerConfig | ClientConfig
  #released = false

  constructor(real: Real, config: ServerConfig | ClientConfig) {
    super()
    this.real = real
    this.#config = config
  }

  static client(config: ClientConfig): MovingSession {
    return new MovingSession(Real.client(config), config)
  }

  static server(config: ServerConfig): MovingSession {
    return new MovingSession(Real.server(config), config)
  }

  static restore(...from: Parameters<typeof Real.restore>): MovingSession {
    return new MovingSession(Real.restore(...from), from[1])
  }

  /**
   * Not while a question is open, which would be asked again, nor while events wait, which are no part of the
   * state.
   */
  protected override move(): void {
    if (this.#released || this.real.waiting) return
    let state: SessionState
    try {
      state = this.real.release()
    } catch (error) {
      if (/pending events/.test((error as Error).message)) return
      throw error
    }
    const { trifles } = this.real
    this.real = Real.restore(decode(SessionState, encode(SessionState, state)), this.#config, trifles)
    MovingSession.moves++
  }

  /** A copy: what it lies in is wiped by the move that follows. */
  snapshot(): SessionState {
    return this.around(real => decode(SessionState, encode(SessionState, real.snapshot())))
  }

  /** What is lent stays where it is. */
  release(lends = false): SessionState {
    this.move()
    const state = this.real.release(lends)
    this.#released = true
    return state
  }

  takeBack(...last: Parameters<Real['takeBack']>): void {
    this.real.takeBack(...last)
    this.#released = false
    this.move()
  }

  forget(): void {
    this.#released = true
    this.real.forget()
  }
}

/** In the place of `Session` where the suite runs through moves. */
export const Session = movesLike(MovingSession, Real)
