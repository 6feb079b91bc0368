import { appendFileSync } from 'node:fs'
import type { CommonConfig } from '../config.ts'
import { keyLogLine } from '../key-log.ts'

/**
 * Writes secrets to the end of a file, in the SSLKEYLOGFILE format, for tools such as Wireshark. Whoever can read it can read
 * every connection. A file that it makes has mode 0600; one that is there keeps its mode.
 * @returns the `onSecret` of a configuration @throws Error (of `node:fs`) if the file cannot be written
 */
export function keyLogFile(path: string): NonNullable<CommonConfig['onSecret']> {
  const append = (text: string): void => appendFileSync(path, text, { mode: 0o600 })
  // A path that is of no use should be told of now, not in the middle of a handshake.
  append('')
  return (exposed, clientRandom) => {
    const line = keyLogLine(exposed, clientRandom)
    // One write a line: several processes may share the file.
    if (line !== undefined) append(`${line}\n`)
  }
}
