import { readFileSync } from 'node:fs'
import { CommandError } from '../line/usage-error.ts'

/** A text file that a flag names. @throws CommandError it cannot be read */
export function textOf(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(`--${flag} ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
