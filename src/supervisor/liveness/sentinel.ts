import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../time/clock.ts'
import type { Processes } from '../processes.ts'
import { lateText } from './late.ts'
import { Liveness } from './liveness.ts'
import { waitedOf, workOf } from './work.ts'

export interface SentinelOptions {
  readonly clock: Clock
  readonly log: Log
  readonly processes: Processes
  /** As in the options of the supervisor; milliseconds. */
  readonly liveness: {
    readonly period: number
    readonly failure: number
    readonly busy: number
    readonly start: number
  }
}

/** Ends processes that hang, or that do not become ready. They count as ended, as those that have crashed. */
export class Sentinel {
  readonly #options: SentinelOptions
  readonly #liveness: Liveness

  constructor(options: SentinelOptions) {
    this.#options = options
    this.#liveness = new Liveness({
      ...options.liveness,
      work: id => workOf(options.processes.get(id)?.member.payload.pid),
      now: () => options.clock.steady(),
    })
  }

  /** That process has said something. */
  heard(id: number): void {
    this.#liveness.heard(id)
  }

  /** That process has ended. */
  forget(id: number): void {
    this.#liveness.forget(id)
  }

  /** Asks all whether they live, and ends those whose event loop stands still. */
  look(): void {
    const { processes, log } = this.#options
    const { ask, hung } = this.#liveness.look()
    for (const id of ask) processes.tell(id, { kind: 'statusRequest' })
    for (const id of hung) {
      this.#liveness.forget(id)
      const found = processes.get(id)
      if (found === undefined) continue
      const { replica, member } = found
      log.error({ child: member.payload.pid }, `${replica.name} does not respond; it is being killed`)
      member.payload.kill('it did not respond')
    }
    this.#lookAtStarting()
  }

  /** The others start without one that does not become ready. */
  #lookAtStarting(): void {
    const { processes, log, clock, liveness } = this.#options
    for (const { replica, member } of processes.all) {
      if (member.peer !== undefined || clock.steady() - member.startedAt < liveness.start) continue
      const { pid } = member.payload
      log.error(
        { child: pid },
        `${lateText(replica.name, liveness.start, waitedOf(pid))}; it is being killed`,
      )
      replica.settled = true
      member.payload.kill('it was not ready in time')
    }
  }
}
