import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answering, freePort } from './ports.ts'

/** A real etcd of one member, on loopback. It keeps its data over restarts. */
export class EtcdServer {
  readonly endpoint: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'etcd-'))
  readonly #port: number
  readonly #peer: string
  #process: ChildProcess | undefined

  static async start(): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), await freePort())
    await server.begin()
    return server
  }

  private constructor(port: number, peerPort: number) {
    this.#port = port
    this.endpoint = `http://127.0.0.1:${port}`
    this.#peer = `http://127.0.0.1:${peerPort}`
  }

  /** Starts it, again with what it had. */
  async begin(): Promise<void> {
    const { endpoint } = this
    this.#process = spawn(
      'etcd',
      [
        ...['--name', 'one', '--data-dir', this.#directory, '--log-level', 'error'],
        ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
        ...['--listen-peer-urls', this.#peer, '--initial-advertise-peer-urls', this.#peer],
        ...['--initial-cluster', `one=${this.#peer}`],
      ],
      { stdio: 'ignore' },
    )
    await answering(this.#port)
  }

  /** SIGSTOP and SIGCONT: it is there, and does not answer. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name)
  }

  /** Its process is killed; its data stays. */
  async kill(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    if (process === undefined) return
    process.kill('SIGKILL')
    await once(process, 'exit')
  }

  async close(): Promise<void> {
    await this.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
