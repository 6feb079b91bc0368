import { type DialOptions, dial } from '../dial.ts'
import type { ListeningKind } from './kind.ts'
import { listening, plainly } from './sockets.ts'

/** Where a TCP server is found. */
export interface TcpPlace {
  /** 0: any that is free. */
  readonly port: number
  /** Default: this machine alone, 127.0.0.1; `::` is every address of the machine. */
  readonly host?: string
  /** Connections that wait to be accepted; default: Node's 511. */
  readonly backlog?: number
}

/** Plain TCP to host and port: of several addresses the first one that answers (RFC 8305). */
export const tcp: ListeningKind<{ readonly dial?: DialOptions }, TcpPlace> = {
  name: 'tcp',
  async connect(target, { signal, clock }, given) {
    return plainly(await dial(target, given.dial ?? {}, clock, signal))
  },
  async listen({ port, host = '127.0.0.1', backlog }) {
    if (port === undefined) throw new TypeError('port: a number, or 0 for any that is free')
    return listening({ port, host, ...(backlog === undefined ? {} : { backlog }) })
  },
}
