import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { CommandError } from '../line/usage-error.ts'

/** What is there stays until it is known whose it is. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT

/**
 * Opens a file for what opens connections: empty, and readable by its owner alone, also where it was there
 * before with other rights. What is no regular file, as a pipe, is taken as it is.
 * @param flag names it in errors, as `dump` @returns its descriptor
 * @throws CommandError it cannot be written, or belongs to another user
 */
export function openPrivate(flag: string, path: string): number {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, FLAGS, 0o600)
    const found = fstatSync(descriptor)
    if (!found.isFile()) return descriptor
    if (found.uid !== process.geteuid?.()) throw new Error('it belongs to another user')
    fchmodSync(descriptor, 0o600)
    ftruncateSync(descriptor)
    return descriptor
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor)
    throw refusal(flag, path, error)
  }
}

/** Writes all of it there, and closes it. @throws CommandError */
export function writePrivate(flag: string, path: string, descriptor: number, bytes: Uint8Array): void {
  try {
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
