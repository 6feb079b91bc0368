import { chmodSync, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { readText } from '../../stack/yaml/text.ts'
import { CommandError } from '../line/usage-error.ts'
import { StackFile } from './stack-file.ts'

/** A stack file that is to be changed. @throws ConfigError it is no YAML */
export function readStack(file: string): StackFile {
  return new StackFile(readText(file), shown(file))
}

/**
 * Writes a file whole or not at all. One that is there keeps its mode, and its place if a link leads there.
 * @throws CommandError
 */
export function writeWhole(file: string, text: string): void {
  const there = existsSync(file)
  const target = there ? realpathSync(file) : file
  const next = `${target}.${process.pid}.new`
  try {
    writeFileSync(next, text)
    if (there) chmodSync(next, statSync(target).mode & 0o7777)
    renameSync(next, target)
  } catch (error) {
    rmSync(next, { force: true })
    throw new CommandError(`${shown(file)} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** A path as a user names it who is where this process is. */
export function shown(path: string): string {
  const found = relative(process.cwd(), path)
  return found.startsWith('..') ? path : found || '.'
}
