import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { rolldown } from 'rolldown'
import { describe, expect, it } from 'vitest'

/*
 * Imports go one way: wire, time <- tls13, http <- trace, web, transport <- transfer <- client, platform <-
 * functions, stack <- containers, gateway, keys, hosts, supervisor <- acme, cli. Those five are processes,
 * and siblings: none knows another.
 * What is more than that is written down here by name, so that a new exception is a change to this file.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const CORE = [
  'wire',
  'time',
  'tls13',
  'http',
  'web',
  'transport',
  'transfer',
  'platform',
  'certificates',
  'functions',
  'queue',
]

/** What neither gateway nor supervisor knows. */
const FOR_CONTAINERS: ReadonlySet<string> = new Set(['certificates', 'functions', 'queue', 'web'])

/** Each layer, and all that stand to its left. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  time: [],
  tls13: ['wire', 'time'],
  http: ['wire'],
  trace: ['wire', 'tls13'],
  web: ['wire', 'http'],
  transport: ['wire', 'time', 'tls13', 'http'],
  transfer: ['wire', 'time', 'tls13', 'http', 'transport'],
  client: ['wire', 'time', 'tls13', 'http', 'web', 'transport', 'transfer'],
  platform: ['wire', 'time', 'tls13', 'http', 'transfer'],
  certificates: ['wire', 'platform'],
  sealed: ['wire', 'tls13', 'platform'],
  functions: ['wire', 'time', 'http', 'web', 'platform', 'sealed'],
  stack: ['wire', 'http', 'transfer', 'platform'],
  queue: ['wire', 'time', 'http', 'transport', 'client', 'platform', 'functions'],
  containers: [...CORE, 'sealed', 'client'],
  gateway: CORE.filter(layer => !FOR_CONTAINERS.has(layer)),
  keys: ['wire', 'time', 'tls13', 'transfer', 'platform', 'certificates'],
  supervisor: [...CORE.filter(layer => !FOR_CONTAINERS.has(layer)), 'stack'],
  acme: ['wire', 'time', 'tls13', 'transport', 'client', 'platform', 'certificates'],
  hosts: ['wire', 'time', 'tls13', 'transport', 'transfer', 'client', 'platform', 'certificates'],
  netd: ['wire', 'transfer', 'platform'],
  // What it knows of the supervisor is what it is told by it.
  page: ['wire', 'time', 'tls13', 'trace', 'supervisor'],
  cli: [...CORE, 'client', 'sealed', 'acme', 'stack', 'supervisor', 'trace', 'netd'],
}

/** The gateway holds no key: of TLS it knows how to read a ClientHello and how to refuse one. */
const GATEWAY_MAY_SEE = ['alert', 'codepoints', 'extensions', 'messages', 'reasons', 'record'].map(
  name => `src/tls13/${name}.ts`,
)

/**
 * What a process never loads, however long the chain of imports: [where the chains begin, what they never
 * reach].
 */
