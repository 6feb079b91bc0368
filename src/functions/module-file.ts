import { readdirSync, statSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFunctionName } from '../platform/function-name.ts'
import { meant } from '../platform/nearest.ts'

/** A function that cannot be loaded; the message says why. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError'
  readonly reason: 'invalid_name' | 'missing' | 'unloadable' | 'wrong_export'

  constructor(reason: FunctionError['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

/** What the module of a function is called in a folder, the likeliest first. */
const IN_FOLDER = ['handler', 'index'].flatMap(name => ['.js', '.mjs', '.cjs'].map(ending => name + ending))

/**
 * The file of a function's module. @param nameOrPath, base as in `loadFunction`; the path of a folder, as
 * OpenFaaS has it, is that of `handler.js`, `handler.mjs` or `index.*` in it
 * @throws FunctionError `invalid_name`, or `missing`: there is no such file
 */
export function moduleFile(nameOrPath: string, base = process.cwd()): string {
  const file = locate(nameOrPath, base)
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) throw new FunctionError('missing', missing(nameOrPath, file))
  if (!found.isDirectory()) return file
  const inside = new Set(readdirSync(file))
  const name = IN_FOLDER.find(one => inside.has(one))
  if (name !== undefined) return join(file, name)
  throw new FunctionError('missing', `there is no function in the folder ${file}: no ${IN_FOLDER.join(', ')}`)
}

function missing(nameOrPath: string, file: string): string {
  if (!isFunctionName(nameOrPath))
    return `${file} does not exist: the path of a handler starts at the folder of the configuration`
  const shipped = shippedFunctions(dirname(file))
  const close = meant(nameOrPath, shipped)
  const advice = close === '' ? `; shipped are ${shipped.join(', ')}` : close
  const own = `one of your own is named by its path, as handler: ./${nameOrPath}.mjs`
  return `there is no function ${JSON.stringify(nameOrPath)}${advice} (${own})`
}

/** Names of the functions that come with the package. */
function shippedFunctions(folder: string): string[] {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter(one => one.isFile() && /\.[jt]s$/.test(one.name) && !one.name.endsWith('.d.ts'))
    .map(({ name }) => name.slice(0, -3))
  return names.sort()
}

function locate(nameOrPath: string, base: string): string {
  if (isFunctionName(nameOrPath)) {
    // The shipped functions are neighbours, compiled as this file is.
    const ending = extname(fileURLToPath(import.meta.url))
    return fileURLToPath(new URL(`./shipped/${nameOrPath}${ending}`, import.meta.url))
  }
  if (!/[/\\.]/.test(nameOrPath) || nameOrPath.includes('\0')) {
    const rule = '1 to 63 of a-z, 0-9 and -, with no - at either end; a path needs a slash or an ending'
    throw new FunctionError(
      'invalid_name',
      `${JSON.stringify(nameOrPath)} is not the name of a function: ${rule}`,
    )
  }
  return resolve(base, nameOrPath)
}
