import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { modulesOf } from '../../src/cli/up/watch/modules.ts'
import { watchedFiles } from '../../src/cli/up/watch/watched.ts'
import { parseConfig } from '../../src/stack/config.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-watched-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(name: string, text = ''): string {
  const path = join(directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

it('a module is all that it imports by paths, in circles, too', () => {
  const a = file('m/a.mjs', "import './b.js'\nimport x from 'express'\nawait import(\"../m/c.mjs\")\n")
  const b = file('m/b.js', "export * from './a.mjs'\nimport { y } from './gone.mjs'\n")
  const c = file('m/c.mjs', "import { createRequire } from 'node:module'\nrequire('./d')\nrequire('./e')\n")
  const [d, e] = [file('m/d.cjs'), file('m/e/index.js')]
  expect(modulesOf(a).sort()).toEqual([a, b, c, d, e].sort())
  expect(modulesOf(join(directory, 'none.mjs'))).toEqual([join(directory, 'none.mjs')])
})

it('functions are known by their files, and the stack file by its own', () => {
  const shared = file('w/shared.mjs')
  const one = file('w/one/handler.mjs', "import '../shared.mjs'")
  const two = file('w/two.mjs', "import './shared.mjs'")
  const app = file('w/app.py')
  const handler = file('p/handler.py')
  const variables = file('w/x.env', 'A=1')
  const text = `functions:
  one: { handler: ./w/one, environment_file: [w/x.env] }
  two: { handler: ./w/two.mjs }
  program: { handler: ./w, command: python3 app.py }
  gone: { handler: ./w/gone.mjs }
  classic: { lang: python3, handler: ./p }
`
  const { config } = parseConfig(text, directory)
  const stackFile = join(directory, 'hotpotato.yml')
  const { stack, functions } = watchedFiles(config, stackFile, directory)
  expect(stack).toEqual([stackFile, variables])
  expect([...functions].map(([path, names]) => [path, [...names]])).toEqual([
    [one, ['one']],
    [shared, ['one', 'two']],
    [two, ['two']],
    [app, ['program']],
    [handler, ['classic']],
  ])
})
