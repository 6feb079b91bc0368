import { Script } from 'node:vm'

/** Milliseconds that one text may take: meanwhile all others wait. What takes longer is shown plainer. */
const MOST = 250
const WORK = Symbol.for('hotpotato.files.work')
const script = new Script('globalThis[Symbol.for("hotpotato.files.work")]()')

/**
 * Does work whose time may grow without measure: patterns that are tried again and again on one text. The
 * engine breaks it off, also within a regular expression.
 * @param work synchronous; broken off, it must leave nothing half done that others use
 * @returns undefined: it took too long
 */
export function bounded<T>(work: () => T, milliseconds = MOST): T | undefined {
  const place = globalThis as unknown as Record<symbol, unknown>
  place[WORK] = work
  try {
    return script.runInThisContext({ timeout: milliseconds }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    return undefined
  } finally {
    delete place[WORK]
  }
}
