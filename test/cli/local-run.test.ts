import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { functionFor, type Wishes } from '../../src/cli/local-run/entry.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-local-test-'))
  mkdirSync(join(directory, 'greet'))
  for (const name of ['Say It.mjs', 'app.py', 'run.sh', 'program', 'greet/handler.js'])
    writeFileSync(join(directory, name), '')
  writeFileSync(
    join(directory, 'hotpotato.yml'),
    `functions:
  echo:
  named: { handler: ./greet, replicas: 3, environment: { A: a }, environment_file: [a.env] }
  shell: { command: sh run.sh, mode: fork }
  templated: { lang: node22 }
`,
  )
})
afterAll(() => rmSync(directory, { recursive: true }))

const wishes = (more: Partial<Wishes> = {}): Wishes => ({
  lang: undefined,
  mode: undefined,
  environment: {},
  config: join(directory, 'hotpotato.yml'),
  ...more,
})
const at = (path: string): string => join(directory, path)

describe('what runs alone', () => {
  it.each([
    ['echo', { replicas: 1 }],
    ['shell', { command: 'sh run.sh', mode: 'fork', handler: '.', replicas: 1 }],
    ['templated', { lang: 'node22', handler: 'templated', replicas: 1 }],
    ['hello', {}],
  ])('%s, by its name', (name, entry) => {
    const found = functionFor(name, wishes())
    const { handler } = entry as { handler?: string }
    const whole = handler === undefined ? entry : { ...entry, handler: join(directory, handler) }
    expect(found).toEqual({ name, entry: whole })
  })

  it('has what the stack file says, and more variables', () => {
    const { entry } = functionFor('named', wishes({ environment: { B: 'b' } }))
    expect(entry).toEqual({
      handler: at('greet'),
      replicas: 1,
      environment: { A: 'a', B: 'b' },
      environment_file: [at('a.env')],
    })
  })

  it.each([
    ['Say It.mjs', 'say-it', { handler: 'Say It.mjs' }],
    ['greet', 'greet', { handler: 'greet' }],
    ['greet/handler.js', 'greet', { handler: 'greet/handler.js' }],
  ])('the file %s', (file, name, entry) => {
    expect(functionFor(at(file), wishes())).toEqual({ name, entry: { handler: at(entry.handler) } })
  })

  it.each([
    ['app.py', 'app', ['python3']],
    ['run.sh', 'run', ['sh']],
    ['program', 'program', []],
  ])('the program %s', (file, name, runner) => {
    const entry = { command: [...runner, at(file)], handler: directory, mode: 'fork' }
    expect(functionFor(at(file), wishes())).toEqual({ name, entry })
  })

  it('is none that is not there', () => {
    expect(() => functionFor('./gone.mjs', wishes())).toThrow(/^\.\/gone\.mjs does not exist$/)
  })
})
