import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import type { Archive } from '../../sealed/archive.ts'
import { MOST_CONTENT } from '../../sealed/bundle.ts'
import { CommandError } from '../line/usage-error.ts'

/** What is to be sealed, and what it is called by itself. */
export interface Source {
  readonly archive: Archive
  readonly name: string
  readonly version: string | undefined
}

type ArchivedFile = Archive['files'][number]

/** What no function needs, and must not be given away by mistake. */
const LEFT_OUT = /^(\.git|\.hg|\.svn|\.env.*|\.npmrc|\.venv|__pycache__|.*\.pyc|.*\.potato|.*\.pem|.*\.key)$/

/** Entries that a directory may have, the first one counts. */
const ENTRIES = ['index.mjs', 'index.js', 'handler.mjs', 'handler.js', 'handler.py']
/** How a single file that imports a neighbour says so. */
const NEIGHBOUR = {
  javascript: /(?:\bfrom|\bimport|\brequire\()\s*\(?\s*['"](\.{1,2}\/[^'"]*)['"]/,
  python: /^[ \t]*(?:from|import)[ \t]+(\.[\w.]*|function\.\w+)/m,
}

/** @param entry of a directory; undefined: it is looked for @throws CommandError */
export function readSource(path: string, entry: string | undefined): Source {
  const isDirectory = attempt(path, () => statSync(path).isDirectory())
  return isDirectory ? fromDirectory(path, entry) : fromFile(path)
}

function fromFile(path: string): Source {
  const content = attempt(path, () => new Uint8Array(readFileSync(path)))
  const file = basename(path)
  const ending = extname(file)
  if (!['.mjs', '.js', '.cjs', '.py'].includes(ending))
    throw new CommandError(`${path} is no module of JavaScript (.mjs, .js, .cjs) or Python (.py)`)
  const neighbour = ending === '.py' ? NEIGHBOUR.python : NEIGHBOUR.javascript
  const others = neighbour.exec(Buffer.from(content).toString('utf8'))
  if (others !== null)
    throw new CommandError(
      `${path} imports ${others[1]}, which is not in it: seal its directory, or build one file`,
    )
  return {
    archive: { entry: file, files: [{ path: file, content }] },
    name: nameFrom(file.slice(0, -ending.length)),
    version: undefined,
  }
}

function fromDirectory(root: string, entry: string | undefined): Source {
  const files: ArchivedFile[] = []
  let length = 0
  const visit = (folder: string): void => {
    for (const name of readdirSync(join(root, folder)).sort()) {
      if (LEFT_OUT.test(name)) continue
      const path = folder === '' ? name : `${folder}/${name}`
      const stat = lstatSync(join(root, path))
      if (stat.isDirectory()) visit(path)
      else if (stat.isFile()) {
        length += stat.size
        if (length > MOST_CONTENT) throw new CommandError(`${root} has more than ${MOST_CONTENT} bytes`)
        files.push({ path, content: new Uint8Array(readFileSync(join(root, path))) })
      } else
        throw new CommandError(`${join(root, path)} is neither a file nor a directory, and cannot be sealed`)
    }
  }
  attempt(root, () => visit(''))
  const manifest = manifestOf(files)
  const given = entry ?? manifest.main?.replace(/^\.\//, '')
  const candidates = given === undefined ? ENTRIES : [given]
  const found = candidates.find(one => files.some(({ path }) => path === one))
  if (found === undefined)
    throw new CommandError(`${root} has no ${candidates.join(', ')}: --entry names the function's module`)
  const name = nameFrom(basename(join(root, '.')))
  return { archive: { entry: found, files }, name, version: manifest.version }
}

function manifestOf(files: readonly ArchivedFile[]): { readonly main?: string; readonly version?: string } {
  const manifest = files.find(({ path }) => path === 'package.json')
  if (manifest === undefined) return {}
  try {
    return JSON.parse(Buffer.from(manifest.content).toString('utf8'))
  } catch {
    throw new CommandError('package.json is no JSON')
  }
}

function nameFrom(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .slice(0, 63) || 'function'
  )
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new CommandError(`${path} cannot be read (${code})`)
  }
}
