import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { join } from 'node:path'
import { shortDirectory } from './socket-path.ts'

/*
 * At most one process may run a platform in a directory, and one that was killed must not be in the way. What
 * a killed one leaves behind has to be removed, and a file of a known name cannot be removed safely: between
 * the look at it and its removal another process may have put a new one there. So the seat is a directory,
 * and its holder has an entry with a name of its own in it, a socket. A dead holder's entry is removed by
 * that name, which no other holder ever has; and a directory can be renamed to the seat only while the seat
 * is empty.
 */

/** The directory of the holder's entry. */
const SEAT = 'up'
/**
 * Bytes of the longest name of a socket that is needed on the way there: `new.` and a mark, or a mark in the
 * seat.
 */
const LONGEST = 12

/** A seat that is held. */
export interface Seat {
  /** Gives it up; the socket is gone, if it can be removed. Does not throw. */
  leave(): void
}

/**
 * Takes the seat of a directory, and has a server listen there on a Unix socket that only this user can open.
 * @param name of the socket
 * @returns undefined if a living process has it
 */
export async function takeSeat(directory: string, name: string, server: Server): Promise<Seat | undefined> {
  const mark = randomBytes(4).toString('hex')
  const short = shortDirectory(directory, Math.max(name.length, LONGEST))
  const path = join(short.path, `new.${mark}`)
  const mine = join(short.path, `${SEAT}.${mark}`)
  const seat = join(short.path, SEAT)
  const socket = join(short.path, name)
  const entry = join(seat, mark)
  let held = false
  try {
    await listen(server, path)
    mkdirSync(mine, { mode: 0o700 })
    // A process that finds the entry finds a socket that answers, or whose process is dead: it listens
    // already.
    linkSync(path, join(mine, mark))
    while (!moveIfEmpty(mine, seat)) if (await isHeld(seat)) return undefined
    renameSync(path, socket)
    held = true
  } finally {
    if (!held) {
      rmSync(mine, { recursive: true, force: true })
      rmSync(entry, { force: true })
      server.close()
      short.close()
    }
  }
  return {
    leave() {
      // The socket may be another one's by then.
      if (!held) return
      held = false
      for (const path of [socket, entry]) remove(path)
      server.close()
      short.close()
    },
  }
}

/** Removes a file, if it can be removed: a socket that is left behind is in no process's way. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // The directory is not what it was. It must not keep its holder from ending.
  }
}

/** @returns false if there is an entry in the seat */
function moveIfEmpty(mine: string, seat: string): boolean {
  try {
    renameSync(mine, seat)
    return true
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return false
  }
}

/** Removes the entries of the dead. @returns whether there is one of a living process */
async function isHeld(seat: string): Promise<boolean> {
  for (const name of readdirSync(seat)) {
    const entry = join(seat, name)
    if (await answers(entry)) return true
    rmSync(entry, { force: true })
  }
  return false
}

/** Whether a process listens there, even one that is too busy to accept. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path, () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED'),
    )
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // No other user may open it, from its first moment on.
    const mask = process.umask(0o177)
    server.listen(path, () => {
      server.removeListener('error', reject)
      resolve()
    })
    process.umask(mask)
  })
}
