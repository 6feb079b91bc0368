import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { mustBeThere } from '../../src/functions/programs/process.ts'
import { loadConfig, parseConfig } from '../../src/stack/config.ts'
import { plan } from '../../src/stack/plan.ts'
import { WATCHDOG } from '../../src/stack/program/watchdog.ts'

const read = (one: string) => {
  const { config, warnings } = parseConfig(`functions: { app: ${one} }`, '/base')
  const { program, time } = config.functions.get('app')!
  return { program, time, warnings, config }
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
      write_debug: true, cgi_headers: false, max_inflight: 3, marshal_request: 1 }, pool: 2 }`)
    expect(spoken.time).toEqual({ seconds: 90, key: 'environment.exec_timeout' })
    expect(spoken.warnings).toEqual([])
    expect(spoken.program).toMatchObject({
      command: ['wc', '-l'],
      mode: 'fork',
      fork: {
        pool: 2,
        most: 3,
        contentType: 'text/html',
        combineOutput: true,
        writeDebug: true,
        cgiHeaders: false,
        marshal: true,
      },
    })
  })

  it('has limits unless others are set, and keeps standard error from clients', () => {
    const { fork } = read('{ command: cat, mode: fork }').program!
    expect(fork).toEqual({
      pool: 0,
      most: 32,
      contentType: undefined,
      combineOutput: false,
      writeDebug: false,
      cgiHeaders: true,
      marshal: false,
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
    ['{ health: /a }', /functions\.app\.health is for a function with a command/],
    ['{ command: a, health: healthz }', /functions\.app\.health must be a path/],
    ['{ command: a, health: { path: /a, failures: 0 } }', /functions\.app\.health\.failures must be/],
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

describe('what of-watchdog reads', () => {
  const watched = (environment: string, more = '') =>
    read(`{ lang: dockerfile, environment: { fprocess: node app.js, ${environment} } ${more} }`)

  it.each([
    ['mode: http', { mode: 'http', port: undefined }],
    ['mode: streaming', { mode: 'fork' }],
    ['mode: serializing', { mode: 'fork' }],
    ['mode: http, upstream_url: "http://127.0.0.1:5000"', { mode: 'http', port: 5000 }],
    ['mode: http, http_upstream_url: "localhost:3000"', { mode: 'http', port: 3000 }],
    ['mode: http, http_buffer_req_body: true', { bufferContent: true }],
    ['mode: http, buffer_http: 1', { bufferContent: true }],
    ['mode: http, ready_path: /warm', { ready: '/warm' }],
    ['mode: http, ready_path: /_/ready', { ready: undefined }],
  ])('means the same here: %s', (environment, program) => {
    expect(watched(environment, ', isolation: sandbox')).toMatchObject({ program, warnings: [] })
  })

  it('is a function_process, too, and what a function with a command says for itself stays its own', () => {
    const { program } = read('{ lang: dockerfile, environment: { function_process: cat, mode: http } }')
    expect(program).toMatchObject({ command: ['cat'], mode: 'http' })
    const own = read('{ command: cat, environment: { mode: dark, upstream_url: elsewhere } }')
    expect(own).toMatchObject({ program: { mode: 'http', port: undefined }, warnings: [] })
    expect(read('{ environment: { jwt_auth: true, read_timeout: 5 } }').warnings).toEqual([])
  })

  it.each([
    ['mode: static', /environment\.mode is ignored: "static" is none of http, streaming, serializing/],
    ['mode: http, upstream_url: "http://db.example:80"', /upstream_url is ignored: it must be http:/],
    ['mode: http, upstream_url: "http://127.0.0.1:5000"', /same port in every container, so a deploy/],
    ['mode: http, ready_path: warm', /ready_path is ignored: it must be a path/],
    ['read_timeout: 5s', /read_timeout means nothing here: connection\.timers\.requestBody says/],
    ['healthcheck_interval: 5s', /healthcheck_interval means nothing here/],
    ['suppress_lock: false', /suppress_lock means nothing here: there is no lock file/],
    ['jwt_auth: true', /jwt_auth means nothing here: NO request is authenticated/],
    ['prefix_logs: true', /prefix_logs means nothing here/],
    ['log_buffer_size: 1000000', /log_buffer_size means nothing here/],
  ])('is told of where it means nothing, with its line: %s', (environment, message) => {
    const { warnings } = watched(environment)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^hotpotato\.yml:1:\d+: functions\.app\.environment\./)
    expect(warnings[0]).toMatch(message)
  })

  it.each(['suppress_lock: true', 'prefix_logs: false', 'jwt_auth: false', 'log_call_id: ""'])(
    'is not told of where it is so anyway: %s',
    environment => expect(watched(environment).warnings).toEqual([]),
  )

  it('holds for templates of Node as well: the time that a function has', () => {
    const { time, program, config } = read('{ lang: node22, environment: { write_timeout: 2s } }')
    expect([time, program]).toEqual([{ seconds: 2, key: 'environment.write_timeout' }, undefined])
    const { containers } = plan(config, { channel: 'native', provider: 'node', logLevel: 'info' })
    expect(containers[0]!.settings).toMatchObject({
      timers: { handler: 2000 },
      handlerKey: 'environment.write_timeout',
    })
  })

  it('stands in the table of the docs, all of it', () => {
    const page = readFileSync(new URL('../../docs/programs.md', import.meta.url), 'utf8')
    const table = page
      .split('\n')
      .filter(line => line.startsWith('| `'))
      .join('\n')
    for (const name of Object.keys(WATCHDOG)) expect(table, name).toContain(`\`${name}\``)
  })
})

