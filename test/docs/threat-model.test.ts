import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(`${ROOT}docs/threat-model.md`, 'utf8')

/** The page's paragraphs, list items and rows of tables, each in one line. */
const statements = page
  .split(/\n\n|\n(?=[*|]|\d\. )/)
  .map(text => text.replaceAll(/\s+/g, ' ').trim())
  .filter(text => text !== '' && !text.startsWith('#'))

/** The rows of the tables whose first column says what cannot be done. */
const denied = page
  .split('\n\n')
  .filter(block => block.startsWith('| cannot |'))
  .flatMap(block => block.trimEnd().split('\n').slice(2))

describe('every "cannot" of the threat model names a test that tries', () => {
  it('in the tables', () => {
    expect(denied.length).toBeGreaterThan(20)
    for (const row of denied) {
      const [, what, ...more] = row.split('|').map(cell => cell.trim())
      // Some rows hold for some levels of isolation alone, which stand between the two.
      const [why, tried] = more.slice(0, -1).slice(-2)
      expect([what, why]).not.toContain('')
      const tests = [...tried!.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path!)
      expect(tests.length, row).toBeGreaterThan(0)
      expect(
        tests.filter(path => !existsSync(ROOT + path)),
        row,
      ).toEqual([])
    }
  })

  it('in the text', () => {
    const said = statements.filter(
      text => /\bcannot\b|\bnever sees?\b/i.test(text) && !text.startsWith('|') && !/cannot do:$/.test(text),
    )
    // The sentence at the beginning speaks of the others.
    const untried = said.filter(text => !/`test\//.test(text) && !text.includes('Every "cannot"'))
    expect(untried).toEqual([])
  })
})
