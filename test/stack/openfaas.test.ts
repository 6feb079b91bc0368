import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/stack/config.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-stack-'))
afterAll(() => rmSync(directory, { recursive: true }))

const read = (text: string) => parseConfig(text, directory, {}, 'stack.yml')
const one = (text: string) => read(`functions: { fn: { ${text} } }`).config.functions.get('fn')!
const file = (name: string, text: string) => writeFileSync(join(directory, name), text)

describe("a stack.yml of OpenFaaS's", () => {
  const STACK = `version: 1.0
provider:
  name: openfaas
  gateway: http://127.0.0.1:8080
configuration:
  templates:
    - name: node22
      source: https://example.com/templates
functions:
  greeter:
    lang: node22
    handler: ./greeter
    image: registry.example/greeter:latest
    skip_build: false
    build_args: { REGION: eu }
    constraints: ["node.role == worker"]
    environment: { write_debug: true, RAW_BODY: "True", empty: }
    secrets: [api-key]
    labels: { com.openfaas.scale.min: 2, com.openfaas.scale.max: "5", team: blue }
    annotations: { topic: greetings }
    limits: { memory: 128Mi, cpu: 500m }
    requests: { memory: 64M, cpu: 0.1 }
    readonly_root_filesystem: true
  plain: { lang: node22, handler: plain, image: x }
`
  const { config, warnings } = read(STACK)
  const greeter = config.functions.get('greeter')!

  it('is read as it is', () => {
    expect(greeter).toMatchObject({
      lang: 'node22',
      handler: join(directory, 'greeter'),
      environment: { write_debug: 'true', RAW_BODY: 'True', empty: '' },
      secrets: ['api-key'],
      labels: { team: 'blue' },
      annotations: { topic: 'greetings' },
      limits: { memory: 134_217_728, cpu: 0.5 },
      requests: { memory: 64_000_000, cpu: 0.1 },
      readonly_root_filesystem: true,
      replicas: { start: 2, min: 2, max: 5 },
    })
    expect(config.provider.gateway).toBe('http://127.0.0.1:8080')
  })

  it('has handlers that are folders, however they are written', () => {
    expect(config.functions.get('plain')!.handler).toBe(join(directory, 'plain'))
    expect(one('lang: node22').handler).toBe(join(directory, 'fn'))
    expect(one('handler: echo').handler).toBe('echo')
  })

  it('is told once which of its keys mean nothing', () => {
    const keys = 'configuration, image, skip_build, build_args, constraints'
    expect(warnings).toHaveLength(2)
    expect(warnings[1]).toMatch(/^stack\.yml:\d+:\d+: .* are keys of OpenFaaS that mean nothing here$/)
    for (const key of keys.split(', ')) expect(warnings[1]).toContain(key)
  })

  it('is told where its readonly_root_filesystem has no effect', () => {
    expect(warnings[0]).toBe(
      'stack.yml:23:5: functions.greeter.readonly_root_filesystem: true has no effect at the level ' +
        'process, where a function may write as its user may; isolation: sandbox or oci keeps it from that',
    )
    const said = (level: string, value: boolean) =>
      read(`functions: { fn: { isolation: ${level}, readonly_root_filesystem: ${value} } }`).warnings
    expect(said('user', true)).toEqual([
      expect.stringMatching(/^stack\.yml:1:\d+: .*true has no effect.* user,/),
    ])
    for (const level of ['sandbox', 'oci']) {
      expect(said(level, true)).toEqual([])
      expect(said(level, false)).toEqual([
        `stack.yml:1:${level === 'oci' ? 36 : 40}: functions.fn.readonly_root_filesystem: false has no ` +
          `effect at the level ${level}, where the file system is always read-only, but for /tmp`,
      ])
    }
    for (const level of ['process', 'user']) expect(said(level, false)).toEqual([])
  })

  it('may say its version as text', () => {
    expect(read(`version: "1.0"\nfunctions: { a: }`).warnings).toEqual([])
  })
})

describe('labels of OpenFaaS', () => {
  const labels = (text: string) => one(`labels: { ${text} }`).replicas
  it('say how many containers there are, unless replicas does', () => {
    expect(labels('com.openfaas.scale.min: 3')).toEqual({ start: 3, min: 3, max: 64 })
    expect(labels('com.openfaas.scale.max: "2"')).toEqual({ start: 1, min: 1, max: 2 })
    expect(one('replicas: 4, labels: { com.openfaas.scale.min: 3 }').replicas.start).toBe(4)
  })

  it.each([
    ['com.openfaas.scale.min: 0', 'a whole number from 1 to 64, not "0"'],
    ['com.openfaas.scale.max: many', 'a whole number from 1 to 64, not "many"'],
    ['com.openfaas.scale.min: 3, com.openfaas.scale.max: 2', 'must be at most com.openfaas.scale.max (2)'],
    ['com.openfaas.scale.zero: perhaps', 'true or false, not "perhaps"'],
    ['com.openfaas.scale.zero-duration: soon', 'a duration, as 15m, not "soon"'],
  ])('are refused if they make no sense: %s', (text, message) => {
    expect(() => labels(text)).toThrow(message)
    expect(() => labels(text)).toThrow(/^stack\.yml:1:\d+: functions\.fn\.labels\.com/)
  })
})

