import type { Clock, Timer } from '../time/clock.ts'

/** Milliseconds in which what containers say is collected before all processes hear of it. */
const DELAY = 50

/** The connections of one container, by the id of its process. */
export interface Load {
  readonly id: number
  readonly connections: number
}

/** How many connections containers have, as they said last; the other processes are told what is new. */
export class Loads {
  readonly #clock: Clock
  readonly #tell: (loads: readonly Load[]) => void
  /** By id of the process. */
  readonly #known = new Map<number, number>()
  readonly #news = new Set<number>()
  #telling: Timer | undefined

  /** @param tell is given what has come in since it was called last */
  constructor(clock: Clock, tell: (loads: readonly Load[]) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  heard(id: number, connections: number): void {
    this.#known.set(id, connections)
    this.#news.add(id)
    this.#telling ??= this.#clock.after(DELAY, () => this.#pass())
  }

  /** 0 for a process that has said nothing yet. */
  of(id: number): number {
    return this.#known.get(id) ?? 0
  }

  forget(id: number): void {
    this.#known.delete(id)
    this.#news.delete(id)
  }

  /** Tells nothing any more. */
  stop(): void {
    this.#telling?.stop()
  }

  #pass(): void {
    this.#telling = undefined
    const loads = [...this.#news].map(id => ({ id, connections: this.of(id) }))
    this.#news.clear()
    this.#tell(loads)
  }
}
