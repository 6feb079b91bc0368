import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(`${ROOT}docs`)
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
]

it.each(pages)('%s names only files that there are', page => {
  const named = readFileSync(ROOT + page, 'utf8').matchAll(
    /`((?:src|test|bench|certs|docs|vectors)\/[\w./-]+)`/g,
  )
  // In capitals: to be filled in by whoever reads it.
  const missing = [...named]
    .map(([, path]) => path!)
    .filter(path => !/[A-Z]{3}/.test(path) && !existsSync(ROOT + path))
  expect(missing).toEqual([])
})
