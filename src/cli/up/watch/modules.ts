import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** What a module says after `from`, `import`, `import(` and `require(`, if that is a path. */
const RELATIVE = /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*['"](\.{1,2}\/[^'"]+)['"]/g
/** What may be left out at the end of such a path. */
const ENDINGS = ['', '.js', '.mjs', '.cjs', '.json', '/index.js']
/** Files that are followed at most. */
const MOST = 500

/**
 * A module and all that it imports by paths: what is looked for by the name of a package stays as it is. What
 * cannot be read is passed over.
 */
export function modulesOf(file: string): string[] {
  const found = new Set([file])
  for (const one of found) {
    if (found.size >= MOST) break
    for (const [, path] of textOf(one).matchAll(RELATIVE)) {
      const whole = resolve(dirname(one), path!)
      const there = ENDINGS.map(ending => whole + ending).find(isFile)
      if (there !== undefined) found.add(there)
    }
  }
  return [...found]
}

function textOf(file: string): string {
  try {
    return /\.json$/.test(file) ? '' : readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Whatever the path is: words of a command may be a whole program, too. */
export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}
