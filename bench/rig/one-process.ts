import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Whose moves they are. */
export type Mover = 'platform' | 'floor'

/** µs of CPU time for one move. */
export interface CpuTimes {
  readonly user: number
  readonly system: number
}

/** The parent's handle of a process in which a connection moves between two owners: `one-process-peer.ts`. */
export class OneProcess {
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #ended: Promise<never>

  constructor(mover: Mover) {
    const script = fileURLToPath(new URL('./one-process-peer.js', import.meta.url))
    this.#child = spawn(process.execPath, [script, mover], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdin!.on('error', () => {})
    this.#lines = createInterface(this.#child.stdout!)
    this.#ended = once(this.#child, 'exit').then(() => {
      throw new Error(`the process of moves (${mover}) ended unexpectedly`)
    })
    this.#ended.catch(() => {})
  }

  /** Of its process. */
  get pid(): number {
    return this.#child.pid!
  }

  /** Makes so many moves. @throws Error it ends */
  async move(count: number): Promise<CpuTimes> {
    const said = once(this.#lines, 'line')
    this.#child.stdin!.write(`${count}\n`)
    const [line] = (await Promise.race([said, this.#ended])) as [string]
    return JSON.parse(line) as CpuTimes
  }

  close(): void {
    this.#child.stdin!.end()
  }
}
