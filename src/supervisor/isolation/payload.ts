import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process that was started, and behind wrappers perhaps the one that it was started for. */
export class Payload {
  readonly child: ChildProcess
  readonly #wrappers: number

  /** @param wrappers processes between ours and the container's own @param ended called after its end */
  constructor(child: ChildProcess, wrappers: number, ended?: () => void) {
    this.child = child
    this.#wrappers = wrappers
    if (ended !== undefined) child.once('close', ended)
  }

  /** The container's own process, as this machine counts; that of a wrapper as long as there is no other. */
  get pid(): number | undefined {
    let pid = this.child.pid
    for (let level = 0; level < this.#wrappers && pid !== undefined; level++) pid = firstChild(pid) ?? pid
    return pid
  }

  /**
   * The event of the child after which nothing comes from the container any more. A wrapper that has ended
   * may leave it behind for a moment: but it holds the pipes of the output.
   */
  get end(): 'exit' | 'close' {
    return this.#wrappers === 0 ? 'exit' : 'close'
  }

  /** Ends the container; its wrappers then end, too. */
  kill(): void {
    const { pid } = this
    if (pid === undefined || pid === this.child.pid) this.child.kill('SIGKILL')
    else
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has just ended, or runs as another user: the wrapper takes it along.
        this.child.kill('SIGKILL')
      }
  }
}

/** The oldest child of a process that lives. */
function firstChild(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    const [first] = children.trim().split(' ')
    return first === undefined || first === '' ? undefined : Number(first)
  } catch {
    return undefined
  }
}
