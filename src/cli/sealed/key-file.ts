import { readFileSync } from 'node:fs'
import { identitiesOf } from '../../sealed/age.ts'
import { readCredential } from '../../sealed/credential.ts'
import { utf8 } from '../../wire/index.ts'
import { CommandError } from '../line/usage-error.ts'

/** @param file `-` is standard input @throws CommandError */
export function read(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file === '-' ? 0 : file))
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** A data key out of a file, as `--show-key` prints it or alone. @throws CommandError */
export function readDataKey(file: string): Uint8Array {
  const text = Buffer.from(read(file)).toString('latin1').trim()
  const spelled = text.replace(/^(x-hotpotato-key: *)?(data-key )?/i, 'data-key ')
  const credential = readCredential(utf8(spelled))
  if (credential?.kind === 'data-key') return credential.key
  const advice = /^AGE-SECRET-KEY-/m.test(text) ? '; what it has is for --identity' : ''
  throw new CommandError(`${file} has no data key: that is 43 characters of base64url${advice}`)
}

/** What a request brings, as text: the first identity of a file of age-keygen's. @throws CommandError */
export function readIdentity(file: string): string {
  const [identity] = identitiesOf(Buffer.from(read(file)).toString('utf8'))
  if (identity?.startsWith('AGE-SECRET-KEY-')) return `age-identity ${identity}`
  throw new CommandError(`${file} has no identity of age: a line that begins with AGE-SECRET-KEY-1`)
}
