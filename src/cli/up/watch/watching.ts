import { dirname, relative } from 'node:path'
import { BusyError } from '../../../supervisor/roll-out.ts'
import type { Clock } from '../../../time/clock.ts'
import { reasonOf } from '../../../wire/thrown.ts'
import { say, warn } from '../../terminal/output.ts'
import { reloadText } from '../reload-text.ts'
import type { Running } from '../running.ts'
import { type Watched, watchedFiles } from './watched.ts'
import { Watcher } from './watcher.ts'

/** Milliseconds until what was busy is tried again. */
const BUSY = 250

/**
 * Follows the stack file and the files of functions while they are worked on: a change of the one is
 * reloaded, functions of the others are deployed anew. What goes wrong is a line, and all goes on as it was.
 */
export class Watching {
  readonly #running: Running
  readonly #stackFile: string
  readonly #watcher: Watcher
  readonly #clock: Clock
  #watched: Watched
  /** Why the stack file was refused, as long as it is: what is missing may come. */
  #refused: string | undefined
  #closed = false

  /** @param stackFile its path */
  constructor(running: Running, stackFile: string, clock: Clock) {
    this.#running = running
    this.#stackFile = stackFile
    this.#clock = clock
    this.#watched = this.#look()
    this.#watcher = new Watcher({
      clock,
      onChange: files => this.#apply(files),
      onTrouble: warn,
      isRestless: () => this.#refused !== undefined,
    })
    this.#follow()
    // What has been written since the file was read for the start.
    void this.#reload(true)
  }

  close(): void {
    this.#closed = true
    this.#watcher.close()
  }

  #look(): Watched {
    return watchedFiles(this.#running.config, this.#stackFile, dirname(this.#stackFile))
  }

  #follow(): void {
    this.#watcher.follow([...this.#watched.stack, ...this.#watched.functions.keys()])
  }

  async #apply(files: ReadonlySet<string>): Promise<void> {
    const { stack, functions } = this.#watched
    const changed = new Map<string, string>()
    for (const file of files) for (const name of functions.get(file) ?? []) changed.set(name, file)
    if (this.#refused !== undefined || stack.some(file => files.has(file)))
      for (const name of await this.#reload()) changed.delete(name)
    for (const [name, file] of changed) await this.#deploy(name, relative(process.cwd(), file))
    this.#watched = this.#look()
    this.#follow()
  }

  /** @param quietly nothing is said if nothing has changed @returns functions that were started anew */
  async #reload(quietly = false): Promise<string[]> {
    try {
      const outcome = await this.#patiently(() => this.#running.reload(() => {}))
      this.#refused = undefined
      const changed = outcome.functions.length > 0 || outcome.gateway !== undefined
      if (changed || !quietly) for (const line of reloadText(outcome)) say(line)
      return outcome.functions.filter(({ did }) => did !== 'told' && did !== 'kept').map(({ name }) => name)
    } catch (error) {
      const reason = lineOf(error)
      if (reason !== this.#refused) warn(reason)
      this.#refused = reason
      return []
    }
  }

  /** What was saved while another command changes the same is taken when that is over. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (;;)
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof BusyError) || this.#closed) throw error
        await new Promise<void>(resolve => this.#clock.after(BUSY, resolve))
      }
  }

  async #deploy(name: string, file: string): Promise<void> {
    try {
      const { moved } = await this.#patiently(() => this.#running.deploy(name, () => {}))
      const connections = moved === 1 ? 'connection' : 'connections'
      say(`${name}: ${file} changed, deployed anew, moved ${moved} ${connections}`)
    } catch (error) {
      warn(lineOf(error))
    }
  }
}

/** In one line. */
function lineOf(error: unknown): string {
  return reasonOf(error).split('\n', 1)[0]!
}
