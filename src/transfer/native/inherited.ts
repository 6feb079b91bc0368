import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { probe } from './libc.ts'

const F_SETFD = 2
const FD_CLOEXEC = 1
/** Standard error, the last one that programs are meant to have in common. */
const LAST_COMMON = 2

interface Koffi {
  load(path: null): { func(definition: string): (...args: unknown[]) => number }
}

/**
 * Keeps to this process what it was started with: descriptors beyond standard error that are open now, such
 * as the lock of a script (`exec 200>lock`), go to no program that it starts. Node does that for the first
 * ones alone, up to a gap beyond 15. Where foreign calls are missing, it stays so.
 */
export function keepInherited(): void {
  if (!probe().available) return
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const fcntl = koffi.load(null).func('int fcntl(int, int, ...)')
  for (const name of openDescriptors()) {
    const fd = Number(name)
    // The one that has read the list is closed by now: that is no fault.
    if (fd > LAST_COMMON) fcntl(fd, F_SETFD, 'int', FD_CLOEXEC)
  }
}

/** Their numbers; none where the system does not say. */
function openDescriptors(): readonly string[] {
  try {
    return readdirSync('/proc/self/fd')
  } catch {
    return []
  }
}
