// Joins the modules of dist/src. A container needs 270 of them, and Node takes longer to find, read and link
// so many than to run them. What the same programs need becomes one file in dist/src/joined; the file of each
// module stays, as a door to its place there. So a module is there once, by whatever path it is imported.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SOURCES = join(ROOT, 'src')
const TARGET = join(ROOT, 'dist', 'src')
const JOINED = 'joined'
const STAMP = join(ROOT, 'dist', '.bundled')

/** Programs that start as they are imported, by what they are called below: none may lie in a joined file. */
const PROGRAMS = {
  cli: ['cli/main'],
  gateway: ['gateway/main'],
  signer: ['keys/main'],
  container: ['containers/process/worker', 'containers/process/warm'],
  sealed: ['containers/sealed/main'],
  lock: ['containers/sealed/lock'],
  renewer: ['cli/cert/renewer'],
  stress: ['cli/stress/worker'],
}

/** Commands that run the platform in their own process; and those that only ask it, and are quick. */
const SUPERVISOR = ['cli/up/up', 'cli/local-run/local-run']
const ORDERS = /^cli\/(platform|logs|invoke|queue|completion)\//
/** What a command is called and takes, which the help of all of them reads. */
const HELP = /^cli\/commands\//
const SHIPPED = /^functions\/shipped\//

/** Doors for programs without Node: no module that imports one of Node's may lie in a file with theirs. */
const WEB = new Set(['tls13/crypto/noble', 'tls13/index', 'transport/web', 'wire/index'])

/** These tell apart what is joined; what none of them needs lies with the one module that asks for it. */
const USERS = [...Object.keys(PROGRAMS), 'supervisor', 'orders', 'help', 'functions', 'library', 'web']

/** Packages that are joined, too, with those that they need: many small files, which each process loads. */
const PACKAGES = new Set([
  ...['@noble/ciphers', '@noble/curves', '@noble/hashes', '@noble/post-quantum'],
  ...['pino', 'yaml', '@pinojs/redact', 'atomic-sleep', 'on-exit-leak-free', 'pino-std-serializers'],
  ...['quick-format-unescaped', 'real-require', 'safe-stable-stringify', 'sonic-boom', 'thread-stream'],
])

/** `@noble/ciphers` of `@noble/ciphers/aes.js`. */
const packageOf = path => path.split('/', path.startsWith('@') ? 2 : 1).join('/')

/** `cli/main` of the path of its source; undefined for what is not ours. */
function moduleOf(id) {
  const path = relative(SOURCES, id)
  return path.startsWith('..') || !path.endsWith('.ts') ? undefined : path.slice(0, -3).split(sep).join('/')
}

function sources() {
  return readdirSync(SOURCES, { recursive: true })
    .map(name => moduleOf(join(SOURCES, name)))
    .filter(name => name !== undefined && !name.endsWith('.d') && !name.startsWith('page/'))
    .sort()
}

/** Who begins where: users by module. */
function beginnings(modules) {
  const users = new Map()
  for (const [user, entries] of Object.entries({ ...PROGRAMS, supervisor: SUPERVISOR }))
    for (const entry of entries) users.set(entry, user)
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const file of Object.values(exports)) {
    const module = file.replace('./dist/src/', '').replace(/\.js$/, '')
    const program = module.startsWith('functions/') ? 'functions' : 'library'
    users.set(module, WEB.has(module) ? 'web' : program)
  }
  for (const module of modules) if (SHIPPED.test(module)) users.set(module, module.replaceAll('/', '-'))
  return users
}

/** Who begins with a module that is only imported when it is needed. */
function lazyUser(module) {
  if (HELP.test(module)) return 'help'
  return ORDERS.test(module) ? 'orders' : module.replaceAll('/', '-')
}

/** Who needs which module at once. @returns a function from the id of a module to the name of its place */
function places(modules) {
  const users = beginnings(modules)
  let needed
  const follow = context => {
    const reached = new Map()
    const visit = (id, user) => {
      const known = reached.get(id) ?? new Set()
      reached.set(id, known)
      const info = context.getModuleInfo(id)
      if (known.has(user) || info === null) return
      known.add(user)
      for (const next of info.importedIds) visit(next, user)
      for (const next of info.dynamicallyImportedIds) {
        const module = moduleOf(next)
        if (module === undefined || users.has(module)) continue
        users.set(module, lazyUser(module))
        visit(next, users.get(module))
      }
    }
    for (const [module, user] of [...users]) visit(join(SOURCES, `${module}.ts`), user)
    return reached
  }
  const programs = new Set(Object.values(PROGRAMS).flat())
  const named = id => {
    const all = [...(needed.get(id) ?? [])].sort()
    const known = USERS.filter(user => all.includes(user))
    if (known.length > 0) return known.join('+')
    return all.length === 1 ? all[0] : moduleOf(id)?.replaceAll('/', '-')
  }
  let grown
  return (id, context) => {
    if (programs.has(moduleOf(id))) return null
    needed ??= follow(context)
    grown ??= grow(new Map([...needed.keys()].map(one => [one, named(one)])), context)
    const name = named(id)
    return grown.get(name) ?? name
  }
}

