import { hostCounter } from '../platform/hosts/counters.ts'
import type { Meeting } from './meeting.ts'
import type { Registry } from './registry.ts'

/** A number of a process, as the supervisor is told it. */
export interface Counter {
  readonly name: string
  readonly value: number
}

/**
 * What a link says of itself.
 * @param met the hosts that are met @param processes how many of each host are known @param more counters
 */
export function countersOf(
  registry: Pick<Registry, 'away' | 'taken'> | undefined,
  met: readonly Meeting[],
  processes: ReadonlyMap<string, number>,
  more: Readonly<Record<string, number>>,
): readonly Counter[] {
  const counters = {
    etcdAway: registry?.away === false ? 0 : 1,
    nameTaken: registry?.taken === true ? 1 : 0,
    ...Object.fromEntries(met.map(({ host }) => [hostCounter(host), processes.get(host) ?? 0] as const)),
    ...more,
  }
  return Object.entries(counters).map(([name, value]) => ({ name, value }))
}
