import type { Clock, Timer } from '../../time/clock.ts'
import type { ControlMessage } from '../../transfer/control.ts'
import type { MoveCause, Sight, SightKind } from '../../transfer/messages/sights.ts'

/** Where little happened before, as much is told at once as in so many messages otherwise. */
const BURST = 4

/** Microseconds beyond which they are not told apart. */
const LONGEST = 2 ** 32 - 1

/** A connection, by what tells it from others. */
interface Known {
  readonly sessionId: Uint8Array
  readonly generation: number
}

/** What belongs to a sight of a certain kind. */
interface More {
  readonly cause?: MoveCause
  readonly target?: number | undefined
  /** Milliseconds. */
  readonly prepared?: number
  readonly handed?: number
}

/**
 * What a container tells the supervisor of its connections, as long as that watches. Nothing is noted
 * otherwise.
 */
export class Lookout {
  readonly #clock: Clock
  #timer: Timer | undefined
  #noted: { readonly at: number; readonly sight: Sight }[] = []
  #missed = 0
  /** Sights for which there is room. */
  #room = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether anything is to be noted. */
  get watched(): boolean {
    return this.#timer !== undefined
  }

  /**
   * Tells what has been noted, every so many milliseconds; 0: no more. What waits to be told is told by then.
   * @param most sights of one message on average: it costs no more, however much happens here
   */
  watch(milliseconds: number, most: number, tell: (message: ControlMessage) => void): void {
    this.#timer?.stop()
    this.#room = most * BURST
    if (milliseconds === 0) {
      this.#noted = []
      this.#missed = 0
    }
    const ring = (): void => {
      this.#room = Math.min(this.#room + most, most * BURST)
      this.#tell(tell)
    }
    this.#timer = milliseconds === 0 ? undefined : this.#clock.every(milliseconds, ring).unref()
  }

  /** Milliseconds of a clock for {@link More}; 0 where nothing is noted. */
  now(): number {
    return this.watched ? this.#clock.exact() : 0
  }

  /** Something has become of a connection. */
  note(
    kind: SightKind,
    { sessionId, generation }: Known,
    { cause = 'none', target = 0, prepared = 0, handed = 0 }: More = {},
  ): void {
    if (!this.watched) return
    if (this.#room === 0) {
      this.#missed++
      return
    }
    this.#room--
    const sight = {
      kind,
      cause,
      sessionId: sessionId.slice(),
      generation,
      target,
      ago: 0,
      prepared: micro(prepared),
      handed: micro(handed),
    }
    this.#noted.push({ at: this.#clock.steady(), sight })
  }

  #tell(tell: (message: ControlMessage) => void): void {
    if (this.#noted.length === 0 && this.#missed === 0) return
    const now = this.#clock.steady()
    const sights = this.#noted.map(({ at, sight }) => ({ ...sight, ago: Math.min(now - at, 0xffff) }))
    const missed = this.#missed
    this.#noted = []
    this.#missed = 0
    tell({ kind: 'sights', sights, missed })
  }
}

function micro(milliseconds: number): number {
  return Math.min(LONGEST, Math.max(0, Math.round(milliseconds * 1000)))
}
