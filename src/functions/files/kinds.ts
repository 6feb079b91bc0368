/** What is done with a file: a page is made of it, or it is sent as it is. */
export type Kind =
  | { readonly page: 'markdown' }
  /** @property language a name or an alias of highlight.js; undefined: it is not coloured */
  | { readonly page: 'text'; readonly language: string | undefined }
  | { readonly page: undefined; readonly type: string }

const TEXT: Kind = { page: 'text', language: undefined }

/** Endings of what browsers show by themselves, and what else is no text. */
const TYPES: Readonly<Record<string, string>> = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  gif: 'image/gif',
  gz: 'application/gzip',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  ogg: 'audio/ogg',
  otf: 'font/otf',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  ttf: 'font/ttf',
  wasm: 'application/wasm',
  wav: 'audio/wav',
  webm: 'video/webm',
  webp: 'image/webp',
  woff: 'font/woff',
  woff2: 'font/woff2',
  zip: 'application/zip',
}

/** Types that a text has when it is asked for as it is; any other text is `text/plain`. */
const TEXT_TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  csv: 'text/csv',
  htm: 'text/html',
  html: 'text/html',
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  mjs: 'text/javascript',
  xml: 'application/xml',
}

/** Text, whatever highlight.js makes of such an ending. */
const PLAIN = new Set(['', 'log', 'text', 'txt'])

/**
 * @param head the first bytes of the file @param whole whether there are no more
 */
export function kindOf(name: string, head: Uint8Array, whole: boolean): Kind {
  const ending = endingOf(name)
  const type = TYPES[ending]
  if (type !== undefined) return { page: undefined, type }
  if (!isText(head, whole)) return { page: undefined, type: 'application/octet-stream' }
  if (ending === 'md' || ending === 'markdown') return { page: 'markdown' }
  return PLAIN.has(ending) ? TEXT : { page: 'text', language: ending }
}

/** The type of a text that is sent as it is. @param html whether `.html` may be what it says */
export function textType(name: string, html: boolean): string {
  const type = TEXT_TYPES[endingOf(name)]
  return `${type === undefined || (type === 'text/html' && !html) ? 'text/plain' : type}; charset=utf-8`
}

/** Whether a browser would run or lay out such a file, as HTML. */
export function isHtml(name: string): boolean {
  return TEXT_TYPES[endingOf(name)] === 'text/html'
}

/** Behind the last dot, in lower case; empty if there is none. */
function endingOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
}

/** Text has no NUL and is UTF-8, as far as can be seen. */
function isText(head: Uint8Array, whole: boolean): boolean {
  if (head.includes(0)) return false
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: !whole })
    return true
  } catch {
    return false
  }
}
