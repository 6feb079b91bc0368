import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface Locked {
  readonly integrity?: string
  readonly resolved?: string
  readonly license?: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
const { '': root, ...others } = packages
const all = Object.entries(others)
const page = read('docs/packages.md')

/** Rows of a table of the page. */
function rowsUnder(title: string): string[][] {
  const section = page.split(/^## /m).find(one => one.startsWith(title))!
  return [...section.matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row!.split(' | ')).slice(2)
}

const names = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)

/** One name for what there is once for each platform. */
function nameOf(path: string): string {
  const name = path.replace(/^.*node_modules\//, '')
  return name.replace(/^(@koromix\/koffi|@img\/sharp(-libvips)?)-.*$/, '$1-*')
}

describe('the lock file', () => {
  it('has a hash of every package, on every platform', () => {
    expect(all.length).toBeGreaterThan(100)
    const without = all.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''))
    expect(without.map(([path]) => path)).toEqual([])
  })

  it('takes packages from the registry alone', () => {
    const elsewhere = all.filter(([, { resolved }]) => resolved !== undefined)
    expect(elsewhere.map(([path]) => path)).toEqual([])
  })

  it('has one package with a script of its own, whose binary is a package besides', () => {
    const scripted = all.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
    expect(scripted).toEqual(['node_modules/koffi'])
    const binaries = Object.keys(others['node_modules/koffi']!.optionalDependencies!)
    expect(binaries).toEqual(
      expect.arrayContaining(['@koromix/koffi-linux-x64', '@koromix/koffi-linux-arm64']),
    )
    expect(binaries.filter(name => others[`node_modules/${name}`] === undefined)).toEqual([])
  })
})

describe('docs/packages.md', () => {
  it('names what is needed, and what is optional, with its licence', () => {
    const rows = rowsUnder('What runs')
    const direct = { ...root!.dependencies, ...root!.optionalDependencies }
    expect(rows.flatMap(([cell]) => names(cell!)).sort()).toEqual(Object.keys(direct).sort())
    for (const [cell, , without, licence] of rows)
      for (const name of names(cell!)) {
        expect([name, without!.startsWith('needed')]).toEqual([name, name in root!.dependencies!])
        expect(licence!.split(', ')).toContain(others[`node_modules/${name}`]!.license)
      }
  })

  it('has all licences of what runs', () => {
    const found = new Map<string, Set<string>>()
    for (const [path, { dev, license = 'none' }] of all)
      if (!dev) found.set(license, (found.get(license) ?? new Set()).add(nameOf(path)))
    const told = rowsUnder('Licences').map(([licence, cell]) => [licence, names(cell!)])
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries([...found].map(([licence, of]) => [licence, [...of].sort()])),
    )
  })
})
