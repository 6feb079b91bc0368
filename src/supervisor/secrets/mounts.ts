import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { SecretsSpec } from '../../stack/spec.ts'
import { SecretError, SecretStore } from './store.ts'

/** What Linux calls file systems that are in memory alone: tmpfs, ramfs. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
const PREFIX = 'hotpotato-secrets-'

/**
 * The secrets of running containers: a directory for each in memory, with the files that its function names.
 * They go with the container; those that a supervisor which was killed has left go when the next one starts.
 */
export class SecretMounts {
  #base: string | undefined
  readonly #mounted = new Map<number, string>()

  /**
   * @param id of the process that it is for @param name of the container, for people
   * @returns the directory, 0700, with files of 0400 @throws SecretError
   */
  mount(id: number, name: string, { store, names }: SecretsSpec): string {
    if (this.#base === undefined) {
      this.#base = makeBase()
      process.once('exit', () => this.close())
    }
    const directory = join(this.#base, `${name}-${id}`)
    const secrets = new SecretStore(store)
    mkdirSync(directory, { mode: 0o700 })
    this.#mounted.set(id, directory)
    for (const one of names) {
      const value = secrets.read(one)
      writeFileSync(join(directory, one), value, { mode: 0o400 })
      value.fill(0)
    }
    return directory
  }

  /** Removes what is left of all. */
  close(): void {
    if (this.#base !== undefined) rmSync(this.#base, { recursive: true, force: true })
    this.#base = undefined
  }

  unmount(id: number): void {
    const directory = this.#mounted.get(id)
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
    this.#mounted.delete(id)
  }
}

/** Gives the secrets of a container to the user that it has, who alone can read them then. */
export function giveSecrets(directory: string, uid: number): void {
  for (const name of readdirSync(directory)) chownSync(join(directory, name), uid, uid)
  chownSync(directory, uid, uid)
}

function makeBase(): string {
  const memory = ['/dev/shm', process.env.XDG_RUNTIME_DIR, '/run'].find(isInMemory)
  if (memory === undefined)
    throw new SecretError('secrets need a file system in memory (tmpfs), and /dev/shm is none')
  removeLeftovers(memory)
  const base = mkdtempSync(join(memory, `${PREFIX}${process.pid}-`))
  // Users of single functions have to get through it, to what is theirs alone.
  chmodSync(base, 0o711)
  return base
}

function isInMemory(directory: string | undefined): directory is string {
  try {
    if (directory === undefined || !IN_MEMORY.has(statfsSync(directory).type)) return false
    rmSync(mkdtempSync(join(directory, PREFIX)), { recursive: true })
    return true
  } catch {
    return false
  }
}

function removeLeftovers(memory: string): void {
  for (const name of readdirSync(memory)) {
    const pid = Number(/^hotpotato-secrets-(\d+)-/.exec(name)?.[1])
    if (!(pid > 0) || lives(pid)) continue
    const { uid } = lstatSync(join(memory, name))
    if (uid === process.getuid?.()) rmSync(join(memory, name), { recursive: true, force: true })
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
