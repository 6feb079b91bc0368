import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isFunctionName } from '../../src/platform/function-name.ts'
import { OptionError } from './option-error.ts'

/** What an option's value names: a function's module, a file to write, or a folder to write into. */
export type PlaceKind = 'module' | 'file' | 'folder'

/**
 * The place that an option names, judged before anything is measured. A folder that is not there is made.
 * @param text from the working directory, or the name of a shipped function
 * @returns an absolute path, or that name @throws OptionError nothing can be read or written there
 */
export function placeOf(kind: PlaceKind, option: string, text: string): string {
  if (kind === 'module') return moduleOf(option, text)
  const path = resolve(text)
  try {
    const folder = kind === 'folder' ? path : dirname(path)
    if (kind === 'folder') mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw new OptionError(`--${option} ${text} cannot be written: ${(error as Error).message}`)
  }
  if (kind === 'file' && existsSync(path) && !statSync(path).isFile())
    throw new OptionError(`--${option} ${text} is no file`)
  return path
}

function moduleOf(option: string, text: string): string {
  if (!isFunctionName(text)) {
    const path = resolve(text)
    if (existsSync(path)) return path
    throw new OptionError(`--${option} ${text} is not there`)
  }
  // The shipped functions are compiled where this file is.
  const ending = extname(fileURLToPath(import.meta.url))
  if (existsSync(new URL(`../../src/functions/shipped/${text}${ending}`, import.meta.url))) return text
  throw new OptionError(
    `--${option} ${text} is no shipped function; the path of a file has a slash or an ending`,
  )
}
