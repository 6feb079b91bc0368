import type { Said } from './said.ts'

/** What may wait for a pair that the supervisor is making: messages, and bytes for all such pairs. */
const MOST_WAITING = { messages: 1024, bytes: 2 ** 26 }

/** Two processes of two hosts that know each other, and the pair through which the near one speaks. */
export interface Bridge {
  readonly pair: number
  readonly near: number
  /** As {@link FarProcesses} numbers it. */
  readonly far: number
  /** What the far one has said comes in order, although each connection waits for the directory. */
  tail: Promise<void>
}

type Ends = Pick<Bridge, 'near' | 'far'>

/** Which processes of two hosts speak to each other, by which pair, and what waits for one. */
export class Ways {
  readonly #byPair = new Map<number, Bridge>()
  readonly #byEnds = new Map<string, Bridge>()
  readonly #waiting = new Map<string, Said[]>()
  #bytesWaiting = 0
  /** Of processes that live, and do not speak to each other any more. */
  readonly #cut = new Set<string>()

  byPair(pair: number): Bridge | undefined {
    return this.#byPair.get(pair)
  }

  between(ends: Ends): Bridge | undefined {
    return this.#byEnds.get(keyOf(ends))
  }

  /** Those of one process, of this host or of another one. */
  of({ near, far }: Partial<Ends>): Bridge[] {
    return [...this.#byPair.values()].filter(one => one.near === near || one.far === far)
  }

  /** @returns what has waited for it */
  add(bridge: Bridge): readonly Said[] {
    this.#byPair.set(bridge.pair, bridge)
    this.#byEnds.set(keyOf(bridge), bridge)
    return this.#take(keyOf(bridge))
  }

  /** @returns false if it was not there */
  delete(bridge: Bridge): boolean {
    this.#byEnds.delete(keyOf(bridge))
    return this.#byPair.delete(bridge.pair)
  }

  /** The two do not speak to each other any more, as long as they live. */
  cut(ends: Ends): void {
    this.#cut.add(keyOf(ends))
    this.#take(keyOf(ends))
  }

  isCut(ends: Ends): boolean {
    return this.#cut.has(keyOf(ends))
  }

  /** Keeps what is said before the pair is there. @returns false: that is too much, and nothing is kept */
  wait(ends: Ends, said: Said): boolean {
    const key = keyOf(ends)
    const waiting = this.#waiting.get(key) ?? []
    this.#waiting.set(key, waiting)
    waiting.push(said)
    this.#bytesWaiting += said.payload.length
    if (waiting.length <= MOST_WAITING.messages && this.#bytesWaiting <= MOST_WAITING.bytes) return true
    this.#take(key)
    return false
  }

  /** A process is gone: nothing waits for a pair with it. */
  forget({ near, far }: Partial<Ends>): void {
    const isIts = (key: string): boolean =>
      far === undefined ? key.endsWith(`/${near}`) : key.startsWith(`${far}/`)
    for (const key of [...this.#waiting.keys()]) if (isIts(key)) this.#take(key)
    for (const key of this.#cut) if (isIts(key)) this.#cut.delete(key)
  }

  #take(key: string): readonly Said[] {
    const waiting = this.#waiting.get(key) ?? []
    this.#waiting.delete(key)
    for (const { payload } of waiting) this.#bytesWaiting -= payload.length
    return waiting
  }
}

function keyOf({ far, near }: Ends): string {
  return `${far}/${near}`
}
