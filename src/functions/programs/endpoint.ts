import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent, type ClientRequest, get } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

/** Where a program listens, as `node:http` and `node:net` are told. */
export type Endpoint = { readonly path: string } | { readonly host: string; readonly port: number }

/** Bytes of a path that a Unix socket may be bound to, without the NUL. */
const LONGEST_PATH = 107
/** Of the socket's own name. */
const NAME = 'program.sock'

/**
 * A directory for the sockets of one container, 0700: in the run directory, or among the temporary files if
 * that is not ours to write to or its path is too long for a socket.
 */
export function socketDirectory(runDirectory: string, container: string): string {
  const parent = join(runDirectory, 'programs')
  if (join(parent, `${container}-XXXXXX`, NAME).length <= LONGEST_PATH) {
    try {
      mkdirSync(parent, { recursive: true, mode: 0o700 })
      return mkdtempSync(join(parent, `${container}-`))
    } catch {
      // Another user's, or one that cannot be written to.
    }
  }
  const made = mkdtempSync(join(tmpdir(), 'hotpotato-program-'))
  chmodSync(made, 0o700)
  return made
}

/** A socket in it, which no process has: one that has ended leaves its own behind. */
export function socketIn(directory: string): Endpoint & { readonly path: string } {
  const path = join(directory, NAME)
  rmSync(path, { force: true })
  return { path }
}

/** A port of the loopback that no process has now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Whether a process listens there. */
export function listens(endpoint: Endpoint): Promise<boolean> {
  return new Promise(settle => {
    const socket = connect('path' in endpoint ? { path: endpoint.path } : endpoint)
    const end = (answer: boolean): void => {
      socket.destroy()
      settle(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

/** Whether it answers a GET of that path with 2xx. @param milliseconds that it has */
export function answers(endpoint: Endpoint, path: string, milliseconds: number): Promise<boolean> {
  return new Promise(settle => {
    const request = get({ ...toAgent(endpoint), path, timeout: milliseconds, agent: false }, response => {
      const { statusCode = 0 } = response
      response.destroy()
      settle(statusCode >= 200 && statusCode < 300)
    })
    request.once('timeout', () => request.destroy())
    request.once('error', () => settle(false))
    request.once('close', () => settle(false))
  })
}

/** An endpoint as options of `node:http`. */
export function toAgent(endpoint: Endpoint): object {
  return 'path' in endpoint ? { socketPath: endpoint.path } : endpoint
}

/** Connections to a program at once; what is more waits for one. */
const SOCKETS = 512
/** Milliseconds that one is kept for the next request: programs close theirs after 2 s or more. */
const IDLE = 1500

/**
 * The connections to one program. One on which it says something while no request is underway is closed: that
 * would be taken for the answer to the next request, which is another client's.
 */
export class ProgramAgent extends Agent {
  readonly #listeners = new WeakMap<Duplex, () => void>()

  constructor() {
    super({ keepAlive: true, maxSockets: SOCKETS, timeout: IDLE, scheduling: 'lifo' })
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // Its declaration says nothing of the answer, which decides.
    const kept = super.keepSocketAlive(socket) as unknown as boolean
    if (!kept) return false
    const stray = (): void => void socket.destroy()
    this.#listeners.set(socket, stray)
    socket.on('data', stray)
    return true
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    const stray = this.#listeners.get(socket)
    if (stray !== undefined) socket.off('data', stray)
    super.reuseSocket(socket, request)
  }
}
