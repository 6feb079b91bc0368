/** How a container can be kept apart from the rest of the machine, the weakest level first. */
export const ISOLATIONS = ['process', 'user', 'sandbox'] as const

/**
 * `process`: a process of the supervisor's user. `user`: with a user id of its own. `sandbox`: with
 * namespaces, a file system and a filter of system calls of its own (bubblewrap).
 */
export type IsolationName = (typeof ISOLATIONS)[number]
