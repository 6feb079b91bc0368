import { closeSync, openSync } from 'node:fs'

/**
 * The terminal that this process was started from, if any. A SIGHUP says two things: to a process whose
 * terminal is closed, that it is to end; to a server, that it is to read its configuration anew.
 */
export class Terminal {
  readonly #had = hasTerminal()

  /** There was one, and it is there no more. */
  isGone(): boolean {
    return this.#had && !hasTerminal()
  }
}

/** A process whose terminal has been hung up has none. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
