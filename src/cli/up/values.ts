import { accessSync, constants, readFileSync } from 'node:fs'
import { moduleFile } from '../../functions/module-file.ts'
import { folderOf, inheritedByPrograms, mustBeThere } from '../../functions/programs/process.ts'
import { loadProvider, type ProviderName } from '../../platform/membership.ts'
import { readBundle } from '../../sealed/bundle.ts'
import type { LoadedConfig } from '../../stack/config.ts'
import { madeOf } from '../../stack/confinement.ts'
import { ConfigError } from '../../stack/readers.ts'
import { mustBePossible, mustBeReadable } from '../../supervisor/isolation/check.ts'
import { SecretStore } from '../../supervisor/secrets/store.ts'
import { select } from '../../tls13/crypto/selection.ts'
import { chooseChannel } from '../../transfer/channel.ts'

/**
 * Judges values that can be judged only on this machine, before a process starts: files that must be there,
 * and names that the provider must know. Without it a container would find out, which knows no line.
 * @throws ConfigError with the place of the first one that is wrong
 */
export async function checkValues(
  { config, at }: Pick<LoadedConfig, 'config' | 'at'>,
  provider: ProviderName,
): Promise<void> {
  const judge = (path: string, work: () => void): void => {
    try {
      work()
    } catch (error) {
      throw new ConfigError(`${at(path)}: ${path}: ${(error as Error).message}`)
    }
  }
  const circumstances = { uids: config.isolationUids, native: chooseChannel().kind === 'native' }
  const store = new SecretStore(config.secretsDirectory)
  for (const one of config.functions.values()) {
    const { name, handler, program, sealed, environment, clientAuthorities, isolation, secrets } = one
    if (sealed !== undefined) judge(`functions.${name}.sealed.bundle`, () => aBundle(sealed.bundle))
    else if (program === undefined) judge(`functions.${name}.handler`, () => moduleFile(handler))
    else {
      const all = { ...inheritedByPrograms(process.env), ...environment }
      judge(`functions.${name}.handler`, () => folderOf(program.directory))
      judge(`functions.${name}.command`, () => mustBeThere({ ...program, environment: all }))
    }
    judge(`functions.${name}.isolation`, () => mustBePossible(isolation, circumstances))
    judge(`functions.${name}.isolation`, () =>
      mustBeReadable(isolation, [...madeOf(one), ...(sealed === undefined ? [] : [sealed.bundle])]),
    )
    for (const [index, secret] of secrets.entries())
      judge(`functions.${name}.secrets.${index}`, () => store.check(secret))
    if (clientAuthorities !== undefined)
      judge(`functions.${name}.clientAuthorities`, () => readable(clientAuthorities))
  }
  const { groups } = config.tls
  if (groups === undefined) return
  const loaded = await loadProvider(provider)
  for (const [index, group] of groups.entries())
    judge(`tls.groups.${index}`, () => select(loaded, { groups: [group] }))
}

/** @throws Error it is none, or cannot be read */
function aBundle(file: string): void {
  readable(file)
  readBundle(new Uint8Array(readFileSync(file)))
}

function readable(file: string): void {
  try {
    accessSync(file, constants.R_OK)
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
