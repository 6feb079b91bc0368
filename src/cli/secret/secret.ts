import { readFileSync } from 'node:fs'
import { SecretStore } from '../../supervisor/secrets/store.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { warn, write } from '../terminal/output.ts'

export interface SecretOptions {
  readonly 'from-file': string | undefined
  readonly exact: boolean
  readonly json: boolean
  readonly config: string | undefined
}

/** @param action `create`, `update`, `remove` or `list` @throws UsageError @throws CommandError */
export async function secret(
  action: string,
  name: string | undefined,
  options: SecretOptions,
): Promise<void> {
  const { config } = readConfiguration(options.config, process.env)
  const store = new SecretStore(config.secretsDirectory)
  if (action === 'list') {
    const all = store.list()
    if (all.length === 0 && !options.json) warn(`there is no secret in ${config.secretsDirectory}`)
    const lines = all.map(one => `${one.name}  ${one.bytes} bytes\n`)
    return write(options.json ? `${JSON.stringify(all)}\n` : lines.join(''))
  }
  if (name === undefined) throw new UsageError(`secret ${action} needs a NAME`)
  // Before a value is asked for.
  store.fileOf(name)
  if (action === 'remove') store.remove(name)
  else store.write(name, valueFrom(options), action === 'update')
  const users = [...config.functions.values()].filter(one => one.secrets.includes(name)).map(one => one.name)
  const whose = users.length === 0 ? 'no function names it' : `named by ${users.join(', ')}`
  return write(`${action}d ${name}; ${whose}\n`)
}

function valueFrom({ 'from-file': file, exact }: SecretOptions): Uint8Array {
  let value: Buffer
  try {
    value = readFileSync(file ?? 0)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandError(`${file ?? 'standard input'} cannot be read (${code})`)
  }
  if (exact) return value
  const ending = value.at(-1) !== 0x0a ? 0 : value.at(-2) === 0x0d ? 2 : 1
  return value.subarray(0, value.length - ending)
}
