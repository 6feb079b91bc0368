import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The secrets that the stack file gives to a function: files in memory, that other functions do not have. */
export interface Secrets {
  /** Where the files are, named as the secrets are; undefined: the function has no secrets. */
  readonly directory: string | undefined
  /** The names of all. */
  readonly names: readonly string[]
  /** A secret as text. @throws Error the function has none of that name */
  get(name: string): string
  /** A secret as it is. @throws Error the function has none of that name */
  bytes(name: string): Uint8Array
}

/** @param directory undefined: there are none */
export function secretsIn(directory: string | undefined): Secrets {
  const bytes = (name: string): Uint8Array => {
    const isName = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)
    if (directory === undefined || !isName || !readdirSync(directory).includes(name))
      throw new Error(`the function has no secret ${JSON.stringify(name)}: the stack file names what it gets`)
    return new Uint8Array(readFileSync(join(directory, name)))
  }
  return {
    directory,
    get names() {
      return directory === undefined ? [] : readdirSync(directory).sort()
    },
    get: name => new TextDecoder().decode(bytes(name)),
    bytes,
  }
}
