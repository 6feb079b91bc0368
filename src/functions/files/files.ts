import type { FileHandle } from 'node:fs/promises'
import type { Environment, FetchHandler } from '../contract.ts'
import { methodNotAllowed, problem } from '../shipped/lib/answers.ts'
import { answer } from './answer.ts'
import { changeTag } from './flow.ts'
import { isHtml, kindOf, textType } from './kinds.ts'
import { Listings } from './listings.ts'
import { colour, headingOf, markdown } from './markup.ts'
import { type Content, escaped, indexPage, PAGE_END, page, pageStart, textContent } from './pages.ts'
import { filePath } from './path.ts'
import { type Representation, tagOf, whole } from './representation.ts'
import { type Entry, listBelow, type Opened, openBelow } from './root.ts'
import { Shelf } from './shelf.ts'

/** Bytes of a file of which a page is made in memory; of a larger text the page is made as it is sent. */
const MOST_IN_MEMORY = 2 * 1024 * 1024
/** Bytes by which a file's kind is judged. */
const HEAD = 8192
/** Of the directories that are being shown. */
const listings = new Listings<Awaited<ReturnType<typeof listBelow>>>()
/** Milliseconds after its last change in which a file may change again unseen, by its size and time alone. */
const FRESH = 2000
/** Files that explain a directory, below its list. */
const READMES = ['README.md', 'readme.md', 'index.md', 'README', 'README.txt']

/** A page may load pictures and styles from here, and run nothing. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox allow-popups",
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  vary: 'accept, accept-encoding, sec-fetch-dest',
}

const PAGE_TYPE = 'text/html; charset=utf-8'

/** What is configured of one such function. */
interface Settings {
  readonly directory: string
  /** Whether HTML files are sent as the pages that they are; otherwise as text like any other. */
  readonly html: boolean
}

const shelf = new Shelf()

/** Shows a directory of text files as HTML: a page for each directory and each text. */
export const files: FetchHandler = {
  async fetch(request, env, context) {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return methodNotAllowed(request.method, 'GET, HEAD')
    const settings = settingsOf(env)
    const path = filePath(context.functionPath)
    const opened = path && (await openBelow(settings.directory, path.names))
    if (path === undefined || opened === undefined) return notFound()
    if (opened.stats.isDirectory()) return directory(request, settings, path.names, opened)
    if (!path.slash) return file(request, settings, path.names, opened)
    await opened.handle.close()
    return notFound()
  },
}

function settingsOf(env: Environment): Settings {
  const { FILES_DIRECTORY: directory, FILES_HTML: html } = env
  if (directory === undefined) throw new Error('FILES_DIRECTORY is not set: it says which directory is shown')
  return { directory, html: html === 'true' }
}

function notFound(): Response {
  return problem(404, 'Not Found', 'there is no such file')
}

async function directory(
  request: Request,
  settings: Settings,
  names: readonly string[],
  opened: Opened,
): Promise<Response> {
  try {
    const { pathname, search } = new URL(request.url)
    // Links on the page are relative to it: they need the slash.
    if (!pathname.endsWith('/')) {
      const location = `./${pathname.slice(pathname.lastIndexOf('/') + 1)}/${search}`
      return new Response(null, { status: 308, headers: { location } })
    }
    if (settings.html) {
      const index = await openBelow(settings.directory, [...names, 'index.html'])
      if (index?.stats.isFile()) return await file(request, settings, [...names, 'index.html'], index)
      await index?.handle.close()
    }
    const { directory } = settings
    const { entries, more } = await listings.share([directory, ...names].join('/'), () =>
      listBelow(directory, names, opened),
    )
    const readme = await explanation(settings, names, more ? undefined : entries)
    const html = page(indexPage(names, entries, more, readme), names, names.length)
    return await answer(request, pageOf(html, undefined))
  } finally {
    await opened.handle.close()
  }
}

/** HTML of a text that explains a directory. @param entries all of it; undefined: there are too many */
async function explanation(
  settings: Settings,
  names: readonly string[],
  entries: readonly Entry[] | undefined,
): Promise<string> {
  const listed = (name: string): boolean => entries?.some(one => one.name === name && !one.directory) ?? true
  for (const name of READMES.filter(listed)) {
    const html = await readmeOf(settings, [...names, name])
    if (html !== '') return html
  }
  return ''
}

async function readmeOf({ directory }: Settings, names: readonly string[]): Promise<string> {
  const opened = await openBelow(directory, names)
  if (opened === undefined) return ''
  try {
    if (!opened.stats.isFile() || opened.stats.size > MOST_IN_MEMORY) return ''
    return await kept(['readme', directory, ...names], opened, async () => {
      const text = decode(await contentOf(opened))
      const html = /\.md$/i.test(names.at(-1)!) ? await markdown(text) : undefined
      return html ?? `<pre>${escaped(text)}</pre>\n`
    })
  } finally {
    await opened.handle.close()
  }
}

/** What is made of a file: once, as long as that does not change. @param key what it depends on besides */
function kept<M extends Representation | string>(
  key: readonly string[],
  { stats }: Opened,
  make: () => Promise<M>,
): Promise<M> {
  // What changed just now may change again without another size or time.
  if (Date.now() - stats.mtimeMs < FRESH) return make()
  return shelf.get([...key, stats.ino, stats.size, stats.mtimeMs].join('\0'), make)
}

