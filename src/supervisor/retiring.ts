import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'
import type { Member } from './member.ts'
import type { Processes } from './processes.ts'
import type { Counters } from './status.ts'

/** Milliseconds for a process to end by itself. */
export const STOP_TIMEOUT = 3000
/** Milliseconds that a roll-out waits for connections to leave an old process, and between two looks. */
const DRAIN_TIMEOUT = 30_000
const DRAIN_POLL = 20

/** Where connections go: to siblings (`drain`), or also to a gateway (`sleep`). */
export type Way = 'drain' | 'sleep'

export interface RetiringOptions {
  readonly processes: Processes
  readonly ask: (id: number) => Promise<Counters>
  readonly clock: Clock
  readonly log: Log
}

/** How a process that is ready comes to its end without a loss. */
export class Retiring {
  readonly #options: RetiringOptions
  #hurried = false

  constructor(options: RetiringOptions) {
    this.#options = options
  }

  /** From now on connections that have not moved away are not waited for. */
  hurry(): void {
    this.#hurried = true
  }

  /**
   * Lets its connections move away, and ends it.
   * @param report called with the connections that it still has @returns how many moved
   */
  async retire({ id, child, payload, spec }: Member, how: Way, report?: (left: number) => void) {
    const { processes, ask, clock, log } = this.#options
    const before = (await ask(id)).moved ?? 0
    const ended = new Promise(resolve => child.once(payload.end, resolve))
    processes.tell(id, { kind: how })
    let counters = await ask(id)
    const end = clock.steady() + DRAIN_TIMEOUT
    const waits = (): boolean => !this.#hurried && clock.steady() < end
    while (processes.get(id) !== undefined && isBusy(counters) && waits()) {
      await new Promise<void>(resolve => clock.after(DRAIN_POLL, resolve))
      counters = { ...counters, ...(await ask(id)) }
      report?.(counters.connections ?? 0)
    }
    log.info({ left: counters.connections }, `${spec.name} is drained`)
    if (processes.get(id) !== undefined) {
      // What it has counted up to its end.
      processes.tell(id, { kind: 'statusRequest' })
      processes.tell(id, { kind: 'stop' })
      const timer = clock.after(STOP_TIMEOUT, () => payload.kill())
      await ended
      timer.stop()
    }
    return (counters.moved ?? 0) - before
  }
}

function isBusy({ connections, inCustody, relayed = 0, hibernating = 0 }: Counters): boolean {
  return connections !== 0 || inCustody !== 0 || relayed !== 0 || hibernating !== 0
}
