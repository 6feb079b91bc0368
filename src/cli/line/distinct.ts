import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from './usage-error.ts'

/** A file that a command is given: what names it, as `--record`, and its path; undefined: it is not given. */
export type NamedFile = readonly [name: string, path: string | undefined]

/** Links that are followed one after the other, to a file that is not there yet. */
const LINKS = 40

/**
 * Sees to it that what a command writes spoils nothing that it is given besides, however the two are spelt:
 * to be called before any of them is opened.
 * @param written files that are written @param read files that are read
 * @throws UsageError two of them are one file
 */
export function mustBeDistinct(written: readonly NamedFile[], read: readonly NamedFile[] = []): void {
  const seen = new Map<string, string>()
  for (const [names, writes] of [
    [read, false],
    [written, true],
  ] as const)
    for (const [name, path] of names) {
      const key = path === undefined ? undefined : identityOf(path)
      if (key === undefined) continue
      const other = seen.get(key)
      if (writes && other !== undefined)
        throw new UsageError(`${other} and ${name} name the same file, ${path}; each needs one of its own`)
      seen.set(key, name)
    }
}

/** What all names of one file have in common; undefined: nothing there can be spoilt, as in a terminal. */
function identityOf(path: string, links = LINKS): string | undefined {
  // Standard input of programs that take one.
  if (path === '' || path === '-') return undefined
  const found = tried(() => statSync(path))
  if (found !== undefined) return found.isCharacterDevice() ? undefined : `${found.dev}:${found.ino}`
  const named = tried(() => lstatSync(path))
  if (named?.isSymbolicLink() === true && links > 0)
    return identityOf(resolve(dirname(path), readlinkSync(path)), links - 1)
  const folder = tried(() => realpathSync(dirname(path)))
  return folder === undefined ? undefined : join(folder, basename(path))
}

function tried<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
