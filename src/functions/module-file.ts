import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFunctionName } from '../platform/function-name.ts'

/** A function that cannot be loaded; the message says why. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError'
  readonly reason: 'invalid_name' | 'missing' | 'unloadable' | 'wrong_export'

  constructor(reason: FunctionError['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

/**
 * The file of a function's module. @param nameOrPath, base as in `loadFunction`
 * @throws FunctionError `invalid_name`, or `missing`: there is no such file
 */
export function moduleFile(nameOrPath: string, base = process.cwd()): string {
  const file = locate(nameOrPath, base)
  if (existsSync(file)) return file
  const message = isFunctionName(nameOrPath)
    ? `the function ${JSON.stringify(nameOrPath)} has no module: ${file} does not exist; ` +
      'a function of your own needs the path of its module (handler: ./NAME.mjs)'
    : `${file} does not exist: the path of a handler starts at the folder of the configuration`
  throw new FunctionError('missing', message)
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
