import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, dirname, resolve } from 'node:path'
import type { Clock, Timer } from '../../time/clock.ts'
import { FunctionError } from '../module-file.ts'

/** How a process is started. */
export interface Start {
  readonly command: readonly string[]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  /** Whether it has a pipe for its variables, as descriptor 3. */
  readonly told?: boolean
}

/** Milliseconds that others may hold the output of a process that has ended: they have left its group. */
const LAST_WORDS = 1000

/** What a program inherits of its container, by name, beside what it is given. */
const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|TZ|TMPDIR|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|(LC|FAKETIME)_.*)$/

/** The part of a container's environment that its programs have. */
export function inheritedByPrograms(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).filter(([name]) => INHERITED.test(name))
  return Object.fromEntries(kept) as Record<string, string>
}

/** The folder that a handler is, or is in. @throws FunctionError there is none */
export function folderOf(handler: string): string {
  if (isDirectory(handler)) return handler
  if (existsSync(handler)) return dirname(handler)
  throw new FunctionError('missing', `${handler} does not exist: a program is to be started in it`)
}

/**
 * Finds what a command names, as the shell would.
 * @throws FunctionError there is no such program, or no folder to start it in
 */
export function mustBeThere({ command, directory: given, environment }: Start): void {
  const [name] = command as readonly [string]
  const directory = folderOf(given)
  const places = name.includes('/')
    ? [resolve(directory, name)]
    : (environment.PATH ?? '/usr/bin:/bin').split(delimiter).map(place => resolve(place, name))
  if (places.some(isProgram)) return
  const where = name.includes('/') ? `${places[0]} is no program` : `there is no program ${name} in PATH`
  throw new FunctionError('missing', `${where}: a function's command names one that can be run`)
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return !isDirectory(path)
  } catch {
    return false
  }
}

/** A process of a program, with all that it starts: they are a group of their own. */
export class ProgramProcess {
  readonly child: ChildProcess
  /** Settled when it has ended, with how: `SIGKILL`, `exit code 1`, or why it could not be started. */
  readonly ended: Promise<string>
  /** undefined as long as it runs. */
  how: string | undefined
  exitCode: number | null = null

  /** @throws Error it cannot be started: no descriptor or no memory is free, or a variable is too long */
  constructor({ command, directory, environment, told = false }: Start) {
    const [name, ...args] = command as readonly [string, ...string[]]
    this.child = spawn(name, args, {
      cwd: directory,
      env: environment,
      detached: true,
      stdio: told ? ['pipe', 'pipe', 'pipe', 'pipe'] : ['pipe', 'pipe', 'pipe'],
    })
    // One that does not read is told of by its end.
    for (const stream of this.child.stdio ?? []) stream?.on('error', () => {})
    if (!this.child.stdout) {
      // Without a free descriptor there are no pipes, and why is said later.
      this.child.once('error', () => {})
      throw new Error('no descriptor is free for its pipes')
    }
    this.ended = new Promise(settle => {
      const end = (how: string): void => {
        this.how ??= how
        settle(how)
      }
      this.child.once('error', error => {
        if (this.child.pid === undefined) end(`it cannot be started: ${error.message}`)
      })
      this.child.once('exit', (code, signal) => {
        this.exitCode = code
        end(signal ?? `exit code ${code}`)
      })
    })
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  /** Sends a signal to it and all that it has started, as far as that is in its group still. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return
    try {
      process.kill(-this.pid, signal)
    } catch {
      // All of them have ended.
    }
  }

  /** Ends all of it at once, and lets go of its pipes, which others may hold. */
  kill(): void {
    this.signal('SIGKILL')
    for (const stream of this.child.stdio ?? []) stream?.destroy()
  }

  /** Asks it to end, and ends it when it has not. @param patience milliseconds */
  async end(patience: number, clock: Clock): Promise<void> {
    this.signal('SIGTERM')
    const timer = clock.after(patience, () => this.signal('SIGKILL'))
    await this.ended
    timer.stop()
    await this.bury(clock)
  }

  /** When it has ended: ends what it has started, and waits until its last words have been read. */
  async bury(clock: Clock): Promise<void> {
    this.signal('SIGKILL')
    const pipes = [this.child.stdout, this.child.stderr].filter(one => one !== null && !one.closed)
    const read = pipes.map(one => new Promise<void>(settle => one!.once('close', () => settle())))
    let timer: Timer | undefined
    const late = new Promise<void>(settle => {
      timer = clock.after(LAST_WORDS, settle)
    })
    await Promise.race([Promise.all(read), late])
    timer?.stop()
    this.kill()
  }
}