/** Answers with a file, and closes it. */
async function file(
  request: Request,
  settings: Settings,
  names: readonly string[],
  opened: Opened,
): Promise<Response> {
  let given = false
  try {
    const name = names.at(-1)!
    const { handle, stats } = opened
    const head = await beginning(handle, Math.min(HEAD, stats.size))
    const kind = kindOf(name, head, head.length === stats.size)
    const asItIs = kind.page === undefined || !wantsPage(request) || (settings.html && isHtml(name))
    const inMemory = stats.size <= MOST_IN_MEMORY
    if (inMemory && kind.page !== undefined) {
      const of = asItIs ? 'raw' : 'page'
      const key = [of, `${settings.html}`, settings.directory, ...names]
      const make = async (): Promise<Representation> => {
        const bytes = await contentOf(opened)
        if (asItIs) return raw(textType(name, settings.html), bytes, stats.mtimeMs, settings.html)
        const html = page(await contentPage(name, kind, decode(bytes)), names, names.length - 1)
        return pageOf(html, stats.mtimeMs)
      }
      return await answer(request, await kept(key, opened, make))
    }
    given = true
    const validators = { etag: statTag(opened), modified: Math.floor(stats.mtimeMs / 1000) }
    if (!asItIs) {
      const content = { kind: 'flowing', handle, pieces: () => largePage(opened, names) } as const
      return await answer(request, { type: PAGE_TYPE, validators, content, headers: PAGE_HEADERS })
    }
    const type = kind.page === undefined ? kind.type : textType(name, settings.html)
    const content = { kind: 'stored', handle, length: stats.size, names, tag: changeTag(opened) } as const
    return await answer(request, { type, validators, content, headers: rawHeaders(settings.html) })
  } finally {
    if (!given) await opened.handle.close()
  }
}

async function contentPage(
  name: string,
  kind: { readonly page: 'markdown' | 'text'; readonly language?: string | undefined },
  text: string,
): Promise<Content> {
  if (kind.page === 'markdown') {
    const html = await markdown(text)
    if (html !== undefined) return { title: headingOf(text) ?? name, html }
  }
  return textContent(name, await colour(text, kind.language))
}

/** The page of a text that is too large to be held. */
async function* largePage({ handle, stats }: Opened, names: readonly string[]): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder()
  const name = names.at(-1)!
  yield bytes.encode(`${pageStart(name, names, names.length - 1)}<p><a href="?raw">As it is</a>\n<pre><code>`)
  const text = new TextDecoder()
  for (let at = 0; at < stats.size; ) {
    const piece = await beginning(handle, 65_536, at)
    if (piece.length === 0) break
    at += piece.length
    yield bytes.encode(escaped(text.decode(piece, { stream: true })))
  }
  yield bytes.encode(`${escaped(text.decode())}</code></pre>\n${PAGE_END}`)
}

function pageOf(html: string, modified: number | undefined): Representation {
  const bytes = new TextEncoder().encode(html)
  const validators = { etag: tagOf(bytes), modified: modified && Math.floor(modified / 1000) }
  return { type: PAGE_TYPE, validators, content: whole(bytes, true), headers: PAGE_HEADERS }
}

function raw(type: string, bytes: Uint8Array<ArrayBuffer>, modified: number, html: boolean): Representation {
  const validators = { etag: tagOf(bytes), modified: Math.floor(modified / 1000) }
  return { type, validators, content: whole(bytes, true), headers: rawHeaders(html) }
}

/** A file that is sent as it is may be one that runs: it does so in no place but where that is wished. */
function rawHeaders(html: boolean): Readonly<Record<string, string>> {
  const { vary, 'cache-control': cache } = PAGE_HEADERS
  const sandbox = { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox" }
  return { vary, 'cache-control': cache, ...(html ? {} : sandbox) }
}

/**
 * Whether a page is asked for: not with `?raw`, not by a client that takes no HTML, and not for the picture
 * or the style of another page (`Sec-Fetch-Dest`).
 */
function wantsPage(request: Request): boolean {
  if (new URL(request.url).searchParams.has('raw')) return false
  const destination = request.headers.get('sec-fetch-dest')
  if (destination !== null && !['document', 'iframe', 'frame', 'empty'].includes(destination)) return false
  const accept = request.headers.get('accept')
  return accept === null || /(^|[\s,])(text\/html|text\/\*|\*\/\*)(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(accept)
}

/** A tag by what the file system says of a file. It is weak while the file may still change unseen. */
function statTag({ stats }: Opened): string {
  const tag = tagOf(new TextEncoder().encode(`${stats.ino} ${stats.size} ${stats.mtimeMs}`))
  return Date.now() - stats.mtimeMs < FRESH ? `W/${tag}` : tag
}

/** All of a file, as long as it was when it was opened. */
function contentOf({ handle, stats }: Opened): Promise<Uint8Array<ArrayBuffer>> {
  return beginning(handle, stats.size)
}

/** @param count of bytes at most @param from where they begin */
async function beginning(handle: FileHandle, count: number, from = 0): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count)
  let filled = 0
  while (filled < count) {
    const { bytesRead } = await handle.read(bytes, filled, count - filled, from + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

/** What is not UTF-8 is shown with U+FFFD in its place. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
