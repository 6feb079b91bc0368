import type { Log } from '../platform/log.ts'
import type { ScaleBounds } from '../stack/spec.ts'
import type { Clock } from '../time/clock.ts'
import type { Replica } from './replica.ts'

/** Milliseconds for which fewer containers must be enough before one of them goes. */
const PATIENCE = 60_000

/** How a function's pool stands. */
export interface Pool {
  /** Containers that are to stay. */
  readonly containers: number
  /** Of all of them. */
  readonly connections: number
}

/**
 * How many containers a function should have, by the connections that it has. It grows at once, and becomes
 * smaller by one at a time: what comes in waves would otherwise be moved to and fro. Time is an argument.
 */
export class Growth {
  #enoughSince: number | undefined

  /** @param target connections that one container is to have at most @param now milliseconds */
  want({ containers, connections }: Pool, { min, max }: ScaleBounds, target: number, now: number): number {
    const needed = Math.min(max, Math.max(min, Math.ceil(connections / target)))
    if (needed >= containers) {
      this.#enoughSince = undefined
      return needed
    }
    this.#enoughSince ??= now
    if (now - this.#enoughSince < PATIENCE) return containers
    this.#enoughSince = undefined
    return containers - 1
  }
}

export interface PoolsOptions {
  readonly clock: Clock
  readonly log: Log
  /** All replicas of containers. */
  readonly containers: () => readonly Replica[]
  /** Connections of a process. */
  readonly load: (id: number) => number
  readonly scale: (functionName: string, count: number) => Promise<unknown>
}

/** Functions whose pools follow their connections: `replicas: { min, max, connections }`. */
export class Pools {
  readonly #options: PoolsOptions
  readonly #growth = new Map<string, Growth>()
  readonly #underway = new Set<string>()

  constructor(options: PoolsOptions) {
    this.#options = options
  }

  /** Changes what is to be changed; to be called every few seconds. @param bounds by function */
  look(bounds: ReadonlyMap<string, ScaleBounds>): void {
    const { clock, containers, load } = this.#options
    for (const [name, one] of bounds) {
      if (one.connections === undefined || this.#underway.has(name)) continue
      const own = containers().filter(({ functionName, life }) => functionName === name && life.stays)
      // One that starts is the answer to a question that was asked before, or is being replaced.
      if (own.length === 0 || own.some(({ ready }) => !ready)) continue
      const connections = own.reduce((sum, { member }) => sum + load(member!.id), 0)
      const growth = this.#growth.get(name) ?? new Growth()
      this.#growth.set(name, growth)
      const pool = { containers: own.length, connections }
      const count = growth.want(pool, one, one.connections, clock.steady())
      if (count !== own.length) this.#scale(name, pool, count)
    }
  }

  #scale(name: string, pool: Pool, count: number): void {
    const { log, scale } = this.#options
    log.info(
      { ...pool, count },
      `the pool of ${name} ${count > pool.containers ? 'grows' : 'becomes smaller'}`,
    )
    this.#underway.add(name)
    scale(name, count)
      .catch((error: Error) => log.warn(`the pool of ${name} stays as it is: ${error.message}`))
      .finally(() => this.#underway.delete(name))
  }
}
