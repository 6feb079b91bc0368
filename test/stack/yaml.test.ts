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
  [`${FUNCTIONS}\n${FUNCTIONS}`, '2:1', 'Map keys must be unique'],
  ['- echo\nfunctions: 5', '2:1', 'not YAML'],
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
