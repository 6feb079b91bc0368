import { setTimeout } from 'node:timers/promises'
import { obey, report, roleOf } from '../rig/child.ts'
import { type Answer, type Destination, KeepAlive, Lost } from '../rig/keep-alive.ts'
import type { Order, Report, Role } from './rows.ts'

/** Milliseconds after which a connection that was not answered anew ends the bench. */
const PATIENCE = 30_000
/** Handshakes at once: they are not what is measured. */
const AT_ONCE = 16

/**
 * The client: many connections that stay open, and what is found when their container is killed. A process of
 * its own.
 */
class Client {
  readonly #destination: Destination
  readonly #connections: KeepAlive[] = []
  #questions = 0

  constructor(destination: Destination) {
    this.#destination = destination
  }

  async open(count: number): Promise<Report> {
    for (const connection of this.#connections.splice(count)) connection.close()
    let left = count - this.#connections.length
    const worker = async (): Promise<void> => {
      while (left-- > 0) this.#connections.push(await KeepAlive.open(this.#destination))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    const pids = new Set<number>()
    for (const connection of this.#connections) pids.add((await this.#ask(connection)).pid)
    return { say: 'opened', pids: [...pids] }
  }

  async crash({ pid, moment }: Extract<Order, { do: 'crash' }>): Promise<Report> {
    const path = moment === 'unanswered' ? `/crash/${pid}` : undefined
    let lost = 0
    const began = performance.now()
    if (path === undefined) process.kill(pid, 'SIGKILL')
    const times = await Promise.all(
      this.#connections.map(async (connection, index) => {
        const first = await this.#ask(connection, path).catch(unlessLost)
        if (first === undefined) lost++
        const answer = first ?? (await this.#again(index, path))
        if (answer.pid === pid) throw new Error('a container has answered after it was killed')
        return answer.at - began
      }),
    )
    return { say: 'crashed', times, lost }
  }

  /** Connects again, as often as it takes. */
  async #again(index: number, path: string | undefined): Promise<Answer> {
    for (const end = performance.now() + PATIENCE; performance.now() < end; await setTimeout(1)) {
      const connection = await KeepAlive.open(this.#destination).catch(unlessLost)
      if (connection === undefined) continue
      this.#connections[index] = connection
      const answer = await this.#ask(connection, path).catch(unlessLost)
      if (answer !== undefined) return answer
    }
    throw new Error(`no answer in ${PATIENCE} ms`)
  }

  /** @param path one of its own by default */
  #ask(connection: KeepAlive, path = `/${this.#questions++}`): Promise<Answer> {
    return connection.ask({ path, expected: Buffer.from(path) })
  }
}

function unlessLost(error: unknown): undefined {
  if (!(error instanceof Lost)) throw error
}

const client = new Client(roleOf<Role>().destination)
obey<Order, Report>(order => (order.do === 'open' ? client.open(order.count) : client.crash(order)))
report({ say: 'listening', port: 0 })
