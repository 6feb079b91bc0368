import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A port that is bound and whose number it is, for a gateway to listen on. Nobody accepts here. */
export interface BoundPort {
  readonly fd: number
  readonly port: number
  close(): void
}

/** Node's handle of a TCP socket that is going to listen. */
interface ServerHandle {
  readonly fd: number
  getsockname(out: { port?: number }): number
  close(): void
}

/** What Node's `cluster` binds ports with for its workers: bound, but not listening. */
type CreateServerHandle = (host: string, port: number, family: 4 | 6, fd: -1) => ServerHandle | number

/**
 * Binds a port without listening. Whoever inherits the descriptor listens; as long as it is open here, the port stays open when that process ends, and
 * connections wait in the kernel for the next one.
 * @throws Error of Node's kind, with `code` EADDRINUSE, EACCES, ENOTFOUND, …
 */
export async function bindPort(host: string, port: number): Promise<BoundPort> {
  const create = (net as unknown as { _createServerHandle?: CreateServerHandle })._createServerHandle
  if (typeof create !== 'function') throw new Error('this Node cannot bind a port for another process')
  const { address, family } = await lookup(host)
  const handle = create(address, port, family === 6 ? 6 : 4, -1)
  if (typeof handle === 'number') throw failure(handle)
  const out: { port?: number } = {}
  // A port that is in use is refused here: bind itself puts that error off.
  const result = handle.getsockname(out)
  if (result !== 0 || out.port === undefined || !(handle.fd >= 0)) {
    handle.close()
    throw failure(result)
  }
  return { fd: handle.fd, port: out.port, close: () => handle.close() }
}

function failure(result: number): NodeJS.ErrnoException {
  const code = result < 0 ? getSystemErrorName(result) : 'UNKNOWN'
  return Object.assign(new Error(`bind: ${code}`), { code })
}

/** What to tell the user about a port that cannot be had. @param variable, key where another one can be chosen */
export function portError(error: unknown, port: number, variable: string, key: string): Error {
  const { code, message } = error as NodeJS.ErrnoException
  const why =
    code === 'EADDRINUSE'
      ? 'is in use'
      : code === 'EACCES'
        ? 'may not be used by this user'
        : `cannot be opened (${code ?? message})`
  return new Error(
    `port ${port} ${why}: choose another one with ${variable}=PORT, or ${key} in hotpotato.yml`,
  )
}
