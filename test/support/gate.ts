import { connect, createServer, type Server, type Socket } from 'node:net'

/** What stands in front of a server, and passes what it says on in pieces of any size. */
export class Gate {
  readonly url: string
  /** What the server has said, and where it ended. */
  #pieces: Buffer[] = []
  #held = 0
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
      gate.#pieces = []
      gate.#held = 0
      gate.#ended = false
      client.on('data', bytes => upstream.write(bytes)).on('end', () => upstream.end())
      upstream
        .on('error', () => {})
        .on('data', bytes => {
          gate.#pieces.push(bytes)
          gate.#held += bytes.length
          if (gate.#open) gate.pass(gate.#held)
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
    this.pass(this.#held)
  }

  get held(): number {
    return this.#held
  }

  /** Bytes since {@link close}. */
  get passed(): number {
    return this.#passed
  }

  pass(bytes: number): void {
    for (let left = bytes; left > 0 && this.#pieces.length > 0; ) {
      const first = this.#pieces.shift()!
      const piece = first.subarray(0, left)
      if (piece.length < first.length) this.#pieces.unshift(first.subarray(left))
      left -= piece.length
      this.#held -= piece.length
      this.#passed += piece.length
      this.#client?.write(piece)
    }
    if (this.#ended && this.#held === 0) this.#client?.end()
  }
}
