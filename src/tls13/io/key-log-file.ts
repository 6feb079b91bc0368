import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { CommonConfig } from '../config.ts'
import { keyLogLine } from '../key-log.ts'

const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
const FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK

/** Files that have been warned of in this process. */
const warned = new Set<string>()

/**
 * Writes secrets to the end of a file, in the SSLKEYLOGFILE format, for tools such as Wireshark. A user who
 * can read it can read every connection, so it has to be a regular file of this user's with mode 0600, and no
 * link; one that is missing is made so.
 *
 * It is for debugging: a file that is not so, or cannot be written, is warned of once, and connections go on
 * without it.
 * @param warn told in one line; unless given, `process.emitWarning`
 * @returns the `onSecret` of a configuration
 */
export function keyLogFile(
  path: string,
  warn: (text: string) => void = text => process.emitWarning(text),
): NonNullable<CommonConfig['onSecret']> {
  let dropped = 0
  const write = (text: string): void => {
    try {
      append(path, dropped > 0 ? `# ${dropped} lines were dropped\n${text}` : text)
      dropped = 0
    } catch (error) {
      if (text !== '') dropped++
      if (warned.has(path)) return
      warned.add(path)
      warn(`the key log ${path} is not written: ${reasonOf(error as NodeJS.ErrnoException)}`)
    }
  }
  // A path that is of no use should be told of now, not in the middle of a handshake.
  write('')
  return (exposed, clientRandom) => {
    const line = keyLogLine(exposed, clientRandom)
    if (line !== undefined) write(`${line}\n`)
  }
}

/**
 * One write a line: several processes may share the file.
 * @throws Error it is not what it should be, or (of `node:fs`) the system refuses
 */
function append(path: string, text: string): void {
  const fd = openSync(path, FLAGS, 0o600)
  try {
    const found = fstatSync(fd)
    const against = objection(found.isFile(), found)
    if (against !== undefined) throw new Error(against)
    const bytes = Buffer.from(text)
    // A line of which a full disk took a part is ended before the next one.
    if (text !== '' && writeSync(fd, bytes) < bytes.length) writeSync(fd, '\n')
  } finally {
    closeSync(fd)
  }
}

function objection(
  isFile: boolean,
  { uid, mode, nlink }: { readonly uid: number; readonly mode: number; readonly nlink: number },
): string | undefined {
  if (!isFile) return 'it is not a regular file'
  if (uid !== process.geteuid?.()) return 'it belongs to another user'
  if ((mode & 0o077) !== 0) return 'others may read or write it; chmod 600 it'
  return nlink > 1 ? 'it has another name (a hard link)' : undefined
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ELOOP') return 'it is a symbolic link'
  return code ?? message
}
