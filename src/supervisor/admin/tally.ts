import { isCallCounter } from '../../platform/counters/calls.ts'
import type { PeerRole } from '../../transfer/control.ts'
import type { Counters } from '../status.ts'

/** Counters of messages have 32 bits, and begin again at zero. */
const TURN = 2 ** 32

/** The replica that tells, as far as it matters. */
interface Told {
  readonly functionName: string
  readonly spec?: { readonly role: PeerRole }
}

interface Heard {
  readonly of: string
  last: Counters
}

/**
 * What all processes of a function, or all gateways, have counted since the platform was started: also those
 * that have ended, as far as they have told. It adds up what is new in each status.
 */
export class Tally {
  readonly #counted: ReadonlySet<string>
  readonly #heard = new Map<number, Heard>()
  readonly #totals = new Map<string, Map<string, number>>()

  /** @param counted names of counters that only go up; those of calls are counted in any case */
  constructor(counted: Iterable<string>) {
    this.#counted = new Set(counted)
  }

  /** The functions that there is something of; the empty text stands for the gateways. */
  get names(): readonly string[] {
    return [...this.#totals.keys()]
  }

  /** A process has told its counters. @param of its function, which is empty of a gateway */
  heard(id: number, { functionName: of, spec }: Told, counters: Counters): void {
    // There is nothing of it that is told.
    if (spec?.role === 'signer') return
    const last = this.#heard.get(id)?.last ?? {}
    let totals = this.#totals.get(of)
    if (totals === undefined) {
      totals = new Map()
      this.#totals.set(of, totals)
    }
    for (const [name, value] of Object.entries(counters)) {
      if (!isCallCounter(name) && !this.#counted.has(name)) continue
      const more = (value - (last[name] ?? 0) + TURN) % TURN
      totals.set(name, (totals.get(name) ?? 0) + more)
    }
    this.#heard.set(id, { of, last: counters })
  }

  /** That process has ended: what it has counted stays. */
  ended(id: number): void {
    this.#heard.delete(id)
  }

  /** What has been counted, by the names of the counters. */
  totals(of: string): ReadonlyMap<string, number> {
    return this.#totals.get(of) ?? new Map()
  }

  /** The sum of what processes that live said last of something that goes up and down. */
  now(of: string, name: string): number {
    let sum = 0
    for (const heard of this.#heard.values()) if (heard.of === of) sum += heard.last[name] ?? 0
    return sum
  }
}
