import { fileURLToPath } from 'node:url'
import { Series } from '../harness/stats.ts'
import { Child } from '../rig/child.ts'
import type { Identity } from '../rig/identity.ts'
import type { Placement } from '../rig/placement.ts'
import { type Order, PIECE, type Report, type Role, type Stack } from './rows.ts'

const SCRIPT = fileURLToPath(new URL('./peer.js', import.meta.url))

/** The parent's handle of a server and a client of one stack, and what they have measured so far. */
export class Pair {
  readonly stack: Stack
  readonly placement: Placement
  readonly roundTrips = new Series()
  /** MB/s of each round. */
  readonly bulk: number[] = []
  /**
   * CPU time of each end in bulk, µs for a megabyte (10^6 bytes) of content, of each round: it does not
   * matter who else works.
   */
  readonly senderCpu: number[] = []
  readonly receiverCpu: number[] = []
  #server: Child<Order, Report> | undefined
  #client: Child<Order, Report> | undefined

  constructor(stack: Stack, placement: Placement) {
    this.stack = stack
    this.placement = placement
  }

  /**
   * @param cpus of the server and the client @returns the cipher suite @throws Error what they exchange is
   * wrong
   */
  async start(identity: Identity, cpus: readonly [number, number]): Promise<string> {
    const { stack } = this
    const child = (role: Role, cpu: number) => new Child<Order, Report>(SCRIPT, role, cpu)
    this.#server = child(
      { role: 'server', stack, certificate: identity.certificate, key: identity.key },
      cpus[0],
    )
    const port = await this.#server.listening()
    this.#client = child({ role: 'client', stack, port, authority: identity.authority }, cpus[1])
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
