import { createReadStream, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import pretty from 'pino-pretty'
import { LOG_FILE, say } from './run-directory.ts'

/** Milliseconds between two looks at the file. */
const INTERVAL = 250
/** Bytes of what was logged before that are shown. */
const TAIL = 16_384

/** Shows the end of the log and what comes to it, readable, until it is interrupted. */
export function followLogs(runDirectory: string): void {
  const file = join(runDirectory, LOG_FILE)
  if (!existsSync(file)) {
    say(`nothing has been logged yet: ${file} does not exist`)
    process.exitCode = 1
    return
  }
  const out = pretty({ colorize: process.stdout.isTTY, ignore: 'pid,hostname', sync: true })
  let offset = Math.max(0, statSync(file).size - TAIL)
  let partial = offset > 0
  const read = (): void => {
    const { size } = statSync(file)
    // A shorter file is a new one.
    if (size < offset) offset = 0
    if (size === offset) {
      setTimeout(read, INTERVAL)
      return
    }
    const stream = createReadStream(file, { start: offset, end: size - 1, encoding: 'utf8' })
    offset = size
    stream.on('data', chunk => {
      let text = String(chunk)
      if (partial) text = text.slice(text.indexOf('\n') + 1)
      partial = false
      out.write(text)
    })
    stream.on('close', () => setTimeout(read, INTERVAL))
  }
  read()
}