const NEVER_LOADED: readonly (readonly [RegExp, RegExp])[] = [
  [/^src\/(gateway|stack|supervisor)\//, /^src\/tls13\/(session|client|server|record-layer|protection)\.ts$/],
  [/^src\/(gateway|stack|supervisor)\//, /^src\/(containers|functions)\//],
  [/^src\/(wire|tls13|http)\/(?!io\/|crypto\/)/, /^src\/(transport|transfer|platform)\//],
  [/^src\/transfer\//, /^src\/tls13\/session\.ts$/],
  // What holds the keys is small: of TLS it knows how to sign, and nothing of what its clients are.
  [/^src\/keys\//, /^src\/tls13\/(state|session|client|server|record-layer|protection)\.ts$/],
  [/^src\/keys\//, /^src\/(http|transport|functions|containers|gateway|supervisor|cli)\//],
  [/^src\/keys\//, /^src\/transfer\/(courier|envelope|parcel|loans)/],
]

/** Who may import a package. Only what is a back end, or reaches beyond JavaScript, is listed. */
const OWNERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /^koffi$/,
    [
      ...['become', 'capabilities', 'deaf-program', 'epoll', 'inherited', 'libc', 'nftables', 'sockets'].map(
        name => `src/transfer/native/${name}.ts`,
      ),
      'src/tls13/crypto/evp/bindings.ts',
    ],
  ],
  [/^@noble\//, ['noble', 'rsa', 'hybrid'].map(name => `src/tls13/crypto/${name}.ts`)],
  [/^@peculiar\//, ['src/certificates/authority.ts', 'src/tls13/crypto/keys.ts']],
  [/^sharp$/, ['src/functions/shipped/resize.ts']],
  [/^age-encryption$/, ['src/sealed/age.ts']],
  [/^node:tls$/, ['src/tls13/io/trust-store.ts', 'src/transport/kinds/node-tls.ts']],
]

/** In the cores: what joins them to sockets, and the two providers that are made of Node. */
const MAY_KNOW_NODE = /^src\/tls13\/(io\/|crypto\/(node\.ts|evp\.ts|evp\/))/

/** Files that are one thing in two places, and may know each other's types. */
const TRUE_PAIRS: readonly (readonly [string, string])[] = []

/** One file asks the machine for the time and for timers; the processes are given it. */
const CLOCK = 'src/time/system-clock.ts'
/** The same where there is no Node. */
const WEB_CLOCK = 'src/time/web-clock.ts'
const TIMED = /^src\/(platform|stack|containers|gateway|keys|supervisor)\//
const ASKS_FOR_TIME =
  /\b(Date\.now|performance\b|hrtime|setTimeout|setInterval|new Date\(\)|timers\/promises)/
/** It makes timers of Node's, not the method of a socket that is called so. */
const MAKES_TIMERS = /(?<![.\w] *)(setTimeout|setInterval)\((?!milliseconds: )|timers\/promises/
/** What is not given a clock takes that of the machine: doors for programs that have none. */
const TAKE_THE_CLOCK = [
  'src/acme/provision.ts',
  'src/client/client.ts',
  'src/functions/adapters/node-socket.ts',
  'src/tls13/io/duplex.ts',
  'src/transfer/channels/framed.ts',
  'src/transfer/courier.ts',
  'src/transfer/stream-trial.ts',
  'src/transport/network.ts',
  'src/transport/serve.ts',
  'src/transport/services.ts',
]
/** Where a process begins, and the clock of the machine is handed down. */
const MAINS = [
  'src/cli/up/up.ts',
  'src/containers/process/warm.ts',
  'src/containers/process/worker.ts',
  'src/hosts/main.ts',
  'src/containers/sealed/main.ts',
  'src/gateway/main.ts',
  'src/keys/main.ts',
]

interface Import {
  /** The file that imports, relative to the repository. */
  readonly from: string
  /** A file relative to the repository, or the name of a package or of a module of Node. */
  readonly to: string
  /** What stands between `import` and `from`. */
  readonly clause: string
}

/** What a module says after `from`, `import`, `import(` or `require(`. */
const STATIC = [
  /(?:^|\n)\s*(?:import|export)\s+([^'"`;()]*?)\s*from\s*['"]([^'"]+)['"]/g,
  /(?:^|\n)\s*import\s*()['"]([^'"]+)['"]/g,
]
const DYNAMIC = /(?:\b(?:import|require)|createRequire\([^)]*\))\(\s*['"]([^'"]+)['"]\s*\)/g

const sources = files('src')
const imports = sources.flatMap(importsOf)
const layerOf = (file: string): string => file.split('/')[1]!
const inSource = ({ to }: Import): boolean => to.startsWith('src/')
const show = ({ from, to }: Import): string => `${from} -> ${to}`

describe('imports', () => {
  it('are found at all', () => {
    expect(sources.length).toBeGreaterThan(60)
    expect(imports.length).toBeGreaterThan(200)
    for (const expected of [
      'src/tls13/session.ts -> src/tls13/handshake.ts',
      'src/tls13/session.ts -> src/wire/index.ts',
      'src/tls13/crypto/node.ts -> node:crypto',
      'src/transfer/native/libc.ts -> koffi',
    ]) {
      expect(imports.map(show)).toContain(expected)
    }
  })

  it('go from right to left', () => {
    const wrong = imports.filter(inSource).filter(({ from, to }) => {
      const [here, there] = [layerOf(from), layerOf(to)]
      return here !== there && !LAYERS[here]?.includes(there)
    })
    expect(wrong.map(show)).toEqual([])
  })

  it('are of layers that have a place', () => {
    const layers = new Set(sources.map(layerOf))
    expect([...layers].filter(layer => LAYERS[layer] === undefined)).toEqual([])
  })

  it('stay in src', () => {
    const leaving = imports.filter(({ to }) => to.endsWith('.ts') && !to.startsWith('src/'))
    expect(leaving.map(show)).toEqual([])
  })

  it('of the gateway into TLS are those of a reader of ClientHellos', () => {
    const wrong = imports
      .filter(({ from, to }) => layerOf(from) === 'gateway' && to.startsWith('src/tls13/'))
      .filter(({ to }) => !GATEWAY_MAY_SEE.includes(to))
    expect(wrong.map(show)).toEqual([])
  })

  it('make no circle among files, those of types neither, but for true pairs', () => {
    expect(circles(imports.filter(inSource).filter(({ clause }) => !clause.startsWith('type ')))).toEqual([])
    const pairs = new Set(TRUE_PAIRS.map(pair => pair.join(' ')))
    const apart = ({ from, to }: Import): boolean => !pairs.has([from, to].sort().join(' '))
    expect(circles(imports.filter(inSource).filter(apart))).toEqual([])
    const both = (one: string, other: string) => imports.some(({ from, to }) => from === one && to === other)
    const idle = TRUE_PAIRS.filter(([one, other]) => !both(one, other) || !both(other, one))
    expect(idle).toEqual([])
  })

  it.each(NEVER_LOADED)('%s never leads to %s, over however many files', (from, never) => {
    const loaded = imports.filter(inSource).filter(({ clause }) => !clause.startsWith('type '))
    const starts = sources.filter(file => from.test(file))
    expect(starts.length).toBeGreaterThan(0)
    expect(starts.flatMap(start => chains(start, loaded).filter(chain => never.test(chain.at(-1)!)))).toEqual(
      [],
    )
  })

  it('of test/support are of no test: it stands on none', () => {
    const wrong = files('test/support')
      .flatMap(importsOf)
      .filter(({ to }) => to.startsWith('test/') && !to.startsWith('test/support/'))
    expect(wrong.map(show)).toEqual([])
  })

  it('of tests are of test/support, or of their own folder', () => {
    const wrong = files('test')
      .filter(file => !file.startsWith('test/support/'))
      .flatMap(importsOf)
      .filter(({ to }) => to.startsWith('test/') && !to.startsWith('test/support/'))
      .filter(({ from, to }) => !to.startsWith(`${from.split('/').slice(0, 2).join('/')}/`))
    expect(wrong.map(show)).toEqual([])
  })
})

describe('packages and modules of Node', () => {
  it('the cores of wire, tls13 and http know none of Node', () => {
    const core = imports.filter(({ from }) => /^src\/(wire|tls13|http)\//.test(from))
    const wrong = core
      .filter(({ from }) => !MAY_KNOW_NODE.test(from))
      .filter(({ to }) => to.startsWith('node:'))
    expect(wrong.map(show)).toEqual([])
  })

  it('the cores touch no global of Node either', () => {
    const wrong = sources
      .filter(file => /^src\/(wire|tls13|http)\//.test(file))
      .filter(file => !MAY_KNOW_NODE.test(file))
      .filter(file => /\b(Buffer|process|setImmediate|require|__dirname)\b[.(]/.test(code(file)))
    expect(wrong).toEqual([])
  })

  it.each(OWNERS)('%s is imported by its owner alone', (name, owners) => {
    const importers = imports.filter(({ to }) => name.test(to)).map(({ from }) => from)
    expect(importers.length).toBeGreaterThan(0)
    expect(importers.filter(file => !owners.includes(file))).toEqual([])
  })

  it('node:crypto is a back end; elsewhere for random numbers, hashes and reading certificates', () => {
    const users = imports.filter(({ to }) => to === 'node:crypto')
    const inCore = users.filter(({ from }) => /^src\/tls13\/(?!io\/)/.test(from))
    expect(inCore.map(({ from }) => from)).toEqual(['src/tls13/crypto/node.ts'])
    const elsewhere = users.filter(({ from }) => !/^src\/(tls13|certificates)\//.test(from))
    for (const { from, clause } of elsewhere) {
      const names = clause.replace(/[{}\s]/g, '').split(',')
      const others = names.filter(name => !/^(random.*|createHash|createHmac|X509Certificate)$/.test(name))
      expect([from, others]).toEqual([from, []])
    }
  })

  it('a provider is imported by name only where a process is put together', () => {
    const users = imports.filter(({ to }) => /^src\/tls13\/crypto\/(node|noble|evp)\.ts$/.test(to))
    const outside = users.filter(
      ({ from }) => !/^src\/(platform|containers|cli|tls13\/io|tls13\/crypto)\//.test(from),
    )
    expect(outside.map(show)).toEqual([])
  })
})

describe('files', () => {
  it('have no line of more than 110 columns, but for tables of Markdown', () => {
    const endings = ['.ts', '.js', '.mjs', '.md', '.c', '.java', '.py']
    const texts = ['bin', 'src', 'bench', 'test', 'docs', 'certs'].flatMap(folder =>
      endings.flatMap(ending => files(folder, ending)),
    )
    const pages = readdirSync(ROOT).filter(name => /\.(md|ts|yml)$/.test(name))
    const long = [...texts, ...pages].flatMap(file =>
      readFileSync(join(ROOT, file), 'utf8')
        .split('\n')
        .flatMap((line, i) => (line.length > 110 && !line.startsWith('|') ? [`${file}:${i + 1}`] : [])),
    )
    expect(long).toEqual([])
  })

  it('share a room with at most 25 others, but for the flows of TLS', () => {
    const rooms = new Map<string, number>()
    for (const file of sources) rooms.set(dirname(file), (rooms.get(dirname(file)) ?? 0) + 1)
    rooms.delete('src/tls13')
    expect([...rooms].filter(([, files]) => files > 26)).toEqual([])
  })

  it('have at most 450 lines', () => {
    const long = sources
      .map(file => [file, readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length] as const)
      .filter(([, lines]) => lines > 450)
    expect(long).toEqual([])
  })

  it('of tests have at most 600 lines', () => {
    const long = files('test').filter(
      file => readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n').length > 600,
    )
    expect(long).toEqual([])
  })

  it('of tests find what is built where it is', () => {
    const named = files('test').flatMap(file => {
      const text = readFileSync(join(ROOT, file), 'utf8')
      const whole = [...text.matchAll(/\bdist\/((?:src|bench|docs)\/[\w/-]+)\.js\b/g)].map(([, one]) => one!)
      const inSrc = [...text.matchAll(/\bdist\('([\w/-]+)\.js'\)/g)].map(([, one]) => `src/${one}`)
      return [...whole, ...inSrc].map(one => [file, `${one}.ts`] as const)
    })
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(([, built]) => !existsSync(join(ROOT, built)))).toEqual([])
  })

  it('of the cores ask neither for the time nor for chance but as defaults', () => {
    const wrong = sources
      .filter(file => /^src\/(wire|tls13|http)\//.test(file) && !file.startsWith('src/tls13/io/'))
      .filter(file =>
        /\b(Date\.now\(|Math\.random|performance\.|setTimeout|setInterval|new Date\(\))/.test(code(file)),
      )
    expect(wrong).toEqual([])
  })

  it('of the processes are given the time, but for the one that asks the machine for it', () => {
    const asking = sources.filter(file => TIMED.test(file)).filter(file => ASKS_FOR_TIME.test(code(file)))
    expect(asking).toEqual([])
    const handing = imports.filter(({ to }) => to === CLOCK).map(({ from }) => from)
    const others = handing.filter(file => !file.startsWith('src/cli/') && !MAINS.includes(file))
    expect(others.sort()).toEqual(TAKE_THE_CLOCK)
    expect(MAINS.filter(file => !handing.includes(file))).toEqual([])
  })

  it('make no timers of Node but in the wheel of the process', () => {
    const making = sources.filter(file => MAKES_TIMERS.test(code(file)))
    expect(making).toEqual([CLOCK, WEB_CLOCK])
  })
})

describe('without Node', () => {
  it.each(['src/transport/web.ts', 'src/tls13/index.ts', 'src/wire/index.ts'])('%s reaches none', door => {
    const loaded = imports.filter(({ clause }) => !clause.startsWith('type '))
    const reached = chains(door, loaded)
    expect(reached.length).toBeGreaterThan(5)
    expect(reached.filter(chain => chain.at(-1)!.startsWith('node:'))).toEqual([])
  })

  it('the public face and the noble provider complete a handshake where nothing of Node is', async () => {
    const bundle = await rolldown({
      input: join(ROOT, 'test/support/bare-handshake.ts'),
      platform: 'browser',
      logLevel: 'silent',
    })
    const { output } = await bundle.generate({ format: 'iife', name: 'lab' })
    await bundle.close()
    const [chunk] = output
    expect(output.length).toBe(1)
    expect([chunk.imports, chunk.dynamicImports]).toEqual([[], []])
    expect(chunk.moduleIds.some(id => id.endsWith('src/tls13/session.ts'))).toBe(true)
    expect(chunk.moduleIds.some(id => id.endsWith('src/tls13/crypto/node.ts'))).toBe(false)
    const context = createContext({ TextEncoder, TextDecoder, crypto: globalThis.crypto })
    expect(runInContext('typeof process + typeof require + typeof Buffer', context)).toBe(
      'undefined'.repeat(3),
    )
    const result = runInContext(`${chunk.code}\nJSON.stringify(lab.bareHandshake())`, context)
    const { heard, exported } = JSON.parse(result)
    expect(heard).toBe('c0ffee')
    expect(exported[0]).toMatch(/^[0-9a-f]{32}$/)
    expect(exported[1]).toBe(exported[0])
  })
})

/** All TypeScript files under a folder, relative to the repository. */
function files(folder: string, ending = '.ts'): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith(ending))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort()
}

/** A file without its comments. */
function code(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|\s)\/\/.*$/gm, '')
}

function importsOf(from: string): Import[] {
  const text = code(from)
  const found: Import[] = []
  for (const [, clause, name] of STATIC.flatMap(one => [...text.matchAll(one)])) {
    found.push({ from, to: target(from, name!), clause: clause! })
  }
  for (const [, name] of text.matchAll(DYNAMIC)) found.push({ from, to: target(from, name!), clause: '' })
  return found
}

function target(from: string, name: string): string {
  return name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(from), name)) : name
}

/** For each file that is loaded with `start`, a shortest way to it. */
function chains(start: string, edges: readonly Import[]): string[][] {
  const ways = new Map([[start, [start]]])
  for (const [file, way] of ways) {
    for (const { from, to } of edges) if (from === file && !ways.has(to)) ways.set(to, [...way, to])
  }
  return [...ways.values()]
}

/** Circles among the files, each as the path that comes back to its start. */
function circles(edges: readonly Import[]): string[] {
  const next = new Map<string, string[]>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const found: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) found.push([...path.slice(at), file].join(' -> '))
    if (at >= 0 || done.has(file)) return
    for (const to of next.get(file) ?? []) visit(to, [...path, file])
    done.add(file)
  }
  for (const file of next.keys()) visit(file, [])
  return found
}
