import { expect, it } from 'vitest'
import { parseConfig } from '../../src/stack/config.ts'

const FUNCTIONS = 'functions: { echo: }'
const parse = (text: string, variables = {}) => parseConfig(text, '/base', variables, 'mine.yml')

it.each([
  ['functions:\n  echo:\n    hosts: [*.echo.local]', '3:13', 'quote it: "*.echo.local"'],
  ['functions:\n  echo:\n    hosts:\n      - *.echo.local', '4:9', 'quote it: "*.echo.local"'],
  ['gateway: { host: * }', '1:18', 'quote it: "*"'],
  ['gateway:\n  host: &all', '2:9', 'quote it: "&all"'],
  ['gateway:\n  host: !all', '2:9', 'quote it: "!all"'],
  ['gateway:\n  host: @all', '2:9', 'quote it: "@all"'],
  ['gateway:\n  host: %all', '2:9', 'quote it: "%all"'],
  ['gateway:\n  host: `all`', '2:9', 'quote it: "`all`"'],
  ['gateway:\n  host: a: b', '2:9', 'if that is one text, quote it: "a: b"'],
  ['gateway:\n\thttp: 80', '2:1', 'use blanks'],
  ['gateway: { http: 80', '1:20', 'end with a }'],
  ['runDirectory: "run', '1:19', 'Missing closing "quote'],
  [`${FUNCTIONS}\n---\n${FUNCTIONS}`, '2:1', 'a second document begins'],
  [`${FUNCTIONS}\n${FUNCTIONS}`, '2:1', 'the key functions is there a second time'],
  ['- echo\nfunctions: 5', '2:1', 'not YAML'],
  ['functions:\n  echo:\n  echo:', '3:3', 'the key echo is there a second time'],
  ['functions:\n  ? [a]\n  : b', '2:5', 'a key is a text'],
  ['functions: &f\n  echo: *f', '2:9', '*f refers to what it is itself a part of'],
  ['functions: { echo: { <<: 5 } }', '1:22', '<< merges a map'],
])('%j is refused with its place, and how to write it', (text, place, advice) => {
  expect(() => parse(text)).toThrow(`mine.yml:${place}: not YAML: `)
  expect(() => parse(text)).toThrow(advice)
})

it.each([
  ['gateway:\n  http: 65536', '2:9', 'gateway.http must be'],
  ['gateway:\n  http:\n    - 1', '2:3', 'gateway.http must be'],
  ['gateway:\n  defaultFunction: ecko', '2:20', 'not "ecko"; did you mean echo?'],
  ['gateway:\n  http: 5\n  https: 5', '3:10', 'must be different ports'],
  ['connection:\n  timers: { handler: never }', '2:22', 'connection.timers.handler must be a duration'],
  ['tls:\n  groups:\n    - x25519\n    - "?"', '4:7', 'tls.groups must be'],
  ['just text', '1:1', 'the configuration must be a map'],
  ['- echo', '1:1', 'the configuration must be a map'],
])('%j is refused with the place of the value', (text, place, what) => {
  const whole = /^[a-z]+:/.test(text) ? `${text}\n${FUNCTIONS}` : text
  expect(() => parse(whole)).toThrow(`mine.yml:${place}: `)
  expect(() => parse(whole)).toThrow(what)
})

it.each([
  ['echo: { hosts: [a.local, 127.0.0.1] }', '2:28', 'functions.echo.hosts must be'],
  ['echo: { hosts: [a.local] }\n  b: { hosts: [A.local] }', '3:8', 'belongs to echo already'],
  ['Echo: {}', '2:3', 'not "Echo"'],
  ['echo: { replicas: { max: 2, min: 3 } }', '2:36', 'functions.echo.replicas.min must be'],
  ['echo: { environment: { A.B: 1, A: [1] } }', '2:34', 'functions.echo.environment.A must be'],
])('of a function, %j is refused with the place of the value', (text, place, what) => {
  expect(() => parse(`functions:\n  ${text}`)).toThrow(`mine.yml:${place}: `)
  expect(() => parse(`functions:\n  ${text}`)).toThrow(what)
})

it('names a variable where that is what is wrong, and no line of the file', () => {
  const variables = { HOTPOTATO_HTTPS_PORT: '9' }
  expect(() => parse(`gateway: { http: 9 }\n${FUNCTIONS}`, variables)).toThrow(
    /^HOTPOTATO_HTTPS_PORT: gateway\.http and gateway\.https must be different ports$/,
  )
  expect(() => parse(FUNCTIONS, { HOTPOTATO_HTTP_PORT: 'web' })).toThrow(/^HOTPOTATO_HTTP_PORT must be/)
})

