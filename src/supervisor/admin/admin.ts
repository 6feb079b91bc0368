import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { MissingPackageError } from '../../platform/optional-package.ts'
import { portError } from '../../platform/port-error.ts'
import { familyOf } from '../../tls13/io/ip-address.ts'
import type { MemberStatus } from '../status.ts'
import { expose } from './exposition.ts'
import { isLocal } from './guard.ts'
import { metricsOf } from './metrics.ts'
import { PAGE_PATH, Page, type PageSource } from './page.ts'
import { type Reply, send } from './reply.ts'
import { Tally } from './tally.ts'

/** Where the admin port is. */
export interface AdminSettings {
  /** An address of the machine's loopback. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** What is told there. */
export interface AdminSource extends PageSource {
  readonly tally: Tally
  /** Asks all processes. */
  status(): Promise<readonly MemberStatus[]>
}

/** Gives it; undefined as long as nothing has been started. */
type Sourced = () => AdminSource | undefined

/** Clients at once, and milliseconds that a request may take to come. */
const CLIENTS = 64
const PATIENCE = 5000
/** Milliseconds between two looks at who has had that long; Node's own 30 s would let idle clients stay. */
const LOOKS = 1000

/** The admin port: health and metrics of the platform, for programs of the machine. */
export class Admin {
  readonly #server: Server
  readonly #host: string
  readonly #page: Page

  private constructor(server: Server, host: string, page: Page) {
    this.#server = server
    this.#host = host
    this.#page = page
  }

  /** @throws Error the port cannot be had; the message says what to do */
  static async open({ host, port }: AdminSettings, source: Sourced): Promise<Admin> {
    const page = new Page(source)
    const server = createServer(
      { requestTimeout: PATIENCE, headersTimeout: PATIENCE, connectionsCheckingInterval: LOOKS },
      (request, response) => {
        const isOfPage = /^\/ui(\/|$|\?)/.test(request.url ?? '') && isLocal(request.headers.host)
        const answered = isOfPage ? page.answer(request, response) : answer(request, source)
        const failed: Reply = { status: 500, text: 'the platform could not be asked\n' }
        answered
          .catch(() => failed)
          .then(reply => {
            if (reply !== undefined) send(request.method, response, reply)
          })
      },
    )
    server.maxConnections = CLIENTS
    server.listen(port, host)
    try {
      await once(server, 'listening')
    } catch (error) {
      throw portError(error, port, 'HOTPOTATO_ADMIN_PORT', 'admin.port')
    }
    return new Admin(server, host, page)
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Where the page is, with the token that it needs. */
  get page(): string {
    const host = familyOf(this.#host) === 6 ? `[${this.#host}]` : this.#host
    return `http://${host}:${this.port}${PAGE_PATH}#${this.#page.key.token}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

async function answer({ method = '', url = '', headers }: IncomingMessage, source: Sourced): Promise<Reply> {
  if (!isLocal(headers.host))
    return { status: 403, text: 'this port is for localhost: the Host field names another machine\n' }
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, text: 'GET and HEAD only\n', fields: { allow: 'GET, HEAD' } }
  switch (url.split('?', 1)[0]) {
    case '/healthz':
      return health((await source()?.status()) ?? [])
    case '/metrics':
      return metrics(source())
    default:
      return { status: 404, text: 'there are /healthz, /metrics and /ui/\n' }
  }
}

/** It is well when it takes connections: a function that cannot start is told by its own metrics. */
function health(members: readonly MemberStatus[]): Reply {
  const well = members.some(({ role, ready }) => role === 'gateway' && ready)
  return well ? { status: 200, text: 'OK\n' } : { status: 503, text: 'the gateway is not ready\n' }
}

async function metrics(source: AdminSource | undefined): Promise<Reply> {
  // What is told goes into the tally, too.
  const members = (await source?.status()) ?? []
  const tally = source?.tally ?? new Tally([])
  try {
    const { text, contentType } = await expose(metricsOf({ tally, members }))
    return { status: 200, text, fields: { 'content-type': contentType } }
  } catch (error) {
    if (!(error instanceof MissingPackageError)) throw error
    return { status: 501, text: `${error.message}\n` }
  }
}
