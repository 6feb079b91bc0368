import type { Entry } from './root.ts'

/** Text of an HTML page, so that nothing in it is markup. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, one => `&#${one.charCodeAt(0)};`)
}

/** HTML that is safe to show: what is made of a file, not what a file says. */
export interface Content {
  readonly title: string
  readonly html: string
}

/**
 * A whole page.
 * @param names of the file or directory @param depth directories between the root and where relative links
 * start: one less than `names` for a file
 */
export function page({ title, html }: Content, names: readonly string[], depth: number): string {
  return `${pageStart(title, names, depth)}${html}${PAGE_END}`
}

/** What comes before the content. */
export function pageStart(title: string, names: readonly string[], depth: number): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<nav aria-label="Path">${crumbs(names, depth)}</nav>
<main>
`
}

/** What comes behind it. */
export const PAGE_END = '</main>\n</html>\n'

/** Each directory on the way, with links that hold wherever the root is mounted. */
function crumbs(names: readonly string[], depth: number): string {
  const links = ['/', ...names].map((name, at) => {
    const label = escaped(name)
    if (at === names.length) return `<span aria-current="page">${label}</span>`
    return `<a href="${'../'.repeat(depth - at) || './'}">${label}</a>`
  })
  return links.join('<span class="slash"> / </span>').replace('</a><span class="slash"> / </span>', '</a> ')
}

/** The page of a directory. @param readme HTML of a text that explains it, or nothing */
export function indexPage(
  names: readonly string[],
  entries: readonly Entry[],
  more: boolean,
  readme: string,
): Content {
  const rows = entries.map(({ name, directory, size, modified }) => {
    const label = directory ? `${name}/` : name
    const href = `./${encodeURIComponent(name)}${directory ? '/' : ''}`
    const time = modified.toISOString()
    return `<tr><td><a href="${href}">${escaped(label)}</a><td class="number">${sizeOf(size)}\
<td><time datetime="${time}">${time.slice(0, 16).replace('T', ' ')}</time>`
  })
  const up = names.length === 0 ? '' : '<tr><td><a href="../">../</a><td><td>\n'
  const note = more ? '<p>There are more files than this page lists.\n' : ''
  const empty = rows.length === 0 ? '<p>There are no files here.\n' : ''
  const html = `<table>
<thead><tr><th scope="col">Name<th scope="col" class="number">Size<th scope="col">Modified (UTC)
<tbody>
${up}${rows.join('\n')}
</table>
${empty}${note}${readme === '' ? '' : `<article>\n${readme}</article>\n`}`
  return { title: `/${names.join('/')}`, html }
}

function sizeOf(bytes: number | undefined): string {
  if (bytes === undefined) return ''
  if (bytes < 1024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let amount = bytes / 1024
  let unit = 0
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${units[unit]}`
}

/** A text with a place for each of its lines: `#L10` leads to the tenth. */
export function textContent(name: string, html: string): Content {
  const note = '<p class="tools"><a href="?raw">As it is</a>\n'
  return { title: name, html: `${note}<pre><code>${html}</code></pre>\n` }
}

/** Light and dark by the reader's own wish. The names are those that highlight.js gives to parts of code. */
const STYLE = `
:root { color-scheme: light dark; --faint: #8883; --key: #a626a4; --text: #3d7a2f; --name: #2457c5;
  --note: #6a6a6a; --value: #9a5b00 }
@media (prefers-color-scheme: dark) { :root { --key: #d58fd2; --text: #98c379; --name: #7fb2ff;
  --note: #9a9a9a; --value: #e0a458 } }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem;
  overflow-wrap: break-word }
nav { border-bottom: 1px solid var(--faint); padding-bottom: .5rem; margin-bottom: 1rem }
table { border-collapse: collapse; max-width: 100%; display: block; overflow-x: auto }
th, td { text-align: left; padding: .2rem 1.5rem .2rem 0 }
th { border-bottom: 1px solid var(--faint); font-weight: 600 }
.number { text-align: right; white-space: nowrap }
time { white-space: nowrap; font-variant-numeric: tabular-nums }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--faint); border-radius: .4rem; tab-size: 4 }
code { font: .9em/1.5 ui-monospace, monospace }
article { border-top: 1px solid var(--faint); margin-top: 1.5rem }
blockquote { border-left: .25rem solid var(--faint); margin-left: 0; padding-left: 1rem }
img { max-width: 100% }
.hljs-keyword, .hljs-selector-tag, .hljs-meta, .hljs-section { color: var(--key) }
.hljs-string, .hljs-regexp, .hljs-addition { color: var(--text) }
.hljs-title, .hljs-name, .hljs-attr, .hljs-built_in, .hljs-type { color: var(--name) }
.hljs-comment, .hljs-quote, .hljs-deletion { color: var(--note) }
.hljs-number, .hljs-literal, .hljs-symbol, .hljs-variable { color: var(--value) }
`
