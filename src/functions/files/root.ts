import { constants, type Dirent, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises'
import { isServed } from './path.ts'

/** A file or a directory that is open. The caller that gets it closes it. */
export interface Opened {
  readonly handle: FileHandle
  readonly stats: Stats
}

/** One line of a directory's page. */
export interface Entry {
  readonly name: string
  readonly directory: boolean
  /** Bytes; of a directory undefined. */
  readonly size: number | undefined
  readonly modified: Date
}

/** A directory that is open. */
interface Directory {
  readonly handle: FileHandle
  /** Where it is, on systems where a path cannot begin at a descriptor. */
  readonly path: string
}

/** Entries that one page lists. */
const MOST_ENTRIES = 10_000
/** Symbolic links that one path may lead over, as Linux counts them. */
const MOST_LINKS = 40
/** What is not a file is not waited for, and what is a link is not followed. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
/** The path of a descriptor's directory leads nowhere else, whatever is renamed meanwhile. */
const BY_DESCRIPTOR = process.platform === 'linux'

/**
 * Opens what a path names below a directory. It goes name by name, from one open directory to the next, and
 * follows links by itself: none leads out of the root, whatever other processes rename at the same time.
 * @param root the path of the directory; it may itself be a link
 * @returns undefined: there is nothing, nothing that may be read, or neither a file nor a directory
 * @throws Error the root cannot be opened, or the machine fails
 */
export async function openBelow(root: string, names: readonly string[]): Promise<Opened | undefined> {
  const trail: Directory[] = [{ handle: await open(root, constants.O_RDONLY), path: root }]
  try {
    return await walk(trail, names)
  } finally {
    await closeAll(trail)
  }
}

/**
 * What a directory holds, without what is hidden, by name; directories come first.
 * @param root as in {@link openBelow} @param names of the directory
 * @returns with `more`: there are more than a page lists
 */
export async function listBelow(
  root: string,
  names: readonly string[],
  { handle }: Opened,
): Promise<{ readonly entries: readonly Entry[]; readonly more: boolean }> {
  const path = BY_DESCRIPTOR ? descriptorPath(handle) : [root, ...names].join('/')
  const found = (await readdir(path, { withFileTypes: true })).filter(({ name }) => isServed(name))
  // Which ones are listed must not depend on how the file system keeps them.
  const last = (one: Dirent): number => Number(!one.isDirectory())
  found.sort((a, b) => last(a) - last(b) || compare(a.name, b.name))
  const entries: Entry[] = []
  for (const one of found.slice(0, MOST_ENTRIES)) {
    const entry = await entryOf(one, path, root, names)
    if (entry !== undefined) entries.push(entry)
  }
  entries.sort((a, b) => Number(b.directory) - Number(a.directory) || compare(a.name, b.name))
  return { entries, more: found.length > MOST_ENTRIES }
}

async function entryOf(
  one: Dirent,
  path: string,
  root: string,
  names: readonly string[],
): Promise<Entry | undefined> {
  if (one.isFile() || one.isDirectory()) {
    const stats = await lstat(`${path}/${one.name}`).catch(gone)
    return stats && entry(one.name, stats)
  }
  if (!one.isSymbolicLink()) return undefined
  const target = await openBelow(root, [...names, one.name])
  if (target === undefined) return undefined
  await target.handle.close()
  return entry(one.name, target.stats)
}

function entry(name: string, stats: Stats): Entry {
  const directory = stats.isDirectory()
  return { name, directory, size: directory ? undefined : stats.size, modified: stats.mtime }
}

/** @param trail from the root to where the walk stands; what is on it is closed by the caller */
async function walk(trail: Directory[], names: readonly string[]): Promise<Opened | undefined> {
  const ahead = [...names]
  let links = 0
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === '.' || name === '') continue
    if (name === '..') {
      // Only out of a link can this come. Above the root is nothing.
      if (trail.length === 1) return undefined
      await trail.pop()!.handle.close()
      continue
    }
    const path = `${placeOf(trail.at(-1)!)}/${name}`
    const handle = await open(path, FLAGS).catch(nothing)
    if (handle === 'link') {
      const target = await readlink(path).catch(gone)
      if (target === undefined || target.startsWith('/') || ++links > MOST_LINKS) return undefined
      ahead.unshift(...target.split('/'))
      continue
    }
    if (handle === undefined) return undefined
    trail.push({ handle, path })
    const stats = await handle.stat()
    if (stats.isDirectory()) continue
    return stats.isFile() && ahead.length === 0 ? taken(trail, stats) : undefined
  }
  return taken(trail, await trail.at(-1)!.handle.stat())
}

/** The last one on the trail is what was looked for: its handle is the caller's to close. */
function taken(trail: Directory[], stats: Stats): Opened {
  return { handle: trail.pop()!.handle, stats }
}

function placeOf({ handle, path }: Directory): string {
  return BY_DESCRIPTOR ? descriptorPath(handle) : path
}

function descriptorPath({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`
}

/** What an error of `open` says of the thing. @throws what is not about the thing */
function nothing(error: unknown): 'link' | undefined {
  const code = codeOf(error)
  if (code === 'ELOOP' || code === 'EMLINK') return 'link'
  if (code !== undefined && ABSENT.has(code)) return undefined
  throw error
}

function gone(error: unknown): undefined {
  const code = codeOf(error)
  if (code !== undefined && (ABSENT.has(code) || code === 'EINVAL')) return undefined
  throw error
}

/** Not there, not for us to read, no file, or a name that cannot be one. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ENXIO', 'ENODEV', 'ENAMETOOLONG', 'ESTALE'])

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

async function closeAll(trail: readonly Directory[]): Promise<void> {
  for (const { handle } of trail) await handle.close()
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
