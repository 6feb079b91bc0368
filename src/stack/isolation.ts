/** How a container can be kept apart from the rest of the machine, the weakest level first. */
export const ISOLATIONS = ['process', 'user', 'sandbox', 'oci'] as const

/**
 * `process`: a process of the supervisor's user. `user`: with a user id of its own. `sandbox`: with
 * namespaces, a file system and a filter of system calls of its own (bubblewrap). `oci`: the same as a bundle
 * for `crun` or `runc`, with limits that the kernel holds.
 */
export type IsolationName = (typeof ISOLATIONS)[number]
