import type { Socket } from 'node:net'
import type { StreamHandle } from './streams/handle.ts'

/** A `net.Socket` as it is inside: the one internal field that is used outside the raw streams. */
type Shell = { _handle: (StreamHandle & { reading?: boolean }) | null }

/** What {@link takeHandle} takes out of a socket. */
export interface TakenHandle {
  /** The connection; only its new owner reads or closes it. */
  readonly handle: StreamHandle
  /** What the socket had read and not handed out. */
  readonly unread: Uint8Array
}

/**
 * Takes the connection out of a `net.Socket` without losing a byte, and leaves an empty, destroyed shell.
 * Reading is stopped in the handle itself, because `pause()` alone lets what is under way be read and lost.
 *
 * An `Error` if the socket has no connection, or if something that was written on it has not left yet: that
 * would be lost in silence.
 */
export function takeHandle(socket: Socket): TakenHandle {
  const shell = socket as unknown as Shell
  const handle = shell._handle
  if (handle === null || handle === undefined) throw new Error('this socket has no connection to take')
  if (typeof handle.readStop !== 'function') throw new Error('the handle of this socket has no readStop')
  if (socket.writableLength > 0) throw new Error(`${socket.writableLength} written bytes have not left yet`)
  handle.readStop()
  handle.reading = false
  const unread = drain(socket)
  handle.onread = () => {} // Node insists on a function
  shell._handle = null
  socket.removeAllListeners()
  socket.on('error', () => {})
  socket.destroy()
  return { handle, unread }
}

/** The handle inside a socket, to look at; `undefined` once it is closed. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  return (socket as unknown as Shell)._handle ?? undefined
}

function drain(socket: Socket): Uint8Array {
  const unread = new Uint8Array(socket.readableLength)
  let at = 0
  while (at < unread.length) {
    const chunk = socket.read() as Uint8Array | null
    if (chunk === null) break
    unread.set(chunk, at)
    at += chunk.length
  }
  return unread
}
