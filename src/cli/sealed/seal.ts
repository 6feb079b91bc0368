import { renameSync, writeFileSync } from 'node:fs'
import { AgeError, wrapKey } from '../../sealed/age.ts'
import { writeArchive } from '../../sealed/archive.ts'
import { newDataKey, sealBundle } from '../../sealed/bundle.ts'
import { writeDataKey } from '../../sealed/credential.ts'
import { node } from '../../tls13/crypto/node.ts'
import { EMPTY } from '../../wire/index.ts'
import { mustBeDistinct } from '../line/distinct.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { write } from '../terminal/output.ts'
import { readDataKey } from './key-file.ts'
import { readSource } from './sources.ts'

export interface SealOptions {
  readonly recipient: readonly string[] | undefined
  readonly output: string | undefined
  readonly name: string | undefined
  readonly release: string | undefined
  readonly entry: string | undefined
  /** Has the data key of an earlier version. */
  readonly 'key-file': string | undefined
  readonly 'show-key': boolean
}

/** Seals a file or a directory, and says what it did. @throws UsageError @throws CommandError */
export async function seal(path: string, options: SealOptions): Promise<void> {
  const { recipient: recipients = [], entry } = options
  const shows = options['show-key']
  if (recipients.length === 0 && !shows && options['key-file'] === undefined)
    throw new UsageError('seal needs a --recipient, or --show-key: otherwise there is no key to open it with')
  mustBeDistinct(
    [['--output', options.output]],
    [
      ['the source', path],
      ['--key-file', options['key-file']],
    ],
  )
  const source = readSource(path, entry)
  const name = options.name ?? source.name
  if (!/^[a-z0-9-]{1,63}$/.test(name)) throw new UsageError('--name must be 1 to 63 of a-z, 0-9 and -')
  const version = options.release ?? source.version ?? ''
  if (version.length > 60) throw new UsageError('--release must have at most 60 characters')
  const keyFile = options['key-file']
  const dataKey = keyFile === undefined ? newDataKey(node) : readDataKey(keyFile)
  const wrappedKey = recipients.length === 0 ? EMPTY : await wrap(dataKey, recipients)
  const content = writeArchive(source.archive)
  const bundle = sealBundle({ name, version, content, dataKey, wrappedKey }, node)
  const output = options.output ?? `${name}.potato`
  place(output, bundle)
  const files = source.archive.files.length === 1 ? '1 file' : `${source.archive.files.length} files`
  const whom = recipients.length === 1 ? '1 recipient' : `${recipients.length} recipients`
  const title = version === '' ? name : `${name} ${version}`
  const lines = [`${output}: ${title}, ${files}, ${bundle.length} bytes, for ${whom}`]
  if (source.archive.entry.endsWith('.py'))
    lines.push('it is in Python: its stack file has to say lang: python3, or python3-http')
  if (shows) lines.push(`x-hotpotato-key: ${writeDataKey(dataKey)}`)
  dataKey.fill(0)
  content.fill(0)
  await write(`${lines.join('\n')}\n`)
}

async function wrap(dataKey: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  try {
    return await wrapKey(dataKey, recipients)
  } catch (error) {
    if (error instanceof AgeError) throw new UsageError(`--recipient: ${error.message}`)
    throw error
  }
}

/** Whole or not at all: a platform may be reading it. */
function place(file: string, bytes: Uint8Array): void {
  const passing = `${file}.${process.pid}`
  try {
    writeFileSync(passing, bytes)
    renameSync(passing, file)
  } catch (error) {
    throw new CommandError(`${file} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}
