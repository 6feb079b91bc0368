import type { ResumptionTicket } from '../../src/tls13/index.ts'
import { type Call, Client } from './client.ts'
import type { RowName } from './rows.ts'
import { call, type Place } from './wanderer.ts'

type Server = 'raw' | 'stack' | 'node'

/** Who answers, and what for. */
const SERVERS: Readonly<Record<Server, { readonly path: string; readonly container: string }>> = {
  raw: { path: '/raw-a', container: 'raw-a-1' },
  stack: { path: '/', container: 'stack' },
  node: { path: '/', container: 'node-tls' },
}

/**
 * Connections that are made for one request: full, resumed, and with the request as early data where a server
 * takes it.
 */
export class Reconnections {
  readonly #place: Place
  readonly #ports: Readonly<Record<Server, number>>
  readonly #tickets = new Map<Server, ResumptionTicket>()

  constructor(place: Place, ports: Readonly<Record<Server, number>>) {
    this.#place = place
    this.#ports = ports
  }

  /**
   * So many of each kind, in turns. @param until milliseconds since 1970 from which on one of each is enough
   * @returns µs of each, from before the connect to the answer's last byte
   * @throws WrongAnswer
   */
  async round(count: number, until: number): Promise<Map<RowName, number[]>> {
    const times = new Map<RowName, number[]>()
    const add = (name: RowName, time: number): void => {
      times.set(name, [...(times.get(name) ?? []), time])
    }
    for (let i = 0; i < count && (i === 0 || Date.now() < until); i++) {
      for (const server of Object.keys(SERVERS) as Server[]) {
        add(`${server}.full`, await this.#reconnect(server, 'full'))
        add(`${server}.resumed`, await this.#reconnect(server, 'resumed'))
      }
      // Early data is taken once for each ticket, so this one needs another.
      await this.#reconnect('stack', 'full')
      add('stack.early', await this.#reconnect('stack', 'early'))
    }
    return times
  }

  async #reconnect(server: Server, kind: 'full' | 'resumed' | 'early'): Promise<number> {
    const ticket = kind === 'full' ? undefined : this.#tickets.get(server)
    const { client, time } = await Client.open(
      {
        ...this.#place.options,
        port: this.#ports[server],
        serverName: 'raw-a.local',
        ...(ticket === undefined ? {} : { resume: ticket, early: kind === 'early' }),
      },
      this.#call(server),
    )
    // A server need not give another ticket to who has come with one.
    if (kind === 'full') this.#tickets.set(server, await client.awaitTicket())
    client.close()
    return time
  }

  #call(server: Server): Call {
    const { path, container } = SERVERS[server]
    return call(path, this.#place.nextNumber(), container, 0)
  }
}
