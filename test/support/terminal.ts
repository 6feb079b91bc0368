import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { isInstalled, missing } from './programs.ts'

/** Milliseconds for what a machine under load takes its time for. */
const PATIENCE = 200_000
/** What the shell says when it waits for a command: with the status of the one before. */
const PROMPT = /\[(\d+)\]ready> $/
/** What programs embellish their words with on a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is how they begin
const COLOURS = /\x1b\[[0-9;]*m/g
const THERE = isInstalled('script', ['--version']) && isInstalled('bash', ['--version'])

/** For the name of a test, see {@link missing}. */
export const NO_TERMINAL = missing(THERE, 'script and bash', 'bsdutils bash')

/** How a command ended that was typed. */
export interface Typed {
  readonly status: number
  /** What stood on the terminal between it and the next prompt, without colours. */
  readonly said: string
}

/**
 * A shell in a pseudo-terminal, which `script` makes: lines are typed with a carriage return at their end,
 * programs see a terminal, and read from it what a terminal makes of that.
 */
export class Terminal {
  readonly #child: ChildProcess
  readonly #onText = new Set<() => void>()
  #text = ''
  /** Up to here it has been read. */
  #read = 0

  static async open(cwd: string, environment: Readonly<Record<string, string>>): Promise<Terminal> {
    const terminal = new Terminal(cwd, environment)
    // From the environment a shell of root's does not take it.
    terminal.type("PS1='[$?]ready> '")
    await terminal.prompt()
    return terminal
  }

  private constructor(cwd: string, environment: Readonly<Record<string, string>>) {
    const shell = 'bash --noprofile --norc --noediting -i'
    this.#child = spawn('script', ['-qfec', shell, '/dev/null'], {
      cwd,
      env: { ...environment, TERM: 'dumb', HISTFILE: '/dev/null' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdin!.on('error', () => {})
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
      for (const look of this.#onText) look()
    })
  }

  /** Types a line and the key at its end. */
  type(line: string): void {
    this.press(`${line}\r`)
  }

  /** @param key as a terminal sends it: `\x03` for Ctrl-C */
  press(key: string): void {
    this.#child.stdin!.write(key)
  }

  /** Waits for something to stand there that was not read before. @returns all up to its end */
  async until(what: RegExp): Promise<string> {
    const found = (): string | undefined => {
      const match = what.exec(this.#text.slice(this.#read))
      if (match === null) return undefined
      const text = this.#text.slice(this.#read, this.#read + match.index + match[0].length)
      this.#read += text.length
      return text
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#onText.delete(look)
      }
      const look = (): void => {
        const text = found()
        if (text === undefined) return
        end()
        resolve(text)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`${what} does not come:\n${this.#text.slice(this.#read)}`))
      }, PATIENCE)
      this.#onText.add(look)
      look()
    })
  }

  /** Waits until the shell takes a command. */
  async prompt(): Promise<Typed> {
    const text = await this.until(PROMPT)
    const plain = text.replaceAll('\r\n', '\n').replaceAll(COLOURS, '')
    return { status: Number(PROMPT.exec(text)![1]), said: plain }
  }

  /** Types a command, and waits for its end. */
  async run(line: string): Promise<Typed> {
    this.type(line)
    return this.prompt()
  }

  /** Ends the terminal, as when its window is closed: the kernel hangs up, what runs in it gets SIGHUP. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
