import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { mustBeThere } from '../../src/functions/programs/process.ts'
import { loadConfig, parseConfig } from '../../src/stack/config.ts'
import { plan } from '../../src/stack/plan.ts'

const read = (one: string) => {
  const { config, warnings } = parseConfig(`functions: { app: ${one} }`, '/base')
  return { program: config.functions.get('app')!.program, warnings, config }
}

describe('a function that is a program', () => {
  it('is one with a command: a list, or a line', () => {
    const { program } = read('{ command: [python3, app.py, 8] }')
    expect(program).toMatchObject({ command: ['python3', 'app.py', '8'], mode: 'http', directory: '/base' })
    const line = read(
      '{ command: "node \'my app.js\'", handler: ./dir, mode: socket, ready: /healthz }',
    ).program
    expect(line).toMatchObject({ command: ['node', 'my app.js'], mode: 'socket', directory: '/base/dir' })
    expect(line!.ready).toBe('/healthz')
    expect(read('{}').program).toBeUndefined()
    expect(read('{ lang: node22, handler: ./dir, environment: { fprocess: node } }').program).toBeUndefined()
  })

  it('is one of OpenFaaS: a template for Python, or what fprocess says', () => {
    const { program } = read('{ lang: python3, handler: ./hello }')
    expect(program).toMatchObject({ mode: 'fork', directory: '/base/hello' })
    expect(program!.command.slice(0, 2)).toEqual(['python3', '-c'])
    expect(read('{ lang: python3 }').program!.directory).toBe('/base/app')
    expect(read('{ lang: python3-http, handler: ./hello }').program).toMatchObject({ mode: 'socket' })
    expect(read('{ lang: python3-http, mode: http }').program).toMatchObject({ mode: 'http' })
    const spoken = read(`{ lang: dockerfile, handler: ., environment: {
      fprocess: wc -l, exec_timeout: 1m30s, write_timeout: 5, content_type: text/html, combine_output: true,
      write_debug: true, cgi_headers: false, max_inflight: 3 }, pool: 2 }`).program
    expect(spoken).toMatchObject({
      command: ['wc', '-l'],
      mode: 'fork',
      fork: {
        pool: 2,
        most: 3,
        timeMilliseconds: 90_000,
        contentType: 'text/html',
        combineOutput: true,
        writeDebug: true,
        cgiHeaders: false,
      },
    })
  })

  it('has limits unless others are set, and keeps standard error from clients', () => {
    const { fork } = read('{ command: cat, mode: fork }').program!
    expect(fork).toEqual({
      pool: 0,
      most: 32,
      timeMilliseconds: 0,
      contentType: undefined,
      combineOutput: false,
      writeDebug: false,
      cgiHeaders: true,
    })
  })

  it('is told of by the plan, with what the whole platform knows', () => {
    const { config } = read('{ command: cat }')
    const { containers } = plan(config, { channel: 'native', provider: 'node', logLevel: 'info' })
    expect(containers[0]!.settings).toMatchObject({
      program: {
        runDirectory: '/base/run',
        startMilliseconds: 48_000,
        restart: { first: 100, most: 10_000 },
        fork: { outputBytes: 16_777_216 },
      },
    })
  })

  it.each([
    ['{ command: "" }', /functions\.app\.command must be a program and its arguments/],
    ['{ command: [] }', /functions\.app\.command must be/],
    ['{ command: ["", a] }', /functions\.app\.command must be/],
    ['{ command: [a, [b]] }', /functions\.app\.command must be/],
    ['{ command: "a \'b" }', /functions\.app\.command must be/],
    ['{ command: a, mode: magic }', /functions\.app\.mode must be http or socket or fork/],
    ['{ command: a, pool: 65 }', /functions\.app\.pool must be/],
    ['{ command: a, ready: healthz }', /functions\.app\.ready must be a path/],
    ['{ mode: fork }', /functions\.app\.mode is for a function with a command/],
    ['{ lang: python3, mode: http }', /functions\.app\.mode must be fork with lang: python3/],
    ['{ lang: python3-http, mode: fork }', /functions\.app\.mode must be socket or http with lang/],
    ['{ pool: 2 }', /functions\.app\.pool is for a function with a command/],
  ])('refuses %s', (one, message) => {
    expect(() => read(one)).toThrow(message)
  })

  it('warns of a duration that is none', () => {
    expect(read('{ command: cat, environment: { exec_timeout: soon } }').warnings.join()).toMatch(
      /exec_timeout is no duration/,
    )
  })
})

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const examples = readdirSync(EXAMPLES).filter(name => existsSync(join(EXAMPLES, name, 'hotpotato.yml')))

it.each(examples)('examples/%s is read without a remark, and what its programs name is there', name => {
  const { config, warnings } = loadConfig(join(EXAMPLES, name, 'hotpotato.yml'))
  expect(warnings).toEqual([])
  for (const { program } of config.functions.values())
    if (program !== undefined && program.command[0] !== 'python3')
      mustBeThere({ ...program, environment: { PATH: process.env.PATH! } })
})
