import { closeSync, openSync, readSync } from 'node:fs'
import { MOST_BYTES, SecretStore } from '../../supervisor/secrets/store.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { hint } from '../platform/hint.ts'
import { warn, write } from '../terminal/output.ts'

export interface SecretOptions {
  readonly 'from-file': string | undefined
  readonly 'from-literal': string | undefined
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
  const { 'from-file': file, 'from-literal': literal, exact } = options
  const takes = action === 'create' || action === 'update'
  if (!takes && (file !== undefined || literal !== undefined || exact))
    throw new UsageError(`secret ${action} takes no value`)
  if (file !== undefined && literal !== undefined)
    throw new UsageError('use either --from-file or --from-literal, not both')
  if (action === 'list' && name !== undefined) throw new UsageError(`secret list takes no NAME, as ${name}`)
  if (action !== 'list' && name === undefined) throw new UsageError(`secret ${action} needs a NAME`)
  const { config } = readConfiguration(options.config, process.env)
  const store = new SecretStore(config.secretsDirectory)
  if (name === undefined) {
    const all = store.list()
    if (all.length === 0 && !options.json) warn(`there is no secret in ${config.secretsDirectory}`)
    const lines = all.map(one => `${one.name}  ${sizeText(one.bytes)}\n`)
    return write(options.json ? `${JSON.stringify(all)}\n` : lines.join(''))
  }
  // Before a value is asked for.
  store.fileOf(name)
  const users = [...config.functions.values()].filter(one => one.secrets.includes(name)).map(one => one.name)
  const whose = users.length === 0 ? 'no function names it' : `named by ${users.join(', ')}`
  if (action === 'remove') {
    store.remove(name)
    return write(options.json ? `${JSON.stringify({ name, users })}\n` : `removed ${name}; ${whose}\n`)
  }
  const { value, cut } = valueFrom(options)
  store.write(name, value, action === 'update')
  const { length } = value
  if (options.json) return write(`${JSON.stringify({ name, bytes: length, cut, users })}\n`)
  const size = sizeText(length)
  const without = cut === 0 ? '' : ', without the end of line, which --exact keeps'
  const until = hint('reload', options.config, process.env)
  const when = action === 'update' && users.length > 0 ? `; what runs has the old one until ${until}` : ''
  return write(`${action}d ${name} (${size}${without}); ${whose}${when}\n`)
}

function sizeText(bytes: number): string {
  return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`
}

/** @returns how many bytes of an end of line were cut off, too */
function valueFrom({ 'from-file': file, 'from-literal': literal, exact }: SecretOptions): {
  readonly value: Uint8Array
  readonly cut: number
} {
  const given = literal === undefined ? bytesOf(file) : Buffer.from(literal)
  const ending = given.at(-1) !== 0x0a ? 0 : given.at(-2) === 0x0d ? 2 : 1
  const cut = exact || literal !== undefined ? 0 : ending
  return { value: given.subarray(0, given.length - cut), cut }
}

/** No more than shows that it is too much: a device may have no end. @param file default: standard input */
function bytesOf(file: string | undefined): Uint8Array {
  let fd = 0
  try {
    fd = file === undefined ? 0 : openSync(file, 'r')
    const bytes = Buffer.alloc(MOST_BYTES + 3)
    let length = 0
    for (let more = -1; more !== 0 && length < bytes.length; length += more)
      more = readSync(fd, bytes, length, bytes.length - length, null)
    return bytes.subarray(0, length)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandError(`${file ?? 'standard input'} cannot be read (${code})`)
  } finally {
    if (fd !== 0) closeSync(fd)
  }
}
