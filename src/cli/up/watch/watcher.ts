import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { digestOf } from '../../../certificates/digest.ts'
import type { Clock, Timer } from '../../../time/clock.ts'

/** Milliseconds without a further change until one counts: editors write a file in several steps. */
const QUIET = 100

export interface WatcherOptions {
  readonly clock: Clock
  /** Is told of files that have another content than before; never again before it has resolved. */
  readonly onChange: (files: ReadonlySet<string>) => Promise<void>
  readonly onTrouble: (text: string) => void
  /** Whether to tell of anything at all that happens in their folders: of no file, then. */
  readonly isRestless: () => boolean
}

/**
 * Says which of some files have changed. It watches their folders, because editors put another file in the
 * place of one, and looks at contents, because not every event is a change. A file that is missing has not
 * changed yet: it comes back, or what needs it says so.
 */
export class Watcher {
  readonly #options: WatcherOptions
  readonly #folders = new Map<string, FSWatcher>()
  /** What each file said last. */
  #digests = new Map<string, string>()
  #timer: Timer | undefined
  #telling = false
  /** Something has happened since it was told last. */
  #again = false

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  /** From now on it is these files. Those that it knows already it compares with what they said last. */
  follow(files: Iterable<string>): void {
    const all = [...files]
    const wanted = new Set(all.map(file => dirname(file)))
    // First, so that no change falls between the look at a file and the watch over it.
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#enter(folder)
    this.#digests = new Map(all.map(file => [file, this.#digests.get(file) ?? digestOf([file])]))
    for (const [folder, watcher] of this.#folders) if (!wanted.has(folder)) this.#leave(folder, watcher)
  }

  close(): void {
    this.#timer?.stop()
    for (const [folder, watcher] of this.#folders) this.#leave(folder, watcher)
  }

  #enter(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#stir())
      // A folder that is removed; what is in it is missing then.
      watcher.on('error', () => this.#leave(folder, watcher))
      this.#folders.set(folder, watcher)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.#options.onTrouble(`${folder} cannot be watched (${code})`)
    }
  }

  #leave(folder: string, watcher: FSWatcher): void {
    watcher.close()
    this.#folders.delete(folder)
  }

  #stir(): void {
    this.#timer?.stop()
    this.#timer = this.#options.clock.after(QUIET, () => void this.#look())
  }

  async #look(): Promise<void> {
    if (this.#telling) {
      this.#again = true
      return
    }
    this.#telling = true
    do {
      this.#again = false
      const changed = this.#changed()
      if (changed.size > 0 || this.#options.isRestless()) await this.#options.onChange(changed)
    } while (this.#again)
    this.#telling = false
  }

  #changed(): Set<string> {
    const missing = digestOf(['/nowhere/at/all'])
    const changed = new Set<string>()
    for (const [file, before] of this.#digests) {
      const now = digestOf([file])
      if (now === before || now === missing) continue
      this.#digests.set(file, now)
      changed.add(file)
    }
    return changed
  }
}
