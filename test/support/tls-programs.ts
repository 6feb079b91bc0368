import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeCertificates } from '../../src/certificates/authority.ts'

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

/** What a program has said and how it ended. */
export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, with this on its standard input. */
export function run(
  program: string,
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, timeout: 300_000 })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', bytes => out.push(bytes))
    child.stderr.on('data', bytes => err.push(bytes))
    child.stdin.on('error', () => {}) // it may end without having read everything
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', status =>
      resolve({
        status,
        stdout: Buffer.concat(out).toString('latin1'),
        stderr: Buffer.concat(err).toString(),
      }),
    )
  })
}

/** Runs `hotpotato` to its end. */
export function hotpotato(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return run(process.execPath, [MAIN, ...args], input, env)
}

/** A program that serves until it is ended. */
export class Server {
  readonly port: number
  /** What it has said so far, on both of its outputs. */
  readonly said: () => string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number, said: () => string) {
    this.#child = child
    this.port = port
    this.said = said
  }

  /** Starts `hotpotato serve` on a port of its own. @throws Error with what it said, if it does not listen */
  static serve(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Server> {
    return Server.#start(
      process.execPath,
      [MAIN, 'serve', '--port', '0', ...args],
      /https:\/\/127\.0\.0\.1:(\d+)\//,
      env,
    )
  }

  /** Starts `openssl s_server`, on a port that was free a moment ago. */
  static openssl(port: number, args: readonly string[]): Promise<Server> {
    return Server.#start('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, ...args], /ACCEPT/, {}, port)
  }

  static #start(
    program: string,
    args: readonly string[],
    ready: RegExp,
    env: NodeJS.ProcessEnv,
    known?: number,
  ): Promise<Server> {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    return new Promise((resolve, reject) => {
      let said = ''
      const hear = (bytes: Buffer): void => {
        said += bytes.toString()
        const found = ready.exec(said)
        if (found !== null) resolve(new Server(child, Number(found[1] ?? known), () => said))
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.on('error', reject)
      child.on('exit', () => reject(new Error(`it does not listen: ${said}`)))
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Has it end as Ctrl-C does. @returns its status */
  async ends(): Promise<number | null> {
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGINT')
    await ended
    return this.#child.exitCode
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

/**
 * Files of certificates: `ca`, `localhost` and `localhost-rsa` for servers, `alice` for a client of another
 * authority.
 */
export class Certificates {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  static async make(): Promise<Certificates> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-cli-'))
    const now = Date.now()
    await makeCertificates({ directory, certificates: [{ name: 'localhost' }], now })
    await makeCertificates({ directory, certificates: [{ name: 'localhost-rsa' }], algorithm: 'rsa', now })
    const clients = join(directory, 'clients')
    await makeCertificates({ directory: clients, certificates: [{ name: 'alice' }], purpose: 'client', now })
    return new Certificates(directory)
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  remove(): void {
    rmSync(this.directory, { recursive: true })
  }
}

/** Whether a program is there. */
export function has(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
