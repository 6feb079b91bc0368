import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const crypto = new URL('../../../src/tls13/crypto/', import.meta.url)
const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url))

/**
 * What a module says after `from`, `import`, `import(` or `require(`. Types alone are erased and so leave no
 * import.
 */
const IMPORTS = new RegExp(
  String.raw`(?<!\.)\b(?:(?:import|export)\b(?!\s+type\b)[^'"();]*?\bfrom\s*|` +
    String.raw`import\s*\(?\s*|require\s*\(\s*)['"]([^'"]+)['"]`,
  'g',
)

it('noble.ts reaches nothing of Node, neither in our sources nor in a package', () => {
  const { files, bare } = walk(fileURLToPath(new URL('noble.ts', crypto)))
  expect(bare.filter(name => name.startsWith('node:') || NODE_MODULES.has(name))).toEqual([])
  // the walk went somewhere: into our own files, and into packages behind packages
  for (const part of ['crypto/rsa.ts', 'wire/codec.ts', '@noble/curves/nist.js', 'asn1js/']) {
    expect([part, files.some(file => file.includes(part))]).toEqual([part, true])
  }
})

it('hybrid.ts neither, so that its groups fit either provider; and no provider loads it unasked', () => {
  const { files, bare } = walk(fileURLToPath(new URL('hybrid.ts', crypto)))
  expect(bare.filter(name => name.startsWith('node:') || NODE_MODULES.has(name))).toEqual([])
  expect(files.some(file => file.includes('@noble/post-quantum/ml-kem.js'))).toBe(true)
  for (const provider of ['node.ts', 'noble.ts']) {
    const reached = walk(fileURLToPath(new URL(provider, crypto))).files
    expect([provider, reached.filter(file => file.includes('post-quantum'))]).toEqual([provider, []])
  }
})

it('the same walk finds node:crypto behind node.ts', () => {
  expect(walk(fileURLToPath(new URL('node.ts', crypto))).bare).toContain('node:crypto')
})

/** Node's modules that a package might ask for without the prefix. */
const NODE_MODULES = new Set([
  'assert',
  'buffer',
  'crypto',
  'events',
  'fs',
  'os',
  'path',
  'process',
  'stream',
  'util',
])

/**
 * Every file that can be reached from `entry`, and every name that is neither a file nor an installed
 * package.
 */
function walk(entry: string): { files: readonly string[]; bare: readonly string[] } {
  const files = new Set<string>()
  const bare = new Set<string>()
  const waiting = [entry]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue
    files.add(file)
    for (const [, name] of withoutComments(readFileSync(file, 'utf8')).matchAll(IMPORTS)) {
      const target = resolve(file, name!)
      if (target === undefined) bare.add(name!)
      else waiting.push(target)
    }
  }
  return { files: [...files], bare: [...bare] }
}

/** A relative file, or the file that a bundler for the browser would take from a package. */
function resolve(from: string, name: string): string | undefined {
  if (name.startsWith('.')) {
    const path = join(dirname(from), name)
    const found = [path, `${path}.js`, join(path, 'index.js')].find(
      one => /\.[jt]s$/.test(one) && existsSync(one),
    )
    if (found === undefined) throw new Error(`${from} imports ${name}, which is not there`)
    return found
  }
  const parts = name.split('/')
  const size = name.startsWith('@') ? 2 : 1
  const folder = join(modules, ...parts.slice(0, size))
  if (!existsSync(folder)) return undefined
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const subpath = ['.', ...parts.slice(size)].join('/')
  const exported = typeof manifest.exports === 'object' ? conditional(manifest.exports[subpath]) : undefined
  const target = exported ?? (subpath === '.' ? (manifest.module ?? manifest.main ?? 'index.js') : subpath)
  return join(folder, target)
}

function conditional(value: unknown): string | undefined {
  if (typeof value === 'string' || value === undefined) return value
  const conditions = value as Record<string, unknown>
  return conditional(conditions.browser ?? conditions.import ?? conditions.default)
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
