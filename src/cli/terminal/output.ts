import { closeSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'

/** What a terminal acts on: controls but tab and line feed, and what turns the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const ACTS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A text that a terminal shows and does not obey, whatever its origin: as `\x1b` where it would act. */
export function printable(text: string): string {
  return text.replace(ACTS, one => {
    const code = one.charCodeAt(0).toString(16)
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`
  })
}

/**
 * Whether text is coloured: on a terminal, unless NO_COLOR, CLICOLOR=0 or a dumb terminal speak against it;
 * and where FORCE_COLOR or CLICOLOR_FORCE ask for it. Variables that are empty say nothing.
 */
export function isColoured(
  terminal: boolean,
  { NO_COLOR, FORCE_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM }: Readonly<Record<string, string | undefined>>,
): boolean {
  if (NO_COLOR) return false
  const forced = FORCE_COLOR || CLICOLOR_FORCE
  if (forced) return forced !== '0' && forced !== 'false'
  return terminal && CLICOLOR !== '0' && TERM !== 'dumb'
}

/** Writes for the person at the terminal. */
export function say(text: string): void {
  process.stdout.write(`${printable(text)}\n`)
}

/** Says what goes wrong beside the work, for the person at the terminal. */
export function warn(text: string): void {
  process.stderr.write(`hotpotato: ${printable(text)}\n`)
}

/** Characters that may wait for a reader who is slow. */
const WAITING = 262_144

/** The same of what happens while the work goes on: it is left out for a reader who does not read. */
export function tell(text: string): void {
  if (process.stderr.writableLength < WAITING) warn(text)
}

let dropped = 0

/**
 * What a server says of its work, line by line. It neither waits for a reader nor keeps more than a little
 * for one: what does not fit, or cannot be written, is dropped, and the next line that can be written says
 * how much that was.
 */
export function note(text: string): void {
  if (process.stdout.writableLength > WAITING) {
    dropped++
    return
  }
  const said = dropped
  const before = said === 0 ? '' : `(${said} lines were dropped)\n`
  process.stdout.write(`${before}${printable(text)}\n`, error => {
    if (error) dropped++
    else dropped -= said
  })
}

/** Writes without a line end, and waits until the reader can take more. */
export async function write(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await new Promise(resolve => process.stdout.once('drain', resolve))
}

let stays = false

/**
 * From now on this process is a server: it goes on when standard output is gone, because what it prints is
 * beside its work.
 */
export function outlastOutput(): void {
  stays = true
}

/**
 * Says once for all commands what it means that standard output cannot be written. A reader that has closed
 * it, as `head` does, has what it wanted: the command ends quietly, with the status that it has anyway. What
 * cannot be written for another reason, as on a disk that is full, is said on standard error, and the status
 * is 1. See {@link outlastOutput}, too.
 */
export function guardOutput(): void {
  const terminals = [0, 1, 2].filter(fd => isatty(fd))
  if (terminals.length > 0) process.once('exit', () => letGoOf(terminals))
  // There is nowhere left to say it.
  process.stderr.on('error', () => {})
  let failed = false
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (failed) return
    failed = true
    if (code !== 'EPIPE') warn(`standard output cannot be written (${code ?? message})`)
    if (stays) return
    if (code !== 'EPIPE') process.exitCode = 1
    process.exit()
  })
}

/**
 * Puts an empty file in the place of what was a terminal and is none any more. At its end Node gives each
 * terminal the settings back that it had, and aborts where that fails: a platform whose terminal was closed
 * ended with 134, all done. The library for foreign calls waits for itself for ever where 0 or 2 is closed.
 */
function letGoOf(terminals: readonly number[]): void {
  for (const fd of terminals) {
    if (isatty(fd)) continue
    try {
      closeSync(fd)
    } catch {
      // It was closed already.
    }
    // The kernel takes the lowest number that is free: those below are taken.
    openSync('/dev/null', 'r+')
  }
}

/**
 * Whether it is the machine that refuses something: its message is one line that says what and where, as Node
 * words it.
 */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  return error instanceof Error && syscall !== undefined && /^E[A-Z0-9]+$/.test(code ?? '')
}
