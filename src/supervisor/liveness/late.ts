/**
 * What is said of a process that was not ready in its time, and what to do.
 * @param limit milliseconds that it had @param waited of those, for a processor; undefined: not known
 */
export function lateText(name: string, limit: number, waited: number | undefined): string {
  const late = `${name} was not ready within ${limit / 1000} s (liveness.startSeconds)`
  const log = 'its log says what it was at'
  if (waited === undefined || waited < limit * BUSY)
    return `${late}: ${log}; if that only takes long, give it more time`
  const busy = `it waited ${Math.round(waited / 1000)} s for a processor, so busy was the machine`
  return `${late}: ${busy}; try again, or give it more time; if that does not help, ${log}`
}

/** The part of its time for which a process has waited where the machine is to blame. */
const BUSY = 0.25
