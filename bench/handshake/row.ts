import { fileURLToPath } from 'node:url'
import { Child } from '../rig/child.ts'
import type { Identity } from '../rig/identity.ts'
import type { Placement } from '../rig/placement.ts'
import { type Kind, kindsOf, type Order, type Report, type Role, type Side, type Stack } from './rows.ts'

const SCRIPT = fileURLToPath(new URL('./peer.js', import.meta.url))

/** What was measured of one kind of handshake, round by round. */
export interface Measured {
  /** Handshakes a second. */
  readonly rates: number[]
  /** µs of CPU time for one, at the side that is measured. */
  readonly cpu: number[]
}

/** One stack on one side, with `node:tls` at the other end. */
export class Row {
  readonly stack: Stack
  readonly side: Side
  readonly placement: Placement
  readonly measured: Readonly<Record<Kind, Measured>> = {
    full: { rates: [], cpu: [] },
    'full, new chain': { rates: [], cpu: [] },
    resumed: { rates: [], cpu: [] },
  }
  #server: Child<Order, Report> | undefined
  #client: Child<Order, Report> | undefined

  constructor(stack: Stack, side: Side, placement: Placement) {
    this.stack = stack
    this.side = side
    this.placement = placement
  }

  /** @param cpus of the server and the client */
  async start({ certificate, key, authority }: Identity, cpus: readonly [number, number]): Promise<void> {
    const [server, client] =
      this.side === 'server' ? [this.stack, 'node:tls' as const] : ['node:tls' as const, this.stack]
    const child = (role: Role, cpu: number) => new Child<Order, Report>(SCRIPT, role, cpu)
    this.#server = child({ role: 'server', stack: server, certificate, key }, cpus[0])
    const port = await this.#server.listening()
    this.#client = child({ role: 'client', stack: client, port, authority }, cpus[1])
  }

  /**
   * @param counts whether it counts, or was to warm up @throws Error a handshake was not what it should be
   */
  async round(count: number, counts: boolean): Promise<void> {
    const watched = (this.side === 'server' ? this.#server : this.#client)!
    for (const kind of kindsOf(this.stack, this.side)) {
      const before = await watched.cpu()
      const report = await this.#client!.ask({ do: 'handshakes', kind, count })
      const after = await watched.cpu()
      if (report.say !== 'done' || !('seconds' in report)) throw new Error('the client has done nothing')
      if (!counts) continue
      this.measured[kind].rates.push(count / report.seconds)
      this.measured[kind].cpu.push((after - before) / count)
    }
  }

  stop(): void {
    this.#client?.stop()
    this.#server?.stop()
  }
}
