import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs'
import { CommandError } from '../line/usage-error.ts'

/** What is there stays until it is known whose it is. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT

/**
 * Opens a file for what opens connections, readable by its owner alone, also where it was there before with
 * other rights. What is in it stays until {@link writePrivate}. What is no regular file, as a pipe, is taken
 * as it is, unless another user has put it there to read what comes.
 * @param flag names it in errors, as `dump` @returns its descriptor
 * @throws CommandError it cannot be written, or belongs to another user, or is a link of another user
 */
export function openPrivate(flag: string, path: string): number {
  let descriptor: number | undefined
  try {
    // A pipe is waited for until it is read: one of another user perhaps for ever.
    const there = statSync(path, { throwIfNoEntry: false })
    const unwanted = there?.isFIFO() ? objection(there, lstatSync(path)) : undefined
    if (unwanted !== undefined) throw new Error(unwanted)
    descriptor = openSync(path, FLAGS, 0o600)
    const found = fstatSync(descriptor)
    const against = objection(found, lstatSync(path))
    if (against !== undefined) throw new Error(against)
    if (found.isFile()) fchmodSync(descriptor, 0o600)
    return descriptor
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor)
    throw refusal(flag, path, error)
  }
}

/** @param found what is written to @param named what stands under its name: that, or a link to it */
function objection(found: Stats, named: Stats): string | undefined {
  const own = process.geteuid?.()
  if (!found.isFile() && !found.isFIFO()) return undefined
  // Root's is /dev/stdout.
  if (named.isSymbolicLink() && named.uid !== own && named.uid !== 0) return 'it is a link of another user'
  // What the shell has opened was not chosen by its name.
  const given = found.isFIFO() && named.isSymbolicLink()
  return given || found.uid === own ? undefined : 'it belongs to another user'
}

/** Writes all of it there, in the place of what was there, and closes it. @throws CommandError */
export function writePrivate(flag: string, path: string, descriptor: number, bytes: Uint8Array): void {
  try {
    if (fstatSync(descriptor).isFile()) ftruncateSync(descriptor)
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
  } catch (error) {
    throw refusal(flag, path, error)
  } finally {
    closeSync(descriptor)
  }
}

function refusal(flag: string, path: string, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException
  return new CommandError(`--${flag} ${path}: cannot be written (${code ?? message})`)
}
