import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../time/clock.ts'
import { makeBase, removeBase, sweep } from './base.ts'
import { Group } from './group.ts'
import { type Controller, type Survey, survey, type Tree } from './hierarchy.ts'
import { ownName } from './identity.ts'
import type { Share } from './knobs.ts'

/** Milliseconds between two tries to remove what has just been ended, and of them altogether. */
const AGAIN = 20
const PATIENCE = 2000
/** The same in which what containers have left may end by itself, as guardians do. */
const FAREWELL = 1000

/**
 * The cgroups of this supervisor's containers: one for each, below one of its own. Those that a supervisor
 * has left which was killed go when the next one begins in the same place.
 */
export class Cgroups {
  readonly #survey: Survey
  readonly #clock: Clock
  readonly #log: Log
  readonly #name = ownName()
  readonly #groups = new Set<Group>()
  /** Those in which there is one. */
  #trees: readonly Tree[]
  #state: 'not asked' | 'made' | 'none' = 'not asked'

  /** @param found where they may be made */
  constructor(clock: Clock, log: Log, found: Survey = survey()) {
    this.#clock = clock
    this.#log = log
    this.#survey = found
    this.#trees = found.trees
  }

  /** What the kernel holds for containers here. */
  get held(): ReadonlySet<Controller> {
    return new Set(this.#trees.flatMap(({ controllers }) => controllers))
  }

  /** @returns a cgroup without processes; undefined: there can be none here, which the log has said once */
  make(name: string, share: Share): Group | undefined {
    if (this.#state === 'not asked') this.#begin()
    if (this.#state === 'none') return undefined
    for (const one of this.#groups) if (one.removed) this.#groups.delete(one)
    try {
      const bases = this.#trees.map(tree => ({ ...tree, parent: `${tree.parent}/${this.#name}` }))
      const group = new Group(name, bases, this.#clock)
      this.#groups.add(group)
      this.set(group, name, share)
      return group
    } catch (error) {
      this.#log.error({ err: error }, `${name} gets no cgroup: its limits are held less well`)
      return undefined
    }
  }

  /** Sets what a container may use, as far as the kernel takes it. */
  set(group: Group, name: string, share: Share): void {
    try {
      group.set(share)
    } catch (error) {
      this.#log.error({ err: error }, `a limit of ${name} could not be set: the kernel does not hold it`)
    }
  }

  /** A process could not be taken into its cgroup. */
  lost(error: unknown): void {
    this.#log.error({ err: error }, 'a container is not in its cgroup: its limits are held less well')
  }

  #begin(): void {
    const { trees, problem } = this.#survey
    this.#state = 'none'
    if (problem !== undefined) {
      this.#log.warn(`the kernel holds no limits: ${problem.what}; ${problem.remedy}`)
      return
    }
    void this.#again(() => trees.map(sweep).every(Boolean))
    this.#trees = trees.filter(tree => this.#makeIn(tree))
    const [first] = this.#trees
    if (first === undefined) return
    this.#state = 'made'
    process.once('exit', () => this.#leave())
    this.#log.info({ held: [...this.held], version: first.version }, 'the kernel holds limits by cgroups')
  }

  /** What one hierarchy refuses the others may give. */
  #makeIn(tree: Tree): boolean {
    try {
      makeBase(tree, this.#name)
      return true
    } catch (error) {
      removeBase(tree, this.#name)
      const limits = tree.controllers.join(', ')
      const why = (error as Error).message
      this.#log.warn(`the kernel holds no limits of ${limits}: a cgroup could not be made (${why})`)
      return false
    }
  }

  /** The containers have ended: what is left of them ends, too, and all cgroups are removed. */
  async close(): Promise<void> {
    if (this.#state !== 'made') return
    await this.#again(() => [...this.#groups].every(({ removed }) => removed), FAREWELL)
    await this.#again(() => this.#leave())
  }

  async #again(done: () => boolean, patience = PATIENCE): Promise<void> {
    const end = this.#clock.steady() + patience
    while (!done() && this.#clock.steady() < end)
      await new Promise<void>(resolve => {
        this.#clock.after(AGAIN, () => resolve())
      })
  }

  /** @returns whether all are gone */
  #leave(): boolean {
    for (const group of this.#groups) if (group.close()) this.#groups.delete(group)
    if (this.#groups.size > 0) return false
    return this.#trees.map(tree => removeBase(tree, this.#name)).every(Boolean)
  }
}
