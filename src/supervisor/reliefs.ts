import type { Log } from '../platform/log.ts'
import type { RestartPolicy } from '../stack/spec.ts'
import type { Clock } from '../time/clock.ts'
import { LifeCycle } from './life-cycle.ts'
import type { Replica } from './replica.ts'

/**
 * New containers in the place of such whose function has thrown outside of its calls: what state that leaves
 * a process in, no rule says. The old one goes on until the new one is ready, and is drained then. A function
 * that throws again and again is relieved as seldom as one that crashes is restarted.
 */
export class Reliefs {
  readonly #clock: Clock
  readonly #log: Log
  readonly #policy: RestartPolicy
  readonly #relieve: (replica: Replica) => Promise<unknown>
  /** By function. */
  readonly #lives = new Map<string, LifeCycle>()
  readonly #underway = new Set<string>()

  /** @param relieve starts a container like this one, and drains it when that is ready */
  constructor(
    clock: Clock,
    log: Log,
    policy: RestartPolicy,
    relieve: (replica: Replica) => Promise<unknown>,
  ) {
    this.#clock = clock
    this.#log = log
    this.#policy = policy
    this.#relieve = relieve
  }

  /** Whether a function has thrown like that before. */
  knows(functionName: string): boolean {
    return this.#lives.has(functionName)
  }

  /** A container has counted such errors; it may say so again. @param uncaught how many */
  wanted(replica: Replica, uncaught: number): void {
    const { name, functionName, life } = replica
    if (!life.stays || this.#underway.has(functionName)) return
    const strays = this.#lives.get(functionName) ?? new LifeCycle(this.#policy)
    this.#lives.set(functionName, strays)
    this.#underway.add(functionName)
    const delay = strays.ended(this.#clock.steady(), Math.random()) ?? 0
    this.#log.warn(
      { uncaught, delay },
      `${name}: its function threw outside of its calls; it is being replaced`,
    )
    this.#clock.after(delay, () => void this.#begin(replica, strays)).unref()
  }

  async #begin(replica: Replica, strays: LifeCycle): Promise<void> {
    try {
      if (replica.life.stays) await this.#relieve(replica)
      strays.ready(this.#clock.steady())
    } catch (error) {
      this.#log.error(`${replica.name} is not replaced: ${(error as Error).message}`)
    } finally {
      this.#underway.delete(replica.functionName)
    }
  }
}
