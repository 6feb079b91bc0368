import { ErrnoError } from '../native/libc.ts'
import { sockets } from '../native/sockets.ts'

/*
 * A filter makes a socket deaf, and whose socket it is may take it off without a right. So it is more than a
 * tool: of a connection that was made here it says that no process has begun to serve it.
 */

const SOL_SOCKET = 1
const SO_GET_FILTER = 26
const SO_DETACH_FILTER = 27

/** It hears from now on; it may have done so already. @throws ErrnoError it is no socket */
export function hear(fd: number): void {
  try {
    sockets().setOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
  } catch (error) {
    if (!(error instanceof ErrnoError) || error.code !== 'ENOENT') throw error
  }
}

/** Whether a filter stands before it. Of one that is not classic the kernel says only that it is there. */
export function isDeaf(fd: number): boolean {
  try {
    return sockets().optionBytes(fd, SOL_SOCKET, SO_GET_FILTER, 0).length > 0
  } catch {
    return true
  }
}
