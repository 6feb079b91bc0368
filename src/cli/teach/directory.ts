import { closeSync, lstatSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** With the process that it belongs to behind it. */
const PREFIX = 'hotpotato-teach-'

/**
 * A directory of this process alone, for certificates of lessons. What another process has left that was
 * killed, as SIGKILL does, is removed: its name says whose it was.
 */
export function makeTeachDirectory(): string {
  const all = tmpdir()
  for (const name of readdirSync(all)) {
    const pid = new RegExp(`^${PREFIX}(\\d{1,10})-\\w{6}$`).exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) removeOwn(join(all, name))
  }
  return mkdtempSync(join(all, `${PREFIX}${process.pid}-`))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Directories of other users stay, and so does what stands there by the same name. */
function removeOwn(path: string): void {
  try {
    const found = lstatSync(path)
    if (found.uid === process.geteuid?.() && found.isDirectory())
      rmSync(path, { recursive: true, force: true })
  } catch {
    // Another process has removed it, or it cannot be removed: it is no work of ours.
  }
}

/** A file without a name: it is gone with the processes that have it open, however they end. */
export class Nameless {
  readonly descriptor: number
  #closed = false

  /** @param directory of this user alone */
  constructor(directory: string) {
    const path = join(directory, 'recording')
    this.descriptor = openSync(path, 'wx+', 0o600)
    rmSync(path)
  }

  /** What has been written to it, from its beginning. */
  read(): string {
    return readFileSync(`/proc/self/fd/${this.descriptor}`, 'utf8')
  }

  /** Once: the number may be that of another file by the next time. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.descriptor)
  }
}
