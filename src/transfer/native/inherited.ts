import { readdirSync } from 'node:fs'
import { probe } from './libc.ts'

/** Standard error, the last one that programs are meant to have in common. */
const LAST_COMMON = 2

/**
 * Keeps to this process what it was started with: descriptors beyond standard error that are open now, such
 * as the lock of a script (`exec 200>lock`), go to no program that it starts. Node does that for the first
 * ones alone, up to a gap beyond 15. Where foreign calls are missing, it stays so.
 */
export function keepInherited(): void {
  const found = probe()
  if (!found.available) return
  for (const name of openDescriptors()) {
    const fd = Number(name)
    // The one that has read the list is closed by now: that is no fault.
    if (fd > LAST_COMMON) found.libc.closeOnExec(fd)
  }
}

/**
 * Of this process and of what it starts from now on the kernel writes no core file: keys may be in one. Where
 * foreign calls are missing, it stays as it was.
 */
export function leaveNoCore(): void {
  const found = probe()
  if (found.available) found.libc.limit('core', 0)
}

/** Their numbers; none where the system does not say. */
function openDescriptors(): readonly string[] {
  try {
    return readdirSync('/proc/self/fd')
  } catch {
    return []
  }
}
