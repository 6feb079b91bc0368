import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory with those above it, mode 0700. Not with `recursive`: Node loops for ever where a
 * directory can be looked for and not be made, as in /proc.
 * @param directory absolute
 * @returns those that were made, the deepest last
 * @throws Error (of `node:fs`) it cannot be made; then none has been
 */
export function makeDirectory(directory: string): readonly string[] {
  const missing: string[] = []
  for (let above = directory; !isThere(above); above = dirname(above)) missing.unshift(above)
  try {
    for (const one of missing) makeOne(one)
  } catch (error) {
    removeEmpty(missing)
    throw error
  }
  return missing
}

/** Takes back what {@link makeDirectory} has made, as far as it is still empty. */
export function removeEmpty(made: readonly string[]): void {
  for (const one of [...made].reverse()) {
    try {
      rmdirSync(one)
    } catch {
      // It was not made, or has something in it.
    }
  }
}

function isThere(path: string): boolean {
  try {
    statSync(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function makeOne(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isThere(directory)) throw error
  }
}
