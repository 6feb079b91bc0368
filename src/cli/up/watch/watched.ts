import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { moduleFile } from '../../../functions/module-file.ts'
import type { Config, FunctionConfig } from '../../../stack/config.ts'
import { isFile, modulesOf } from './modules.ts'

/** Files whose change matters: those that the stack file is made of, and those of which functions are. */
export interface Watched {
  readonly stack: readonly string[]
  /** Names of functions, by file. */
  readonly functions: ReadonlyMap<string, ReadonlySet<string>>
}

/** @param stackFile its path @param directory that the paths in it start from */
export function watchedFiles(config: Config, stackFile: string, directory: string): Watched {
  const all = [...config.functions.values()]
  const functions = new Map<string, Set<string>>()
  for (const one of all)
    for (const file of filesOf(one, stackFile)) {
      const names = functions.get(file) ?? new Set()
      functions.set(file, names.add(one.name))
    }
  const variables = all.flatMap(({ environment_file: files }) => files.map(file => resolve(directory, file)))
  return { stack: [stackFile, ...variables], functions }
}

function filesOf({ handler, program }: FunctionConfig, stackFile: string): string[] {
  if (program === undefined) {
    try {
      return modulesOf(moduleFile(handler))
    } catch {
      // It is not there any more: the next reload says so.
      return []
    }
  }
  const { command, directory } = program
  const named = command.map(word => resolve(directory, word)).filter(isFile)
  // A program that names no file of its own may be made of any in its folder.
  return named.length > 0 ? named : filesIn(directory).filter(file => file !== stackFile)
}

function filesIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries
      .filter(one => one.isFile() && !one.name.startsWith('.'))
      .map(one => join(directory, one.name))
  } catch {
    return []
  }
}
