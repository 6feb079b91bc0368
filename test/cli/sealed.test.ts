import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { open } from '../../src/cli/sealed/open.ts'
import { seal } from '../../src/cli/sealed/seal.ts'
import { MAIN } from '../support/platform.ts'
import { run } from '../support/programs.ts'

const folder = mkdtempSync(join(tmpdir(), 'hotpotato-cli-sealed-'))
afterAll(() => rmSync(folder, { recursive: true }))
const hotpotato = async (words: readonly string[], input = '') => {
  const { code, stdout, stderr } = await run(process.execPath, [MAIN, ...words], input, { cwd: folder })
  return { code, stdout: stdout.toString(), stderr }
}
const file = (name: string): string => join(folder, name)

describe('keygen, seal, inspect and open', () => {
  let recipient = ''

  it('make an identity for its owner alone, and never replace one', async () => {
    const made = await hotpotato(['keygen', '--output', 'key.txt'])
    recipient = /^Public key: (age1\S+)\n$/.exec(made.stdout)![1]!
    expect(statSync(file('key.txt')).mode & 0o777).toBe(0o600)
    expect(readFileSync(file('key.txt'), 'utf8')).toMatch(
      /^# created: \S+\n# public key: age1\S+\nAGE-SECRET-KEY-1\S+\n$/,
    )
    const again = await hotpotato(['keygen', '--output', 'key.txt'])
    expect([again.code, again.stderr]).toEqual([1, 'key.txt is there already\n'])
  })

  it('seal a directory, show what can be read, and give the files back', async () => {
    mkdirSync(file('shop/lib'), { recursive: true })
    writeFileSync(file('shop/package.json'), '{"version":"2.1","main":"./start.mjs"}')
    writeFileSync(
      file('shop/start.mjs'),
      "import { word } from './lib/word.mjs'\nexport default () => word\n",
    )
    writeFileSync(file('shop/lib/word.mjs'), "export const word = 'hidden words'\n")
    writeFileSync(file('shop/.env'), 'TOKEN=left out')
    const sealed = await hotpotato(['seal', 'shop', '-r', recipient])
    expect(sealed.stdout).toMatch(/^shop\.potato: shop 2\.1, 3 files, \d+ bytes, for 1 recipient\n$/)
    expect(readFileSync(file('shop.potato')).includes('hidden words')).toBe(false)
    const seen = await hotpotato(['inspect', 'shop.potato', '--as', 'bundle'])
    expect(seen.stdout).toMatch(/ opaque name<1\.\.63> = shop\n.* = 2\.1\n/)
    const opened = await hotpotato(['open', 'shop.potato', '-i', 'key.txt', '-o', 'back'])
    expect(opened.stdout).toMatch(/^shop 2\.1, the function is start\.mjs\n/)
    expect(readFileSync(file('back/lib/word.mjs'), 'utf8')).toBe("export const word = 'hidden words'\n")
    expect([existsSync(file('back/.env')), statSync(file('back/start.mjs')).mode & 0o777]).toEqual([
      false,
      0o600,
    ])
  })

  const nothing = { output: undefined, 'key-file': undefined, 'show-key': false }
  const sealing = { ...nothing, recipient: undefined, name: undefined, release: undefined, entry: undefined }

  it.each([
    ['shop', {}, 'UsageError', 'seal needs a --recipient, or --show-key'],
    [
      'shop',
      { recipient: ['age1nobody'] },
      'UsageError',
      '"age1nobody" is no recipient of age: it begins with age1, and its checksum is wrong; is it whole?',
    ],
    [
      'shop',
      { recipient: ['nobody'] },
      'UsageError',
      '"nobody" is no recipient of age: one begins with age1',
    ],
    ['shop', { 'show-key': true, name: 'Not So' }, 'UsageError', '--name must be'],
    ['shop', { 'show-key': true, entry: 'absent.mjs' }, 'CommandError', 'has no absent.mjs'],
    ['shop/start.mjs', { 'show-key': true }, 'CommandError', 'imports ./lib/word.mjs, which is not in it'],
    ['absent', { 'show-key': true }, 'CommandError', 'cannot be read (ENOENT)'],
  ])('say what cannot be sealed: %s with %j', async (path, options, name, said) => {
    const sealed = seal(file(path), { ...sealing, ...options })
    await expect(sealed).rejects.toMatchObject({ name, message: expect.stringContaining(said) })
  })

  it.each([
    ['shop.potato', {}, 'UsageError', 'open needs an --identity or a --key-file'],
    ['key.txt', { identity: ['key.txt'] }, 'CommandError', 'this is no bundle'],
    ['shop.potato', { 'key-file': file('key.txt') }, 'CommandError', /has no data key.* is for --identity$/],
  ])('say what cannot be opened: %s with %j', async (path, options, name, said) => {
    const opened = open(file(path), { ...nothing, identity: undefined, ...options })
    await expect(opened).rejects.toMatchObject({
      name,
      message: typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said),
    })
  })
})
