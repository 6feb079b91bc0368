import type { IncomingMessage, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Observatory } from '../observatory/observatory.ts'
import { type BuiltPage, isForeign, readPage } from './guard.ts'
import { PageKey } from './page-key.ts'
import { FIELDS, type Reply } from './reply.ts'

/** Where the page is, and what is asked by it is below. */
export const PAGE_PATH = '/ui/'

/** The page as `npm run build` makes it: one file, with its script and its style in it. */
const BUILT = fileURLToPath(new URL('../../page/page.html', import.meta.url))

/** Bytes that may wait for a page that does not read; what comes then is left out. */
const UNREAD = 262_144
/** Lines that may be left out one after the other; then the page is gone. */
const LEFT_OUT = 64

/** What the page is made of. */
export interface PageSource {
  readonly observatory: Pick<Observatory, 'subscribe' | 'life'>
}

/**
 * The page of the admin port, and the stream of events that it shows. The page itself is the same for all and
 * tells nothing; what it asks for is given to the one that says the token.
 */
export class Page {
  readonly key = new PageKey()
  readonly #source: () => PageSource | undefined
  readonly #file: string
  #html: BuiltPage | undefined

  /** @param file of the page; by default what was built */
  constructor(source: () => PageSource | undefined, file = BUILT) {
    this.#source = source
    this.#file = file
  }

  /**
   * What to answer to a request whose path begins as {@link PAGE_PATH}; its `Host` has been looked at.
   * @returns undefined: it is being answered, with events
   */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
    const { method, url = '', headers } = request
    const path = url.split('?', 1)[0]!
    if (path === '/ui') return { status: 308, text: 'the page is below\n', fields: { location: PAGE_PATH } }
    if (isForeign(headers)) return { status: 403, text: 'this is not for pages of other sites\n' }
    if (method !== 'GET' && (method !== 'HEAD' || path !== PAGE_PATH))
      return { status: 405, text: 'GET only\n', fields: { allow: 'GET' } }
    if (path === PAGE_PATH) return this.#page()
    if (!this.key.opens(headers.authorization))
      return {
        status: 401,
        text: 'the link has a token: hotpotato ui --print tells it\n',
        fields: { 'www-authenticate': 'Bearer' },
      }
    const observatory = this.#source()?.observatory
    if (observatory === undefined) return { status: 503, text: 'the platform is still starting\n' }
    if (path === `${PAGE_PATH}events`) return follow(observatory, response)
    const id = /^\/ui\/connections\/([0-9a-f]{32})$/.exec(path)?.[1]
    const life = id === undefined ? undefined : await observatory.life(id)
    if (life === undefined) return { status: 404, text: 'nothing is known of that\n' }
    return { status: 200, text: JSON.stringify(life), fields: { 'content-type': 'application/json' } }
  }

  #page(): Reply {
    try {
      this.#html ??= readPage(this.#file)
    } catch {
      return {
        status: 501,
        text: 'the page was not built: npm run build makes it, where all packages are\n',
      }
    }
    const { text, policy } = this.#html
    const fields = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }
    return { status: 200, text, fields }
  }
}

/** Tells events until one of both ends it, or the page does not read. */
function follow(observatory: PageSource['observatory'], response: ServerResponse): Reply | undefined {
  let leftOut = 0
  const stop = observatory.subscribe(line => {
    if (response.writableLength < UNREAD) {
      leftOut = 0
      response.write(`${line}\n`)
    } else if (++leftOut > LEFT_OUT) response.destroy()
  })
  if (stop === undefined) return { status: 503, text: 'too many pages are open\n' }
  response.on('close', stop)
  response.writeHead(200, { ...FIELDS, 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  return undefined
}
