import type { Archive } from '../../sealed/archive.ts'

const decoder = new TextDecoder()

/** The files of an archive by their paths. */
export type Files = ReadonlyMap<string, Uint8Array>

export function filesOf({ files }: Archive): Files {
  return new Map(files.map(({ path, content }) => [path, content]))
}

/** What a `package.json` says that matters here. */
interface Manifest {
  readonly type?: string
  readonly main?: string
  readonly module?: string
  readonly exports?: unknown
}

/**
 * The path of the file that a specifier means, among the files of an archive: what Node would find, had they
 * been on a disk, but for patterns in `exports`.
 * @param from the file that names it
 * @throws Error there is none
 */
export function resolveIn(files: Files, specifier: string, from: string): string {
  const relative = /^\.{1,2}(\/|$)/.test(specifier) ? joined(folderOf(from), specifier) : undefined
  const found = relative === undefined ? packaged(files, specifier, from) : fileAt(files, relative)
  if (found !== undefined) return found
  throw new Error(`the bundle has no ${JSON.stringify(specifier)}, which ${from} imports`)
}

/** How a file is loaded. Outside of packages, `.js` is a module unless `package.json` says otherwise. */
export function kindOf(files: Files, path: string): 'module' | 'commonjs' | 'json' | 'text' {
  if (path.endsWith('.json')) return 'json'
  if (path.endsWith('.mjs')) return 'module'
  if (path.endsWith('.cjs')) return 'commonjs'
  if (!path.endsWith('.js')) return 'text'
  for (let folder = folderOf(path); ; folder = folderOf(folder)) {
    const manifest = manifestIn(files, folder)
    if (manifest !== undefined) {
      if (manifest.type !== undefined) return manifest.type === 'module' ? 'module' : 'commonjs'
      return folder.includes('node_modules/') ? 'commonjs' : 'module'
    }
    if (folder === '') return 'module'
  }
}

function packaged(files: Files, specifier: string, from: string): string | undefined {
  const [, name, rest = ''] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? []
  if (name === undefined) return undefined
  for (let folder = folderOf(from); ; folder = folderOf(folder)) {
    const root = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    const manifest = manifestIn(files, root)
    if (manifest?.exports !== undefined) {
      const target = exported(manifest.exports, `.${rest}`)
      return target === undefined ? undefined : fileAt(files, joined(root, target))
    }
    const inside = rest === '' ? (manifest?.module ?? manifest?.main ?? 'index.js') : `.${rest}`
    const found = fileAt(files, joined(root, inside))
    if (found !== undefined) return found
    if (folder === '') return undefined
  }
}

/** What `exports` of a package says of a subpath. */
function exported(exports: unknown, subpath: string): string | undefined {
  if (typeof exports === 'string') return subpath === '.' ? exports : undefined
  if (Array.isArray(exports)) return exported(exports[0], subpath)
  if (typeof exports !== 'object' || exports === null) return undefined
  const map = exports as Readonly<Record<string, unknown>>
  if (Object.keys(map).some(key => key.startsWith('.')))
    return map[subpath] === undefined ? undefined : exported(map[subpath], '.')
  for (const condition of Object.keys(map))
    if (['import', 'node', 'module', 'default', 'require'].includes(condition)) {
      const target = exported(map[condition], subpath)
      if (target !== undefined) return target
    }
  return undefined
}

function manifestIn(files: Files, folder: string): Manifest | undefined {
  const content = files.get(folder === '' ? 'package.json' : `${folder}/package.json`)
  return content === undefined ? undefined : (JSON.parse(decoder.decode(content)) as Manifest)
}

function fileAt(files: Files, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const endings = ['', '.js', '.mjs', '.cjs', '.json', '/index.js', '/index.mjs']
  return endings.map(ending => path + ending).find(one => files.has(one))
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** @returns undefined for what leads out of the archive */
function joined(folder: string, relative: string): string | undefined {
  const parts = folder === '' ? [] : folder.split('/')
  for (const part of relative.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined
    } else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}
