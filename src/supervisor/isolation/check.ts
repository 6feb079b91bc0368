import { fileURLToPath } from 'node:url'
import type { IsolationName } from '../../stack/isolation.ts'
import type { Circumstances, Problem } from './isolation.ts'
import { LEVELS } from './levels.ts'
import { firstClosed, functionFiles, platformFiles } from './visible.ts'

/** What was found out about a level in this process: to try it starts a process. */
const tried = new Map<IsolationName, Problem | undefined>()

/** @throws Error a level cannot be had on this machine: why, and what to do */
export function mustBePossible(level: IsolationName, circumstances: Circumstances): void {
  if (!tried.has(level)) tried.set(level, LEVELS[level].check(circumstances))
  const problem = tried.get(level)
  if (problem !== undefined)
    throw new Error(`${level} is not to be had here: ${problem.what}; ${problem.remedy}`)
}

/**
 * A function with a user id of its own has to be able to read what it is made of.
 * @param made the paths of that @throws Error the first file or directory that is closed to it
 */
export function mustBeReadable(level: IsolationName, made: readonly string[]): void {
  if (level !== 'user') return
  const closed = firstClosed(
    [...platformFiles(fileURLToPath(import.meta.url)), ...made.flatMap(functionFiles)],
    true,
  )
  if (closed === undefined) return
  throw new Error(
    `with isolation: user it has a user id of its own, to which ${closed} is closed; ` +
      `open it to others (chmod o+rX ${closed}), or choose isolation: sandbox`,
  )
}
