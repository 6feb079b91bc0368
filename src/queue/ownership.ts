import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../time/clock.ts'

/** Milliseconds between two looks whether the directory is free. */
const LOOK = 200

/**
 * Waits until no other process calls out of that directory. What is owned is an abstract socket, which the
 * kernel takes back with the process, however that ends. Its name is a secret of the directory.
 */
export async function own(directory: string, clock: Clock): Promise<void> {
  const name = nameOf(directory)
  for (;;) {
    const server = createServer(socket => socket.destroy())
    try {
      server.listen(`\0hotpotato-queue-${name}`)
      await once(server, 'listening')
      server.unref()
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
    await new Promise<void>(resolve => clock.after(LOOK, resolve))
  }
}

function nameOf(directory: string): string {
  const file = join(directory, 'owner')
  try {
    writeFileSync(file, randomBytes(16).toString('hex'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(file, 'latin1')
}
