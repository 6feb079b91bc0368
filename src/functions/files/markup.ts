import { optionalPackage } from '../../platform/optional-package.ts'
import { bounded } from './bounded.ts'
import { escaped } from './pages.ts'

/** Characters beyond which a text is shown without colour: the time for it grows with the text. */
const MOST_COLOURED = 128 * 1024
/** Characters beyond which Markdown is shown as the text that it is. */
const MOST_MARKDOWN = 1024 * 1024

/**
 * HTML of a code, with its parts marked.
 * @param language as highlight.js calls it; undefined or unknown: none are
 */
export async function colour(text: string, language: string | undefined): Promise<string> {
  if (language === undefined || text.length > MOST_COLOURED) return escaped(text)
  const highlight = await highlighter()
  if (highlight?.getLanguage(language) === undefined) return escaped(text)
  makeReady(highlight, language)
  return bounded(() => highlight.highlight(text, { language, ignoreIllegals: true }).value) ?? escaped(text)
}

/**
 * HTML of a Markdown text. HTML in it is shown as it is written.
 * @returns undefined: it is to be shown as text, because it is too long, or takes too long
 */
export async function markdown(text: string): Promise<string | undefined> {
  if (text.length > MOST_MARKDOWN) return undefined
  const renderer = await markdownRenderer()
  const highlight = await highlighter()
  for (const [, language] of text.matchAll(FENCE)) if (highlight) makeReady(highlight, language!)
  return renderer && bounded(() => renderer.render(text))
}

/** Where code begins in Markdown, with its language. */
const FENCE = /^[ \t>]*(?:`{3,}|~{3,})[ \t]*([\w+#-]+)/gm

/** Languages that have been used once: what is made of them then must not be broken off. */
const ready = new Set<string>()

function makeReady(highlight: Highlight, language: string): void {
  if (ready.has(language) || highlight.getLanguage(language) === undefined) return
  highlight.highlight('', { language, ignoreIllegals: true })
  ready.add(language)
}

/** The first heading of a Markdown text. */
export function headingOf(text: string): string | undefined {
  const line = /^#[ \t]+(.*)$/m.exec(text)?.[1] ?? ''
  // A pattern for what ends it would be tried at each of its characters.
  let end = line.length
  while (end > 0 && ' \t#'.includes(line[end - 1]!)) end--
  return line.slice(0, end) || undefined
}

/** What is used of highlight.js. Its own types would bring those of a browser into all of the project. */
interface Highlight {
  getLanguage(name: string): object | undefined
  highlight(code: string, options: { language: string; ignoreIllegals: boolean }): { value: string }
}
const HIGHLIGHT: string = 'highlight.js/lib/common'
/** Of a whole text. */
interface Renderer {
  render(text: string): string
}

let highlighting: Promise<Highlight | undefined> | undefined
let rendering: Promise<Renderer | undefined> | undefined

/** Loaded with the first code, so that the container starts quickly. Undefined: it is not installed. */
function highlighter(): Promise<Highlight | undefined> {
  highlighting ??= optionalPackage('highlight.js', 'code in colour', () => import(HIGHLIGHT))
    .then(module => module.default as Highlight)
    .catch(notThere)
  return highlighting
}

function markdownRenderer(): Promise<Renderer | undefined> {
  rendering ??= optionalPackage('markdown-it', 'Markdown as pages', () => import('markdown-it'))
    .then(async ({ default: Markdown }) => {
      const highlight = await highlighter()
      const coloured = (code: string, language: string): string =>
        code.length <= MOST_COLOURED && ready.has(language)
          ? highlight!.highlight(code, { language, ignoreIllegals: true }).value
          : ''
      // Without `html`, markup in a text is text; links to code (`javascript:`) are refused by default.
      const renderer = new Markdown({ html: false, linkify: true, highlight: coloured })
      renderer.core.ruler.push('anchors', ({ tokens }) => nameHeadings(tokens))
      return renderer
    })
    .catch(notThere)
  return rendering
}

/** What is used of a token of markdown-it. */
interface Token {
  readonly type: string
  readonly content: string
  attrSet(name: string, value: string): void
}

/** Gives each heading the name that links to it use elsewhere, too: its words with hyphens between. */
function nameHeadings(tokens: readonly Token[]): void {
  const taken = new Map<string, number>()
  for (const [at, token] of tokens.entries()) {
    if (token.type !== 'heading_open') continue
    const words = tokens[at + 1]!.content.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, '')
    const name = words.trim().replaceAll(' ', '-')
    const before = taken.get(name) ?? 0
    taken.set(name, before + 1)
    token.attrSet('id', before === 0 ? name : `${name}-${before}`)
  }
}

/** Said once, in the function's log, which is what this process writes. */
function notThere(error: unknown): undefined {
  process.stderr.write(`${(error as Error).message}\n`)
}
