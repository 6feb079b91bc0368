import { Script } from 'node:vm'

/** Milliseconds of the processor that one text may take: meanwhile all others wait. */
const MOST = 250
/** How often it is tried again, each time for longer, when the machine did something else meanwhile. */
const TRIES = 5
const WORK = Symbol.for('hotpotato.files.work')
const script = new Script('globalThis[Symbol.for("hotpotato.files.work")]()')

/**
 * Does work whose time may grow without measure: patterns that are tried again and again on one text. The
 * engine breaks it off, also within a regular expression.
 * @param work synchronous; broken off, it must leave nothing half done that others use
 * @returns undefined: it took too long
 */
export function bounded<T>(work: () => T): T | undefined {
  const place = globalThis as unknown as Record<symbol, unknown>
  place[WORK] = work
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      const before = process.cpuUsage()
      try {
        return script.runInThisContext({ timeout: MOST * 3 ** tries }) as T
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      }
      const { user, system } = process.cpuUsage(before)
      if (user + system > MOST * 500) return undefined
    }
    return undefined
  } finally {
    delete place[WORK]
  }
}
