import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { moduleFile } from '../../functions/module-file.ts'
import { folderOf, inheritedByPrograms, mustBeThere } from '../../functions/programs/process.ts'
import { loadProvider, type ProviderName } from '../../platform/membership.ts'
import { readBundle } from '../../sealed/bundle.ts'
import type { LoadedConfig } from '../../stack/config.ts'
import { madeOf } from '../../stack/confinement.ts'
import { callsPython } from '../../stack/program/program.ts'
import { ConfigError } from '../../stack/readers.ts'
import { mustBePossible, mustBeReadable } from '../../supervisor/isolation/check.ts'
import { SecretStore } from '../../supervisor/secrets/store.ts'
import { select } from '../../tls13/crypto/selection.ts'
import { chooseChannel } from '../../transfer/channel.ts'
import { TEMPLATES } from '../new/templates.ts'

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
    const { name, lang, handler, program, sealed, environment, clientAuthorities, isolation, secrets } = one
    if (sealed !== undefined) judge(`functions.${name}.sealed.bundle`, () => aBundle(sealed.bundle))
    else if (program === undefined) judge(`functions.${name}.handler`, () => aModule(handler, lang))
    else {
      const all = { ...inheritedByPrograms(process.env), ...environment }
      judge(`functions.${name}.handler`, () => folderOf(program.directory))
      judge(`functions.${name}.command`, () => mustBeThere({ ...program, environment: all }))
      if (callsPython(program)) judge(`functions.${name}.handler`, () => aPythonHandler(program.directory))
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

/** @throws Error there is none, and why that may be */
function aModule(handler: string, lang = 'node'): void {
  let file: string
  try {
    file = moduleFile(handler)
  } catch (error) {
    if (HERE.test(lang)) throw error
    const templates = TEMPLATES.flatMap(one => [one.name, ...one.aliases]).join(', ')
    throw new Error(
      `${(error as Error).message}; and lang: ${lang} does not run here, as ${templates} do; ` +
        'with command, and without lang, a function is a program in any language',
    )
  }
  readable(file)
}

/** Templates of functions that are modules. */
const HERE = /^(fetch|hono|express|node.*)$/

/** @throws Error it is not there */
function aPythonHandler(folder: string): void {
  if (['handler.py', 'handler'].some(name => existsSync(join(folder, name)))) return
  throw new Error(`there is no handler.py in the folder ${folder}`)
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
  if (statSync(file).isDirectory()) throw new Error(`${file} is a folder, and a file is needed here`)
}
