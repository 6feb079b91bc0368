import { readFileSync } from 'node:fs'
import type { NamedFile } from '../line/distinct.ts'
import { CommandError } from '../line/usage-error.ts'

/** A text file that a flag names. @throws CommandError it cannot be read */
export function textOf(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(`--${flag} ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** What `connect` and `serve` write, both. */
export function writtenBoth(values: {
  readonly pcap?: string | undefined
  readonly record?: string | undefined
  readonly 'key-log'?: string | undefined
}): NamedFile[] {
  const { pcap, record } = values
  const log = values['key-log']
  const keyLog: NamedFile =
    log === undefined ? ['SSLKEYLOGFILE', process.env.SSLKEYLOGFILE] : ['--key-log', log]
  return [['--record', record], ['--pcap', pcap], keyLog]
}
