import { renameSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { CommandError } from '../line/usage-error.ts'
import { StackFile } from './stack-file.ts'

/** A stack file that is to be changed. @throws CommandError it is no YAML */
export function readStack(file: string, text: string): StackFile {
  try {
    return new StackFile(text)
  } catch (error) {
    const { message } = error as Error
    throw new CommandError(`${shown(file)} is not changed, because it is no YAML: ${message}`)
  }
}

/** Writes a file whole or not at all. @throws Error of Node's */
export function writeWhole(file: string, text: string): void {
  const next = `${file}.${process.pid}.new`
  writeFileSync(next, text)
  renameSync(next, file)
}

/** A path as a user names it who is where this process is. */
export function shown(path: string): string {
  const found = relative(process.cwd(), path)
  return found.startsWith('..') ? path : found || '.'
}
