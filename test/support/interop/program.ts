import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/**
 * The first line that a program says of its version, for the name of a suite; undefined if it is not on the
 * path, or does not run: then that line is a complaint.
 * @param args as it wants to be asked; default `--version`
 */
export function versionOf(command: string, args: readonly string[] = ['--version']): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, [...args], { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) return undefined
  return `${stdout}\n${stderr}`
    .split('\n')
    .find(line => line.trim() !== '')
    ?.trim()
}

/** For the name of a suite: which version it ran with, or why it did not run and what to do about that. */
export function noteOf(version: string | undefined, command: string, packageName: string): string {
  return version ?? `SKIPPED: there is no ${command} on the path; get it with: apt-get install ${packageName}`
}

/** Milliseconds after which a word that does not come is given up. */
const PATIENCE = 180_000

/** A running program: what it says so far, and a way to talk to it. */
export class Program {
  readonly #command: string
  readonly #process: ChildProcessWithoutNullStreams
  readonly #exit: Promise<unknown>
  #output = ''
  #seen = 0
  #ended = false
  #changed: () => void = () => {}

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#command = command
    this.#process = spawn(command, [...args], { stdio: 'pipe', env: { ...process.env, ...env } })
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
   * @throws Error, with all that it has said, if it exits before or if it takes more than a minute
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
          throw new Error(`${this.#command} did not say ${expression}, but:\n${this.#output}`)
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

  /** Its exit code if it ends in time. @throws Error, with all that it has said, if it does not */
  async exitInTime(): Promise<number | undefined> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE)
    const code = await this.exit()
    clearTimeout(timer)
    if (code === undefined) throw new Error(`${this.#command} was ended, having said:\n${this.#output}`)
    return code
  }

  /** Ends it, if it still runs. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#process.kill('SIGKILL')
    await this.#exit
  }
}
