import type { Clock, Timer } from '../../time/clock.ts'
import { PROCESSES } from './bounds.ts'
import type { Payload } from './payload.ts'
import type { Usage } from './usage.ts'

/** Milliseconds between two looks. */
const PERIOD = 1000

/** A container that is watched, and what it may use. */
export interface Watched {
  readonly payload: Payload
  readonly limits: Limits
}

/** What one container may use. */
export interface Limits {
  /** Bytes. */
  readonly memory?: number | undefined
  readonly processes?: number | undefined
}

/** Why a container has to end; undefined: it keeps to its limits. */
export function excess({ memory, processes = PROCESSES }: Limits, usage: Usage): string | undefined {
  if (usage.processes > processes) return `it has more than ${processes} processes`
  if (memory === undefined || usage.memory <= memory) return undefined
  return `it holds ${mebibytes(usage.memory)} MiB of memory, and may hold ${mebibytes(memory)}`
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

/** The same of one that runs. In a cgroup it is the kernel that counts, and none is left out. */
function excessOf({ payload, limits }: Watched): string | undefined {
  const { processes = PROCESSES } = limits
  const { group } = payload
  const refused = group?.excess()
  if (refused !== undefined) return refused
  const memory = group?.holds('memory') ? undefined : limits.memory
  if (group !== undefined && memory === undefined)
    return excess({ processes }, { memory: 0, processes: group.processes })
  const usage = payload.usage(processes + 1)
  return usage && excess({ memory, processes }, usage)
}

/**
 * Ends containers that use more than they may. The kernel does not do it where there are no cgroups, and
 * where it does it says nothing to the supervisor.
 */
export class LimitWatch<W extends Watched> {
  readonly #timer: Timer

  /** @param all those that run now @param end called with why one has to end */
  constructor(clock: Clock, all: () => Iterable<W>, end: (watched: W, why: string) => void) {
    this.#timer = clock.every(PERIOD, () => {
      for (const watched of [...all()]) {
        const why = excessOf(watched)
        if (why !== undefined) end(watched, why)
      }
    })
    this.#timer.unref()
  }

  stop(): void {
    this.#timer.stop()
  }
}
