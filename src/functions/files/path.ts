/** Names of directories and of a file below the root, in order; none for the root itself. */
export interface FilePath {
  readonly names: readonly string[]
  /** It ends with a slash: what it names must be a directory. */
  readonly slash: boolean
}

/** The one hidden directory that the web has a use for (RFC 8615). */
const WELL_KNOWN = '.well-known'

/**
 * The names in the path of a request. Each is decoded once, so what is encoded twice stays a name with a
 * percent sign.
 * @param path percent-encoded, as `/a/b%20c`
 * @returns undefined: it can name no file that is served. Hidden names are among those, and `..` in any
 * spelling
 */
export function filePath(path: string): FilePath | undefined {
  const parts = path.split('/').slice(1)
  const slash = parts.at(-1) === ''
  if (slash) parts.pop()
  const names: string[] = []
  for (const part of parts) {
    const name = decoded(part)
    if (name === undefined || !isServed(name)) return undefined
    names.push(name)
  }
  return { names, slash }
}

/**
 * Whether a file of that name is served: hidden ones are not, nor those whose names are not UTF-8, for which
 * the runtime shows U+FFFD.
 */
export function isServed(name: string): boolean {
  if (name === '' || name.includes('/') || name.includes('\0') || name.includes('\ufffd')) return false
  return !name.startsWith('.') || name === WELL_KNOWN
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