it('fprocess is what OpenFaaS makes of it: a variable', () => {
  expect(one('fprocess: python3 x.py')).toMatchObject({
    environment: { fprocess: 'python3 x.py' },
    program: { command: ['python3', 'x.py'] },
  })
  expect(one('fprocess: cat, environment: { fprocess: wc }').environment).toEqual({ fprocess: 'wc' })
})

describe('amounts', () => {
  it.each([
    ['memory: 1', { memory: 1 }],
    ['memory: 2Gi', { memory: 2_147_483_648 }],
    ['memory: 1.5Mi', { memory: 1_572_864 }],
    ['cpu: 2', { cpu: 2 }],
    ['cpu: "250m"', { cpu: 0.25 }],
  ])('are read as Kubernetes writes them: %s', (text, expected) => {
    expect(one(`limits: { ${text} }`).limits).toEqual(expected)
  })
  it.each(['memory: lots', 'memory: -1', 'memory: 0', 'memory: 1Kib', 'cpu: 0', 'cpu: fast', 'cpu: [1]'])(
    'are refused otherwise: %s',
    text => {
      expect(() => one(`limits: { ${text} }`)).toThrow(
        /functions\.fn\.limits\.(memory|cpu) must be an amount/,
      )
    },
  )
})

describe('environment_file', () => {
  it('goes before environment, and a later file before an earlier one', () => {
    file('a.env', '# first\n\nA=1\nB = two words\nexport C="x\\ny" # why\n')
    file('b.env', "\uFEFFB='# no comment'\r\nD=\r\nE=a=b #c\r\n")
    const { environment, filed } = one('environment: { A: 0, Z: z }, environment_file: [a.env, ./b.env]')
    expect(environment).toEqual({ A: '1', Z: 'z', B: '# no comment', C: 'x\ny', D: '', E: 'a=b' })
    expect(filed).toEqual({ A: 'a.env:3', B: './b.env:1', C: 'a.env:5', D: './b.env:2', E: './b.env:3' })
  })

  it("may be OpenFaaS's own form", () => {
    file('env.yml', 'environment:\n  A: 1\n  B: text\n')
    expect(one('environment_file: env.yml')).toMatchObject({
      environment: { A: '1', B: 'text' },
      filed: { A: 'env.yml:2:6', B: 'env.yml:3:6' },
    })
  })

  it.each([
    ['x.env', 'A=1\nnonsense', 'x.env:2: it must be KEY=VALUE'],
    ['x.env', 'HOTPOTATO_RUN_DIR=/', 'x.env:1: variables that begin with HOTPOTATO_ are those'],
    ['x.env', '1A=2', 'x.env:1: a name has letters'],
    ['x.env', 'A="never', 'x.env:1: the quote of the value of A does not end'],
    ['x.env', 'A=\0', 'functions.fn.environment_file: x.env:1:3: NUL is no text in UTF-8'],
    ['x.yml', 'a: b', 'x.yml: it must have a map environment:'],
    ['x.yml', 'environment:\n  A: [1]', 'x.yml:2:3: environment.A must be a text'],
    ['x.yml', 'environment: {', /^x\.yml:\d+:\d+: not YAML/],
  ])('is refused with its place: %s %j', (name, text, message) => {
    file(name, text)
    expect(() => one(`environment_file: [${name}]`)).toThrow(message)
  })

  it('must be there', () => {
    const message = 'stack.yml:1:39: functions.fn.environment_file: gone.env cannot be read (ENOENT)'
    expect(() => one('environment_file: [gone.env]')).toThrow(message)
  })
})

it.each([
  ['environment: { "A=B": 1 }', 'the name of a variable is not empty'],
  ['environment: { A: "x\\0y" }', 'the value of a variable has no NUL'],
  ['environment: { HOTPOTATO_STREAM: socket }', 'are those of the platform, and no function has them'],
  ['secrets: key', 'a list of names of 1 to 253'],
  ['secrets: [../x]', 'a list of names of 1 to 253'],
  ['secrets: [".."]', 'a list of names of 1 to 253'],
  ['lang: "a b"', 'the name of a template, as node22'],
])('what cannot be meant is refused: %s', (text, message) => {
  expect(() => one(text)).toThrow(message)
})
