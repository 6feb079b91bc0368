import { connect, createServer, type Server, type Socket } from 'node:net'

/** What stands in front of a server, and passes what it says on in pieces of any size. */
export class Gate {
  readonly url: string
  /** What the server has said, and where it ended. */
  #held: Buffer = Buffer.alloc(0)
  #ended = false
  #open = true
  #client: Socket | undefined
  #passed = 0

  private constructor(url: string) {
    this.url = url
  }

  /** @param listening what makes the server listen, and closes it at the end of the tests */
  static async before(origin: string, listening: (server: Server) => Promise<number>): Promise<Gate> {
    const { protocol, port } = new URL(origin)
    let gate: Gate
    const server = createServer({ noDelay: true }, client => {
      const upstream = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
      client.on('close', () => upstream.destroy())
      gate.#client = client
      gate.#held = Buffer.alloc(0)
      gate.#ended = false
      client.on('data', bytes => upstream.write(bytes)).on('end', () => upstream.end())
      upstream
        .on('error', () => {})
        .on('data', bytes => {
          gate.#held = Buffer.concat([gate.#held, bytes])
          if (gate.#open) gate.pass(gate.#held.length)
        })
      upstream.on('end', () => {
        if (gate.#client !== client) return
        gate.#ended = true
        if (gate.#open) gate.pass(0)
      })
    })
    gate = new Gate(`${protocol}//localhost:${await listening(server)}`)
    return gate
  }

  /** Passes nothing on from now on but by {@link pass}. */
  close(): void {
    this.#open = false
    this.#passed = 0
  }

  open(): void {
    this.#open = true
    this.pass(this.#held.length)
  }

  get held(): number {
    return this.#held.length
  }

  /** Bytes since {@link close}. */
  get passed(): number {
    return this.#passed
  }

  pass(bytes: number): void {
    const piece = this.#held.subarray(0, bytes)
    this.#held = this.#held.subarray(bytes)
    this.#passed += piece.length
    if (piece.length > 0) this.#client?.write(piece)
    if (this.#ended && this.#held.length === 0) this.#client?.end()
  }
}
