import type { Confinement } from '../../stack/spec.ts'
import type { Share } from '../cgroups/knobs.ts'

/** Processes of one container; beyond, it is ended. */
export const PROCESSES = 256
/** The same of processes and threads, as the kernel counts: beyond, none is started. */
export const TASKS = 4 * PROCESSES

/** What the kernel is to hold of a container; undefined: of one that has no function yet. */
export function shareOf(confinement: Pick<Confinement, 'limits' | 'requests'> | undefined): Share {
  return { ...confinement?.limits, requests: confinement?.requests, tasks: TASKS }
}
