import { fileURLToPath } from 'node:url'
import { Child } from '../../rig/child.ts'
import { isAlive } from '../../rig/processes.ts'
import type { ServerOrder, ServerReport } from '../server.ts'

const SERVER = fileURLToPath(new URL('../server.js', import.meta.url))
/** Milliseconds that an old server has for what is underway, as `docker stop` gives it. */
const GRACE = 10_000

/** The server behind a proxy, which is one process, or more while a deploy lasts. */
export class Application {
  #current: Child<ServerOrder, ServerReport> | undefined
  readonly #all: Child<ServerOrder, ServerReport>[] = []

  /** @returns the port of a new one */
  async start(): Promise<number> {
    const server = new Child<ServerOrder, ServerReport>(SERVER, {})
    this.#all.push(server)
    const port = await server.listening()
    this.#current = server
    return port
  }

  pids(): readonly number[] {
    return this.#all.map(({ pid }) => pid).filter(isAlive)
  }

  /** Tells the one that is there to end. @returns what tells another one so later */
  retire(): (() => Promise<void>) | undefined {
    const old = this.#current
    return old === undefined ? undefined : async () => void (await old.ask({ do: 'retire', grace: GRACE }))
  }

  /** When none is left. */
  async ended(): Promise<void> {
    while (this.pids().length > 0) await new Promise(resolve => setTimeout(resolve, 50))
    this.#current = undefined
  }

  stop(): void {
    for (const server of this.#all) server.stop()
  }
}
