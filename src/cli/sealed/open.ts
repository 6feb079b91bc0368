import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AgeError, identitiesOf, unwrapKey } from '../../sealed/age.ts'
import { type Archive, readArchive } from '../../sealed/archive.ts'
import { type Bundle, mustBeOf, openBundle, readBundle } from '../../sealed/bundle.ts'
import { writeDataKey } from '../../sealed/credential.ts'
import { SealedError } from '../../sealed/error.ts'
import { node } from '../../tls13/crypto/node.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { write } from '../terminal/output.ts'
import { read, readDataKey } from './key-file.ts'

export interface OpenOptions {
  readonly identity: readonly string[] | undefined
  readonly 'key-file': string | undefined
  readonly output: string | undefined
  readonly 'show-key': boolean
}

/** Opens a bundle, and lists or writes its files. @throws UsageError @throws CommandError */
export async function open(file: string, options: OpenOptions): Promise<void> {
  const bytes = read(file)
  try {
    const bundle = readBundle(bytes)
    const dataKey = await keyFor(bundle, options)
    const { header, content } = openBundle(bytes, dataKey, node)
    const { entry, files } = readArchive(content)
    const title = header.version === '' ? header.name : `${header.name} ${header.version}`
    const lines = files.map(one => `${String(one.content.length).padStart(9)}  ${one.path}`)
    if (options['show-key']) lines.push(`x-hotpotato-key: ${writeDataKey(dataKey)}`)
    if (options.output !== undefined) writeFiles(options.output, files)
    await write(`${title}, the function is ${entry}\n${lines.join('\n')}\n`)
  } catch (error) {
    if (error instanceof SealedError) throw new CommandError(`${file}: ${error.message}`)
    throw error
  }
}

async function keyFor(bundle: Bundle, options: OpenOptions): Promise<Uint8Array> {
  const { identity: files = [], 'key-file': keyFile } = options
  if (keyFile !== undefined) return readDataKey(keyFile)
  if (files.length === 0) throw new UsageError('open needs an --identity or a --key-file')
  const identities = files.flatMap(one => identitiesOf(Buffer.from(read(one)).toString('utf8')))
  try {
    const dataKey = await unwrapKey(bundle.wrappedKey, identities)
    if (dataKey !== undefined) {
      mustBeOf(bundle, dataKey, node)
      return dataKey
    }
  } catch (error) {
    if (error instanceof AgeError) throw new CommandError(`${files.join(', ')}: ${error.message}`)
    throw error
  }
  throw new CommandError('the bundle is for none of these identities')
}

/** Clear text on the disk, because the user wants it so: for its owner alone. */
function writeFiles(directory: string, files: Archive['files']): void {
  for (const { path, content } of files) {
    const target = join(directory, path)
    try {
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
      writeFileSync(target, content, { mode: 0o600, flag: 'wx' })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw new CommandError(
        `${target} ${code === 'EEXIST' ? 'is there already' : `cannot be written (${code})`}`,
      )
    }
  }
}
