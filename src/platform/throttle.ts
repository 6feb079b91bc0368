/** So many bytes a second, and a few seconds' worth at once. Time is an argument. */
export class Throttle {
  readonly #rate: number
  readonly #most: number
  #left: number
  #since: number

  /**
   * @param rate bytes a second
   * @param burst seconds' worth of them that are there at first
   * @param now milliseconds
   */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate
    this.#most = rate * burst
    this.#left = this.#most
    this.#since = now
  }

  /** Takes so many bytes. @returns milliseconds to wait before more are taken, 0 if there are some left */
  take(bytes: number, now: number): number {
    const earned = (Math.max(0, now - this.#since) / 1000) * this.#rate
    this.#left = Math.min(this.#most, this.#left + earned) - bytes
    this.#since = now
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left / this.#rate) * 1000)
  }
}