describe('annotations of OpenFaaS', () => {
  const annotated = (annotations: string, more = 'command: a') =>
    read(`{ ${more}, annotations: { ${annotations} } }`)

  it('say what a program is asked', () => {
    const { program, warnings } = annotated(`com.openfaas.ready.http.path: /ready,
      com.openfaas.health.http.path: /healthz, com.openfaas.health.http.periodSeconds: 2s,
      com.openfaas.health.http.timeoutSeconds: "5", com.openfaas.health.http.failureThreshold: 4, mine: too`)
    expect([program!.ready, warnings]).toEqual(['/ready', []])
    expect(program!.health).toEqual({ path: '/healthz', everySeconds: 2, timeoutSeconds: 5, failures: 4 })
    const keys = annotated('com.openfaas.ready.http.path: /b', 'command: a, ready: /a, health: /h').program
    expect(keys).toMatchObject({ ready: '/a', health: { path: '/h', everySeconds: 10, failures: 3 } })
  })

  it('do not have the program asked for what the platform answers', () => {
    const { program, warnings } = annotated('com.openfaas.ready.http.path: /_/ready')
    expect([program!.ready, program!.health, warnings]).toEqual([undefined, undefined, []])
    expect(annotated('com.openfaas.ready.http.path: /_/ready', 'lang: node22').warnings).toEqual([])
  })

  it.each([
    ['com.openfaas.ready.http.initialDelay: 30s', 'command: a', /asked from its start on/],
    ['com.openfaas.health.http.initialDelaySeconds: 3', 'command: a', /means nothing here/],
    ['com.openfaas.ready.http.path: /r', 'lang: node22', /a module is ready when it has been loaded/],
    ['com.openfaas.health.http.path: /r', 'command: a, mode: fork', /process for each request is not asked/],
    ['com.openfaas.ready.http.path: ready', 'command: a', /is ignored: it must be a path/],
    [
      'com.openfaas.health.http.path: /h, com.openfaas.health.http.periodSeconds: often',
      'command: a',
      /is no duration/,
    ],
  ])('are remarked on: %s of %s', (annotations, more, message) => {
    const { warnings } = annotated(annotations, more)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(message)
    expect(warnings[0]).toMatch(/^hotpotato\.yml:1:\d+: functions\.app\.annotations\.com\.openfaas\./)
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
