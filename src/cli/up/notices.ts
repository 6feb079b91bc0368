/** Levels of pino, from which on the person at the terminal is told. */
const WARN = 40
/** Notices at once, and milliseconds for each further one. */
const BURST = 10
const PACE = 6000
/** Milliseconds for which the same notice is not given again. */
const SAME = 60_000
/** Characters of one notice. */
const LONGEST = 300

/**
 * What of the log is said on the terminal, too: warnings and errors, each once a minute, and never so many
 * that they are all one sees. What is left out is counted, and the next notice says how much that was.
 */
export class Notices {
  readonly #tell: (text: string) => void
  readonly #now: () => number
  readonly #given = new Map<string, number>()
  #left = BURST
  #filled: number
  #unsaid = 0
  /** Whether all runs: before, what the platform cannot start without is said by the one who starts it. */
  running = false

  /** @param tell prints one line @param now milliseconds, never going back */
  constructor(tell: (text: string) => void, now: () => number) {
    this.#tell = tell
    this.#now = now
    this.#filled = now()
  }

  /** Takes one line of the log. */
  see(line: string): void {
    // Most lines are no warnings: those are not parsed.
    const level = Number(/^\{"level":(\d\d)/.exec(line)?.[1])
    if (!(level >= WARN)) return
    const text = noticeOf(line, this.running)
    if (text !== undefined) this.#give(text)
  }

  #give(text: string): void {
    const now = this.#now()
    const before = this.#given.get(text)
    if (before !== undefined && now - before < SAME) return
    const more = Math.floor((now - this.#filled) / PACE)
    this.#left = Math.min(BURST, this.#left + more)
    this.#filled += more * PACE
    if (this.#left === 0) {
      this.#unsaid++
      return
    }
    this.#left--
    for (const [one, at] of this.#given) if (now - at >= SAME) this.#given.delete(one)
    this.#given.set(text, now)
    this.#tell(this.#unsaid === 0 ? text : `${text} (and ${this.#unsaid} other notices, in the log)`)
    this.#unsaid = 0
  }
}

/** @returns undefined for what is nothing to tell */
function noticeOf(line: string, running: boolean): string | undefined {
  const { level, name, msg, stream, how, failure, err, broken } = JSON.parse(line) as Readonly<
    Record<string, unknown>
  >
  // What a function prints is its own; that a process cannot start is said once, by the supervisor.
  if (stream !== undefined || typeof msg !== 'string' || typeof failure === 'string') return undefined
  if (name !== 'supervisor' && msg === 'cannot start') return undefined
  if (!running && Number(level) > WARN && broken !== true) return undefined
  const { message } = (typeof err === 'object' && err !== null ? err : {}) as { readonly message?: unknown }
  const why = [message, how, failure]
    .filter(one => typeof one === 'string')
    .map(firstLine)
    .filter(one => !msg.includes(one))
  const whose = name === 'supervisor' ? '' : `${name}: `
  const text = `${whose}${firstLine(msg)}${why.length === 0 ? '' : ` (${why.join('; ')})`}`
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
