import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/stack/config.ts'
import { confinement } from '../../src/stack/confinement.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-confinement-'))
afterAll(() => rmSync(directory, { recursive: true }))
for (const folder of ['shop/api.v2', 'shop/plain', 'shop.v1'])
  mkdirSync(join(directory, folder), { recursive: true })
for (const file of ['one.mjs', 'noending']) writeFileSync(join(directory, file), '')

/** What is hidden from the function `shop`, beside what is the platform's. */
function hiddenFrom(handler: string, other: string): readonly string[] {
  const text = `
version: 1
runDirectory: /run/a
functions:
  shop: { handler: ${handler}, isolation: sandbox }
  other: { handler: ${other} }
`
  const { config } = parseConfig(text, directory)
  return confinement(config.functions.get('shop')!, config)
    .hidden.filter(path => !/(certs|secrets)$/.test(path))
    .map(path => path.slice(directory.length + 1))
}

describe('of another function in its own folder, a confined function does not see', () => {
  it.each([
    ['a folder', './shop', './shop/plain', ['shop/plain']],
    ['a folder whose name has a dot', './shop', './shop/api.v2', ['shop/api.v2']],
    ['such a folder beside its module', './one.mjs', './shop.v1', ['shop.v1']],
    ['such a folder beside a module without an ending', './noending', './shop.v1', ['shop.v1']],
    ['nothing where both are modules of one folder', './one.mjs', './noending', []],
    ['nothing of what lies elsewhere', './shop.v1', './shop/api.v2', []],
  ])('%s', (_what, own, other, hidden) => expect(hiddenFrom(own, other)).toEqual(hidden))
})
