import { Agent, request } from 'node:https'

/** What came of one request. */
export interface Answer {
  readonly status: number
  /** The container that answered, or that began to. */
  readonly container: string
  /** How often the connection had moved by then. */
  readonly hops: number
  readonly body: string
}

/**
 * One connection of Node's own client, which knows nothing of moves: TLS by OpenSSL, HTTP/1.1, one request
 * after the other.
 */
export class DemoConnection {
  readonly #agent: Agent
  readonly #port: number
  readonly #host: string
  /** Our ports: one for each connection that was opened. */
  readonly ports = new Set<number>()
  requests = 0

  /** @param host the name that is asked for in the handshake @param ca the authority, PEM */
  constructor(host: string, port: number, ca: string) {
    this.#host = host
    this.#port = port
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ca, servername: host })
  }

  /** @param onText told each piece of the body as it comes @throws (as rejection) Error it broke off */
  get(path: string, onText: (text: string) => void = () => {}): Promise<Answer> {
    this.requests++
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#port, path, agent: this.#agent }
      const sent = request({ ...options, headers: { host: `${this.#host}:${this.#port}` } }, response => {
        const { localPort } = response.socket
        if (localPort !== undefined) this.ports.add(localPort)
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          body += text
          onText(text)
        })
        response.on('error', reject)
        response.on('end', () => {
          const { 'x-hotpotato-container': container, 'x-hotpotato-hops': hops } = response.headers
          const status = response.statusCode ?? 0
          resolve({ status, container: String(container), hops: Number(hops), body })
        })
      })
      sent.on('error', reject)
      sent.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
