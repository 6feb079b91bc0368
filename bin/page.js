// Makes the page of `hotpotato ui`: one file of HTML, with script and style in it, that asks nothing of any
// other place.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const inside = path => fileURLToPath(new URL(`../${path}`, import.meta.url))
const TARGET = inside('dist/src/page/page.html')

/** @throws Error it cannot be bundled */
export async function makePage() {
  const { rolldown } = await import('rolldown')
  const build = await rolldown({ input: inside('src/page/main.ts'), platform: 'browser' })
  const { output } = await build.generate({ format: 'es', minify: true, comments: false })
  await build.close()
  const [{ code, imports }] = output
  if (output.length !== 1 || imports.length > 0) throw new Error('the page would need more than one file')
  const style = readFileSync(inside('src/page/style.css'), 'utf8')
  // What ends a script early is written otherwise. Replaced by functions: the code has dollars in it.
  const script = code.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--')
  const html = readFileSync(inside('src/page/page.html'), 'utf8')
    .replace('<style></style>', () => `<style>${style}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${script}</script>`)
  if (existsSync(TARGET) && readFileSync(TARGET, 'utf8') === html) return
  mkdirSync(inside('dist/src/page'), { recursive: true })
  writeFileSync(TARGET, html)
}
