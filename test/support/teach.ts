import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { MAIN } from './platform.ts'

/** `hotpotato ui --teach` beside a running platform. */
export class Teaching {
  /** With its token behind the `#`. */
  readonly address: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, address: string) {
    this.#child = child
    this.address = address
  }

  /**
   * @param directory of the platform @param room where its own is made
   * @throws Error it has ended, with what it said
   */
  static async open(directory: string, room = directory): Promise<Teaching> {
    const child = spawn(process.execPath, [MAIN, 'ui', '--teach', '--print'], {
      ...{ cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] },
      // Lessons lie there, and are gone with it.
      env: { ...process.env, TMPDIR: room },
    })
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    for await (const text of child.stdout!.setEncoding('utf8')) {
      said += text as string
      const address = /^(http:\S+)\n/m.exec(said)?.[1]
      if (address !== undefined) return new Teaching(child, address)
    }
    throw new Error(`it has ended: ${said}`)
  }

  /** Asks for something below its page. @param more fields beside the token */
  async ask(path: string, method = 'GET', more: Record<string, string> = {}): Promise<Response> {
    const { origin, pathname, hash } = new URL(this.address)
    const headers = { authorization: `Bearer ${hash.slice(1)}`, ...more }
    return fetch(`${origin}${pathname}${path}`, { method, headers })
  }

  get pid(): number {
    return this.#child.pid!
  }

  async close(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }
}
