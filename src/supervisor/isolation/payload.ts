import type { ChildProcess } from 'node:child_process'
import type { Group } from '../cgroups/group.ts'
import { family, firstChild, type Usage, usageOf } from './usage.ts'

/** A process that was started, and behind wrappers perhaps the one that it was started for. */
export class Payload {
  readonly child: ChildProcess
  readonly #group: Group | undefined
  /** It could not be put there. */
  #outside = false
  readonly #wrappers: number
  #why: string | undefined

  /** @param wrappers processes between ours and the container's own @param ended called after its end */
  constructor(child: ChildProcess, wrappers: number, ended?: () => void, group?: Group) {
    this.child = child
    this.#group = group
    this.#wrappers = wrappers
    if (ended !== undefined) child.once('close', ended)
    if (group === undefined) return
    if (child.pid === undefined) group.end()
    child.once('exit', () => group.end())
  }

  /** Its cgroup, if it has one of ours and is in it: then the kernel counts. */
  get group(): Group | undefined {
    return this.#outside ? undefined : this.#group
  }

  /**
   * Puts it into its cgroup, with what wraps it. What it runs is told nothing before that.
   * @throws Error it could not be put there, and lives: it has no {@link group} from then on
   */
  async enclose(): Promise<void> {
    const { pid } = this.child
    if (pid === undefined) return
    await this.#group
      ?.take(() => family(pid, MOST))
      .catch((error: unknown) => {
        this.#outside = true
        throw error
      })
  }

  /** The container's own process, as this machine counts; that of a wrapper as long as there is no other. */
  get pid(): number | undefined {
    return this.#behind(this.#wrappers)
  }

  /** The process behind so many wrappers, or the last one that there is. */
  #behind(wrappers: number): number | undefined {
    let pid = this.child.pid
    for (let level = 0; level < wrappers && pid !== undefined; level++) pid = firstChild(pid) ?? pid
    return pid
  }

  /** The process that what the function has started hangs on when its parents have ended. */
  get #root(): number | undefined {
    return this.#behind(this.#wrappers - this.#inside)
  }

  /** Wrappers in the namespace of the container: the first process there. */
  get #inside(): number {
    return this.#wrappers > 1 ? 1 : 0
  }

  /** What the container uses. @param most processes that are looked at; undefined: it does not run */
  usage(most: number): Usage | undefined {
    const root = this.#root
    if (root === undefined) return undefined
    const { memory, processes } = usageOf(root, most + this.#inside)
    return { memory, processes: processes - this.#inside }
  }

  /**
   * The event of the child after which nothing comes from the container any more. A wrapper that has ended
   * may leave it behind for a moment: but it holds the pipes of the output.
   */
  get end(): 'exit' | 'close' {
    return this.#wrappers === 0 ? 'exit' : 'close'
  }

  /** Why it was ended; undefined: by nothing that we know of. */
  get why(): string | undefined {
    return this.#why ?? this.#group?.excess()
  }

  /** Ends the container; its wrappers then end, too. @param why as the log and the status say it */
  kill(why?: string): void {
    // One that takes too much does not respond, either: the first is why.
    if (why !== undefined) this.#why ??= this.#group?.excess() ?? why
    const { pid } = this
    const isGone = pid === undefined || pid === this.child.pid || !signal(pid, 'SIGKILL')
    // It has just ended, or runs as another user: the wrapper takes it along. One within its function's reach
    // may not do that, but ends with what has started it, and all of its namespace with it.
    if (isGone || this.#inside > 0) this.child.kill('SIGKILL')
  }

  /** Ends it with all that it has started, which would not end by itself where it has no namespace. */
  killAll(why: string): void {
    const { pid } = this
    const root = this.#root
    this.#why ??= why
    this.#group?.kill()
    const stopped = new Set<number>()
    // What is stopped starts nothing any more.
    for (let round = 0; root !== undefined && round < ROUNDS; round++) {
      const fresh = family(root, MOST).filter(one => !stopped.has(one))
      if (fresh.length === 0) break
      for (const one of fresh) {
        stopped.add(one)
        if (one !== pid) signal(one, 'SIGSTOP')
      }
    }
    this.kill(why)
    for (const one of stopped) if (one !== pid) signal(one, 'SIGKILL')
  }
}

/** Looks for processes that were started meanwhile, and processes that are found at all. */
const ROUNDS = 20
const MOST = 100_000

/** @returns whether there was such a process, and we might */
function signal(pid: number, name: 'SIGKILL' | 'SIGSTOP'): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
