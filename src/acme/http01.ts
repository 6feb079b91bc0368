import { createServer, type Server } from 'node:http'
import { HTTP01_PATH } from '../platform/acme-settings.ts'
import { AcmeError } from './error.ts'
import type { Proof, Responder } from './issue.ts'

/** Shows proofs of HTTP-01 on a port of its own, where no platform does. */
export class Http01Server implements Responder {
  readonly #tokens = new Map<string, string>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
      const { method, url = '' } = request
      // A target may name its host, too (RFC 9112 §3.2.2).
      const path = url.replace(/^https?:\/\/[^/]*/i, '')
      const token = path.startsWith(HTTP01_PATH) ? path.slice(HTTP01_PATH.length) : ''
      const found = method === 'GET' || method === 'HEAD' ? this.#tokens.get(token) : undefined
      response.setHeader('connection', 'close')
      if (found === undefined) response.writeHead(404).end()
      else {
        const headers = { 'content-type': 'application/octet-stream', 'content-length': found.length }
        response.writeHead(200, headers).end(found)
      }
    })
    this.#server.on('clientError', (_, socket) => socket.destroy())
  }

  /** @throws AcmeError the port cannot be had */
  static async listen(host: string | undefined, port: number): Promise<Http01Server> {
    const one = new Http01Server()
    await new Promise<void>((resolve, reject) => {
      one.#server.once('error', (error: NodeJS.ErrnoException) => reject(portTaken(port, error)))
      one.#server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve)
    })
    return one
  }

  async show({ token, keyAuthorization }: Proof): Promise<void> {
    this.#tokens.set(token, keyAuthorization)
  }

  async withdraw({ token }: Proof): Promise<void> {
    this.#tokens.delete(token)
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

/** What is said of a port on which the authority is to be answered. */
export function portTaken(port: number, { code, message }: NodeJS.ErrnoException): AcmeError {
  const advice = 'let the platform answer (hotpotato up), or forward that port to one given with --port'
  return new AcmeError(`port ${port} cannot be listened on (${code ?? message}): ${advice}`)
}
