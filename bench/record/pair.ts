import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Series } from '../lib/stats.ts'
import { type Order, PIECE, type Placement, type Report, type Role, type Stack } from './rows.ts'

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
  /** CPU time of each end in bulk, µs for a megabyte (10^6 bytes) of content, of each round: it does not matter who else works. */
  readonly senderCpu: number[] = []
  readonly receiverCpu: number[] = []
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
  async roundTripRound(count: number, counts: boolean): Promise<void> {
    const samples = await this.#measure({ do: 'roundTrips', count })
    if (counts) this.roundTrips.add(samples)
  }

  /** @param pieces of 64 KiB, from the server to the client @param counts as above */
  async bulkRound(pieces: number, counts: boolean): Promise<void> {
    const [server, client] = [this.#server!, this.#client!]
    const before = [await server.cpu(), await client.cpu()] as const
    const samples = await this.#measure({ do: 'bulk', pieces })
    const after = [await server.cpu(), await client.cpu()] as const
    if (!counts) return
    const megabytes = (pieces * PIECE) / 1e6
    this.bulk.push(...samples)
    this.senderCpu.push((after[0] - before[0]) / megabytes)
    this.receiverCpu.push((after[1] - before[1]) / megabytes)
  }

  async #measure(order: Order): Promise<readonly number[]> {
    const report = await this.#client!.ask(order)
    if (report.say !== 'measured') throw new Error('the client has measured nothing')
    return report.samples
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

  /** @returns µs of CPU time so far */
  async cpu(): Promise<number> {
    const report = await this.ask({ do: 'cpu' })
    if (report.say !== 'cpu') throw new Error('a process does not know its CPU time')
    return report.microseconds
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
