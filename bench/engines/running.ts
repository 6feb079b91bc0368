import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { BenchError } from '../harness/run.ts'
import { type EngineArguments, EngineRefusal, type Owner, REFUSED, type Ready } from './engine.ts'

/** Milliseconds in which an engine must accept connections, and in which it must have ended. */
const START = 120_000
const STOP = 5000
/** Characters of what an engine says of an error that are told. */
const EXCERPT = 300

/** An engine that runs: the bench's side of docs/bench-engines.md. */
export class RunningEngine {
  readonly ready: Ready
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, ready: Ready) {
    this.#child = child
    this.ready = ready
  }

  /**
   * Starts a command and waits until it accepts connections.
   * @param command program and words; a file that ends with `.js` or `.mjs` is run by this Node
   * @throws EngineRefusal it cannot do here what it is asked for, or is not there @throws BenchError it fails
   */
  static async start(command: readonly string[], asked: EngineArguments): Promise<RunningEngine> {
    const words = [...command, asked.certificate, asked.key, asked.suite]
    if (/\.m?js$/.test(words[0]!)) words.unshift(process.execPath)
    const child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-EXCERPT)
    })
    child.stdin.on('error', () => {})
    const name = command.join(' ')
    const late = new AbortController()
    try {
      const line = await Promise.race([
        once(createInterface(child.stdout), 'line').then(([line]) => line as string),
        once(child, 'close').then(([code]) => {
          if (code === REFUSED) throw new EngineRefusal(said.trim())
          throw new BenchError(`${name} ended (${code}) before it was ready: ${said.trim()}`)
        }),
        expiry(START, late.signal, new BenchError(`${name} was not ready in ${START / 1000} s`)),
      ])
      return new RunningEngine(child, readReady(line, name))
    } catch (error) {
      child.kill('SIGKILL')
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'EACCES') throw new EngineRefusal(`${name}: ${code}`)
      throw error
    } finally {
      late.abort()
    }
  }

  /** Closes its standard input, which tells it to end; kills it if it does not. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP)
    this.#child.stdin?.end()
    await ended
    clearTimeout(late)
  }
}

/** Rejects after so many milliseconds. */
function expiry(milliseconds: number, signal: AbortSignal, error: Error): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(error), milliseconds)
    signal.addEventListener('abort', () => clearTimeout(timer))
  })
}

/** Reads an engine's first line. @param name of its command, for errors @throws BenchError it is none */
export function readReady(line: string, name: string): Ready {
  const wrong = (what: string): BenchError =>
    new BenchError(`${name}: ${what} in its line ${JSON.stringify(line.slice(0, EXCERPT))}`)
  let ready: Partial<Ready>
  try {
    ready = JSON.parse(line) as Partial<Ready>
  } catch {
    throw wrong('no JSON')
  }
  if (typeof ready !== 'object' || ready === null) throw wrong('no object')
  const { engine, title = engine, port, owners, state } = ready
  if (typeof engine !== 'string' || !/^[a-z0-9][a-z0-9.-]{0,39}$/i.test(engine))
    throw wrong('no name `engine`')
  if (typeof title !== 'string') throw wrong('no text `title`')
  if (!Number.isInteger(port) || port! < 1 || port! > 65_535) throw wrong('no `port`')
  if (!Array.isArray(owners) || owners.length !== 2 || !owners.every(isOwner)) throw wrong('no two `owners`')
  if (state !== undefined && !(Number.isInteger(state) && state >= 0))
    throw wrong('no number of bytes `state`')
  return { engine, title, port: port!, owners, ...(state === undefined ? {} : { state }) }
}

function isOwner(one: Partial<Owner> | null): boolean {
  return typeof one?.path === 'string' && /^\/[!-~]{1,99}$/.test(one.path) && typeof one.name === 'string'
}
