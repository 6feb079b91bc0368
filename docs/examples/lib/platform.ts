import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))

/** A platform of real processes on ports of its own, as `hotpotato up` starts it. */
export class Platform {
  /** The file of the authority that its certificates are from. */
  readonly authority: string
  /** For HTTPS. */
  readonly port: number
  readonly #directory: string
  readonly #child: ChildProcess

  private constructor(directory: string, child: ChildProcess, port: number) {
    this.#directory = directory
    this.#child = child
    this.port = port
    this.authority = join(directory, 'certs', 'ca.crt')
  }

  /** Starts one in a directory that is its own. @throws Error if it does not come up */
  static async up(directory: string, config: string): Promise<Platform> {
    writeFileSync(join(directory, 'hotpotato.yml'), config)
    const child = start(directory, ['up'])
    let said = ''
    const port = await new Promise<number>((resolve, reject) => {
      // It is read on: a program whose words find no reader ends.
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (said.includes('Ctrl-C')) resolve(Number(/^ {2}https +\S+:(\d+)$/m.exec(said)?.[1]))
      })
      child.once('exit', () => reject(new Error(`it does not come up:\n${said}`)))
    })
    return new Platform(directory, child, port)
  }

  /** Runs a command. @returns whether it did what it was told */
  async command(...args: readonly string[]): Promise<boolean> {
    const child = start(this.#directory, args)
    const [code] = (await once(
      child.on('error', () => {}),
      'exit',
    )) as [number | null]
    return code === 0
  }

  async stop(): Promise<void> {
    const over = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await over
  }
}

function start(directory: string, args: readonly string[]): ChildProcess {
  const own = {
    HOTPOTATO_RUN_DIR: join(directory, 'run'),
    HOTPOTATO_CERTS_DIR: join(directory, 'certs'),
    HOTPOTATO_HTTP_PORT: '0',
    HOTPOTATO_HTTPS_PORT: '0',
    // They make moves fast, and starts slow.
    HOTPOTATO_REHEARSALS: '0',
  }
  return spawn(process.execPath, [MAIN, ...args, '--config', join(directory, 'hotpotato.yml')], {
    env: { ...process.env, ...own },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}
