/**
 * The ways in which a gateway sees a connection end without an orderly end; each is counted by itself.
 * `lost`: its container died with something underway that no other container can go on with. `orphaned`: its
 * container died, and no other one took it over. `undecided`: it is unknown which container has it. `broken`:
 * its container broke it off or sent malformed messages, the system failed, or it held too much. `failed`:
 * something was thrown over it in the gateway, a fault of ours.
 */
export type UncleanKind = 'lost' | 'orphaned' | 'undecided' | 'broken' | 'failed'

/** One such end. */
export interface Unclean {
  readonly kind: UncleanKind
  readonly reason: string
}

/** How many there were: all of them, and those of each kind. */
export interface UncleanCounters {
  unclean: number
  uncleanLost: number
  uncleanOrphaned: number
  uncleanUndecided: number
  uncleanBroken: number
  uncleanFailed: number
}

const COUNTERS = {
  lost: 'uncleanLost',
  orphaned: 'uncleanOrphaned',
  undecided: 'uncleanUndecided',
  broken: 'uncleanBroken',
  failed: 'uncleanFailed',
} as const satisfies Record<UncleanKind, keyof UncleanCounters>

export const NONE_UNCLEAN: Readonly<UncleanCounters> = {
  unclean: 0,
  uncleanLost: 0,
  uncleanOrphaned: 0,
  uncleanUndecided: 0,
  uncleanBroken: 0,
  uncleanFailed: 0,
}

export function countUnclean(counters: UncleanCounters, kind: UncleanKind): void {
  counters.unclean++
  counters[COUNTERS[kind]]++
}
