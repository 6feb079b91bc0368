/** How a container can be kept apart from the rest of the machine, the weakest level first. */
export const ISOLATIONS = ['process', 'user', 'sandbox', 'oci'] as const

/**
 * `process`: a process of the supervisor's user. `user`: with a user id of its own. `sandbox`: with
 * namespaces, a file system and a filter of system calls of its own (bubblewrap). `oci`: the same as a bundle
 * for `runc` or `crun`.
 */
export type IsolationName = (typeof ISOLATIONS)[number]

/**
 * What a container may have of the machine: it sets that for itself before it loads its function, and can
 * only lower it from there on. It never leaves a core file: there would be keys in it.
 */
export interface Restraint {
  /** Processes and threads that its user may have; undefined: as many as before. */
  readonly processes?: number
  /** Bytes of the largest file that it may write; undefined: as before. */
  readonly fileBytes?: number
}
