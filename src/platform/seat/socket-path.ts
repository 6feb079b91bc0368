import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/**
 * Bytes of the longest path of a Unix socket: what `sun_path` holds besides the zero at its end (unix(7)).
 */
const LONGEST = 107

/** A directory has a path that is too long for the sockets in it. */
export class SocketPathError extends Error {
  override readonly name = 'SocketPathError'
}

/** A directory that sockets are in, under a name that is short enough for them. */
export interface ShortDirectory {
  readonly path: string
  /** The name is good until then. */
  close(): void
}

/**
 * A name of a directory that is short enough for the sockets in it: its own, or that of an open descriptor of
 * it.
 * @param longest bytes of the longest name of a socket in it
 * @throws SocketPathError it is too long, and there is no /proc
 * @throws Error (of `node:fs`) it cannot be opened
 */
export function shortDirectory(directory: string, longest: number): ShortDirectory {
  if (Buffer.byteLength(directory) + 1 + longest <= LONGEST) return { path: directory, close() {} }
  if (!existsSync('/proc/self/fd'))
    throw new SocketPathError(
      `${directory} is too long for the sockets in it (${LONGEST - 1 - longest} bytes without /proc); ` +
        'choose another HOTPOTATO_RUN_DIR',
    )
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) }
}

/** The same for one socket. */
export function shortPath(socket: string): ShortDirectory {
  const name = basename(socket)
  const { path, close } = shortDirectory(dirname(socket), Buffer.byteLength(name))
  return { path: `${path}/${name}`, close }
}
