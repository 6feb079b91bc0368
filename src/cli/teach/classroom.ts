import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isForeign, isLocal, readPage } from '../../supervisor/admin/guard.ts'
import { PageKey } from '../../supervisor/admin/page-key.ts'
import { type Reply, send } from '../../supervisor/admin/reply.ts'
import { RECORDING_PAGE } from '../tls/recording-file.ts'
import { LESSONS } from './lessons.ts'
import { DEEDS, ORDERS } from './live.ts'
import type { School } from './school.ts'

const PATH = '/teach/'

/** What makes connections, and tells of them. */
export interface Teaching extends Pick<School, 'teach' | 'invite' | 'look'> {
  readonly live: Pick<School['live'], 'chances' | 'does' | 'move' | 'kill'>
}
/** Clients at once, and milliseconds that a request may take to come. */
const CLIENTS = 16
const PATIENCE = 5000
/** Milliseconds between two looks at who has had that long; Node's own 30 s would let idle clients stay. */
const LOOKS = 1000

/**
 * The page of recordings, on a port of the loopback of its own, with buttons that make connections. It tells
 * what they say, secrets included, to the one that says the token of the link, as long as this process lives.
 */
export class Classroom {
  readonly #server: Server
  readonly #key = new PageKey()
  readonly #school: Teaching
  #busy = false

  private constructor(school: Teaching) {
    this.#school = school
    this.#server = createServer(
      { requestTimeout: PATIENCE, headersTimeout: PATIENCE, connectionsCheckingInterval: LOOKS },
      (request, response) => {
        this.#answer(request)
          .catch((error: Error): Reply => ({ status: 502, text: `${error.message}\n` }))
          .then(reply => send(request.method, response, reply))
      },
    )
    this.#server.maxConnections = CLIENTS
  }

  /** Listens on a free port of 127.0.0.1. */
  static async open(school: Teaching): Promise<Classroom> {
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
    if (path === `${PATH}live` && method === 'GET') return json(await this.#school.live.chances())
    if (path === `${PATH}guests` && method === 'GET') return json(await this.#school.look(seenIn(url)))
    const work = this.#work(path)
    if (work === undefined) return { status: 404, text: 'there is no such lesson\n' }
    if (method !== 'POST') return { status: 405, text: 'POST only\n', fields: { allow: 'POST' } }
    if (this.#busy) return { status: 409, text: 'another lesson goes on\n' }
    this.#busy = true
    try {
      return json(await work())
    } finally {
      this.#busy = false
    }
  }

  /** What is done by a POST to there: one thing at a time. */
  #work(path: string): (() => Promise<unknown>) | undefined {
    const { live } = this.#school
    const [what, name = '', container, ...others] = path.slice(PATH.length).split('/')
    if (!path.startsWith(PATH) || others.length > 0) return undefined
    if (what === 'guests' && name === '') return () => this.#school.invite()
    const order = what === 'live' ? ORDERS.find(one => one === name) : undefined
    if (order !== undefined && /^[a-z0-9-]{1,80}$/.test(container ?? '')) return () => live[order](container!)
    if (container !== undefined) return undefined
    const lesson = what === 'lessons' ? LESSONS.find(one => one.id === name) : undefined
    if (lesson !== undefined) return () => this.#school.teach(lesson)
    const deed = what === 'live' ? DEEDS.find(one => one === name) : undefined
    return deed && (() => live.does(deed))
  }
}

/** What a page has seen of a recording that goes on. */
function seenIn(url: string): number {
  return Number(/\?seen=(\d{1,15})$/.exec(url)?.[1] ?? 0)
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