it('tells a key that it ignores, with its place and the nearest that there is', () => {
  expect(parse(`gatway: {}\nconnection: { timer: {} }\n${FUNCTIONS}`).warnings).toEqual([
    'mine.yml:1:1: gatway is unknown and ignored; did you mean gateway?',
    'mine.yml:2:15: connection.timer is unknown and ignored; did you mean timers?',
  ])
})

it('says where any value stands, for those who find out later that it is wrong', () => {
  const { at } = parse('functions:\n  echo:\n    handler: ./gone.mjs')
  expect(at('functions.echo.handler')).toBe('mine.yml:3:14')
  expect(at('functions.echo.hosts')).toBe('mine.yml:2:3')
  expect(at('gateway.host')).toBe('mine.yml')
})

it('refuses what is nested too deep before the library runs out of stack', () => {
  const why = 'not YAML: lists and maps are in each other, over 64 deep'
  expect(() => parse('['.repeat(100) + ']'.repeat(100))).toThrow(`mine.yml:1:66: ${why}`)
  expect(() => parse(`functions: ${'{ a: '.repeat(100_000)}`)).toThrow(`mine.yml:1:328: ${why}`)
  const steps = Array.from({ length: 100 }, (_, depth) => `${' '.repeat(depth)}a:`)
  expect(() => parse(steps.join('\n'))).toThrow(`mine.yml:65:66: ${why}`)
})

it('takes what is referred to, and merges maps, with what stands there first', () => {
  const text = `
trust: &none []
functions:
  echo: &all
    replicas: 2
    environment: &words { A: a, B: b }
  hello:
    <<: *all
    environment: { <<: [*words, { B: no, C: c }], A: own }
`
  const { config, warnings, at } = parse(text)
  expect(warnings).toEqual([])
  const { replicas, environment } = config.functions.get('hello')!
  expect(replicas.start).toBe(2)
  expect(environment).toEqual({ A: 'own', B: 'b', C: 'c' })
  expect(at('functions.hello.environment.A')).toBe('mine.yml:9:54')
})

it('names the place of what an alias refers to', () => {
  expect(() => parse('functions:\n  echo: &e\n    replicas: x\n  hello: *e')).toThrow('mine.yml:3:15: ')
  expect(() => parse('trust: &t\nfunctions: { echo: }')).toThrow('quote it: "&t"')
})

it('bears aliases of aliases of aliases', () => {
  const bomb = [
    'a0: &a0 [x, x]',
    ...Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
  ]
  expect(parse(`${bomb.join('\n')}\n${FUNCTIONS}`).warnings).toHaveLength(41)
  expect(() => parse(`${bomb.join('\n')}\nfunctions: { echo: { hosts: *a40 } }`)).toThrow(
    'must be host names',
  )
})

it('gives texts on as they are written, digits and all', () => {
  const values = { A: '007', B: '0x1F', C: '1e3', D: '12345678901234567890', E: '1.50', F: 'True', G: 'yes' }
  const written = Object.entries(values).map(([name, value]) => `${name}: ${value}`)
  const { functions } = parse(
    `functions: { 010: { handler: echo, environment: { ${written.join(', ')}, N: } } }`,
  ).config
  expect(functions.get('010')?.environment).toEqual({ ...values, N: '' })
})

it('says that nothing is substituted, where OpenFaaS does', () => {
  const value = `\${A:-b}`
  const text = `functions:\n  echo:\n    environment:\n      A: ${value}\n      B: $B\n`
  const { config, warnings } = parse(text)
  expect(config.functions.get('echo')?.environment).toEqual({ A: value, B: '$B' })
  expect(warnings).toEqual([
    `mine.yml:4:7: functions.echo.environment.A stays "${value}": nothing is substituted in a stack file`,
  ])
  expect(() => parse(`functions: { echo: { replicas: "${value}" } }`)).toThrow('; nothing is substituted')
})

it('makes no more than fifty remarks, and is done with many keys soon', () => {
  const keys = Array.from({ length: 2000 }, (_, index) => `k${index}: ${index}`)
  const { warnings } = parse(`${keys.join('\n')}\n${FUNCTIONS}`)
  expect([warnings.length, warnings.at(-1)]).toEqual([51, 'mine.yml: and 1950 more remarks like these'])
  const many = Array.from({ length: 1001 }, (_, index) => `f${index}: { handler: echo }`)
  expect(() => parse(`functions: { ${many.join(', ')} }`)).toThrow('at most 1000 functions, not 1001')
})
