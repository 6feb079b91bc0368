import type { Libc } from '../../transfer/native/libc.ts'
import { countsOf, type SocketCounts } from '../../transfer/socket-counts.ts'

/** `TCP_CLOSE_WAIT` of Linux: the client has sent its FIN. */
const CLOSE_WAIT = 8
/** `TCP_CLOSE`: it is over. */
const CLOSE = 7

/** What had gone through a socket at some moment; undefined of a leg, of which the kernel counts nothing. */
export type Stillness = SocketCounts

/** @returns undefined if the kernel does not say, or the connection is over */
export function stillnessOf(libc: Libc, fd: number): Stillness | undefined {
  try {
    return libc.domainOf(fd) === 'tcp' ? countsOf(libc, fd) : undefined
  } catch {
    return undefined
  }
}

/** Whether its client has reset it: then nothing that was underway is missed. */
export function isReset(libc: Libc, fd: number): boolean {
  try {
    return libc.domainOf(fd) === 'tcp' && libc.tcpCounts(fd).state === CLOSE
  } catch {
    return false
  }
}

/** Whether nothing has gone through it since, as far as that is known. */
export function isUntouched(libc: Libc, fd: number, since: Stillness | undefined): boolean {
  const now = stillnessOf(libc, fd)
  return now !== undefined && now.read === since?.read && now.written === since.written
}

/** Whether a client has said more than that it has gone. True where the kernel does not tell. */
export function hasSpoken(libc: Libc, fd: number): boolean {
  try {
    if (libc.domainOf(fd) !== 'tcp') return true
    const { state, unread } = libc.tcpCounts(fd)
    return unread > 0 || state !== CLOSE_WAIT
  } catch {
    return true
  }
}
