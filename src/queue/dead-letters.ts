import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from './store.ts'

/** What of the dead letters is kept. */
export interface DeadLetterLimits {
  /** How many. */
  readonly count: number
  /** Of all their files together. */
  readonly bytes: number
}

/**
 * Bounds the dead letters: calls that can only fail would fill the disk otherwise. The oldest go first. What
 * was replayed or removed by a command meanwhile is found to be gone when its turn comes.
 */
export class DeadLetters {
  readonly #store: Store
  readonly #limits: DeadLetterLimits
  /** Bytes by name of file, the oldest first. */
  readonly #files = new Map<string, number>()
  #bytes = 0

  constructor(store: Store, limits: DeadLetterLimits) {
    this.#store = store
    this.#limits = limits
  }

  /** Counts what lies there already. @returns how many had to go: an end came before they did */
  async open(): Promise<number> {
    const found = await Promise.all(this.#store.names('dead').map(name => this.#look(name)))
    const there = found.filter(one => one !== undefined).sort((a, b) => a.at - b.at)
    for (const { name, bytes } of there) this.#add(name, bytes)
    return this.#shorten()
  }

  /** One more has come. @returns how many had to go for it */
  async buried(name: string): Promise<number> {
    this.#add(name, (await this.#look(name))?.bytes ?? 0)
    return this.#shorten()
  }

  async #shorten(): Promise<number> {
    let gone = 0
    for (const [oldest, bytes] of this.#files) {
      if (this.#files.size <= this.#limits.count && this.#bytes <= this.#limits.bytes) break
      this.#files.delete(oldest)
      this.#bytes -= bytes
      if (await this.#store.removeFile('dead', oldest)) gone++
    }
    return gone
  }

  #add(name: string, bytes: number): void {
    this.#bytes += bytes - (this.#files.get(name) ?? 0)
    this.#files.delete(name)
    this.#files.set(name, bytes)
  }

  async #look(name: string): Promise<{ name: string; bytes: number; at: number } | undefined> {
    try {
      const { size, mtimeMs } = await stat(join(this.#store.folder('dead'), name))
      return { name, bytes: size, at: mtimeMs }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}
