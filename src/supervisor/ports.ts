import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { portError } from '../platform/port-error.ts'
import { ConfigError } from '../stack/readers.ts'
import { probeBindings, SERVER } from '../transfer/streams/handle.ts'

/**
 * A port that is bound and whose number it is, for a gateway to listen on. The supervisor does not accept.
 */
export interface BoundPort {
  readonly fd: number
  readonly port: number
  close(): void
}

/** Where this machine reaches what listens on a host. */
export function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
}

/** Node's handle of a TCP socket that is going to listen. */
interface ServerHandle {
  readonly fd: number
  getsockname(out: { port?: number }): number
  bind(address: string, port: number): number
  bind6(address: string, port: number, flags: number): number
  close(): void
}

/** What Node's `cluster` binds ports with for its workers: bound, but not listening. */
type CreateServerHandle = (host: string, port: number, family: 4 | 6, fd: -1) => ServerHandle | number

/**
 * Binds a port without listening. The gateway that inherits the descriptor listens; as long as it is open
 * here, the port stays open when that process ends, and connections wait in the kernel for the next one.
 * @throws Error of Node's kind, with `code` EADDRINUSE, EACCES, ENOTFOUND, …; without `code` where this Node
 * has no way to do it
 */
export async function bindPort(host: string, port: number): Promise<BoundPort> {
  const { address, family } = await lookup(host)
  const handle = createHandle()(address, port, family === 6 ? 6 : 4, -1)
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

/** Of a host that is no address of this machine. */
const NOT_HERE = new Set(['ENOTFOUND', 'EADDRNOTAVAIL', 'EAI_AGAIN'])

/**
 * Binds several ports, or none. @param wanted each with where another one can be chosen
 * @throws ConfigError the host is not of this machine @throws Error as {@link portError} says it
 */
export async function bindPorts(
  host: string,
  wanted: readonly { readonly port: number; readonly variable: string; readonly key: string }[],
): Promise<BoundPort[]> {
  const bound: BoundPort[] = []
  for (const { port, variable, key } of wanted) {
    try {
      bound.push(await bindPort(host, port))
    } catch (error) {
      for (const one of bound) one.close()
      const { message } = portError(error, port, variable, key)
      const { code = '' } = error as NodeJS.ErrnoException
      throw NOT_HERE.has(code) ? new ConfigError(message, 'gateway.host') : new Error(message)
    }
  }
  return bound
}

/**
 * No document promises `net._createServerHandle`; what it is made of is as private, but another thing to be
 * missing.
 */
function createHandle(): CreateServerHandle {
  const { _createServerHandle: create } = net as unknown as { _createServerHandle?: CreateServerHandle }
  if (typeof create === 'function') return create
  const probed = probeBindings()
  if (!probed.available) throw new Error(`no net._createServerHandle, and ${probed.reason}`)
  return (address, port, family) => {
    const handle = new probed.bindings.TCP(SERVER) as unknown as ServerHandle
    const status = family === 6 ? handle.bind6(address, port, 0) : handle.bind(address, port)
    if (status === 0) return handle
    handle.close()
    return status
  }
}

function failure(result: number): NodeJS.ErrnoException {
  const code = result < 0 ? getSystemErrorName(result) : 'UNKNOWN'
  return Object.assign(new Error(`bind: ${code}`), { code })
}
