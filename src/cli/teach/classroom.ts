import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isForeign, isLocal, readPage } from '../../supervisor/admin/guard.ts'
import { PageKey } from '../../supervisor/admin/page-key.ts'
import { type Reply, send } from '../../supervisor/admin/reply.ts'
import { RECORDING_PAGE } from '../tls/recording-file.ts'
import { LESSONS } from './lessons.ts'
import type { School } from './school.ts'

const PATH = '/teach/'
/** Clients at once, and milliseconds that a request may take to come. */
const CLIENTS = 16
const PATIENCE = 5000

/**
 * The page of recordings, on a port of the loopback of its own, with buttons that make connections. It tells
 * what they say, secrets included, to the one that says the token of the link, as long as this process lives.
 */
export class Classroom {
  readonly #server: Server
  readonly #key = new PageKey()
  readonly #school: Pick<School, 'teach'>
  #busy = false

  private constructor(school: Pick<School, 'teach'>) {
    this.#school = school
    this.#server = createServer(
      { requestTimeout: PATIENCE, headersTimeout: PATIENCE },
      (request, response) => {
        this.#answer(request)
          .catch((error: Error): Reply => ({ status: 502, text: `${error.message}\n` }))
          .then(reply => send(request.method, response, reply))
      },
    )
    this.#server.maxConnections = CLIENTS
  }

  /** Listens on a free port of 127.0.0.1. */
  static async open(school: Pick<School, 'teach'>): Promise<Classroom> {
    const room = new Classroom(school)
    room.#server.listen(0, '127.0.0.1')
    await once(room.#server, 'listening')
    return room
  }

  /** Where the page is, with its token. */
  get address(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}${PATH}#${this.#key.token}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer({ method = '', url = '', headers }: IncomingMessage): Promise<Reply> {
    if (!isLocal(headers.host) || isForeign(headers))
      return { status: 403, text: 'this is for its own page on this machine\n' }
    const path = url.split('?', 1)[0]!
    if (path === PATH && (method === 'GET' || method === 'HEAD')) return page()
    if (!this.#key.opens(headers.authorization))
      return {
        status: 401,
        text: 'the link has a token: hotpotato ui --teach tells it\n',
        fields: { 'www-authenticate': 'Bearer' },
      }
    if (path === `${PATH}lessons` && method === 'GET')
      return json(LESSONS.map(({ id, title }) => ({ id, title })))
    const id = /^\/teach\/lessons\/([a-z-]{1,20})$/.exec(path)?.[1]
    const lesson = LESSONS.find(one => one.id === id)
    if (lesson === undefined) return { status: 404, text: 'there is no such lesson\n' }
    if (method !== 'POST') return { status: 405, text: 'POST only\n', fields: { allow: 'POST' } }
    if (this.#busy) return { status: 409, text: 'another lesson goes on\n' }
    this.#busy = true
    try {
      return json(await this.#school.teach(lesson))
    } finally {
      this.#busy = false
    }
  }
}

function page(): Reply {
  try {
    const { text, policy } = readPage(RECORDING_PAGE)
    const fields = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }
    return { status: 200, text, fields }
  } catch {
    return { status: 501, text: 'the page was not built: npm run build makes it, where all packages are\n' }
  }
}

function json(value: unknown): Reply {
  return { status: 200, text: JSON.stringify(value), fields: { 'content-type': 'application/json' } }
}
