import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { attempt, onAbort } from '../attempt.ts'
import { ConnectError, type Connected, shown, type Target } from '../connector.ts'
import { overDuplex } from '../transport.ts'
import type { Kind } from './kind.ts'

/** Plain TCP to host and port. */
export const tcp: Kind = {
  name: 'tcp',
  connect: (target, options) =>
    attempt(target, options, SYSTEM_CLOCK, async signal => {
      const { host, port } = target
      return plainly(await open(target, { host, port, noDelay: true }, signal))
    }),
}

/** A plain connection over a socket that is there. */
export function plainly(socket: Socket): Connected {
  return { transport: overDuplex(socket), alpn: undefined, secure: false, stream: socket }
}

/** @throws ConnectError if there is no server, or the signal says that it is too late */
export function open(target: Target, how: NetConnectOpts, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...how, allowHalfOpen: true })
    const release = onAbort(signal, reason => {
      socket.destroy()
      reject(reason)
    })
    const failed = (cause: Error): void => {
      release()
      reject(new ConnectError(kindOf(cause), `cannot connect to ${shown(target)}: ${wordsFor(cause)}`, cause))
    }
    socket.once('error', failed)
    socket.once('connect', () => {
      release()
      // An error that comes before the next reader would end the process.
      socket.off('error', failed).on('error', () => {})
      resolve(socket)
    })
  })
}

function kindOf(cause: Error): 'resolve' | 'connect' {
  return (cause as NodeJS.ErrnoException).syscall === 'getaddrinfo' ? 'resolve' : 'connect'
}

function wordsFor(cause: Error): string {
  return (cause as NodeJS.ErrnoException).code ?? cause.message
}
