import type { MemberSpec } from '../../stack/spec.ts'
import type { Channel } from '../../transfer/channel.ts'
import type { Problem } from './isolation.ts'
import { LEVELS } from './levels.ts'

/** A function whose level cannot be had here, and why. */
export interface Refusal extends Problem {
  readonly functionName: string
}

/** The first function of a plan that cannot be kept apart as it asks; undefined: all can. */
export function refusedIsolation(
  containers: readonly MemberSpec[],
  channel: Channel['kind'],
): Refusal | undefined {
  const tried = new Map<string, Problem | undefined>()
  for (const { confinement, settings } of containers) {
    if (confinement === undefined) continue
    const { level, uids } = confinement
    if (!tried.has(level)) tried.set(level, LEVELS[level].check({ uids, native: channel === 'native' }))
    const problem = tried.get(level)
    const { functionName } = settings as { readonly functionName?: string }
    if (problem !== undefined) return { ...problem, functionName: functionName ?? '' }
  }
  return undefined
}