/** Bytes of modules, comments included, of which a file of their own is not worth while. */
const FEW = 12_000

/**
 * Finds a larger file for what would make a small one: of more users, each of whom has all files at hand that
 * it imports from. What imports modules of Node's or packages stays: they would have to load those, too.
 * @param named where each module would lie @returns by name of a small file, that of the larger one
 */
function grow(named, context) {
  const files = new Map()
  for (const [id, name] of named) {
    if (name === undefined) continue
    const info = context.getModuleInfo(id)
    if (info === null || info.isExternal) continue
    const file = files.get(name) ?? { users: name.split('+'), bytes: 0, imports: new Set() }
    files.set(name, file)
    file.bytes += info.code?.length ?? 0
    for (const next of info.importedIds) if (named.get(next) !== name) file.imports.add(named.get(next))
  }
  const isWithin = (few, many) => few.every(user => many.includes(user))
  const grown = new Map()
  for (const [name, { users, bytes, imports }] of files) {
    if (bytes > FEW || !USERS.includes(users[0])) continue
    const fits = [...files]
      .filter(([other, one]) => other !== name && one.bytes > FEW && isWithin(users, one.users))
      // A program without Node can load nothing but its own.
      .filter(([, one]) => users.includes('web') || !one.users.includes('web'))
      .filter(([, one]) =>
        [...imports].every(
          next => next !== undefined && files.has(next) && isWithin(one.users, files.get(next).users),
        ),
      )
      .sort(([, one], [, other]) => one.users.length - other.users.length)
    if (fits.length > 0) grown.set(name, fits[0][0])
  }
  return grown
}

const HERE = /__urlOf\("([^"]+)"\)/g

/** A module that looks for something beside itself finds it where tsc would have put that module. */
const urls = {
  name: 'urls',
  transform(code, id) {
    const module = moduleOf(id)
    if (module === undefined || !code.includes('import.meta.url')) return null
    return { code: code.replaceAll('import.meta.url', `__urlOf("${module}.js")`), map: null }
  },
  renderChunk(code, { fileName }) {
    if (!code.includes('__urlOf(')) return null
    const from = dirname(fileName)
    const place = (_, module) => {
      const path = relative(from, module).split(sep).join('/')
      return `new URL("${path.startsWith('.') ? path : `./${path}`}", import.meta.url).href`
    }
    return { code: code.replace(HERE, place), map: null }
  },
}

/** @param {readonly string[]} modules */
async function bundle(modules) {
  const { rolldown } = await import('rolldown')
  const build = await rolldown({
    cwd: ROOT,
    input: Object.fromEntries(modules.map(name => [name, join(SOURCES, `${name}.ts`)])),
    platform: 'node',
    external: id => !/^[./]/.test(id) && !PACKAGES.has(packageOf(id)),
    preserveEntrySignatures: 'allow-extension',
    plugins: [urls],
  })
  const { output } = await build.generate({
    dir: TARGET,
    format: 'esm',
    sourcemap: true,
    comments: false,
    minifyInternalExports: false,
    sanitizeFileName: false,
    entryFileNames: '[name].js',
    chunkFileNames: `${JOINED}/[name].js`,
    codeSplitting: {
      groups: [{ name: places(modules), debugName: 'users' }],
      includeDependenciesRecursively: false,
    },
  })
  await build.close()
  return output
}

/** The licences of the packages that are joined, as they ask for. */
function licences(output) {
  const folders = new Map()
  for (const { moduleIds = [] } of output)
    for (const id of moduleIds) {
      const [, folder, name] = /^(.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+))[\\/]/.exec(id) ?? []
      if (folder !== undefined) folders.set(name.split(sep).join('/'), folder)
    }
  return [...folders].sort().map(([name, folder]) => {
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find(one => /^licen[cs]e/i.test(one))
    if (file === undefined) throw new Error(`the package ${name} has no file with its licence`)
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
  })
}

/** Writes what differs. */
function write(name, text) {
  const file = join(TARGET, name)
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** What decides over the bundle: what tsc has read and written, the packages, and this file. */
function stampOf() {
  const hash = createHash('sha256')
  for (const file of ['dist/.tsbuildinfo', 'package-lock.json', 'package.json', 'bin/bundle.js'])
    hash.update(readFileSync(join(ROOT, file)))
  return hash.digest('hex')
}

/** Joins what has changed since the last time. @throws Error a file cannot be bundled */
export async function joinModules() {
  const stamp = stampOf()
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return
  // Until it is done, what is there is half of it.
  rmSync(STAMP, { force: true })
  const output = await bundle(sources())
  const files = new Map(output.map(one => [one.fileName, one.code ?? one.source]))
  files.set(`${JOINED}/licences.txt`, licences(output).join(`\n${'-'.repeat(78)}\n\n`))
  for (const [name, text] of files) write(name, text)
  for (const name of readdirSync(join(TARGET, JOINED)))
    if (!files.has(`${JOINED}/${name}`)) rmSync(join(TARGET, JOINED, name))
  writeFileSync(STAMP, stamp)
}
