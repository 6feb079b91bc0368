import {
  connect,
  createServer,
  type ListenOptions,
  type NetConnectOpts,
  type Server,
  type Socket,
} from 'node:net'
import { onAbort } from '../attempt.ts'
import { ConnectError, type Connected, shown, type Target } from '../connector.ts'
import type { Accepted, Address, Listener } from '../listener.ts'
import { overDuplex } from '../transport.ts'

/** A plain connection over a socket that is there. */
export function plainly(socket: Socket): Connected {
  return { transport: overDuplex(socket), alpn: undefined, secure: false, stream: socket }
}

/** @throws ConnectError if there is no server; the reason of the signal, when it is too late */
export function open(target: Target, how: NetConnectOpts, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...how, allowHalfOpen: true })
    const release = onAbort(signal, reason => {
      socket.destroy()
      reject(reason)
    })
    const failed = (cause: Error): void => {
      release()
      reject(unreachable(target, cause))
    }
    socket.once('error', failed)
    socket.once('connect', () => {
      release()
      // An error that comes before the next reader would end the process.
      socket.off('error', failed).on('error', () => {})
      resolve(socket)
    })
    if (signal.aborted) socket.destroy()
  })
}

/** What it means that nothing is there. */
export function unreachable(target: Target, cause: Error): ConnectError {
  const why = (cause as NodeJS.ErrnoException).code ?? cause.message
  return new ConnectError('connect', `cannot connect to ${shown(target)}: ${why}`, cause)
}

/** Listens. @throws Error (as rejection) with Node's `code` if the place cannot be had */
export function listening(place: ListenOptions): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.once('error', reject)
    server.listen(place, () => {
      server.off('error', reject)
      resolve(new SocketListener(server))
    })
  })
}

class SocketListener implements Listener {
  readonly address: Address
  readonly #server: Server
  /** Those that came before the start. */
  #early: Socket[] = []
  #take: ((socket: Socket) => void) | undefined

  constructor(server: Server) {
    this.#server = server
    const address = server.address()
    this.address =
      typeof address === 'string' ? { path: address } : { address: address!.address, port: address!.port }
    server.on('error', () => {})
    server.on('connection', socket => {
      // A client may be gone before anything reads.
      socket.on('error', () => {})
      if (this.#take === undefined) this.#early.push(socket)
      else this.#take(socket)
    })
  }

  start(take: (accepted: Accepted) => void, failed: (error: Error) => void): void {
    this.#server.on('error', failed)
    this.#take = socket => take(accepted(socket))
    const early = this.#early
    this.#early = []
    for (const socket of early) this.#take(socket)
  }

  close(): Promise<void> {
    for (const socket of this.#early) socket.destroy()
    // It is told when all its connections are over, which is not what is asked here.
    return new Promise(resolve => {
      this.#server.close()
      queueMicrotask(resolve)
    })
  }
}

function accepted(socket: Socket): Accepted {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  return {
    transport: overDuplex(socket),
    peer: addressOf(remoteAddress, remotePort),
    local: addressOf(localAddress, localPort),
    stream: socket,
  }
}

function addressOf(address: string | undefined, port: number | undefined): Address {
  if (address === undefined || port === undefined) return {}
  // One listener for both families calls IPv4 by its long name.
  return { address: address.replace(/^::ffff:(?=\d+\.)/i, ''), port }
}
