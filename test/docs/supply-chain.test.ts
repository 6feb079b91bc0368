import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type LockedPackage, lockedPackages } from '../../docs/licences.ts'

/** Licences of what is installed. Another one is a decision: look at what it asks for, then add it. */
const INSTALLED = new Set(['0BSD', 'Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT'])
/** What `sharp` comes with: libvips (docs/licences.md). */
const LIBVIPS = /^node_modules\/@img\/sharp-(libvips-|wasm32$|win32-)/
const DEVELOPED = new Set([
  ...INSTALLED,
  '(MIT OR CC0-1.0)',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'MIT OR Apache-2.0',
  'MPL-2.0',
  'Python-2.0',
])

const read = (file: string) =>
  lockedPackages(readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8'))
const which = (file: string, wrong: (one: LockedPackage, path: string) => boolean) =>
  read(file).flatMap(([path, one]) => (wrong(one, path) ? [path] : []))

describe.each(['package-lock.json', 'docs/api/package-lock.json'])('%s', file => {
  it('has an integrity hash for every package', () => {
    expect(read(file).length).toBeGreaterThan(10)
    expect(which(file, ({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))).toEqual([])
  })

  it('has no package from elsewhere than the registry', () => {
    expect(which(file, ({ resolved }) => resolved !== undefined)).toEqual([])
  })

  it('has a licence for every package, and none that was not looked at', () => {
    const looked = (dev = file.startsWith('docs/')) => (dev ? DEVELOPED : INSTALLED)
    const odd = which(file, ({ license = 'none', dev }) => !looked(dev).has(license))
    expect(odd.filter(path => !LIBVIPS.test(path))).toEqual([])
  })
})

// `npm ci --ignore-scripts` is enough.
it('runs no script of a package but one, whose binaries come as packages', () => {
  expect(which('package-lock.json', one => one.hasInstallScript === true)).toEqual(['node_modules/koffi'])
  expect(which('package-lock.json', (_, path) => /@koromix\/koffi-linux-x64$/.test(path))).toHaveLength(1)
})
