import type { Loop } from '../../src/transport/turn.ts'

/** An event loop that turns when it is told to, with a clock that goes on by each look at it. */
export class StepLoop implements Loop {
  /** Milliseconds between two looks. */
  each = 1
  looks = 0
  #time = 1000
  #callbacks = new Set<() => void>()

  now(): number {
    this.looks++
    this.#time += this.each
    return this.#time
  }

  later(callback: () => void): () => void {
    this.#callbacks.add(callback)
    return () => this.#callbacks.delete(callback)
  }

  /** How many wait for the next turn. */
  get waiting(): number {
    return this.#callbacks.size
  }

  /** Turns once. */
  turn(): void {
    const callbacks = [...this.#callbacks]
    this.#callbacks.clear()
    for (const callback of callbacks) callback()
  }
}
