import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** Most bytes of a secret. */
export const MOST_BYTES = 1_048_576

/** A secret that cannot be had or kept; the message is one line, and never says what is in one. */
export class SecretError extends Error {
  override readonly name = 'CommandError'
}

function there(name: string): SecretError {
  return new SecretError(`the secret ${name} is there already; hotpotato secret update ${name} replaces it`)
}

function missing(name: string): SecretError {
  return new SecretError(`the secret ${name} is not there; hotpotato secret create ${name} makes it`)
}

/** Whether a secret can be called so. */
export function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,253}$/.test(name) && !/^\./.test(name)
}

/** The secrets of a platform, as files that only their owner can read: the directory 0700, each file 0600. */
export class SecretStore {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Names and sizes, in order. @throws SecretError */
  list(): readonly { readonly name: string; readonly bytes: number }[] {
    if (!existsSync(this.#directory)) return []
    this.#mustBePrivate()
    return readdirSync(this.#directory)
      .filter(isSecretName)
      .sort()
      .map(name => ({ name, bytes: lstatSync(this.fileOf(name)).size }))
  }

  /** Without reading it. @throws SecretError there is none, or others can read it */
  check(name: string): void {
    const file = this.fileOf(name)
    if (existsSync(this.#directory)) this.#mustBePrivate()
    if (existsSync(file)) return
    const advice = `hotpotato secret create ${name} makes it`
    throw new SecretError(`the secret ${name} is not in ${this.#directory}: ${advice}`)
  }

  /** @returns memory that nothing else shares, to be wiped @throws SecretError as {@link check} */
  read(name: string): Uint8Array {
    this.check(name)
    try {
      return readFileSync(this.fileOf(name))
    } catch (error) {
      throw new SecretError(`the secret ${name} cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }

  /** @param replace whether it must be there already, or must not @throws SecretError */
  write(name: string, value: Uint8Array, replace: boolean): void {
    const file = this.fileOf(name)
    const { length } = value
    if (length === 0 || length > MOST_BYTES)
      throw new SecretError(`a secret has 1 to ${MOST_BYTES} bytes, not ${length === 0 ? 'none' : 'more'}`)
    if (replace && !existsSync(file)) throw missing(name)
    if (!replace && existsSync(file)) throw there(name)
    const passing = join(this.#directory, `.${name}.${process.pid}`)
    try {
      this.#make()
      this.#mustBePrivate()
      try {
        writeFileSync(passing, value, { mode: 0o600 })
        chmodSync(passing, 0o600)
        if (replace) renameSync(passing, file)
        // Unlike a rename it fails if another command was quicker.
        else linkSync(passing, file)
      } finally {
        rmSync(passing, { force: true })
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') throw there(name)
      if (code === undefined) throw error
      throw new SecretError(`the secret ${name} cannot be kept in ${this.#directory} (${code})`)
    }
  }

  /** Makes the directory, if it is not there: whole, or not at all. */
  #make(): void {
    if (existsSync(this.#directory)) return
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    try {
      // In a repository nothing of it is to be committed by mistake.
      writeFileSync(join(this.#directory, '.gitignore'), '*\n', { mode: 0o600 })
    } catch (error) {
      rmSync(this.#directory, { recursive: true })
      throw error
    }
  }

  /** @throws SecretError there is none */
  remove(name: string): void {
    const file = this.fileOf(name)
    if (!existsSync(file)) throw missing(name)
    rmSync(file)
  }

  /** @throws SecretError it can have no such name */
  fileOf(name: string): string {
    if (isSecretName(name)) return join(this.#directory, name)
    throw new SecretError(
      `${JSON.stringify(name)} is no name of a secret: 1 to 253 letters, digits, ., - and _`,
    )
  }

  #mustBePrivate(): void {
    const { mode, uid } = lstatSync(this.#directory)
    if (uid !== process.getuid?.())
      throw new SecretError(
        `${this.#directory} has another owner: secrets are kept in a directory of your own`,
      )
    if ((mode & 0o077) !== 0)
      throw new SecretError(`others can look into ${this.#directory}: chmod 700 ${this.#directory}`)
  }
}
