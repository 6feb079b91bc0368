import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Series } from '../lib/stats.ts'
import type { Order, Placement, Report, Role, Stack } from './rows.ts'

/** A certificate for the server, its key, and who has signed it: all in PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
  readonly authority: string
}

/** The parent's handle of a server and a client of one stack, and what they have measured so far. */
export class Pair {
  readonly stack: Stack
  readonly placement: Placement
  readonly roundTrips = new Series()
  /** MB/s of each round. */
  readonly bulk: number[] = []
  #server: Child | undefined
  #client: Child | undefined

  constructor(stack: Stack, placement: Placement) {
    this.stack = stack
    this.placement = placement
  }

  /** @param cpus of the server and the client @returns the cipher suite @throws Error what they exchange is wrong */
  async start(identity: Identity, cpus: readonly [number, number]): Promise<string> {
    const { stack } = this
    this.#server = new Child({ role: 'server', stack, ...identity }, cpus[0])
    const listening = await this.#server.report()
    if (listening.say !== 'listening') throw new Error('the server does not listen')
    const { authority } = identity
    this.#client = new Child({ role: 'client', stack, port: listening.port, authority }, cpus[1])
    const ready = await this.#client.report()
    if (ready.say !== 'ready') throw new Error('the client is not ready')
    return ready.cipherSuite
  }

  /** @param counts whether the samples count, or were to warm up */
  async measure(order: Order, counts: boolean): Promise<void> {
    const report = await this.#client!.ask(order)
    if (report.say !== 'measured' || !counts) return
    if (order.do === 'roundTrips') this.roundTrips.add(report.samples)
    else this.bulk.push(...report.samples)
  }

  stop(): void {
    this.#client?.stop()
    this.#server?.stop()
  }
}

class Child {
  readonly #process: ChildProcess

  constructor(role: Role, cpu: number) {
    const script = fileURLToPath(new URL('./peer.js', import.meta.url))
    const words = ['-c', String(cpu), process.execPath, script, JSON.stringify(role)]
    this.#process = spawn('taskset', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  ask(order: Order): Promise<Report> {
    const reported = this.report()
    this.#process.send(order)
    return reported
  }

  report(): Promise<Report> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('a process of the bench ended by itself'))
      this.#process.once('exit', ended)
      this.#process.once('message', (report: Report) => {
        this.#process.off('exit', ended)
        if (report.say === 'failed') reject(new Error(report.reason))
        else resolve(report)
      })
    })
  }

  stop(): void {
    if (this.#process.connected) this.#process.disconnect()
  }
}
