/** Connections of one function that are offered to its containers at a time. */
export const WAKING = 256

/**
 * Whose turn it is when many connections wake at once: of each function only so many are on their way, the
 * others wait in the order in which their clients have spoken. Functions do not wait for each other.
 */
export class Wakes<T> {
  readonly #most: number
  readonly #underway = new Map<string, number>()
  readonly #waiting = new Map<string, Set<T>>()

  /** @param most of one function at a time */
  constructor(most = WAKING) {
    this.#most = most
  }

  /** Connections that wait for their turn. */
  get waiting(): number {
    let all = 0
    for (const { size } of this.#waiting.values()) all += size
    return all
  }

  /** @returns whether it is its turn at once; otherwise {@link done} gives it later */
  begin(functionName: string, one: T): boolean {
    const underway = this.#underway.get(functionName) ?? 0
    if (underway < this.#most) {
      this.#underway.set(functionName, underway + 1)
      return true
    }
    const waiting = this.#waiting.get(functionName)
    if (waiting === undefined) this.#waiting.set(functionName, new Set([one]))
    else waiting.add(one)
    return false
  }

  /** It is given up before its turn has come. @returns whether it waited */
  drop(functionName: string, one: T): boolean {
    return this.#waiting.get(functionName)?.delete(one) ?? false
  }

  /** One whose turn it was is through. @returns the next one, whose turn it is now */
  done(functionName: string): T | undefined {
    const waiting = this.#waiting.get(functionName)
    for (const next of waiting ?? []) {
      waiting!.delete(next)
      return next
    }
    this.#waiting.delete(functionName)
    const underway = (this.#underway.get(functionName) ?? 1) - 1
    if (underway > 0) this.#underway.set(functionName, underway)
    else this.#underway.delete(functionName)
    return undefined
  }
}
