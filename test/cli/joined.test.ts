import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUILT = join(ROOT, 'dist/src')
const read = (path: string): string => readFileSync(join(BUILT, path), 'utf8')

/** What a module imports at once: paths of ours from `dist/src`, and names of packages. */
function importsOf(path: string): string[] {
  const found = read(path).matchAll(/^(?:import|export)\b(?: [^;'"]*? from)? ?["']([^"']+)["'];?$/gm)
  return [...found].map(([, name]) =>
    name!.startsWith('.') ? relative(BUILT, join(BUILT, dirname(path), name!)) : name!,
  )
}

/** All that a program loads before it runs. */
function loadedBy(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen
  seen.add(path)
  if (existsSync(join(BUILT, path))) for (const next of importsOf(path)) loadedBy(next, seen)
  return seen
}

const files = (path: string): string[] => [...loadedBy(path)].filter(one => one.endsWith('.js'))

describe('what a build joins', () => {
  it.each([
    ['containers/process/worker.js', 40],
    ['containers/process/warm.js', 40],
    ['containers/sealed/main.js', 30],
    ['gateway/main.js', 30],
    ['keys/main.js', 25],
    ['cli/main.js', 15],
  ])('%s needs few files', (program, most) => {
    const needed = files(program)
    expect(needed.length).toBeGreaterThan(3)
    expect(needed.length).toBeLessThan(most)
  })

  it('is loaded without packages that only some functions need', () => {
    for (const program of ['containers/process/worker.js', 'gateway/main.js', 'keys/main.js']) {
      const packages = [...loadedBy(program)].filter(one => !one.endsWith('.js') && !one.startsWith('node:'))
      expect([program, packages]).toEqual([program, []])
    }
  })

  it('leaves the byte layer and the contract of functions light', () => {
    expect(files('wire/index.js').length).toBeLessThan(4)
    expect(files('functions/index.js').length).toBeLessThan(12)
    expect([...loadedBy('wire/index.js')].filter(one => /pino|koffi|yaml/.test(one))).toEqual([])
  })

  it('has one place for a module, whichever way it is imported', async () => {
    const url = (path: string): string => new URL(`../../dist/src/${path}`, import.meta.url).href
    const [face, inner] = (await Promise.all([
      import(url('tls13/index.js')),
      import(url('tls13/alert.js')),
    ])) as {
      TlsError: unknown
    }[]
    expect(face!.TlsError).toBeTypeOf('function')
    expect(inner!.TlsError).toBe(face!.TlsError)
  })

  it('comes with the licence of each package in it', () => {
    const joined = new Set<string>()
    for (const program of [
      'containers/process/worker.js',
      'gateway/main.js',
      'cli/up/up.js',
      'tls13/index.js',
    ])
      for (const file of loadedBy(program).values())
        if (file.endsWith('.js'))
          for (const [, name] of read(file).matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)/gm))
            joined.add(name!)
    expect([...joined]).toEqual(expect.arrayContaining(['pino', 'yaml']))
    const told = [...read('joined/licences.txt').matchAll(/^(\S+) \d+\.\d+\.\d+ \(\S+\)$/gm)]
    expect([...joined].filter(name => !told.some(([, one]) => one === name))).toEqual([])
  })
})
