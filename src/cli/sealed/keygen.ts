import { writeFileSync } from 'node:fs'
import { newIdentity } from '../../sealed/age.ts'
import { CommandError } from '../line/usage-error.ts'
import { write } from '../terminal/output.ts'

/** Makes an identity. @param file what it is written to, which must not exist; undefined: standard output */
export async function keygen(file: string | undefined): Promise<void> {
  const { identity, recipient } = await newIdentity()
  const created = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const text = `# created: ${created}\n# public key: ${recipient}\n${identity}\n`
  if (file === undefined) return write(text)
  try {
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandError(
      `${file} ${code === 'EEXIST' ? 'is there already' : `cannot be written (${code})`}`,
    )
  }
  return write(`Public key: ${recipient}\n`)
}
