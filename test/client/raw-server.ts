import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** A server by hand: what it does with each connection is the test's to say. */
export class RawServer {
  readonly url: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that have come. */
  connections = 0

  private constructor(server: Server, url: string) {
    this.#server = server
    this.url = url
  }

  /** @param connected told of each connection, and of its number, from 1 on */
  static async start(connected: (socket: Socket, number: number) => void): Promise<RawServer> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const raw = new RawServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    server.on('connection', socket => {
      raw.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => raw.#sockets.delete(socket))
      connected(socket, ++raw.connections)
    })
    return raw
  }

  /** A server that says the same to each request, or what `answer` makes of it, and closes if told to. */
  static saying(answer: string | Uint8Array | ((head: string) => string), close = false): Promise<RawServer> {
    return RawServer.start(socket => {
      let heard = ''
      socket.on('data', bytes => {
        heard += bytes.toString('latin1')
        for (let at = heard.indexOf('\r\n\r\n'); at >= 0; at = heard.indexOf('\r\n\r\n')) {
          const head = heard.slice(0, at)
          heard = heard.slice(at + 4)
          const said = typeof answer === 'function' ? answer(head) : answer
          socket.write(typeof said === 'string' ? Buffer.from(said, 'latin1') : said)
          if (close) socket.end()
        }
      })
    })
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size
  }

  /** Waits until all connections are closed by the client. */
  async quiet(): Promise<void> {
    for (let i = 0; i < 500 && this.#sockets.size > 0; i++)
      await new Promise(resolve => setTimeout(resolve, 10))
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}
