import { mkdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Timer } from '../../time/clock.ts'
import { killIn, processesIn, read, removeDirectory, tryWrite } from './directory.ts'
import type { Controller, Tree } from './hierarchy.ts'
import { knobs, refusals, type Share } from './knobs.ts'

/** Milliseconds between two looks whether all have ended, and until what has not is ended. */
const LOOK = 50
const GRACE = 2000
/** The same until it is given up. */
const MOST = 20_000

/** The cgroup of one container, in each hierarchy. */
export class Group {
  readonly #name: string
  readonly #trees: readonly Tree[]
  readonly #clock: Clock
  #share: Share = {}
  /** Limits that could not be set. */
  readonly #unset = new Set<Controller>()
  #why: string | undefined
  #ending: Timer | undefined
  #removed = false

  /**
   * Makes it, empty.
   * @param trees whose parents are the directories that it is made in
   * @throws Error it cannot be made
   */
  constructor(name: string, trees: readonly Tree[], clock: Clock) {
    this.#name = name
    this.#trees = trees
    this.#clock = clock
    try {
      for (const path of this.paths) mkdirSync(path)
    } catch (error) {
      this.#remove()
      throw error
    }
  }

  /** Whether the kernel holds that for it. */
  holds(controller: Controller): boolean {
    return !this.#unset.has(controller) && this.#trees.some(one => one.controllers.includes(controller))
  }

  get removed(): boolean {
    return this.#removed
  }

  /** Sets what it may use, as far as it can. @throws Error not all of it could be set */
  set(share: Share): void {
    this.#share = share
    this.#unset.clear()
    const failures = this.#trees.flatMap(tree => tree.controllers.flatMap(one => this.#setIn(tree, one)))
    if (failures.length > 0) throw failures[0]
  }

  /** @returns why that could not be set */
  #setIn(tree: Tree, controller: Controller): readonly unknown[] {
    try {
      for (const { file, value, optional = false } of knobs(tree.version, controller, this.#share))
        if (optional) tryWrite(join(this.#path(tree), file), value)
        else writeFileSync(join(this.#path(tree), file), value)
      return []
    } catch (error) {
      this.#unset.add(controller)
      return [error]
    }
  }

  /**
   * Takes a process in, with all that have come from it; what they start from then on is in it by itself.
   * That takes some milliseconds, in which our own thread does other work.
   * @param family of the process, itself the first @throws Error it could not be taken in, and lives
   */
  async take(family: () => readonly number[]): Promise<void> {
    const taken = new Set<number>()
    for (;;) {
      const fresh = family().filter(pid => !taken.has(pid))
      if (fresh.length === 0) return
      for (const pid of fresh) {
        taken.add(pid)
        for (const path of this.paths)
          await writeFile(join(path, 'cgroup.procs'), `${pid}`).catch((error: NodeJS.ErrnoException) => {
            // A cgroup that is gone although its container lives was removed by another program.
            if (error.code !== 'ESRCH' && !this.#over) throw error
          })
      }
    }
  }

  /** How many processes are in it. */
  get processes(): number {
    return processesIn(this.paths[0]!).length
  }

  /** Why the container has to end, as the kernel counts; undefined: it keeps to its limits. */
  excess(): string | undefined {
    if (this.#why !== undefined || this.#removed) return this.#why
    const { memory, tasks } = this.#share
    if (this.#refused('memory') > 0)
      this.#why =
        memory === undefined
          ? 'no memory was left for the whole platform'
          : `it needs more than its memory of ${Math.round(memory / 2 ** 20)} MiB`
    else if (this.#refused('pids') > 0) this.#why = `it has more than ${tasks} processes and threads`
    return this.#why
  }

  /** How often the kernel has refused it something. */
  #refused(of: 'memory' | 'pids'): number {
    const tree = this.#trees.find(({ controllers }) => controllers.includes(of))
    if (tree === undefined) return 0
    const [file, word] = refusals(tree.version, of)
    const line = read(join(this.#path(tree), file)).match(new RegExp(`^${word} (\\d+)$`, 'm'))
    return Number(line?.[1] ?? 0)
  }

  /** Ends all that is in it, and lets nothing more be started there. */
  kill(): void {
    // What is said of it counts from before.
    this.excess()
    for (const path of this.paths) killIn(path)
  }

  /**
   * Its container has ended. What that has left is given a moment to end by itself, as a guardian does; then
   * the cgroup is removed.
   */
  end(): void {
    if (this.#over) return
    this.excess()
    if (this.#remove()) return
    const since = this.#clock.steady()
    this.#ending = this.#clock.every(LOOK, () => {
      const time = this.#clock.steady() - since
      if (time > GRACE) this.kill()
      if (this.#remove() || time > MOST) this.#ending?.stop()
    })
    this.#ending.unref()
  }

  /** The same at once, when the supervisor itself ends. @returns whether it is gone */
  close(): boolean {
    this.#ending?.stop()
    if (this.#removed) return true
    this.kill()
    return this.#remove()
  }

  /** Its container has ended. */
  get #over(): boolean {
    return this.#ending !== undefined || this.#removed
  }

  #remove(): boolean {
    this.#removed = this.paths.map(removeDirectory).every(Boolean)
    return this.#removed
  }

  /** Its directories. */
  get paths(): readonly string[] {
    return this.#trees.map(tree => this.#path(tree))
  }

  #path({ parent }: Tree): string {
    return join(parent, this.#name)
  }
}
