import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const below = (folder: string): string[] =>
  readdirSync(ROOT + folder, { encoding: 'utf8', recursive: true })
    .filter(name => name.endsWith('.md') && !name.includes('node_modules'))
    .map(name => `${folder}/${name}`)
const pages = ['README.md', 'CONTRIBUTING.md', ...below('docs'), ...below('bench')]

/** A page without its blocks of code. */
const prose = (page: string): string =>
  readFileSync(ROOT + page, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '')

/** What a heading can be linked by. */
const anchors = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

it.each(pages)('%s names only files that there are', page => {
  const named = prose(page).matchAll(/`((?:src|test|bench|certs|docs|vectors)\/[\w./-]+)`/g)
  // In capitals: to be filled in by the reader.
  const missing = [...named]
    .map(([, path]) => path!)
    .filter(path => !/[A-Z]{3}/.test(path.replace('README', '')) && !existsSync(ROOT + path))
  expect(missing).toEqual([])
})

it.each(pages)('%s links only to pages and headings that there are', page => {
  const links = [...prose(page).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link]) => link!)
  const broken = links.filter(link => {
    const [path, anchor] = link.split('#') as [string, string?]
    const target = path === '' ? page : join(dirname(page), path)
    if (!existsSync(ROOT + target)) return true
    return anchor !== undefined && !anchors(target).includes(anchor)
  })
  expect(broken).toEqual([])
})

it('every decision is in the index', () => {
  const index = readFileSync(`${ROOT}docs/decisions/README.md`, 'utf8')
  const files = readdirSync(`${ROOT}docs/decisions`).filter(name => name !== 'README.md')
  expect(files.length).toBeGreaterThan(40)
  expect(files.filter(name => !index.includes(`](${name})`))).toEqual([])
})
