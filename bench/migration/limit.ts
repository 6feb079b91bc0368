import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createPair, NativeChannel } from '../../src/transfer/channels/native.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { BenchError } from '../harness/run.ts'

/** Bytes beside the descriptor: about what an envelope has. */
const STATE = 300

/**
 * The floor under every move: a TCP descriptor and 300 bytes over the native channel, without TLS, HTTP or
 * sealing.
 */
export class Limit {
  readonly #child: ChildProcess
  readonly #channel: NativeChannel
  readonly #descriptor: Descriptor
  readonly #server: Server
  readonly #state = new Uint8Array(STATE)
  #answered: { resolve(): void; reject(error: Error): void } | undefined

  /** @returns undefined where foreign calls are missing */
  static async open(): Promise<Limit | undefined> {
    const native = probe()
    if (!native.available) return undefined
    // Any TCP socket will do: nothing is read from it.
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle
    return new Limit(server, Descriptor.fromFd(native.libc.duplicate(fd)))
  }

  private constructor(server: Server, descriptor: Descriptor) {
    this.#server = server
    this.#descriptor = descriptor
    const [ours, theirs] = createPair()
    this.#child = spawn(process.execPath, [fileURLToPath(new URL('./limit-peer.js', import.meta.url))], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...theirs.map(({ fd }) => fd)],
    })
    for (const descriptor of theirs) descriptor.close()
    this.#channel = NativeChannel.open(0)
    this.#channel.addPeer(1, ours)
    this.#channel.onMessage = () => this.#answered?.resolve()
    this.#channel.onLost = (_id, reason) =>
      this.#answered?.reject(new BenchError(`the peer of the limit: ${reason}`))
  }

  /**
   * @returns µs of each round trip: descriptor and state there, one byte back
   * @throws BenchError the other process has ended
   */
  async measure(count: number): Promise<number[]> {
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const began = performance.now()
      await new Promise<void>((resolve, reject) => {
        this.#answered = { resolve, reject }
        this.#channel.send(1, this.#state, [this.#descriptor])
      })
      times.push((performance.now() - began) * 1000)
    }
    return times
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect()
    this.#channel.close()
    this.#descriptor.close()
    this.#server.close()
  }
}
