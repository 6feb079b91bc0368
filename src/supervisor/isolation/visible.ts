import { existsSync, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, sep } from 'node:path'

/** What a function has in its own file system. */
export interface View {
  /** Directories of the system that it sees, and files of it. */
  readonly system: readonly string[]
  /** Symbolic links, with where they lead. */
  readonly links: readonly (readonly [link: string, target: string])[]
}

const LIBRARIES = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store']
/** What programs look up in `/etc`, and nothing secret. */
const ETC = [
  'alternatives',
  'ca-certificates',
  'crypto-policies',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'os-release',
  'pki/tls/certs',
  'pki/ca-trust',
  'ssl/certs',
  'ssl/openssl.cnf',
  'timezone',
]

/** The parts of the system that a program needs: what all may read, no home, and little of /etc. */
export function systemView(): View {
  const found = LIBRARIES.filter(existsSync)
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink()
  return {
    system: [
      '/usr',
      ...found.filter(path => !isLink(path)),
      ...ETC.map(name => `/etc/${name}`).filter(existsSync),
    ],
    links: found.filter(isLink).map(path => [path, readlinkSync(path)]),
  }
}

/** Files of the machine that a name in the environment leads to, as far as they are there. */
export function namedFiles(environment: Readonly<Record<string, string | undefined>>): string[] {
  return ['NODE_EXTRA_CA_CERTS', 'OPENSSL_CONF', 'OPENSSL_MODULES', 'SSL_CERT_FILE', 'SSL_CERT_DIR']
    .map(name => environment[name])
    .filter(path => path?.startsWith('/') && existsSync(path))
    .map(path => realpathSync(path!))
}

/** This program's own: Node, and what is compiled of this package. @param entry the module that is started */
export function platformFiles(entry: string, node = process.execPath): string[] {
  const program = realpathSync(node)
  const libraries = join(dirname(dirname(program)), 'lib')
  const beside = dirname(program).endsWith(`${sep}bin`) && existsSync(libraries) ? [libraries] : []
  return [program, ...beside, ...packageOf(entry), ...modules(entry)]
}

/** The folder of what is compiled, not the whole package: a run directory may lie there. */
function packageOf(entry: string): string[] {
  let folder = dirname(entry)
  let top = folder
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) {
    top = folder
    folder = dirname(folder)
  }
  return [top]
}

/**
 * What a function is made of: a folder whole, or the folder that a file lies in, and the packages that it can
 * import.
 * @param handler an absolute path
 */
export function functionFiles(handler: string): string[] {
  // The container says so itself, as at every level.
  if (!existsSync(handler)) return []
  const real = realpathSync(handler)
  const folder = statSync(real).isDirectory() ? real : dirname(real)
  return [isShared(folder) ? real : folder, ...modules(folder)]
}

/** Whether much more lies in a folder than a function: of one there, its file alone is seen. */
function isShared(folder: string): boolean {
  const shared = ['/etc', '/home', '/root', '/run', '/srv', '/tmp', '/usr', '/var', homedir(), tmpdir()]
  return shared.some(one => isWithin(one, folder))
}

/** Where Node looks for packages, and for what kind of modules there are, from a folder upwards. */
function modules(from: string): string[] {
  const found: string[] = []
  for (let folder = from; ; folder = dirname(folder)) {
    for (const name of ['node_modules', 'package.json']) {
      const path = join(folder, name)
      if (existsSync(path)) found.push(...new Set([path, realpathSync(path)]))
    }
    if (folder === dirname(folder)) return found
  }
}

/** Those that do not lie in another one of them. */
export function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)].sort()
  return all.filter(path => !all.some(other => other !== path && isWithin(path, other)))
}

/** Entries of folders that are shown one by one: each costs a mount. */
const MOST = 1000

/**
 * Paths without what is hidden: of a folder in which that lies, all else, each by itself. Something laid over
 * it would not last: the kernel takes that off when what it covers is replaced or removed, and editors
 * replace files. Of what comes to such a folder later, nothing is seen.
 * @param hidden real paths, which need not be there @throws Error there are too many
 */
export function withoutHidden(visible: readonly string[], hidden: readonly string[]): string[] {
  const shown: string[] = []
  const add = (path: string, isEntry: boolean): void => {
    if (isEntry && !isShown(path)) return
    if (!hidden.some(one => isWithin(one, path)) || !statSync(path).isDirectory()) {
      shown.push(path)
      return
    }
    const entries = readdirSync(path)
    if (shown.length + entries.length > MOST)
      throw new Error(`${path} has too many entries to hide some: give the function a folder of its own`)
    for (const name of entries) add(join(path, name), true)
  }
  /** Not what is hidden, and a link only where its target is shown. */
  const isShown = (path: string): boolean => {
    const real = realOf(path)
    if (real === undefined || hidden.some(one => isWithin(real, one))) return false
    return (
      real === path || (visible.some(one => isWithin(real, one)) && !hidden.some(one => isWithin(one, real)))
    )
  }
  for (const path of visible) add(path, false)
  return shown
}

/** @returns undefined if it leads nowhere */
function realOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

/** Whether a path is that one, or lies below it. */
export function isWithin(path: string, other: string): boolean {
  return path === other || path.startsWith(other.endsWith(sep) ? other : other + sep)
}

/**
 * The first file or directory that others than its owner may not read or pass.
 * @param withWay whether what leads there is looked at, too, from the root on
 */
export function firstClosed(paths: readonly string[], withWay: boolean): string | undefined {
  for (const path of paths)
    for (const one of [...(withWay ? above(path) : []), path]) {
      const found = statSync(one, { throwIfNoEntry: false })
      if (found === undefined) continue
      const needed = (one === path ? OTHERS_READ : 0) | (found.isDirectory() ? OTHERS_PASS : 0)
      if ((found.mode & needed) !== needed) return one
    }
  return undefined
}
const OTHERS_READ = 0o4
const OTHERS_PASS = 0o1

/** The directories that lead to some paths, from the root on and without it. */
export function ways(paths: readonly string[]): string[] {
  return [...new Set(paths.flatMap(above))].filter(folder => folder !== '/').sort()
}

/** The directories that lead to a path, from the root on. */
function above(path: string): string[] {
  const folder = dirname(path)
  return folder === path ? [] : [...above(folder), folder]
}
