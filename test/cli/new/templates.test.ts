import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CommandError, UsageError } from '../../../src/cli/line/usage-error.ts'
import { makeFunction } from '../../../src/cli/new/new.ts'
import { LANGS, TEMPLATES, templateNamed } from '../../../src/cli/new/templates.ts'
import { hotpotato, Platform } from '../../support/platform.ts'
import { isInstalled, missing } from '../../support/programs.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PYTHON = isInstalled('python3', ['--version'])

/** Each template, and what its function answers to `ada`. */
const ANSWERS: Readonly<Record<string, string>> = {
  fetch: '{"hello":"ada"}',
  node: 'Hello, ada\n',
  hono: 'ADA',
  express: 'ADA',
  python: 'Hello, ada\n',
  shell: 'Hello, ada: POST /\n',
}
const RUNNING = TEMPLATES.filter(({ name }) => name !== 'python' || PYTHON)

let directory: string
let platform: Platform
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-new-'))
  writeFileSync(join(directory, 'hotpotato.yml'), '# mine\nversion: 1 # of the form\n')
  // What `npm install` in the folders of two of them would have put there.
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  const [first, ...others] = RUNNING.map(({ name }) => name)
  const made = await hotpotato(directory, ['new', `my-${first}`, '--lang', first!])
  expect(made).toMatchObject({ code: 0, stderr: '' })
  for (const name of others) quietly(() => makeFunction(`my-${name}`, options(name)))
  platform = await Platform.start({ directory })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const options = (lang: string) => ({ lang, handler: undefined, config: join(directory, 'hotpotato.yml') })

/** Without what it says. */
function quietly(work: () => void): void {
  const { write } = process.stdout
  process.stdout.write = () => true
  try {
    work()
  } finally {
    process.stdout.write = write
  }
}

describe('a function that new has made', () => {
  it.each(TEMPLATES.map(({ name }) => name))(
    `runs as it is, in %s${missing(PYTHON, 'python3', 'python3')}`,
    async name => {
      if (!RUNNING.some(one => one.name === name)) return
      const { code, stdout } = await hotpotato(directory, ['invoke', `my-${name}`, '--data', 'ada'])
      expect({ code, stdout }).toEqual({ code: 0, stdout: ANSWERS[name] })
    },
  )

  it('stands in the stack file, whose comments are there still', () => {
    const text = readFileSync(join(directory, 'hotpotato.yml'), 'utf8')
    expect(text.startsWith('# mine\nversion: 1 # of the form\nfunctions:\n  my-fetch:\n')).toBe(true)
    expect(text).toContain('  my-shell:\n    command:\n')
    expect(JSON.parse(readFileSync(join(directory, 'my-hono', 'package.json'), 'utf8')).name).toBe('my-hono')
  })
})

describe('new refuses', () => {
  const refuse = (name: string, lang = 'fetch') => {
    let thrown: unknown
    quietly(() => {
      try {
        makeFunction(name, options(lang))
      } catch (error) {
        thrown = error
      }
    })
    return thrown as Error
  }

  it.each([
    ['my-fetch', 'fetch', CommandError, /hotpotato\.yml has a function my-fetch already$/],
    [
      'certs',
      'fetch',
      CommandError,
      /certs is there already, and has files: choose another name or --handler$/,
    ],
    [
      'No Name',
      'fetch',
      UsageError,
      /^the name of a function has 1 to 63 of a-z, 0-9 and -, .*, not "No Name"$/,
    ],
    ['a-', 'fetch', UsageError, /with no - at either end, not "a-"$/],
    ['async-function', 'fetch', UsageError, /is the name of the platform's own queue$/],
    ['other', 'fetsch', UsageError, /^--lang must be one of fetch, .*, not fetsch; did you mean fetch\?$/],
  ])('%s in %s', (name, lang, kind, message) => {
    const before = readdirSync(directory)
    const error = refuse(name, lang)
    expect(error).toBeInstanceOf(kind)
    expect(error.message).toMatch(message)
    expect(readdirSync(directory)).toEqual(before)
  })
})

it('each template has a folder, and names of OpenFaaS stay as they are', () => {
  expect(readdirSync(join(ROOT, 'templates')).sort()).toEqual(TEMPLATES.map(({ name }) => name).sort())
  expect(templateNamed('node22')?.entry).toEqual({ lang: 'node22' })
  expect(new Set(LANGS).size).toBe(LANGS.length)
})
