import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError, type LoadedConfig, loadConfig, loadRunDirectory } from '../../stack/config.ts'

/** The configuration that a command takes if it is told no other one. */
export const CONFIGURATION = 'hotpotato.yml'

/** A configuration, and whether it is the one that comes with the package. */
export interface FoundConfig extends LoadedConfig {
  readonly shipped: boolean
  /** The path of the file. */
  readonly file: string
}

/**
 * Reads the configuration of a command: the file that it was told, or else `hotpotato.yml` in this directory,
 * or else the one that comes with the package, whose paths then start in this directory.
 * @param variables the environment @throws ConfigError as `loadConfig`
 */
export function readConfiguration(
  file: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
): FoundConfig {
  if (file !== undefined || existsSync(CONFIGURATION)) {
    const given = file ?? CONFIGURATION
    return { ...loadConfig(given, variables), shipped: false, file: resolve(given) }
  }
  const own = join(packageFolder(), CONFIGURATION)
  return { ...loadConfig(own, variables, process.cwd()), shipped: true, file: own }
}

/** The run directory alone: also of a file of which the rest makes no sense. @throws ConfigError */
export function readRunDirectory(
  file: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
): string {
  try {
    return readConfiguration(file, variables).config.runDirectory
  } catch (error) {
    const path = file ?? CONFIGURATION
    const found =
      error instanceof ConfigError && existsSync(path) ? loadRunDirectory(path, variables) : undefined
    if (found === undefined) throw error
    return found
  }
}

/** Where package.json is; compiled files lie deeper than sources. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
