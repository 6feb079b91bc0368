import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../rig/child.ts'
import type { Order, Report, Role } from './peer.ts'

const SCRIPT = fileURLToPath(new URL('./peer.js', import.meta.url))
const SOURCE = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../bench/relay/relay.c' : './relay.c', import.meta.url),
)
/** Bytes of one record in bulk. */
const RECORD = 16_384 + 22

/**
 * Without a relay; a relay in C that looks at nothing; ours, record by record; `pipe()` of Node's streams.
 */
export const WAYS = ['direct', 'c', 'ours', 'pipe'] as const
export type Way = (typeof WAYS)[number]

/** A server, relays in front of it, and a client: all on one CPU, or the relays on one of their own. */
export class Stage {
  readonly #client: Child<Order, Report>
  readonly #children: readonly Child<Order, Report>[]
  readonly #program: ChildProcess | undefined
  readonly #ports: Readonly<Record<Way, number>>

  private constructor(
    client: Child<Order, Report>,
    children: readonly Child<Order, Report>[],
    program: ChildProcess | undefined,
    ports: Readonly<Record<Way, number>>,
  ) {
    this.#client = client
    this.#children = children
    this.#program = program
    this.#ports = ports
  }

  static async open(
    path: string,
    program: string | undefined,
    relayCpu: number,
    cpu: number,
  ): Promise<Stage> {
    const child = (role: Role, on: number): Child<Order, Report> => new Child(SCRIPT, role, on)
    const server = child({ kind: 'server', path }, cpu)
    const direct = await server.listening()
    const ours = child({ kind: 'relay', how: 'ours', path }, relayCpu)
    const pipe = child({ kind: 'relay', how: 'pipe', path }, relayCpu)
    const client = child({ kind: 'client' }, cpu)
    const inC =
      program === undefined
        ? undefined
        : spawn('taskset', ['-c', String(relayCpu), program, path], {
            stdio: ['ignore', 'pipe', 'inherit'],
            // As children are.
            detached: true,
          })
    const c = inC === undefined ? 0 : Number(String((await once(inC.stdout!, 'data'))[0]))
    const ports = { direct, c, ours: await ours.listening(), pipe: await pipe.listening() }
    await client.listening()
    return new Stage(client, [server, ours, pipe, client], inC, ports)
  }

  /** @throws BenchError a byte is wrong that comes that way */
  async check(way: Way): Promise<void> {
    await this.#took({ do: 'check', port: this.#ports[way] })
  }

  async roundTrips(way: Way, count: number): Promise<readonly number[]> {
    return this.#took({ do: 'round trips', port: this.#ports[way], count })
  }

  /** @returns MB/s */
  async bulk(way: Way, records: number): Promise<number> {
    const [microseconds] = await this.#took({ do: 'bulk', port: this.#ports[way], records })
    return (records * RECORD) / microseconds!
  }

  async #took(order: Order): Promise<readonly number[]> {
    const report = await this.#client.ask(order)
    if (report.say !== 'took' || !('microseconds' in report))
      throw new Error('the client did something unexpected')
    return report.microseconds as readonly number[]
  }

  close(): void {
    this.#program?.kill('SIGKILL')
    for (const child of this.#children) child.stop()
  }
}

/** @returns the program, undefined if there is no compiler */
export function compile(directory: string): string | undefined {
  const program = join(directory, 'relay')
  try {
    execFileSync('cc', ['-O2', '-o', program, SOURCE], { stdio: 'pipe' })
    return program
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
