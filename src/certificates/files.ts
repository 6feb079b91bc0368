import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { lives } from '../platform/seat/lives.ts'
import { CertificateError } from './load.ts'

/** A private key and its certificate, as PEM. */
export interface PairText {
  readonly key: string
  readonly certificate: string
}

/**
 * Writes `NAME.key` (0600) and `NAME.crt` (0644), both whole or neither. What was there is kept beside as
 * `NAME.key.bak` and `NAME.crt.bak`, or with the next free number behind.
 * @param keeping whether it is
 * @returns the names of the files in which it is kept @throws CertificateError they cannot be written
 */
export function replacePair(
  directory: string,
  name: string,
  { key, certificate }: PairText,
  keeping = true,
): readonly string[] {
  const files = [
    [`${name}.key`, key, 0o600],
    [`${name}.crt`, certificate, 0o644],
  ] as const
  const staged = files.map(([file]) => stagedAt(join(directory, file)))
  try {
    for (const [index, [, text, mode]] of files.entries()) stage(staged[index]!, text, mode)
    const kept = keeping ? files.flatMap(([file]) => keep(directory, file)) : []
    for (const [index, [file]] of files.entries()) renameSync(staged[index]!, join(directory, file))
    return kept
  } catch (error) {
    for (const one of staged) rmSync(one, { force: true })
    throw unwritable(join(directory, `${name}.key`), error)
  }
}

/** Gives a file a second name, under which nothing was before; it goes on being there under its own. */
function keep(directory: string, file: string): readonly string[] {
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${file}.bak` : `${file}.bak.${number}`
    try {
      second(join(directory, file), join(directory, name))
      return [name]
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return []
      if (code !== 'EEXIST') throw error
    }
  }
}

function second(file: string, name: string): void {
  try {
    linkSync(file, name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EEXIST') throw error
    // Some file systems have no links.
    copyFileSync(file, name, constants.COPYFILE_EXCL)
  }
}

/**
 * A neighbour to be renamed: a reader sees the old file or the new one, and no key is ever readable by
 * others.
 */
function stage(file: string, text: string, mode: number): void {
  rmSync(file, { force: true })
  const descriptor = openSync(file, 'wx', mode)
  try {
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Writes a file in the place of another one: at each moment there is the old one or the new one, whole, and
 * the new one is there after any end of the machine. @throws Error of `node:fs`
 */
export function replaceFile(file: string, text: string, mode: number): void {
  const staged = stagedAt(file)
  try {
    stage(staged, text, mode)
    renameSync(staged, file)
  } catch (error) {
    rmSync(staged, { force: true })
    throw error
  }
  const folder = openSync(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function stagedAt(file: string): string {
  return `${file}.${process.pid}.tmp`
}

/** Removes what processes that were killed have left beside the places of their files: some of it is keys. */
export function removeStaged(directory: string): void {
  for (const file of readdirSync(directory)) {
    const pid = Number(/\.([1-9][0-9]*)\.tmp$/.exec(file)?.[1])
    if (!(pid > 0) || lives(pid)) continue
    try {
      rmSync(join(directory, file), { force: true })
    } catch {
      // It is another user's, and in the way of none.
    }
  }
}

/** What is said of a file that the machine does not let us write. */
export function unwritable(file: string, error: unknown): CertificateError {
  const { code, message } = error as NodeJS.ErrnoException
  const said = `${file} cannot be written (${code ?? message}); choose another HOTPOTATO_CERTS_DIR`
  return new CertificateError(file, 'unwritable', said)
}
