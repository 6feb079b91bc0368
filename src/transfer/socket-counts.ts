import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { equal } from '../wire/index.ts'
import { handleOf } from './lift.ts'
import { ErrnoError, type Libc, type TcpCounts } from './native/libc.ts'
import { Descriptor } from './stream.ts'

/**
 * What has gone through a TCP socket, as its kernel has it, and not as a process remembers it that may have
 * died.
 */
export interface SocketCounts {
  /** Bytes that were read from it. */
  readonly read: number
  /** Bytes that were written to it, wherever they are now. */
  readonly written: number
}

const TCP_ESTABLISHED = 1
/** The peer has sent its FIN. */
const TCP_CLOSE_WAIT = 8
/** How often it is asked until the peer has been silent meanwhile. */
const ATTEMPTS = 1000

/**
 * Asks what has gone through a socket that no process reads or writes any more.
 * @returns `undefined` if the connection is over, or has been shut down
 * @throws Error the kernel does not say, or never the same twice
 */
export function countsOf(libc: Libc, fd: number): SocketCounts | undefined {
  let last = libc.tcpCounts(fd)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const next = libc.tcpCounts(fd)
    // What lies between the calls of one round is exact only if nothing has come or been acknowledged around
    // it.
    if (
      next.state === last.state &&
      next.received === last.received &&
      next.acknowledged === last.acknowledged
    )
      return judge(last)
    last = next
  }
  throw new ErrnoError('getsockopt', 'EAGAIN')
}

function judge({
  state,
  received,
  unread,
  acknowledged,
  unacknowledged,
}: TcpCounts): SocketCounts | undefined {
  if (state !== TCP_ESTABLISHED && state !== TCP_CLOSE_WAIT) return undefined
  const fin = state === TCP_CLOSE_WAIT ? 1 : 0
  return { read: received - fin - unread, written: acknowledged + unacknowledged }
}

/** Whether all descriptors of a socket show one number. */
function numbersSockets(libc: Libc, fd: number): boolean {
  const copy = Descriptor.fromFd(libc.duplicate(fd))
  const number = libc.socketCookie(fd)
  const same = equal(number, libc.socketCookie(copy.fd)) && number.some(byte => byte !== 0)
  copy.close()
  return same
}

/** Whether this kernel counts as it must, tried on a connection to ourselves. @returns why not */
export async function checkCounts(libc: Libc): Promise<string | undefined> {
  const server = createServer({ pauseOnConnect: true })
  const sockets: Socket[] = []
  try {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as { port: number }).port, '127.0.0.1')
    sockets.push(client)
    const [accepted] = (await once(server, 'connection')) as [Socket]
    sockets.push(accepted)
    const fd = handleOf(accepted)?.fd
    if (fd === undefined) return 'this Node does not reveal the descriptor of a socket'
    const same = (read: number, written: number): boolean => {
      const counts = countsOf(libc, fd)
      return counts?.read === read && counts.written === written
    }
    if (!same(0, 0)) return 'the kernel has counted bytes on a fresh connection'
    if (!numbersSockets(libc, fd)) return 'this kernel has no SO_COOKIE'
    client.write(new Uint8Array(5))
    accepted.resume()
    await once(accepted, 'data')
    accepted.write(new Uint8Array(7))
    await once(client, 'data')
    return same(5, 7) ? undefined : 'this kernel counts the bytes of a TCP connection differently'
  } catch (error) {
    return (error as Error).message
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}
