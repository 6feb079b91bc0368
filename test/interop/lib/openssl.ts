import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** The version that `openssl version` tells; undefined if there is no OpenSSL on the path. */
export const OPENSSL: string | undefined = version()

/** For the name of a suite: which OpenSSL it ran with, or why it did not run and what to do about that. */
export const OPENSSL_NOTE: string =
  OPENSSL ?? 'SKIPPED: there is no openssl on the path; get it with: apt-get install openssl'

function version(): string | undefined {
  const { status, stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' })
  return status === 0 ? stdout.split(' ').slice(0, 2).join(' ') : undefined
}

/** Milliseconds after which a word that does not come is given up. */
const PATIENCE = 5000

/** A running `openssl`: what it says so far, and a way to talk to it. */
export class OpenSsl {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #exit: Promise<unknown>
  #output = ''
  #seen = 0
  #ended = false
  #changed: () => void = () => {}

  /** @param args as on the command line: `s_client`, `-connect`, … */
  constructor(args: readonly string[]) {
    this.#process = spawn('openssl', [...args], { stdio: 'pipe' })
    const take = (text: string): void => {
      this.#output += text
      this.#changed()
    }
    this.#process.stdout.setEncoding('utf8').on('data', take)
    this.#process.stderr.setEncoding('utf8').on('data', take)
    // It may be gone before it has read everything.
    this.#process.stdin.on('error', () => {})
    this.#exit = once(this.#process, 'close').then(() => {
      this.#ended = true
      this.#changed()
    })
  }

  /** Everything that it has said, on stdout and stderr. */
  get output(): string {
    return this.#output
  }

  /** Types a text. Lines of `s_client` that begin with Q, R, k or K are commands. */
  type(text: string): this {
    this.#process.stdin.write(text)
    return this
  }

  /** Closes its standard input. */
  endInput(): this {
    this.#process.stdin.end()
    return this
  }

  /**
   * Waits until it has said something that matches, after what an earlier call has waited for.
   * @throws Error, with all that it has said, if it exits before or if it takes more than five seconds
   */
  async says(pattern: RegExp | string): Promise<RegExpMatchArray> {
    const expression =
      typeof pattern === 'string' ? new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : pattern
    let impatient = false
    const timer = setTimeout(() => {
      impatient = true
      this.#changed()
    }, PATIENCE)
    try {
      for (;;) {
        const match = this.#output.slice(this.#seen).match(expression)
        if (match !== null) {
          this.#seen += match.index! + match[0].length
          return match
        }
        if (this.#ended || impatient) {
          throw new Error(`openssl did not say ${expression}, but:\n${this.#output}`)
        }
        await new Promise<void>(resolve => {
          this.#changed = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Waits until it has ended. @returns its exit code; undefined if a signal ended it */
  async exit(): Promise<number | undefined> {
    await this.#exit
    return this.#process.exitCode ?? undefined
  }

  /** Ends it, if it still runs. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#process.kill('SIGKILL')
    await this.#exit
  }
}
