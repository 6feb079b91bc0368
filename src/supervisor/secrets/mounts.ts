import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { lives } from '../../platform/seat/lives.ts'
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
  readonly #mounted = new Map<number, { readonly directory: string; readonly names: readonly string[] }>()

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
    this.#mounted.set(id, { directory, names })
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

  /** Removes what was made here, and follows nothing that the container may have put there. */
  unmount(id: number): void {
    const { directory, names } = this.#mounted.get(id) ?? { names: [] }
    if (directory === undefined) return
    for (const name of names) quietly(() => unlinkSync(join(directory, name)))
    quietly(() => rmdirSync(directory))
    this.#mounted.delete(id)
  }
}

/** What a process of our own user has removed or added itself stays so until the platform ends. */
function quietly(remove: () => void): void {
  try {
    remove()
  } catch {}
}

/**
 * Lets the user of a container read its secrets, and no other. They stay ours, with their directory: that
 * user changes none, and adds nothing that would be followed when they are removed.
 */
export function giveSecrets(directory: string, uid: number): void {
  const own = process.getuid!()
  for (const file of readdirSync(directory).map(name => join(directory, name))) {
    chownSync(file, own, uid)
    chmodSync(file, 0o440)
  }
  chownSync(directory, own, uid)
  chmodSync(directory, 0o750)
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
