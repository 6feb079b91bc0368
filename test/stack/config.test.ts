import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type Config,
  ConfigError,
  carrierOf,
  loadConfig,
  loadRunDirectory,
  parseConfig,
  parseDuration,
} from '../../src/stack/config.ts'

const MINIMUM = 'functions:\n  echo:\n'
const parse = (text: string, variables = {}) => parseConfig(text, '/base', variables)
const parsed = (text: string, variables = {}): Config => parse(text, variables).config

const QUEUE = {
  ...{ enabled: false, directory: undefined, callbacks: [], callBytes: 1_048_576, answerBytes: 1_048_576 },
  ...{ calls: 10_000, bytes: 268_435_456, concurrency: 64, deadLetters: 1000 },
}
const ASYNC = { retries: 10, firstSeconds: 1, mostSeconds: 60, timeoutSeconds: 90, concurrency: 8 }

describe('parseConfig', () => {
  it('fills in the defaults', () => {
    expect(parsed(MINIMUM)).toEqual({
      version: 1,
      isolationUids: { first: 58_000, last: 58_999 },
      trust: [],
      liveness: { periodSeconds: 2, failureSeconds: 10, busySeconds: 60, startSeconds: 60 },
      log: { maxBytes: 10_485_760, files: 5, bytesPerSecond: 262_144 },
      rehearsals: 6000,
      teach: false,
      rehearsalSeconds: 10,
      restart: { firstSeconds: 0.1, mostSeconds: 10, healthySeconds: 10, crashLoop: 5 },
      tls: {
        groups: undefined,
        signatureSeconds: 10,
        extendedKeyUpdate: false,
        tickets: { count: 2, lifetimeSeconds: 7200, rotationSeconds: 3600 },
      },
      runDirectory: '/base/run',
      certificates: '/base/certs',
      secretsDirectory: '/base/secrets',
      gateway: {
        ...{ host: '127.0.0.1', http: 8080, https: 8443, defaultFunction: undefined },
        limits: {
          connections: 10_000,
          helloBytes: 16_384,
          helloSeconds: 5,
          holdSeconds: 2,
          orphanSeconds: 30,
          wakeSeconds: 30,
          memoryBytes: 134_217_728,
        },
      },
      admin: { host: '127.0.0.1', port: undefined },
      queue: QUEUE,
      carrier: 'fd',
      duplicate: false,
      warmPool: 0,
      provider: { name: undefined, gateway: undefined },
      connection: {
        timers: { headers: 10, requestBody: 30, keepAlive: 30, handler: 60, container: 5 },
        minimumRate: { bytesPerSecond: 240, graceSeconds: 30 },
        hibernateSeconds: 3600,
        verdictSeconds: 60,
        memoryBytes: 134_217_728,
        http2: true,
        quietSeconds: 0.05,
        streams: 128,
        requests: 100,
        headBytes: 16_384,
        headerFields: 100,
        bodyBytes: 10_485_760,
      },
      functions: new Map([
        [
          'echo',
          {
            name: 'echo',
            handler: 'echo',
            hosts: ['echo.local', 'echo.localhost'],
            namesHosts: false,
            certificate: 'echo',
            replicas: { start: 1, min: 1, max: 64 },
            environment: {},
            ...{
              environment_file: [],
              secrets: [],
              labels: {},
              accessLog: 'off',
              annotations: {},
              filed: {},
              limits: {},
              requests: {},
            },
            isolation: 'process',
            async: ASYNC,
            carrier: undefined,
            duplicate: undefined,
            idle: 0,
            retries: 'idempotent',
            keys: 'container',
          },
        ],
      ]),
    })
    expect(parse(MINIMUM).warnings).toEqual([])
  })

  it('reads everything there is to say of a function', () => {
    const { functions } = parsed(`functions:
  pictures:
    handler: ./mine/pictures.mjs
    hosts: [Pictures.example., "*.pictures.example", pictures.example]
    certificate: shared
    replicas: 3
    environment: { SIZE: 5, WORD: hi, ON: true }
    carrier: relay
    retries: any
`)
    const port: number = parsed(MINIMUM).gateway.http
    expect(port).toBe(8080)
    expect(functions.get('pictures')).toEqual({
      name: 'pictures',
      handler: '/base/mine/pictures.mjs',
      hosts: ['pictures.example', '*.pictures.example'],
      namesHosts: true,
      certificate: 'shared',
      replicas: { start: 3, min: 1, max: 64 },
      environment: { SIZE: '5', WORD: 'hi', ON: 'true' },
      ...{
        environment_file: [],
        secrets: [],
        labels: {},
        accessLog: 'off',
        annotations: {},
        filed: {},
        limits: {},
        requests: {},
      },
      isolation: 'process',
      async: ASYNC,
      carrier: 'relay',
      idle: 0,
      retries: 'any',
      keys: 'container',
    })
  })

  it('keeps duplicates where it is told to, of sockets that are given away', () => {
    const read = (text: string, variables = {}) => {
      const config = parsed(text, variables)
      return [...config.functions.values()].map(one => carrierOf(one, config))
    }
    const some = 'functions: { a: , b: { duplicate: true }, c: { duplicate: false } }'
    expect(read(some)).toEqual(['fd', 'duplicate', 'fd'])
    const all = 'duplicate: true\nfunctions: { a: , b: { carrier: relay }, c: { duplicate: false } }'
    expect(read(all)).toEqual(['duplicate', 'relay', 'fd'])
    expect(read(all, { HOTPOTATO_DUPLICATE: 'false' })).toEqual(['fd', 'relay', 'fd'])
    expect(read(all, { HOTPOTATO_CARRIER: 'relay' })).toEqual(['relay', 'relay', 'relay'])
    expect(read(MINIMUM, { HOTPOTATO_DUPLICATE: 'true' })).toEqual(['duplicate'])
  })

  it('takes a number of replicas to begin with, or their bounds', () => {
    const read = (replicas: string) =>
      parsed(`functions: { echo: { replicas: ${replicas} } }`).functions.get('echo')!.replicas
    expect(read('2')).toEqual({ start: 2, min: 1, max: 64 })
    expect(read('{ min: 2, max: 5 }')).toEqual({ start: 2, min: 2, max: 5 })
    expect(read('{ max: 3 }')).toEqual({ start: 1, min: 1, max: 3 })
  })

  it('takes port 0 for both, version 1.0, and durations in three spellings', () => {
    const { gateway, connection } = parsed(
      'version: 1.0\n' +
        'gateway: { http: 0, https: 0, limits: { helloSeconds: 1m30s, holdSeconds: 0.5 } }\n' +
        `connection: { idleSeconds: 250ms }\n${MINIMUM}`,
    )
    expect([gateway.http, gateway.https, gateway.limits.helloSeconds]).toEqual([0, 0, 90])
    expect([gateway.limits.holdSeconds, connection.timers.keepAlive]).toEqual([0.5, 0.25])
  })

  it('warns of unknown keys and goes on', () => {
    const { config, warnings } = parse(
      'providers: { name: openfaas }\ngateway: { prot: 1, limits: { speed: 2 } }\n' +
        'functions: { echo: { long: node } }\n__proto__: { a: 1 }\n',
    )
    expect(config.functions.has('echo')).toBe(true)
    expect(warnings).toEqual([
      'hotpotato.yml:1:1: providers is unknown and ignored; did you mean provider?',
      'hotpotato.yml:4:1: __proto__ is unknown and ignored',
      'hotpotato.yml:2:12: gateway.prot is unknown and ignored',
      'hotpotato.yml:2:31: gateway.limits.speed is unknown and ignored',
      'hotpotato.yml:3:22: functions.echo.long is unknown and ignored; did you mean lang?',
    ])
  })

  it('lets environment variables go first, and ignores empty ones', () => {
    const variables = {
      ...{
        HOTPOTATO_HTTP_PORT: '0',
        HOTPOTATO_HTTPS_PORT: '9443',
        HOTPOTATO_RUN_DIR: '/tmp/x',
        HOTPOTATO_HOST: '',
      },
      ...{ HOTPOTATO_DEFAULT_FUNCTION: 'echo', HOTPOTATO_CERTS_DIR: 'c' },
    }
    const config = parsed(`gateway: { http: 1, https: 2 }\n${MINIMUM}`, variables)
    expect(config).toMatchObject({
      ...{ runDirectory: '/tmp/x', certificates: '/base/c' },
      gateway: { host: '127.0.0.1', http: 0, https: 9443, defaultFunction: 'echo' },
    })
    expect(() => parsed(MINIMUM, { HOTPOTATO_HTTP_PORT: 'web' })).toThrow(
      'HOTPOTATO_HTTP_PORT must be a whole number from 0 to 65535, not "web"',
    )
    expect(() => parsed(MINIMUM, { HOTPOTATO_DUPLICATE: 'yes' })).toThrow(
      'HOTPOTATO_DUPLICATE must be true or false, not "yes"',
    )
  })

  it.each([
    ['gateway: { http: 65536 }', 'gateway.http must be a whole number from 0 to 65535, not 65536'],
    ['gateway: { http: "8080" }', 'gateway.http must be a whole number from 0 to 65535, not "8080"'],
    ['gateway: { http: [1] }', 'gateway.http must be a whole number from 0 to 65535, not a list'],
    ['gateway: { http: 5, https: 5 }', 'gateway.http and gateway.https must be different ports'],
    ['tls: { groups: x25519 }', 'tls.groups must be a list of names of groups'],
    ['tls: { groups: [] }', 'tls.groups must be a list of names of groups'],
    [
      'tls: { tickets: { rotationSeconds: 1m } }',
      'tls.tickets.lifetimeSeconds must be at most 100 times tls.tickets.rotationSeconds',
    ],
    ['tls: { tickets: { count: 17 } }', 'tls.tickets.count must be a whole number from 0 to 16, not 17'],
    [
      'tls: { tickets: { lifetimeSeconds: 8d } }',
      'tls.tickets.lifetimeSeconds must be a duration from 1 to 604800',
    ],
    ['gateway: 5', 'gateway must be a map of keys and values, not 5'],
    ['gateway: { host: "a b" }', 'gateway.host must be an address or a host name to listen on, not "a b"'],
    [
      'gateway: { defaultFunction: other }',
      'hotpotato.yml:1:29: gateway.defaultFunction must be one of the functions (echo), not "other"',
    ],
    [
      'gateway: { limits: { helloSeconds: soon } }',
      'gateway.limits.helloSeconds must be a duration from 0.1 to 300 seconds',
    ],
    ['gateway: { limits: { helloSeconds: .nan } }', 'gateway.limits.helloSeconds must be a duration'],
    ['gateway: { limits: { helloSeconds: 10m } }', 'not "10m"'],
    ['connection: { http2: yes }', 'connection.http2 must be true or false, not "yes"'],
    ['duplicate: 1', 'duplicate must be true or false, not 1'],
    ['connection: { requests: 0 }', 'connection.requests must be a whole number from 1'],
    ['connection: { requests: 1.5 }', 'connection.requests must be a whole number from 1'],
    ['trust: { functions: [echo] }', 'trust must be a list of groups of functions, not a map'],
    ['trust: [echo]', 'trust.0 must be a map of keys and values, not "echo"'],
    ['trust: [{ warm: true }]', 'trust.0.functions must be a list of functions, as [echo, resize]'],
    ['trust: [{ functions: [echo] }, { functions: [eco] }]', 'trust.1.functions must have names of'],
    ['trust: [{ functions: [echo], warm: 1 }]', 'trust.0.warm must be true or false, not 1'],
    ['version: 2', 'version must be 1, not 2'],
    ['version: "1.1"', 'version must be 1, not "1.1"'],
    ['runDirectory: 5', 'runDirectory must be the path of a directory, not 5'],
    ['- a', 'not YAML'],
    ['version: 1\nversion: 1', /^hotpotato\.yml:2:1: not YAML: /],
    [
      'log:\n  files: *.echo.local',
      /^hotpotato\.yml:2:10: not YAML: text that begins with \* .*; quote it: "\*\.echo\.local"$/,
    ],
  ])('says what is wrong with %j', (text, message) => {
    expect(() => parse(`${text}\n${MINIMUM}`)).toThrow(ConfigError)
    expect(() => parse(`${text}\n${MINIMUM}`)).toThrow(message)
  })

  it.each([
    ['functions: {}', 'functions must have at least one function'],
    ['', 'functions must have at least one function'],
    ['functoins: { echo: {} }', /^hotpotato.yml:1:1: there is no key functoins; did you mean functions\?$/],
    ['\nfunction: { echo: {} }', /^hotpotato.yml:2:1: there is no key function; did you mean functions\?$/],
    ['just text', 'the configuration must be a map of keys and values, not "just text"'],
    [
      'functions: { Echo: {} }',
      'functions must have names of 1 to 63 of a-z, 0-9 and -, with no - at either end, not "Echo"',
    ],
    ['functions: { __proto__: {} }', 'not "__proto__"'],
    ['functions: { echo: 5 }', 'functions.echo must be a map of keys and values, not 5'],
    [
      'functions:\n  greet:\n  handler: ./greet.mjs',
      'functions.handler must be a map of keys and values, not "./greet.mjs": if handler is meant as a key ' +
        "of a function, indent it below that function's name",
    ],
    ['functions: { echo: { hosts: echo.local } }', 'functions.echo.hosts must be a list of host names'],
    ['functions: { echo: { hosts: [127.0.0.1] } }', 'functions.echo.hosts must be host names'],
    [
      'functions: { echo: { hosts: [a.local] }, b: { hosts: [A.local] } }',
      'functions.b.hosts: a.local belongs to echo already',
    ],
    [
      'functions: { echo: { replicas: 0 } }',
      'functions.echo.replicas must be a whole number from 1 to 64, not 0',
    ],
    [
      'functions: { echo: { replicas: { min: 3, max: 2 } } }',
      'functions.echo.replicas.min must be at most max (2), not 3',
    ],
    [
      'functions: { echo: { replicas: many } }',
      'functions.echo.replicas must be a whole number from 1 to 64',
    ],
    ['restart: { crashLoop: 1 }\nfunctions: { echo: {} }', 'restart.crashLoop must be a whole number from 2'],
    [
      'functions: { echo: { handler: Echo } }',
      'functions.echo.handler must be the name of a shipped function or the path',
    ],
    [
      'functions: { echo: { certificate: ../x } }',
      'functions.echo.certificate must be the name of a certificate',
    ],
    ['functions: { echo: { duplicate: "true" } }', 'functions.echo.duplicate must be true or false'],
    [
      'functions: { echo: { carrier: relay, duplicate: true } }',
      'functions.echo.duplicate is for carrier: fd; a relayed connection needs none',
    ],
    [
      'carrier: relay\nfunctions: { echo: { duplicate: true } }',
      'functions.echo.duplicate is for carrier: fd; a relayed connection needs none',
    ],
    ['functions: { files: }', 'functions.files.files must be the path of the directory that it shows'],
    ['functions: { echo: { handler: files } }', 'functions.echo.files must be the path of the directory'],
    [
      'functions: { docs: { files: /, handler: ./docs.mjs } }',
      'functions.docs.files: handler: files shows a directory, and this function has another',
    ],
    [
      'functions: { docs: { files: ./no/such } }',
      'functions.docs.files must be the path of a directory that exists, not "/base/no/such"',
    ],
    [
      'functions: { docs: { files: { html: true } } }',
      'functions.docs.files must be the path of a directory',
    ],
    ['functions: { echo: { environment: { A: [1] } } }', 'functions.echo.environment.A must be a text'],
  ])('says what is wrong with %j', (text, message) => {
    expect(() => parse(text)).toThrow(ConfigError)
    expect(() => parse(text)).toThrow(message)
  })
})

