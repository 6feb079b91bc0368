import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Words in the place of an actor's name, such as gateway, container, source, target, client, function. */
const NAMELESS =
  /\b([Ss]omebody|[Nn]obody|[Aa]nybody|[Ee]verybody|[Ss]omeone|[Aa]nyone|[Ee]veryone|[Ww]hoever)\b/

/** Phrases that are not English, with what stands there instead. */
const UNNATURAL: readonly (readonly [RegExp, string])[] = [
  [/unless told\b/, 'default: 2'],
  [/hotpotato runs\b/, 'hotpotato is running'],
  [/(is|are|be) (not )?good for (the )?hosts?/, 'does not cover the host'],
  [/with so much content/, 'by size of content'],
]

const pages = readdirSync(ROOT).filter(name => /\.(md|yml)$/.test(name))
const texts = ['src', 'bench', 'docs', 'certs'].flatMap(folder => files(folder))

it.each([
  ['code, comments and pages', [...texts, ...pages], (text: string) => text],
  ['comments of tests', files('test'), commentsOf],
] as const)('%s name who acts', (_what, all, part) => {
  expect(all.length).toBeGreaterThan(100)
  const nameless = all.flatMap(file => {
    const found = NAMELESS.exec(part(readFileSync(join(ROOT, file), 'utf8')))
    return found === null ? [] : [`${file}: ${found[0]}`]
  })
  expect(nameless).toEqual([])
})

it.each(UNNATURAL)('%s is nowhere: say "%s"', phrase => {
  expect([...texts, ...pages].filter(file => phrase.test(readFileSync(join(ROOT, file), 'utf8')))).toEqual([])
})

/** npm's registry has a package of that name, a stranger's: where ours is not installed, npx runs it. */
it('nothing says to run npx without --no', () => {
  const more = ['examples', 'templates', 'schema', 'bin'].flatMap(folder => files(folder, /./))
  const all = [...texts, ...pages, ...more, 'package.json']
  const risky =
    /\bnpx +(?!--no |--no-install )(?:-\S+ +)*hotpotato|npm (?:exec|x) +(?!--no )[^\n]*\bhotpotato/
  expect(all.filter(file => risky.test(readFileSync(join(ROOT, file), 'utf8')))).toEqual([])
})

it('no text has two sides of a merge in it', () => {
  const marks = /^(<{7}|>{7}) /m
  const all = [...texts, ...files('test'), ...pages]
  expect(all.filter(file => marks.test(readFileSync(join(ROOT, file), 'utf8')))).toEqual([])
})

function files(folder: string, kind = /\.(ts|mjs|md)$/): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && kind.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name).slice(ROOT.length))
    .filter(file => !file.includes('node_modules/') && file !== 'test/docs/words.test.ts')
}

function commentsOf(text: string): string {
  return (text.match(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm) ?? []).join('\n')
}
