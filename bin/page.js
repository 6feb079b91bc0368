// Makes the pages of `hotpotato ui` and of recordings: each is one file of HTML, with script and style in it,
// that asks nothing of any other place.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const inside = path => fileURLToPath(new URL(`../${path}`, import.meta.url))
const read = path => readFileSync(inside(path), 'utf8')

/** Of the page that shows connections, and of the one that shows a recording. */
const PAGES = [
  {
    target: 'page.html',
    script: 'src/page/main.ts',
    html: 'src/page/page.html',
    styles: ['src/page/style.css'],
  },
  {
    target: 'recording.html',
    script: 'src/page/recording/main.ts',
    html: 'src/page/recording/recording.html',
    styles: ['src/page/style.css', 'src/page/recording/recording.css'],
    // It is opened as a file, too: what no server says, it says itself.
    alone: true,
  },
]

/** @throws Error one cannot be bundled */
export async function makePages() {
  for (const page of PAGES) await makePage(page)
}

async function makePage({ target, script, html, styles, alone }) {
  const { rolldown } = await import('rolldown')
  const build = await rolldown({ input: inside(script), platform: 'browser' })
  const { output } = await build.generate({ format: 'es', minify: true, comments: false })
  await build.close()
  const [{ code, imports }] = output
  if (output.length !== 1 || imports.length > 0) throw new Error(`${target} would need more than one file`)
  // What ends a script early is written otherwise. Replaced by functions: the code has dollars in it.
  const written = code.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--')
  const style = styles.map(read).join('')
  const policy = alone
    ? `<meta http-equiv="Content-Security-Policy" content="${policyOf(written, style)}">\n`
    : ''
  const whole = read(html)
    .replace('<style></style>', () => `${policy}<style>${style}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${written}</script>`)
  const path = inside(`dist/src/page/${target}`)
  if (existsSync(path) && readFileSync(path, 'utf8') === whole) return
  mkdirSync(inside('dist/src/page'), { recursive: true })
  writeFileSync(path, whole)
}

function policyOf(script, style) {
  const hash = text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  return [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
}