describe('loadConfig', () => {
  it('reads the file that is shipped, without a warning', () => {
    const file = resolve(import.meta.dirname, '../../hotpotato.yml')
    const { config, warnings } = loadConfig(file)
    expect(warnings).toEqual([])
    expect([...config.functions.keys()]).toEqual(['echo', 'resize', 'hello', 'echo-raw'])
    expect(config.functions.get('echo')?.hosts).toEqual([
      ...['echo.local', '*.echo.local'],
      ...['echo.localhost', '*.echo.localhost'],
    ])
    for (const name of ['resize', 'hello', 'echo-raw'])
      expect(config.functions.get(name)?.hosts).toEqual([`${name}.local`, `${name}.localhost`])
    expect(config.gateway.defaultFunction).toBe('echo')
    // What the file says beside each key is the default.
    const defaults = parseConfig('functions: { echo: }', resolve(file, '..')).config
    expect({ ...config.gateway, defaultFunction: undefined }).toEqual(defaults.gateway)
    expect(config.connection).toEqual(defaults.connection)
  })

  it('names the file in its errors', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-config-'))
    try {
      const file = join(directory, 'x.yml')
      expect(() => loadConfig(file)).toThrow(`${file} cannot be read (ENOENT)`)
      writeFileSync(file, 'version: 7')
      expect(() => loadConfig(file)).toThrow(`${file}:1:10: version must be 1, not 7`)
      writeFileSync(file, MINIMUM)
      expect(loadConfig(file).config.runDirectory).toBe(join(directory, 'run'))
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('parseDuration', () => {
  it.each([
    ['30s', 30],
    ['1m30s', 90],
    ['1h', 3600],
    ['500ms', 0.5],
    ['1.5s', 1.5],
  ])('reads %s', (text, expected) => {
    expect(parseDuration(text)).toBeCloseTo(expected, 9)
  })

  it.each(['', '30', 's', '-1s', '1 s', '1d', '1s!', '1e3s', '.5s'])('refuses %j', text => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

describe('the directory that the function `files` shows', () => {
  it.each([
    ['{ files: . }', { directory: process.cwd(), html: false }],
    [
      '{ files: { directory: src/functions, html: true } }',
      { directory: resolve('src/functions'), html: true },
    ],
  ])('%s', (text, shown) => {
    const { config } = parseConfig(`functions: { docs: ${text} }`, process.cwd())
    expect(config.functions.get('docs')).toMatchObject({ handler: 'files', files: shown })
  })
})

describe('loadRunDirectory', () => {
  it.each([
    ['runDirectory: here\nfunctions: 5', '/here'],
    ['runDirectory: here\nfunctions: {', '/here'],
    ['functions: [', '/run'],
    ['runDirectory: 5', undefined],
  ])('finds it where the rest makes no sense: %j', (text, expected) => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-config-'))
    try {
      writeFileSync(join(directory, 'x.yml'), text)
      const found = loadRunDirectory(join(directory, 'x.yml'), {})
      expect(found).toBe(expected && directory + expected)
      expect(loadRunDirectory(join(directory, 'x.yml'), { HOTPOTATO_RUN_DIR: '/tmp/y' })).toBe('/tmp/y')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
