import { type ChildProcess, spawn } from 'node:child_process'
import { BenchError } from '../harness/run.ts'

/** What every child of a bench can be asked, besides its own orders. */
export type CpuOrder = { readonly do: 'cpu' }
/** What every child may say. */
export type CommonReport =
  | { readonly say: 'listening'; readonly port: number }
  | { readonly say: 'cpu'; readonly microseconds: number }
  | { readonly say: 'failed'; readonly reason: string }

/** The parent's handle of a process of a bench: it gives orders and gets reports, one for one. */
export class Child<Order extends { readonly do: string }, Report extends { readonly say: string }> {
  readonly #process: ChildProcess

  /**
   * @param script compiled module @param role what it is to be: the JSON in its first argument
   * @param cpu that it is pinned to; undefined: none @param flags of Node
   */
  constructor(script: string, role: object, cpu?: number, flags: readonly string[] = []) {
    const words = [process.execPath, ...flags, script, JSON.stringify(role)]
    if (cpu !== undefined) words.unshift('taskset', '-c', String(cpu))
    this.#process = spawn(words[0]!, words.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // In a terminal Ctrl-C comes to a whole process group; the parent alone decides what it means. They end
      // with it all the same.
      detached: true,
    })
  }

  /** Of its process. @throws Error it could not be started */
  get pid(): number {
    const { pid } = this.#process
    if (pid === undefined) throw new Error('a process of the bench could not be started')
    return pid
  }

  ask(order: Order | CpuOrder): Promise<Report | CommonReport> {
    const reported = this.report()
    this.#process.send(order)
    return reported
  }

  /** @returns the port @throws Error it does not listen */
  async listening(): Promise<number> {
    const report = await this.report()
    if (report.say !== 'listening' || !('port' in report)) throw new Error('the server does not listen')
    return report.port
  }

  /** @returns µs of CPU time so far */
  async cpu(): Promise<number> {
    const report = await this.ask({ do: 'cpu' })
    if (report.say !== 'cpu' || !('microseconds' in report))
      throw new Error('a process does not know its CPU time')
    return report.microseconds
  }

  /** The next report. @throws BenchError it says that it failed @throws Error it ends */
  report(): Promise<Report | CommonReport> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('a process of the bench ended unexpectedly'))
      this.#process.once('exit', ended)
      this.#process.once('message', (report: Report | CommonReport) => {
        this.#process.off('exit', ended)
        if (report.say === 'failed' && 'reason' in report) reject(new BenchError(report.reason))
        else resolve(report)
      })
    })
  }

  stop(): void {
    if (this.#process.connected) this.#process.disconnect()
  }
}

/**
 * A child's side: answers `cpu`, gives all other orders to `work`, and says what that found. It ends with its
 * parent.
 * @param work a report, or an error that is reported as failure
 */
export function obey<Order extends { readonly do: string }, Report extends { readonly say: string }>(
  work: (order: Order) => Promise<Report> | Report,
): void {
  process.on('disconnect', () => process.exit())
  process.on('message', (order: Order | CpuOrder) => {
    if (order.do === 'cpu') {
      const { user, system } = process.cpuUsage()
      report({ say: 'cpu', microseconds: user + system })
      return
    }
    Promise.resolve()
      .then(() => work(order as Order))
      .then(report, (error: Error) => report({ say: 'failed', reason: error.message }))
  })
}

/** Tells the parent something that it waits for. */
export function report(one: object): void {
  process.send?.(one)
}

/** The role that the parent gave. */
export function roleOf<Role>(): Role {
  return JSON.parse(process.argv[2] ?? '') as Role
}
