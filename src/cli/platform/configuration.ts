import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type LoadedConfig, loadConfig } from '../../stack/config.ts'

/** The configuration that a command takes if it is told no other one. */
export const CONFIGURATION = 'hotpotato.yml'

/** A configuration, and whether it is the one that comes with the package. */
export interface FoundConfig extends LoadedConfig {
  readonly shipped: boolean
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
  if (file !== undefined || existsSync(CONFIGURATION))
    return { ...loadConfig(file ?? CONFIGURATION, variables), shipped: false }
  return { ...loadConfig(join(packageFolder(), CONFIGURATION), variables, process.cwd()), shipped: true }
}

/** Where package.json is; compiled files lie deeper than sources. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
